//! Secrets: read and written by clients, but for those that a rotation writes (platform contract, section
//! 6.2; rotation contract, section 9).

use std::sync::Arc;

use keywheel_core::ids::{ProjectId, SecretId, SecretVersionId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::references;
use keywheel_store::secrets::{Author, NewSecret, NewVersion, Secret, SecretMetadata, SecretUpdate};
use keywheel_store::{Conflict, Patch, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::folders::{self, Place};
use super::projects::find_id;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::cache::Cache;
use crate::http::errors::ApiError;

/// Sealed secrets by where they are.
pub type SecretCache = Cache<(ProjectId, Slug, SecretPath, SecretName), Arc<Secret>>;

/// A secret, opened as far as was asked for.
pub struct SecretView {
    /// The row; its value and its comment are still sealed in there.
    pub secret: Arc<Secret>,
    /// The number of the version that is shown.
    pub version: i64,
    /// The value; none if it was not asked for.
    pub value: Option<SecretString>,
    /// The comment.
    pub comment: SecretString,
}

/// Who else a secret could be for. Identities have shared ones only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// For everyone with the right.
    Shared,
    /// One person's own.
    Personal,
}

/// What can be said about a secret besides its value; absent is unchanged.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// For people.
    pub comment: Option<SecretString>,
    /// Free keys and values.
    pub metadata: Option<Vec<SecretMetadata>>,
    /// Whether clients escape line breaks.
    pub skip_multiline_encoding: Option<bool>,
    /// What a reminder says.
    pub reminder_note: Option<String>,
    /// How often a reminder comes, in days; 0 is never.
    pub reminder_days: Option<i64>,
}

/// Which secret to show, and what of it.
pub struct GetSecret {
    /// Where it is.
    pub place: Place,
    /// Its name.
    pub name: SecretName,
    /// A version other than the current one.
    pub version: Option<i64>,
    /// Whether to show the value.
    pub view_value: bool,
}

/// One secret. This is the path that applications take; it opens the value each time, but asks the store
/// only if something was written since.
pub async fn get(app: &App, caller: &Caller, wanted: &GetSecret) -> Result<SecretView, ApiError> {
    let project = find_id(app, caller, &wanted.place.project).await?;
    let metadata = wanted.place.metadata().with("secretKey", &wanted.name);
    caller
        .open(
            Event::GetSecret,
            project,
            metadata.with("viewSecretValue", wanted.view_value),
        )
        .await?;
    caller.require(project, Action::Read, Subject::Secrets).await?;
    if wanted.view_value {
        caller
            .require(project, Action::ReadValue, Subject::Secrets)
            .await?;
    }
    let secret = look_up(app, project, &wanted.place, &wanted.name).await?;
    let Some(secret) = secret else {
        return Err(match folders::at(app, project, &wanted.place).await? {
            Some(_) => ApiError::not_found(format!("Secret with name '{}' not found", wanted.name)),
            None => unknown_folder(&wanted.place),
        });
    };
    caller.note("secretId", secret.id);
    caller.note("secretVersion", wanted.version.unwrap_or(secret.version));
    match wanted.version {
        Some(number) if number != secret.version => older(app, secret, number, wanted.view_value).await,
        _ => open(app, secret, wanted.view_value),
    }
}

/// A secret by its id.
pub async fn get_by_id(
    app: &App,
    caller: &Caller,
    id: SecretId,
    view_value: bool,
) -> Result<SecretView, ApiError> {
    let not_found = || ApiError::not_found(format!("Secret with ID '{id}' not found"));
    let secret = app.store().secret(id).await?.ok_or_else(not_found)?;
    let metadata = Metadata::new()
        .with("environment", &secret.place.environment_slug)
        .with("secretPath", &secret.place.path)
        .with("secretKey", &secret.name)
        .with("secretId", id)
        .with("viewSecretValue", view_value);
    caller
        .open(Event::GetSecret, secret.place.project, metadata)
        .await?;
    caller
        .require_found(secret.place.project, Action::Read, Subject::Secrets, not_found)
        .await?;
    if view_value {
        caller
            .require(secret.place.project, Action::ReadValue, Subject::Secrets)
            .await?;
    }
    open(app, Arc::new(secret), view_value)
}

