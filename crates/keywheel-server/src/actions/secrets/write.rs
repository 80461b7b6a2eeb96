//! Writing secrets. What a rotation writes is its alone.

use std::sync::Arc;

use keywheel_core::ids::{FolderId, SecretId, SecretVersionId};
use keywheel_core::names::SecretName;
use keywheel_core::references;
use keywheel_store::secrets::{NewSecret, NewVersion, Secret, SecretChange, SecretUpdate};
use keywheel_store::{Conflict, Patch, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::{Details, Kind, SecretView, open};
use crate::actions::folders::{self, Place};
use crate::actions::projects::find_id;
use crate::actions::tags;
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Said of a name that is taken.
pub(super) const EXISTS: &str = "Secret already exists";
/// The same of a new name.
pub(super) const NEW_NAME_EXISTS: &str = "Secret with the new name already exists";
/// Said to who wants to delete what a rotation writes.
const ROTATED_STAYS: &str = "Cannot delete rotated secrets";

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
    let folder = folders::existing(app, project, place).await?;
    tags::require_all(app, project, details.tags.as_deref().unwrap_or_default()).await?;
    let secret = new_secret(app, caller, folder.id, name, value, details)?;
    caller.note("secretId", secret.id);
    let change = SecretChange::Create(secret);
    let made = app
        .store()
        .write_secrets(&[change], None, caller.author(), app.now())
        .await;
    let made = made.map_err(|error| refused(error, EXISTS))?.pop();
    let made = made.ok_or_else(|| ApiError::internal("a new secret is gone"))?;
    open(app, Arc::new(made), true, None)
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
    let secret = secret.ok_or_else(|| no_secret(name))?;
    if let Some(new_name) = &new_name {
        caller.note("newSecretKey", new_name);
    }
    refuse_rotated(&secret, value.is_some(), new_name.as_ref())?;
    tags::require_all(
        app,
        secret.place.project,
        details.tags.as_deref().unwrap_or_default(),
    )
    .await?;
    let update = changed(app, caller, secret.id, new_name, value, details)?;
    let author = caller.author();
    let after = app
        .store()
        .update_secret(secret.id, &update, author, app.now())
        .await;
    let after = after.map_err(|error| refused(error, NEW_NAME_EXISTS))?;
    let after = after.ok_or_else(|| no_secret(name))?;
    open(app, Arc::new(after), true, None)
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
    refuse_rotated_deletion(&secret)?;
    let id = secret.id;
    let before = open(app, Arc::new(secret), true, None)?;
    let author = caller.author();
    app.store()
        .delete_secret(id, author, app.now())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::Reference) => ApiError::bad_request(ROTATED_STAYS),
            other => other.into(),
        })?;
    Ok(before)
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
        None if folders::at(app, project, place).await?.is_none() => return Err(folders::unknown(place)),
        None => {}
    }
    Ok(found)
}

/// Refuses to change what a rotation writes; everything else of its secrets is for clients to change.
pub(super) fn refuse_rotated(
    secret: &Secret,
    changes_value: bool,
    new_name: Option<&SecretName>,
) -> Result<(), ApiError> {
    if secret.rotation.is_none() {
        return Ok(());
    }
    if changes_value {
        return Err(ApiError::bad_request(
            "Cannot update rotated secret value: its rotation writes it",
        ));
    }
    if new_name.is_some_and(|new| *new != secret.name) {
        return Err(ApiError::bad_request("Cannot update rotated secret name"));
    }
    Ok(())
}

/// Refuses to delete what a rotation writes.
pub(super) fn refuse_rotated_deletion(secret: &Secret) -> Result<(), ApiError> {
    match secret.rotation {
        Some(_) => Err(ApiError::bad_request(ROTATED_STAYS)),
        None => Ok(()),
    }
}

/// Said of a secret that was to be changed and is not there.
pub(super) fn no_secret(name: &SecretName) -> ApiError {
    ApiError::not_found(format!("Secret with name {name} not found"))
}

/// What a refusal of the store means to whoever writes; `taken` is said of a name that is.
pub(super) fn refused(error: StoreError, taken: &'static str) -> ApiError {
    match error {
        StoreError::Conflict(Conflict::SecretName) => ApiError::bad_request(taken),
        StoreError::Conflict(Conflict::Reference) => ApiError::bad_request(
            "The folder or a tag was deleted in the meantime; nothing was changed. Please try again.",
        ),
        StoreError::Conflict(Conflict::Changed) => ApiError::bad_request(
            "Some of the secrets were changed in the meantime; nothing was changed. Please try again.",
        ),
        other => other.into(),
    }
}

/// A secret as it is to be made.
pub(super) fn new_secret(
    app: &App,
    caller: &Caller,
    folder: FolderId,
    name: SecretName,
    value: &SecretString,
    details: Details,
) -> Result<NewSecret, ApiError> {
    let id = app.new_id(SecretId::new);
    Ok(NewSecret {
        id,
        folder,
        name,
        version: new_version(app, caller, value)?,
        comment: seal_comment(app, id, details.comment.as_ref())?,
        metadata: details.metadata.unwrap_or_default(),
        tags: details.tags.unwrap_or_default(),
        skip_multiline_encoding: details.skip_multiline_encoding,
        reminder_note: details.reminder_note.filter(|note| !note.is_empty()),
        reminder_days: details.reminder_days.filter(|days| *days > 0),
        now: app.now(),
    })
}

/// What is to change of a secret.
pub(super) fn changed(
    app: &App,
    caller: &Caller,
    id: SecretId,
    new_name: Option<SecretName>,
    value: Option<&SecretString>,
    details: Details,
) -> Result<SecretUpdate, ApiError> {
    let note = details.reminder_note;
    let note = note.map(|note| Some(note).filter(|note| !note.is_empty()));
    let days = details.reminder_days;
    let days = days.map(|days| Some(days).filter(|days| *days > 0));
    Ok(SecretUpdate {
        name: new_name,
        folder: None,
        version: value.map(|value| new_version(app, caller, value)).transpose()?,
        comment: match &details.comment {
            None => Patch::Keep,
            given => Patch::Set(seal_comment(app, id, given.as_ref())?),
        },
        metadata: details.metadata,
        tags: details.tags,
        skip_multiline_encoding: Patch::from_option(details.skip_multiline_encoding.map(Some)),
        reminder_note: Patch::from_option(note),
        reminder_days: Patch::from_option(days),
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
        author: caller.author(),
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
