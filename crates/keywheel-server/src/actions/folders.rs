//! Folders of an environment (platform contract, section 6.3).

use keywheel_core::ids::{FolderId, ProjectId};
use keywheel_core::names::{FolderName, SecretPath, Slug};
use keywheel_store::environments::Environment;
use keywheel_store::folders::{Folder, FolderUpdate, NewFolder};
use keywheel_store::projects::Scope;
use keywheel_store::{Conflict, Page, Part, StoreError};

use super::environments::unknown_slug;
use super::projects::{ProjectRef, find_id, held, refuse_rotations};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// A place in a project, as requests name it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The project.
    pub project: ProjectRef,
    /// The slug of the environment; one that nothing can have is answered like an unknown one.
    pub environment: Slug,
    /// The folder.
    pub path: SecretPath,
}

impl Place {
    /// What the audit log tells of it.
    pub fn metadata(&self) -> Metadata {
        Metadata::new()
            .with("environment", &self.environment)
            .with("secretPath", &self.path)
    }
}

/// Makes a folder in the place, and the parents that are missing.
pub async fn create(
    app: &App,
    caller: &Caller,
    place: &Place,
    name: &FolderName,
    description: Option<String>,
) -> Result<Folder, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("folderName", name.to_string());
    caller.open(Event::CreateFolder, project, metadata).await?;
    caller.require(project, Action::Create, Subject::Folders).await?;
    let environment = environment(app, project, &place.environment).await?;
    let path = SecretPath::parse(place.path.join(name).as_str())
        .map_err(|fault| ApiError::bad_request(fault.message))?;
    let folder = NewFolder {
        environment: environment.id,
        ids: path.segments().map(|_| app.new_id(FolderId::new)).collect(),
        path,
        description,
        now: app.now(),
    };
    app.store()
        .create_folder(&folder)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::FolderPath) => ApiError::bad_request(format!(
                "Folder with name '{name}' already exists in path '{}'",
                place.path
            )),
            other => other.into(),
        })
}

/// The folders in a place: those directly in it, or all below it. A place that does not exist has none.
pub async fn list(
    app: &App,
    caller: &Caller,
    place: &Place,
    recursive: bool,
    page: &Page<String>,
) -> Result<Part<Folder, String>, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    caller.require(project, Action::Read, Subject::Folders).await?;
    let found = app
        .store()
        .environment_by_slug(project, &place.environment)
        .await?;
    let environment = found.ok_or_else(|| {
        ApiError::not_found(format!("Environment with slug '{}' not found", place.environment))
    })?;
    if recursive {
        return Ok(app
            .store()
            .folders_below(environment.id, &place.path, page)
            .await?);
    }
    match app
        .store()
        .folder_at(project, &place.environment, &place.path)
        .await?
    {
        Some(folder) => Ok(app.store().folders_in(folder.id, page).await?),
        None => Ok(Part::cut(Vec::new(), page.size)),
    }
}

/// A folder by its id.
pub async fn get(app: &App, caller: &Caller, id: FolderId) -> Result<Folder, ApiError> {
    let unknown = || not_found(&id.to_string());
    let folder = app.store().folder(id).await?.ok_or_else(unknown)?;
    caller
        .require_found(folder.project, Action::Read, Subject::Folders, unknown)
        .await?;
    Ok(folder)
}

/// Renames or describes a folder.
pub async fn update(
    app: &App,
    caller: &Caller,
    place: &Place,
    id_or_name: &str,
    update: FolderUpdate,
) -> Result<Folder, ApiError> {
    let folder = named(app, caller, place, id_or_name, Event::UpdateFolder, Action::Edit).await?;
    let after = app
        .store()
        .update_folder(folder.id, &update, app.now())
        .await
        .map_err(name_taken)?;
    after.ok_or_else(|| not_found(id_or_name))
}

/// A folder to be renamed, as requests name it.
pub struct RenameOne {
    /// Where it is; in the project of the request.
    pub place: Place,
    /// Its name or its id.
    pub id_or_name: String,
    /// Its new name, and perhaps a description.
    pub update: FolderUpdate,
}

