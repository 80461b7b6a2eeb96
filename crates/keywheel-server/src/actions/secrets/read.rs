//! Reading secrets. This is the path that applications take.

use std::sync::Arc;

use keywheel_core::ids::{ProjectId, SecretId};
use keywheel_core::names::SecretName;
use keywheel_store::secrets::Secret;
use secrecy::SecretString;

use super::{SecretView, open, unknown_folder, view};
use crate::actions::folders::{self, Place};
use crate::actions::projects::find_id;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

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
