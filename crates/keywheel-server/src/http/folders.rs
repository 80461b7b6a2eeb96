//! Folders. The first version of the routes has other names for the same things, and deletes by force
//! (platform contract, section 6.3).

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{FolderJson, FoldersJson, InFolder};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::paging::PagedReply;
use super::place::{id_param, text_param};
use crate::actions::folders;
use crate::app::App;
use crate::auth::caller::Caller;

/// Folders, in both versions.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(update_all))
        .routes(routes!(get, update, delete_by_force))
        .routes(at("/api/v2/folders", "V2", routes!(create, list)))
        .routes(at("/api/v2/folders/batch", "V2", routes!(update_all)))
        .routes(routes!(delete))
        .routes(at("/api/v2/folders/{folder}", "V2", routes!(get, update)))
}

body_of!(
    /// A folder to be made.
    CreateFolder = json::create
);
body_of!(
    /// What is to change of a folder, and where it is.
    UpdateFolder = json::update
);
body_of!(
    /// What is to change of several folders, and where each of them is.
    UpdateFolders = json::update_all
);
body_of!(
    /// Where a folder is.
    DeleteFolder = json::delete
);
query_of!(
    /// Which folders.
    ListFoldersQuery = json::list
);

/// Create a folder
///
/// Missing parents are created too.
/// Permission: `create` on `secret-folders`.
#[utoipa::path(
    post,
    path = "/api/v1/folders",
    operation_id = "createFolder",
    tag = "folders",
    request_body = CreateFolder,
    responses((status = 200, body = InFolder))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InFolder> {
    let wanted = json::create(body.fields())?;
    let place = wanted.place.complete()?;
    let folder = folders::create(&app, &caller, &place, &wanted.name, wanted.description).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_path(folder),
    }))
}

/// List folders
///
/// A path that is not there has none.
/// Permission: `read` on `secret-folders`.
#[utoipa::path(
    get,
    path = "/api/v1/folders",
    operation_id = "listFolders",
    tag = "folders",
    params(ListFoldersQuery),
    responses((status = 200, body = FoldersJson))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<FoldersJson> {
    let (place, recursive, page) = json::list(query.fields())?;
    let (place, page) = (place.complete()?, query.page(page)?);
    let found = folders::list(&app, &caller, &place, recursive, &page).await?;
    let listed = found.map(|folder| FolderJson::listed(folder, recursive));
    query.paged(listed, |folders| FoldersJson { folders })
}

/// Get a folder
///
/// Permission: `read` on `secret-folders`.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{folder}",
    operation_id = "getFolder",
    tag = "folders",
    params(("folder" = String, Path, format = Uuid)),
    responses((status = 200, body = InFolder))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InFolder> {
    let folder = folders::get(&app, &caller, id_param(&params, "folder")?).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_place(folder),
    }))
}

/// Update a folder
///
/// It is named by its id or its name.
/// Permission: `edit` on `secret-folders`.
#[utoipa::path(
    patch,
    path = "/api/v1/folders/{folder}",
    operation_id = "updateFolder",
    tag = "folders",
    request_body = UpdateFolder,
    responses((status = 200, body = InFolder))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InFolder> {
    let (place, change) = json::update(body.fields())?;
    let named = text_param(&params, "folder")?;
    let folder = folders::update(&app, &caller, &place.complete()?, &named, change).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_path(folder),
    }))
}

/// Update several folders
///
/// All of them, or none. Each is named by its id or its name.
/// Permission: `edit` on `secret-folders`.
#[utoipa::path(
    patch,
    path = "/api/v1/folders/batch",
    operation_id = "updateFolders",
    tag = "folders",
    request_body = UpdateFolders,
    responses((status = 200, body = FoldersJson))
)]
async fn update_all(State(app): State<App>, caller: Caller, body: Body) -> Reply<FoldersJson> {
    let (project, wanted) = json::update_all(body.fields())?;
    let after = folders::update_all(&app, &caller, &project, wanted).await?;
    Ok(Answer(FoldersJson {
        folders: after.into_iter().map(FolderJson::with_path).collect(),
    }))
}

/// Delete a folder with what it holds
///
/// Refused while it holds rotations.
/// Permission: `delete` on `secret-folders`.
#[utoipa::path(
    delete,
    path = "/api/v1/folders/{folder}",
    operation_id = "deleteFolderByForce",
    tag = "folders",
    request_body = DeleteFolder,
    responses((status = 200, body = InFolder))
)]
async fn delete_by_force(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InFolder> {
    let (place, _) = json::delete(body.fields())?;
    let named = text_param(&params, "folder")?;
    let folder = folders::delete(&app, &caller, &place.complete()?, &named, true).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::bare(folder),
    }))
}

/// Delete a folder
///
/// With what it holds only if forced; never while it holds rotations.
/// Permission: `delete` on `secret-folders`.
#[utoipa::path(
    delete,
    path = "/api/v2/folders/{folder}",
    operation_id = "deleteFolder",
    tag = "folders",
    request_body = DeleteFolder,
    responses((status = 200, body = InFolder))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InFolder> {
    let (place, forced) = json::delete(body.fields())?;
    let named = text_param(&params, "folder")?;
    let folder = folders::delete(&app, &caller, &place.complete()?, &named, forced).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::bare(folder),
    }))
}
