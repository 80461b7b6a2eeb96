//! Moves secrets to another folder of their project; references to them follow (platform contract, section 6.2.3).

use std::collections::BTreeSet;

use keywheel_core::ids::{ProjectId, SecretId};
use keywheel_core::names::SecretName;
use keywheel_core::references::{self as syntax, Address, Folder as Home, Move};
use keywheel_store::folders::Folder;
use keywheel_store::secrets::{Author, NewVersion, Secret, SecretChange, SecretUpdate};
use keywheel_store::{Conflict, StoreError};
use secrecy::ExposeSecret;

use super::secrets_named;
use crate::actions::folders::{self, Place};
use crate::actions::projects::find_id;
use crate::actions::references::{self, Followers, Relocation, Rewritten, home};
use crate::actions::tries::{Tries, Undone};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Most names that the database is asked for at once: a value may hold any number of references.
const NAMES_AT_ONCE: usize = 500;

/// Which secrets are to go where.
pub struct MoveSecrets {
    /// Where they are.
    pub source: Place,
    /// Where they are to be, in the same project.
    pub destination: Place,
    /// Which.
    pub secrets: Vec<SecretId>,
    /// Whether secrets that are in the way there are replaced.
    pub overwrite: bool,
}

/// Moves secrets, with all their versions.
pub async fn relocate(app: &App, caller: &Caller, wanted: &MoveSecrets) -> Result<(), ApiError> {
    let project = find_id(app, caller, &wanted.source.project).await?;
    caller.open(Event::MoveSecrets, project, told(wanted)).await?;
    // Replaced secrets are deleted too, so that no further right is asked for.
    for action in [Action::Delete, Action::Create] {
        caller.require(project, action, Subject::Secrets).await?;
    }
    let mut tries = Tries::default();
    loop {
        match attempt(app, caller, project, wanted).await {
            Ok(()) => return Ok(()),
            Err(undone) => tries.again(undone)?,
        }
    }
}

async fn attempt(app: &App, caller: &Caller, project: ProjectId, wanted: &MoveSecrets) -> Result<(), Undone> {
    let source = folders::existing(app, project, &wanted.source).await?;
    let destination = folders::existing(app, project, &wanted.destination).await?;
    if source.id == destination.id {
        return Err(ApiError::bad_request("Source and destination locations are the same").into());
    }
    let moving = moving(app, &source, wanted).await?;
    let replaced = in_the_way(app, &destination, &moving, wanted.overwrite).await?;
    let new_home = Home {
        environment: destination.environment_slug.clone(),
        path: destination.path.clone(),
    };
    let mut moves = moves(&moving, &new_home);
    moves.extend(left_behind(app, &source, &moving).await?);
    let relocation = Relocation {
        project,
        what: "a secret that is to be moved",
        moves: &moves,
        gone: &replaced,
        taken_along: &moving,
        destination: &new_home,
    };
    let followers = references::followers(app, &relocation).await?;
    let after = followers.told(&replaced);
    let seen = followers.seen.clone();
    let author = caller.author();
    let changes = changes(&replaced, moving, followers, &destination, author);
    let written = app
        .store()
        .write_secrets(&changes, seen.as_ref(), author, app.now())
        .await;
    written.map_err(|error| match error {
        // What the checks found is not so any more, unless they say so themselves when they are repeated.
        StoreError::Conflict(Conflict::Changed | Conflict::Reference | Conflict::SecretName) => {
            Undone::Changed
        }
        other => other.into(),
    })?;
    caller.note_all(after);
    Ok(())
}

/// What the audit log tells of a move.
fn told(wanted: &MoveSecrets) -> Metadata {
    Metadata::new()
        .with("sourceEnvironment", &wanted.source.environment)
        .with("sourceSecretPath", &wanted.source.path)
        .with("destinationEnvironment", &wanted.destination.environment)
        .with("destinationSecretPath", &wanted.destination.path)
        .with("secretIds", &wanted.secrets)
}

/// The secrets that are to go. Those of a rotation go with it, and never alone (rotation contract, section 9).
async fn moving(app: &App, source: &Folder, wanted: &MoveSecrets) -> Result<Vec<Secret>, ApiError> {
    let ids: BTreeSet<SecretId> = wanted.secrets.iter().copied().collect();
    let ids: Vec<SecretId> = ids.into_iter().collect();
    let mut moving = app.store().secrets_by_ids(&ids).await?;
    moving.retain(|secret| secret.place.folder == source.id);
    let is_missing = |id: &&SecretId| !moving.iter().any(|secret| secret.id == **id);
    if let Some(id) = ids.iter().find(is_missing) {
        return Err(ApiError::not_found(format!("Secret with ID '{id}' not found")));
    }
    match moving.iter().find(|secret| secret.rotation.is_some()) {
        Some(rotated) => Err(ApiError::bad_request(format!(
            "Cannot move rotated secret: {}",
            rotated.name
        ))),
        None => Ok(moving),
    }
}

