//! Tags, below `/api/v1/projects/{project}` and `/api/v1/workspace/{project}` alike, where the answers have an older
//! name (platform contract, section 6.6).

mod json;

use axum::extract::State;
use keywheel_store::tags::Tag;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::SecretTagJson;
use self::json::{InTag, InWorkspaceTag, TagsJson, WorkspaceTagsJson};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::openapi::body_of;
use super::place::{id_param, project_by_id, text_param};
use crate::actions::tags;
use crate::app::App;
use crate::auth::caller::Caller;

/// Tags, below both names of a project.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get_by_slug))
        .routes(routes!(get, update, delete))
        .routes(routes!(list_of_workspace, create_of_workspace))
        .routes(routes!(get_by_slug_of_workspace))
        .routes(routes!(
            get_of_workspace,
            update_of_workspace,
            delete_of_workspace
        ))
}

body_of!(
    /// A tag to be made.
    CreateTag = json::create
);
body_of!(
    /// What is to change of a tag; absent is unchanged.
    UpdateTag = json::update
);

/// List tags
///
/// By slug.
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/tags",
    operation_id = "listTags",
    tag = "tags",
    responses((status = 200, body = TagsJson))
)]
async fn list(State(app): State<App>, caller: Caller, params: Params) -> Reply<TagsJson> {
    let found = tags::list(&app, &caller, &project_by_id(&params)?).await?;
    Ok(Answer(found.into()))
}

/// List tags
///
/// By slug.
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/{project}/tags",
    operation_id = "listTagsOfWorkspace",
    tag = "tags",
    responses((status = 200, body = WorkspaceTagsJson))
)]
async fn list_of_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<WorkspaceTagsJson> {
    let found = tags::list(&app, &caller, &project_by_id(&params)?).await?;
    Ok(Answer(found.into()))
}

/// Create a tag
///
/// Permission: `create` on `tags`.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/tags",
    operation_id = "createTag",
    tag = "tags",
    request_body = CreateTag,
    responses((status = 200, body = InTag))
)]
async fn create(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InTag> {
    Ok(Answer(made(&app, &caller, &params, &body).await?.into()))
}

/// Create a tag
///
/// Permission: `create` on `tags`.
#[utoipa::path(
    post,
    path = "/api/v1/workspace/{project}/tags",
    operation_id = "createTagOfWorkspace",
    tag = "tags",
    request_body = CreateTag,
    responses((status = 200, body = InWorkspaceTag))
)]
async fn create_of_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InWorkspaceTag> {
    Ok(Answer(made(&app, &caller, &params, &body).await?.into()))
}

/// Get a tag by its slug
///
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/tags/slug/{slug}",
    operation_id = "getTagBySlug",
    tag = "tags",
    responses((status = 200, body = InTag))
)]
async fn get_by_slug(State(app): State<App>, caller: Caller, params: Params) -> Reply<InTag> {
    Ok(Answer(found_by_slug(&app, &caller, &params).await?.into()))
}

/// Get a tag by its slug
///
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/{project}/tags/slug/{slug}",
    operation_id = "getTagBySlugOfWorkspace",
    tag = "tags",
    responses((status = 200, body = InWorkspaceTag))
)]
async fn get_by_slug_of_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InWorkspaceTag> {
    Ok(Answer(found_by_slug(&app, &caller, &params).await?.into()))
}

/// Get a tag
///
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/tags/{tag}",
    operation_id = "getTag",
    tag = "tags",
    responses((status = 200, body = InTag))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InTag> {
    Ok(Answer(found(&app, &caller, &params).await?.into()))
}

/// Get a tag
///
/// Permission: `read` on `tags`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/{project}/tags/{tag}",
    operation_id = "getTagOfWorkspace",
    tag = "tags",
    responses((status = 200, body = InWorkspaceTag))
)]
async fn get_of_workspace(State(app): State<App>, caller: Caller, params: Params) -> Reply<InWorkspaceTag> {
    Ok(Answer(found(&app, &caller, &params).await?.into()))
}

/// Update a tag
///
/// Permission: `edit` on `tags`.
#[utoipa::path(
    patch,
    path = "/api/v1/projects/{project}/tags/{tag}",
    operation_id = "updateTag",
    tag = "tags",
    request_body = UpdateTag,
    responses((status = 200, body = InTag))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InTag> {
    Ok(Answer(changed(&app, &caller, &params, &body).await?.into()))
}

/// Update a tag
///
/// Permission: `edit` on `tags`.
#[utoipa::path(
    patch,
    path = "/api/v1/workspace/{project}/tags/{tag}",
    operation_id = "updateTagOfWorkspace",
    tag = "tags",
    request_body = UpdateTag,
    responses((status = 200, body = InWorkspaceTag))
)]
async fn update_of_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InWorkspaceTag> {
    Ok(Answer(changed(&app, &caller, &params, &body).await?.into()))
}

/// Delete a tag
///
/// It is taken from all secrets.
/// Permission: `delete` on `tags`.
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/tags/{tag}",
    operation_id = "deleteTag",
    tag = "tags",
    responses((status = 200, body = InTag))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InTag> {
    Ok(Answer(deleted(&app, &caller, &params).await?.into()))
}

/// Delete a tag
///
/// It is taken from all secrets.
/// Permission: `delete` on `tags`.
#[utoipa::path(
    delete,
    path = "/api/v1/workspace/{project}/tags/{tag}",
    operation_id = "deleteTagOfWorkspace",
    tag = "tags",
    responses((status = 200, body = InWorkspaceTag))
)]
async fn delete_of_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InWorkspaceTag> {
    Ok(Answer(deleted(&app, &caller, &params).await?.into()))
}

async fn made(app: &App, caller: &Caller, params: &Params, body: &Body) -> Result<Tag, ApiError> {
    let wanted = json::create(body.fields())?;
    tags::create(app, caller, &project_by_id(params)?, wanted).await
}

async fn found(app: &App, caller: &Caller, params: &Params) -> Result<Tag, ApiError> {
    tags::get(app, caller, &project_by_id(params)?, id_param(params, "tag")?).await
}

async fn found_by_slug(app: &App, caller: &Caller, params: &Params) -> Result<Tag, ApiError> {
    let slug = text_param(params, "slug")?;
    tags::get_by_slug(app, caller, &project_by_id(params)?, &slug).await
}

async fn changed(app: &App, caller: &Caller, params: &Params, body: &Body) -> Result<Tag, ApiError> {
    let (project, id) = (project_by_id(params)?, id_param(params, "tag")?);
    tags::update(app, caller, &project, id, json::update(body.fields())?).await
}

async fn deleted(app: &App, caller: &Caller, params: &Params) -> Result<Tag, ApiError> {
    tags::delete(app, caller, &project_by_id(params)?, id_param(params, "tag")?).await
}