/// The secrets of a folder, or also of all folders below it; by path and name.
pub async fn list(
    app: &App,
    caller: &Caller,
    place: &Place,
    recursive: bool,
    view_value: bool,
) -> Result<Vec<SecretView>, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place
        .metadata()
        .with("recursive", recursive)
        .with("viewSecretValue", view_value);
    caller.open(Event::GetSecrets, project, metadata).await?;
    caller.require(project, Action::Read, Subject::Secrets).await?;
    if view_value {
        caller
            .require(project, Action::ReadValue, Subject::Secrets)
            .await?;
    }
    let Some(folder) = folders::at(app, project, place).await? else {
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
    let secrets = if recursive {
        app.store()
            .secrets_below(folder.environment, &folder.path)
            .await?
    } else {
        app.store().secrets_in(folder.id).await?
    };
    caller.note("numberOfSecrets", secrets.len());
    secrets
        .into_iter()
        .map(|secret| open(app, Arc::new(secret), view_value))
        .collect()
}

/// Makes a secret.
pub async fn create(
    app: &App,
    caller: &Caller,
    place: &Place,
    name: SecretName,
    kind: Kind,
    value: &SecretString,
    details: Details,
) -> Result<SecretView, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("secretKey", &name);
    caller.open(Event::CreateSecret, project, metadata).await?;
    caller.require(project, Action::Create, Subject::Secrets).await?;
    if kind == Kind::Personal {
        return Err(ApiError::bad_request("Must be user to create personal secret"));
    }
    let folder = folders::at(app, project, place)
        .await?
        .ok_or_else(|| unknown_folder(place))?;
    let id = app.new_id(SecretId::new);
    caller.note("secretId", id);
    let secret = NewSecret {
        id,
        folder: folder.id,
        name,
        version: new_version(app, caller, value)?,
        comment: seal_comment(app, id, details.comment.as_ref())?,
        metadata: details.metadata.unwrap_or_default(),
        skip_multiline_encoding: details.skip_multiline_encoding,
        reminder_note: details.reminder_note.filter(|note| !note.is_empty()),
        reminder_days: details.reminder_days.filter(|days| *days > 0),
        now: app.now(),
    };
    app.store()
        .create_secret(&secret)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::SecretName) => ApiError::bad_request("Secret already exists"),
            other => other.into(),
        })?;
    let made = app
        .store()
        .secret(id)
        .await?
        .ok_or_else(|| ApiError::internal("a new secret is gone"))?;
    open(app, Arc::new(made), true)
}

/// Changes a secret. Value and name of a rotated secret are the rotation's to change.
pub async fn update(
    app: &App,
    caller: &Caller,
    place: &Place,
    name: &SecretName,
    new_name: Option<SecretName>,
    value: Option<&SecretString>,
    details: Details,
) -> Result<SecretView, ApiError> {
    let secret = to_change(app, caller, place, name, Event::UpdateSecret, Action::Edit).await?;
    let secret = secret.ok_or_else(|| ApiError::not_found(format!("Secret with name {name} not found")))?;
    if let Some(new_name) = &new_name {
        caller.note("newSecretKey", new_name);
    }
    if secret.rotation.is_some() && value.is_some() {
        return Err(ApiError::bad_request(
            "Cannot update rotated secret value: its rotation writes it",
        ));
    }
    if secret.rotation.is_some() && new_name.as_ref().is_some_and(|new| *new != secret.name) {
        return Err(ApiError::bad_request("Cannot update rotated secret name"));
    }
    let update = SecretUpdate {
        name: new_name,
        version: value.map(|value| new_version(app, caller, value)).transpose()?,
        comment: match &details.comment {
            None => Patch::Keep,
            given => Patch::Set(seal_comment(app, secret.id, given.as_ref())?),
        },
        metadata: details.metadata,
        skip_multiline_encoding: Patch::from_option(details.skip_multiline_encoding.map(Some)),
        reminder_note: Patch::from_option(
            details
                .reminder_note
                .map(|note| Some(note).filter(|n| !n.is_empty())),
        ),
        reminder_days: Patch::from_option(details.reminder_days.map(|days| Some(days).filter(|d| *d > 0))),
    };
    let after = app
        .store()
        .update_secret(secret.id, &update, app.now())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::SecretName) => {
                ApiError::bad_request("Secret with the new name already exists")
            }
            other => other.into(),
        })?;
    let after = after.ok_or_else(|| ApiError::not_found(format!("Secret with name {name} not found")))?;
    open(app, Arc::new(after), true)
}