/// Renames or describes folders: all of them, or none.
pub async fn update_all(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    wanted: Vec<RenameOne>,
) -> Result<Vec<Folder>, ApiError> {
    let project = find_id(app, caller, project).await?;
    let told = wanted
        .iter()
        .map(|one| one.place.metadata().with("folder", &one.id_or_name));
    let metadata = Metadata::new().with("folders", told.collect::<Vec<_>>());
    caller.open(Event::UpdateFolders, project, metadata).await?;
    caller.require(project, Action::Edit, Subject::Folders).await?;
    let mut updates = Vec::with_capacity(wanted.len());
    for one in wanted {
        let folder = named_in(app, project, &one.place, &one.id_or_name).await?;
        if updates.iter().any(|(id, _)| *id == folder.id) {
            let text = format!("The folder '{}' is in the batch twice", one.id_or_name);
            return Err(ApiError::bad_request(text));
        }
        updates.push((folder.id, one.update));
    }
    let after = app.store().update_folders(&updates, app.now()).await;
    let after = after.map_err(name_taken)?;
    after.ok_or_else(|| ApiError::bad_request("A folder was deleted in the meantime; nothing was changed"))
}

/// Deletes a folder: only an empty one unless `forced`, and never one that holds rotations.
pub async fn delete(
    app: &App,
    caller: &Caller,
    place: &Place,
    id_or_name: &str,
    forced: bool,
) -> Result<Folder, ApiError> {
    let folder = named(
        app,
        caller,
        place,
        id_or_name,
        Event::DeleteFolder,
        Action::Delete,
    )
    .await?;
    if folder.parent.is_none() {
        return Err(ApiError::bad_request(
            "Cannot delete the root folder of an environment",
        ));
    }
    refuse_rotations(app, Scope::Folder(folder.id), "folder").await?;
    if !forced && !app.store().folder_is_empty(folder.id).await? {
        return Err(ApiError::bad_request(format!(
            "Cannot delete folder \"{}\" because it contains resources. Use forceDelete=true to delete it forcefully.",
            folder.name()
        )));
    }
    app.store()
        .delete_folder(folder.id, caller.author(), app.now())
        .await
        .map_err(held("folder"))?;
    Ok(folder)
}

/// The folder at a place; none if it does not exist. The right is the caller's to check.
pub async fn at(app: &App, project: ProjectId, place: &Place) -> Result<Option<Folder>, ApiError> {
    Ok(app
        .store()
        .folder_at(project, &place.environment, &place.path)
        .await?)
}

/// The same; 404 if it does not exist.
pub async fn existing(app: &App, project: ProjectId, place: &Place) -> Result<Folder, ApiError> {
    at(app, project, place).await?.ok_or_else(|| unknown(place))
}

/// The folder that a request wants to change: a name in the place is tried before an id.
async fn named(
    app: &App,
    caller: &Caller,
    place: &Place,
    id_or_name: &str,
    event: Event,
    action: Action,
) -> Result<Folder, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let metadata = place.metadata().with("folder", id_or_name);
    caller.open(event, project, metadata).await?;
    caller.require(project, action, Subject::Folders).await?;
    let folder = named_in(app, project, place, id_or_name).await?;
    caller.note("folderId", folder.id);
    Ok(folder)
}

/// A folder of a place.
async fn named_in(
    app: &App,
    project: ProjectId,
    place: &Place,
    id_or_name: &str,
) -> Result<Folder, ApiError> {
    let environment = environment(app, project, &place.environment).await?;
    if let Ok(name) = FolderName::parse(id_or_name) {
        let path = place.path.join(&name);
        if let Some(folder) = app.store().folder_at(project, &place.environment, &path).await? {
            return Ok(folder);
        }
    }
    let found = match id_or_name.parse() {
        Ok(id) => app.store().folder(id).await?,
        Err(_) => None,
    };
    found
        .filter(|folder| folder.environment == environment.id)
        .ok_or_else(|| not_found(id_or_name))
}

async fn environment(app: &App, project: ProjectId, slug: &Slug) -> Result<Environment, ApiError> {
    let found = app.store().environment_by_slug(project, slug).await?;
    found.ok_or_else(|| unknown_slug(slug.as_str(), project))
}

fn name_taken(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict(Conflict::FolderPath) => {
            ApiError::bad_request("Folder with specified name already exists")
        }
        other => other.into(),
    }
}

/// Said of a place without a folder.
pub fn unknown(place: &Place) -> ApiError {
    ApiError::not_found(format!(
        "Folder with path '{}' in environment with slug '{}' not found",
        place.path, place.environment
    ))
}

fn not_found(id: &str) -> ApiError {
    ApiError::not_found(format!("Folder with ID '{id}' not found"))
}
