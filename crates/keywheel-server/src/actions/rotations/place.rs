//! Where a rotation is to be, and what is in its way there.

use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::references::{self, Address, Move};
use keywheel_core::rotation::{Place, RotationSettings};
use keywheel_store::folders::Folder;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::secrets::Secret;

use super::names::name_taken;
use crate::app::App;
use crate::http::errors::ApiError;

/// A place with the names that its secrets are referred to by.
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) folder: references::Folder,
}

impl Spot {
    /// Where a rotation is.
    pub(super) fn of(shown: &ShownRotation) -> Self {
        Self {
            place: shown.rotation.place,
            folder: references::Folder {
                environment: shown.environment_slug.clone(),
                path: shown.path.clone(),
            },
        }
    }

    /// A folder of the project that a rotation is in.
    pub(super) async fn find(
        app: &App,
        shown: &ShownRotation,
        environment: &Slug,
        path: &SecretPath,
    ) -> Result<Self, ApiError> {
        let project = shown.rotation.place.project;
        let folder = app.store().folder_at(project, environment, path).await?;
        folder.map(Self::from).ok_or_else(|| {
            ApiError::not_found(format!(
                "Destination folder with path \"{path}\" in environment \"{environment}\" not found"
            ))
        })
    }

    pub(super) fn path(&self) -> &SecretPath {
        &self.folder.path
    }

    fn address(&self, name: &SecretName) -> Address {
        Address {
            folder: self.folder.clone(),
            name: name.clone(),
        }
    }
}

impl From<Folder> for Spot {
    fn from(folder: Folder) -> Self {
        Self {
            place: Place {
                project: folder.project,
                environment: folder.environment,
                folder: folder.id,
            },
            folder: references::Folder {
                environment: folder.environment_slug,
                path: folder.path,
            },
        }
    }
}

/// Which secrets get another name or folder when a rotation changes.
pub(super) fn moves(before: &ShownRotation, settings: &RotationSettings, spot: &Spot) -> Vec<Move> {
    let (source, old) = (Spot::of(before), &before.rotation.settings.mapping);
    let pairs = [
        (old.access_key_id(), settings.mapping.access_key_id()),
        (old.secret_access_key(), settings.mapping.secret_access_key()),
    ];
    let moves = pairs.map(|(from, to)| Move {
        from: source.address(from),
        to: spot.address(to),
    });
    moves.into_iter().filter(|m| m.from != m.to).collect()
}

/// Refuses if another rotation in the folder has the name.
pub(super) async fn require_name(
    app: &App,
    before: &ShownRotation,
    name: &Slug,
    spot: &Spot,
) -> Result<(), ApiError> {
    let found = app.store().rotation_by_name(spot.place.folder, name).await?;
    match found.filter(|found| found.rotation.id != before.rotation.id) {
        Some(_) => Err(name_taken(name, spot.path())),
        None => Ok(()),
    }
}

/// The secrets of others that have the names that a rotation wants for its own; by name.
pub(super) async fn in_the_way(
    app: &App,
    before: &ShownRotation,
    settings: &RotationSettings,
    spot: &Spot,
) -> Result<Vec<Secret>, ApiError> {
    let mut names = [
        settings.mapping.access_key_id(),
        settings.mapping.secret_access_key(),
    ];
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let folder = &spot.folder;
        let secret = app
            .store()
            .secret_at(spot.place.project, &folder.environment, &folder.path, name)
            .await?;
        found.extend(secret.filter(|secret| secret.rotation != Some(before.rotation.id)));
    }
    Ok(found)
}