/// Deletes a secret that no rotation writes.
pub async fn delete(
    app: &App,
    caller: &Caller,
    place: &Place,
    name: &SecretName,
    kind: Kind,
) -> Result<SecretView, ApiError> {
    let secret = to_change(app, caller, place, name, Event::DeleteSecret, Action::Delete).await?;
    if kind == Kind::Personal {
        return Err(ApiError::bad_request("Must be user to delete personal secret"));
    }
    let secret = secret.ok_or_else(|| ApiError::not_found("Secret not found"))?;
    if secret.rotation.is_some() {
        return Err(ApiError::bad_request("Cannot delete rotated secrets"));
    }
    let id = secret.id;
    let before = open(app, Arc::new(secret), true)?;
    app.store().delete_secret(id).await.map_err(|error| match error {
        StoreError::Conflict(Conflict::Reference) => ApiError::bad_request("Cannot delete rotated secrets"),
        other => other.into(),
    })?;
    Ok(before)
}

async fn look_up(
    app: &App,
    project: ProjectId,
    place: &Place,
    name: &SecretName,
) -> Result<Option<Arc<Secret>>, ApiError> {
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

/// The secret that is to be changed, straight from the store.
async fn to_change(
    app: &App,
    caller: &Caller,
    place: &Place,
    name: &SecretName,
    event: Event,
    action: Action,
) -> Result<Option<Secret>, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("secretKey", name);
    caller.open(event, project, metadata).await?;
    caller.require(project, action, Subject::Secrets).await?;
    let found = app
        .store()
        .secret_at(project, &place.environment, &place.path, name)
        .await?;
    match &found {
        Some(secret) => caller.note("secretId", secret.id),
        None if folders::at(app, project, place).await?.is_none() => return Err(unknown_folder(place)),
        None => {}
    }
    Ok(found)
}

fn open(app: &App, secret: Arc<Secret>, view_value: bool) -> Result<SecretView, ApiError> {
    let value = match &secret.value {
        Some(sealed) if view_value => app.vault().open_secret_value(secret.version_id, sealed)?,
        _ => SecretString::default(),
    };
    let version = secret.version;
    view(app, secret, version, view_value.then_some(value))
}

async fn older(
    app: &App,
    secret: Arc<Secret>,
    number: i64,
    view_value: bool,
) -> Result<SecretView, ApiError> {
    let found = app.store().secret_version(secret.id, number).await?;
    let version = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "Secret with name '{}' has no version {number}",
            secret.name
        ))
    })?;
    let value = match &version.value {
        Some(sealed) if view_value => app.vault().open_secret_value(version.id, sealed)?,
        _ => SecretString::default(),
    };
    view(app, secret, number, view_value.then_some(value))
}

fn view(
    app: &App,
    secret: Arc<Secret>,
    version: i64,
    value: Option<SecretString>,
) -> Result<SecretView, ApiError> {
    let comment = match &secret.comment {
        Some(sealed) => app.vault().open_comment(secret.id, sealed)?,
        None => SecretString::default(),
    };
    Ok(SecretView {
        secret,
        version,
        value,
        comment,
    })
}

fn new_version(app: &App, caller: &Caller, value: &SecretString) -> Result<NewVersion, ApiError> {
    let id = app.new_id(SecretVersionId::new);
    let plain = value.expose_secret();
    let has_references = references::may_hold(plain);
    let value = app.vault().seal_secret_value(id, plain)?;
    Ok(NewVersion {
        id,
        value,
        has_references,
        author: Author::Identity(caller.identity()),
    })
}

fn seal_comment(
    app: &App,
    id: SecretId,
    comment: Option<&SecretString>,
) -> Result<Option<Vec<u8>>, ApiError> {
    let comment = comment.filter(|comment| !comment.expose_secret().is_empty());
    Ok(comment
        .map(|comment| app.vault().seal_comment(id, comment.expose_secret()))
        .transpose()?)
}

fn unknown_folder(place: &Place) -> ApiError {
    ApiError::not_found(format!(
        "Folder with path '{}' in environment with slug '{}' not found",
        place.path, place.environment
    ))
}