/// The secrets at the destination that have the names, if they may be replaced.
async fn in_the_way(
    app: &App,
    destination: &Folder,
    moving: &[Secret],
    overwrite: bool,
) -> Result<Vec<Secret>, ApiError> {
    let names: Vec<SecretName> = moving.iter().map(|secret| secret.name.clone()).collect();
    let found = secrets_named(app, destination, &names).await?;
    let listed = |secrets: &mut dyn Iterator<Item = &Secret>| {
        let names: Vec<&str> = secrets.map(|secret| secret.name.as_str()).collect();
        names.join(", ")
    };
    let path = &destination.path;
    if !found.is_empty() && !overwrite {
        return Err(ApiError::bad_request(format!(
            "The following secrets already exist at the destination path \"{path}\": {}. Set \"shouldOverwrite\" to \
             true to replace them.",
            listed(&mut found.iter())
        )));
    }
    let rotated = listed(&mut found.iter().filter(|secret| secret.rotation.is_some()));
    if !rotated.is_empty() {
        return Err(ApiError::bad_request(format!(
            "The following secrets at the destination path \"{path}\" are written by a secret rotation and cannot be \
             replaced: {rotated}"
        )));
    }
    Ok(found)
}

fn moves(moving: &[Secret], new_home: &Home) -> Vec<Move> {
    let relocated = |secret: &Secret| Move {
        from: address(home(secret), &secret.name),
        to: address(new_home.clone(), &secret.name),
    };
    moving.iter().map(relocated).collect()
}

/// What the secrets that go refer to in the folder that they leave, as moves to the same place: they are to mean it
/// still.
async fn left_behind(app: &App, source: &Folder, moving: &[Secret]) -> Result<Vec<Move>, ApiError> {
    let mut meant = BTreeSet::new();
    for secret in moving {
        let Some(value) = references::value(app, secret)? else {
            continue;
        };
        let relative = syntax::find(value.expose_secret()).filter(syntax::Reference::is_relative);
        let home = home(secret);
        meant.extend(relative.filter_map(|reference| Some(reference.resolve(&home)?.name)));
    }
    for secret in moving {
        meant.remove(&secret.name);
    }
    let Some(first) = moving.first() else {
        return Ok(Vec::new());
    };
    let meant: Vec<SecretName> = meant.into_iter().collect();
    let mut there = Vec::new();
    for names in meant.chunks(NAMES_AT_ONCE) {
        there.extend(app.store().taken_names(source.id, names).await?);
    }
    let stays = |name: &SecretName| {
        let from = address(home(first), name);
        Move {
            to: from.clone(),
            from,
        }
    };
    Ok(there.iter().map(stays).collect())
}

fn address(folder: Home, name: &SecretName) -> Address {
    Address {
        folder,
        name: name.clone(),
    }
}

/// The transaction: what is replaced goes, the secrets go, and references follow.
fn changes(
    replaced: &[Secret],
    moving: Vec<Secret>,
    followers: Followers,
    destination: &Folder,
    author: Author,
) -> Vec<SecretChange> {
    let mut rewritten = followers.rewritten;
    let delete = |secret: &Secret| SecretChange::Delete {
        id: secret.id,
        read: Some(secret.into()),
    };
    let mut changes: Vec<SecretChange> = replaced.iter().map(delete).collect();
    for secret in moving {
        let own = rewritten.iter().position(|one| one.secret.id == secret.id);
        let own = own.map(|index| rewritten.swap_remove(index));
        changes.push(update(&secret, Some(destination), own, author));
    }
    for one in rewritten {
        let secret = one.secret.clone();
        changes.push(update(&secret, None, Some(one), author));
    }
    changes
}

fn update(
    secret: &Secret,
    destination: Option<&Folder>,
    rewritten: Option<Rewritten>,
    author: Author,
) -> SecretChange {
    let version = rewritten.map(|Rewritten { version, .. }| NewVersion {
        id: version.id,
        value: version.sealed,
        has_references: true,
        author,
    });
    SecretChange::Update {
        id: secret.id,
        read: Some(secret.into()),
        update: SecretUpdate {
            folder: destination.map(|folder| folder.id),
            version,
            ..SecretUpdate::default()
        },
    }
}
