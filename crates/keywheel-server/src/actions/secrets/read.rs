//! Reading secrets. This is the path that applications take.

use std::sync::Arc;

use keywheel_core::ids::{FolderId, ProjectId, SecretId};
use keywheel_core::names::SecretName;
use keywheel_store::secrets::Secret;
use keywheel_store::{Page, Part, Snapshot};

use super::found::Found;
use super::referred::Referred;
use super::{SecretFilter, imported};
use crate::actions::filling::Filling;
use crate::actions::folders::{self, Place};
use crate::actions::projects::find_id;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// What to show of secrets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct View {
    /// Their values.
    pub value: bool,
    /// Their values with what references mean, in place of the references.
    pub expand: bool,
    /// Also what their folder imports.
    pub imports: bool,
}

impl View {
    /// Whether references are replaced in what is shown.
    fn opens_references(self) -> bool {
        self.value && self.expand
    }

    /// Whether other secrets may have to be read for this one.
    fn expands(self, secret: &Secret) -> bool {
        self.opens_references() && secret.has_references
    }
}

/// Which secret to show, and what of it.
pub struct GetSecret {
    /// Where it is.
    pub place: Place,
    /// Its name.
    pub name: SecretName,
    /// A version other than the current one.
    pub version: Option<i64>,
    /// What to show.
    pub view: View,
}

impl GetSecret {
    /// Whether the folder's own secret, as it is now, is all that is needed.
    fn is_shown_by(&self, secret: &Secret) -> bool {
        self.version.is_none_or(|number| number == secret.version) && !self.view.expands(secret)
    }
}

/// Which secrets to show, and what of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListSecrets {
    /// The folder.
    pub place: Place,
    /// Whether those of all folders below count too.
    pub recursive: bool,
    /// What they have to be like.
    pub filter: SecretFilter,
    /// What to show.
    pub view: View,
    /// Which part of the list, by name. A part is of one folder alone.
    pub page: Page<String>,
}

/// One secret. The store is asked only if something was written since the last time.
pub async fn get(app: &App, caller: &Caller, wanted: &GetSecret) -> Result<Found, ApiError> {
    let project = find_id(app, caller, &wanted.place.project).await?;
    let metadata = wanted.place.metadata().with("secretKey", &wanted.name);
    let metadata = metadata.with("viewSecretValue", wanted.view.value);
    caller.open(Event::GetSecret, project, metadata).await?;
    require(caller, project, wanted.view).await?;
    let (secret, referred) = match look_up(app, project, wanted).await? {
        Some(secret) if wanted.is_shown_by(&secret) => (secret, Referred::default()),
        _ => get_in_snapshot(app, project, wanted).await?,
    };
    caller.note("secretId", secret.id);
    caller.note("secretVersion", secret.version);
    Ok(Found::new(wanted.view.value, vec![secret], Vec::new(), referred))
}

/// A secret by its id.
pub async fn get_by_id(app: &App, caller: &Caller, id: SecretId, view: View) -> Result<Found, ApiError> {
    let mut secret = Arc::new(find(app, caller, id, Event::GetSecret, view).await?);
    let mut referred = Referred::default();
    if view.expands(&secret) {
        let mut snapshot = app.store().snapshot().await?;
        secret = Arc::new(snapshot.secret(id).await?.ok_or_else(|| unknown_id(id))?);
        let roots = std::iter::once(&secret);
        referred = Referred::follow(app, snapshot.as_mut(), secret.place.project, roots).await?;
    }
    Ok(Found::new(view.value, vec![secret], Vec::new(), referred))
}

/// The secret of an id, for somebody who may see it.
pub(super) async fn find(
    app: &App,
    caller: &Caller,
    id: SecretId,
    event: Event,
    view: View,
) -> Result<Secret, ApiError> {
    let not_found = || unknown_id(id);
    let secret = app.store().secret(id).await?.ok_or_else(not_found)?;
    let metadata = Metadata::new()
        .with("environment", &secret.place.environment_slug)
        .with("secretPath", &secret.place.path)
        .with("secretKey", &secret.name)
        .with("secretId", id)
        .with("viewSecretValue", view.value);
    let project = secret.place.project;
    caller.open(event, project, metadata).await?;
    caller
        .require_found(project, Action::Read, Subject::Secrets, not_found)
        .await?;
    require(caller, project, view).await?;
    Ok(secret)
}

/// Asks whether the caller may see a list; the project that it is of. Nothing is read yet.
pub async fn admit_list(app: &App, caller: &Caller, wanted: &ListSecrets) -> Result<ProjectId, ApiError> {
    let place = &wanted.place;
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("recursive", wanted.recursive);
    let metadata = metadata.with("viewSecretValue", wanted.view.value);
    caller.open(Event::GetSecrets, project, metadata).await?;
    require(caller, project, wanted.view).await?;
    Ok(project)
}

/// The secrets of a folder, or also of all folders below it; by path and name. All of them, with what they import and
/// refer to, are of one state: of a pair that a rotation writes, both are old or both are new.
pub async fn read_list(app: &App, project: ProjectId, wanted: &ListSecrets) -> Result<Found, ApiError> {
    let (place, view) = (&wanted.place, wanted.view);
    let mut snapshot = app.store().snapshot().await?;
    let folders = folders(snapshot.as_mut(), project, place, wanted.recursive).await?;
    let part = match folders.as_slice() {
        [folder] if wanted.page.size.is_some() => page_of(snapshot.as_mut(), *folder, wanted).await?,
        _ => {
            let mut secrets = snapshot.secrets_in(&folders, None).await?;
            secrets.retain(|secret| wanted.filter.admits(secret));
            Part::cut(secrets, None)
        }
    };
    let Part { rows: secrets, next } = part.map(Arc::new);
    let mut imports = if view.imports {
        imported::follow(snapshot.as_mut(), &folders, None).await?
    } else {
        Vec::new()
    };
    for import in &mut imports {
        import.secrets.retain(|secret| wanted.filter.admits(secret));
    }
    let referred = if view.opens_references() {
        let all = imports.iter().flat_map(|import| &import.secrets);
        Referred::follow(app, snapshot.as_mut(), project, secrets.iter().chain(all)).await?
    } else {
        Referred::default()
    };
    Ok(Found::new(view.value, secrets, imports, referred).before(next))
}

