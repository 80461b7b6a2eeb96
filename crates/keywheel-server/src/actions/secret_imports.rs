//! Imports: a folder shows the secrets of other folders of its project. Those may be in other environments.

use keywheel_core::ids::ImportId;
use keywheel_store::folders::Folder;
use keywheel_store::imports::{IMPORTS_MAX, ImportUpdate, NewImport, SecretImport};
use keywheel_store::{Conflict, StoreError};

use super::folders::{self, Place};
use super::projects::find_id;
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// What an update of an import changes; absent is unchanged.
#[derive(Debug, Default)]
pub struct Change {
    /// Another folder to import.
    pub from: Option<Place>,
    /// Another place among the imports of the folder, from 1.
    pub position: Option<i64>,
}

/// Makes an import, behind all others of its folder.
pub async fn create(
    app: &App,
    caller: &Caller,
    into: &Place,
    from: &Place,
) -> Result<SecretImport, ApiError> {
    let project = find_id(app, caller, &into.project).await?;
    let metadata = into
        .metadata()
        .with("importFromEnvironment", &from.environment)
        .with("importFromSecretPath", &from.path);
    caller.open(Event::CreateImport, project, metadata).await?;
    caller.require(project, Action::Create, Subject::Imports).await?;
    let target = folders::existing(app, project, into).await?;
    let source = folders::existing(app, project, from).await?;
    require_other(&target, &source)?;
    let import = NewImport {
        id: app.new_id(ImportId::new),
        into: target.id,
        from: source.id,
        now: app.now(),
    };
    app.store().create_import(&import).await.map_err(refused(from))?;
    caller.note("secretImportId", import.id);
    let made = app.store().import(import.id).await?;
    made.ok_or_else(|| ApiError::internal("a new import is gone"))
}

/// The imports of a folder, in their order.
pub async fn list(app: &App, caller: &Caller, place: &Place) -> Result<Vec<SecretImport>, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    caller.require(project, Action::Read, Subject::Imports).await?;
    let folder = folders::existing(app, project, place).await?;
    imports_in(app, &folder).await
}

/// An import by its id.
pub async fn get(app: &App, caller: &Caller, id: ImportId) -> Result<SecretImport, ApiError> {
    let import = app.store().import(id).await?.ok_or_else(|| not_found(id))?;
    caller
        .require_found(import.project, Action::Read, Subject::Imports, || not_found(id))
        .await?;
    Ok(import)
}

/// Lets an import show another folder, or moves it among the imports of its folder.
pub async fn update(
    app: &App,
    caller: &Caller,
    place: &Place,
    id: ImportId,
    change: &Change,
) -> Result<SecretImport, ApiError> {
    let import = named(app, caller, place, id, Event::UpdateImport, Action::Edit).await?;
    let from = match &change.from {
        None => None,
        Some(from) => {
            let source = folders::existing(app, import.project, from).await?;
            require_other(&folders::existing(app, import.project, place).await?, &source)?;
            Some(source.id)
        }
    };
    if let Some(from) = &change.from {
        caller.note("importFromEnvironment", &from.environment);
        caller.note("importFromSecretPath", &from.path);
    }
    if let Some(position) = change.position {
        caller.note("position", position);
    }
    let update = ImportUpdate {
        from,
        position: change.position,
    };
    let after = app.store().update_import(id, &update, app.now()).await;
    let from = change.from.as_ref().unwrap_or(place);
    after.map_err(refused(from))?.ok_or_else(|| not_found(id))
}

/// Deletes an import; the secrets that it showed stay where they are.
pub async fn delete(
    app: &App,
    caller: &Caller,
    place: &Place,
    id: ImportId,
) -> Result<SecretImport, ApiError> {
    let import = named(app, caller, place, id, Event::DeleteImport, Action::Delete).await?;
    if app.store().delete_import(id).await? {
        Ok(import)
    } else {
        Err(not_found(id))
    }
}

/// The import that a request wants to change, in the folder that it names.
async fn named(
    app: &App,
    caller: &Caller,
    place: &Place,
    id: ImportId,
    event: Event,
    action: Action,
) -> Result<SecretImport, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("secretImportId", id);
    caller.open(event, project, metadata).await?;
    caller.require(project, action, Subject::Imports).await?;
    let found = app.store().import(id).await?;
    let is_there = |import: &SecretImport| {
        import.project == project
            && import.into.environment_slug == place.environment
            && import.into.path == place.path
    };
    let import = found.filter(is_there).ok_or_else(|| not_found(id))?;
    caller.note("importedFromEnvironment", &import.from.environment_slug);
    caller.note("importedFromSecretPath", &import.from.path);
    Ok(import)
}

async fn imports_in(app: &App, folder: &Folder) -> Result<Vec<SecretImport>, ApiError> {
    let mut snapshot = app.store().snapshot().await?;
    Ok(snapshot.imports_of(&[folder.id]).await?)
}

fn require_other(target: &Folder, source: &Folder) -> Result<(), ApiError> {
    if target.id == source.id {
        return Err(ApiError::bad_request("A folder cannot import itself"));
    }
    Ok(())
}

fn refused(from: &Place) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::Import) => {
            ApiError::bad_request("This folder is imported there already")
        }
        StoreError::Conflict(Conflict::TooMany) => {
            ApiError::bad_request(format!("A folder cannot import more than {IMPORTS_MAX} folders"))
        }
        // Deleted since it was looked up.
        StoreError::Conflict(Conflict::Reference) => folders::unknown(from),
        other => other.into(),
    }
}

fn not_found(id: ImportId) -> ApiError {
    ApiError::not_found(format!("Secret import with ID '{id}' not found"))
}
