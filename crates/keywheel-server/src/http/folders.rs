//! Folders. The first version of the routes has other names for the same things, and deletes by force
//! (platform contract, section 6.3).

mod json;

use axum::extract::State;

use self::json::{FolderJson, FoldersJson, InFolder};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::place::{id_param, text_param};
use crate::actions::folders;
use crate::app::App;
use crate::auth::caller::Caller;

/// POST /api/v1/folders and /api/v2/folders
pub(super) async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InFolder> {
    let wanted = json::create(&body)?;
    let place = wanted.place.complete()?;
    let folder = folders::create(&app, &caller, &place, &wanted.name, wanted.description).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_path(folder),
    }))
}

/// GET /api/v1/folders and /api/v2/folders
pub(super) async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<FoldersJson> {
    let (place, recursive) = json::list(&query)?;
    let place = place.complete()?;
    let found = folders::list(&app, &caller, &place, recursive).await?;
    let folders = found
        .into_iter()
        .map(|folder| FolderJson::listed(folder, recursive))
        .collect();
    Ok(Answer(FoldersJson { folders }))
}

/// GET /api/v1/folders/{folder} and /api/v2/folders/{folder}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InFolder> {
    let folder = folders::get(&app, &caller, id_param(&params, "folder")?).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_place(folder),
    }))
}

/// PATCH /api/v1/folders/{folder} and /api/v2/folders/{folder}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InFolder> {
    let (place, change) = json::update(&body)?;
    let named = text_param(&params, "folder")?;
    let folder = folders::update(&app, &caller, &place.complete()?, &named, change).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::with_path(folder),
    }))
}

/// DELETE /api/v1/folders/{folder}: always by force.
pub(super) async fn delete_by_force(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InFolder> {
    let (place, _) = json::delete(&body)?;
    let named = text_param(&params, "folder")?;
    let folder = folders::delete(&app, &caller, &place.complete()?, &named, true).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::bare(folder),
    }))
}

/// DELETE /api/v2/folders/{folder}
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InFolder> {
    let (place, forced) = json::delete(&body)?;
    let named = text_param(&params, "folder")?;
    let folder = folders::delete(&app, &caller, &place.complete()?, &named, forced).await?;
    Ok(Answer(InFolder {
        folder: FolderJson::bare(folder),
    }))
}