/// A page of the secrets of a folder.
async fn page_of(
    snapshot: &mut dyn Snapshot,
    folder: FolderId,
    wanted: &ListSecrets,
) -> Result<Part<Secret, String>, ApiError> {
    let mut filling = Filling::of(wanted.page.clone());
    while let Some(page) = filling.wanted() {
        let mut found = snapshot.secrets_part(folder, page).await?;
        found.rows.retain(|secret| wanted.filter.admits(secret));
        filling.add(found.rows, found.next);
    }
    Ok(filling.finish())
}

async fn require(caller: &Caller, project: ProjectId, view: View) -> Result<(), ApiError> {
    caller.require(project, Action::Read, Subject::Secrets).await?;
    if view.value {
        caller
            .require(project, Action::ReadValue, Subject::Secrets)
            .await?;
    }
    Ok(())
}

async fn folders(
    snapshot: &mut dyn Snapshot,
    project: ProjectId,
    place: &Place,
    recursive: bool,
) -> Result<Vec<FolderId>, ApiError> {
    let found = snapshot
        .folder_at(project, &place.environment, &place.path)
        .await?;
    let Some(folder) = found else {
        let text = format!(
            "Folder with path '{}' in environment '{}' was not found. Please ensure the environment slug and secret path is correct.",
            place.path, place.environment
        );
        return Err(ApiError::named(
            axum::http::StatusCode::NOT_FOUND,
            "SecretPathNotFound",
            text,
        ));
    };
    Ok(if recursive {
        snapshot.folders_from(folder.environment, &folder.path).await?
    } else {
        vec![folder.id]
    })
}

async fn look_up(app: &App, project: ProjectId, wanted: &GetSecret) -> Result<Option<Arc<Secret>>, ApiError> {
    let (place, name) = (&wanted.place, &wanted.name);
    let key = (
        project,
        place.environment.clone(),
        place.path.clone(),
        name.clone(),
    );
    let revision = app.store().revision();
    if let Some(secret) = app.secrets().get(&key, revision) {
        return Ok(Some(secret));
    }
    let found = app
        .store()
        .secret_at(project, &place.environment, &place.path, name)
        .await?;
    let Some(secret) = found.map(Arc::new) else {
        return Ok(None);
    };
    app.secrets().put(key, Arc::clone(&secret), revision);
    Ok(Some(secret))
}

/// One secret and what it refers to, of one state: the folder's own, or the one that its last import shows.
async fn get_in_snapshot(
    app: &App,
    project: ProjectId,
    wanted: &GetSecret,
) -> Result<(Arc<Secret>, Referred), ApiError> {
    let (place, view) = (&wanted.place, wanted.view);
    let mut snapshot = app.store().snapshot().await?;
    let folder = snapshot
        .folder_at(project, &place.environment, &place.path)
        .await?;
    let folder = folder.ok_or_else(|| folders::unknown(place))?;
    let mut secret = own_or_imported(snapshot.as_mut(), folder.id, wanted).await?;
    let older = wanted.version.filter(|number| *number != secret.version);
    if let Some(number) = older {
        secret = self::older(snapshot.as_mut(), &secret, number).await?;
    }
    let referred = match older {
        _ if !view.opens_references() => Referred::default(),
        Some(_) => Referred::follow_older(app, snapshot.as_mut(), &secret).await?,
        None => Referred::follow(app, snapshot.as_mut(), project, std::iter::once(&secret)).await?,
    };
    Ok((secret, referred))
}

async fn own_or_imported(
    snapshot: &mut dyn Snapshot,
    folder: FolderId,
    wanted: &GetSecret,
) -> Result<Arc<Secret>, ApiError> {
    let own = snapshot.secrets_in(&[folder], Some(&wanted.name)).await?;
    if let Some(own) = own.into_iter().next() {
        return Ok(Arc::new(own));
    }
    let imports = if wanted.view.imports {
        imported::follow(snapshot, &[folder], Some(&wanted.name)).await?
    } else {
        Vec::new()
    };
    let last = imports
        .into_iter()
        .rev()
        .find_map(|import| import.secrets.into_iter().next());
    last.ok_or_else(|| ApiError::not_found(format!("Secret with name '{}' not found", wanted.name)))
}

/// The secret as it was in an earlier version.
async fn older(snapshot: &mut dyn Snapshot, secret: &Secret, number: i64) -> Result<Arc<Secret>, ApiError> {
    let found = snapshot.secret_version(secret.id, number).await?;
    let version = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "Secret with name '{}' has no version {number}",
            secret.name
        ))
    })?;
    Ok(Arc::new(Secret {
        version: version.number,
        version_id: version.id,
        value: version.value,
        author: version.author,
        ..secret.clone()
    }))
}

fn unknown_id(id: SecretId) -> ApiError {
    ApiError::not_found(format!("Secret with ID '{id}' not found"))
}
