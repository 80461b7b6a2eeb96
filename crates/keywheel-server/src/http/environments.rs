//! Environments, below `/api/v1/projects/{project}` and `/api/v1/workspace/{project}` alike (platform
//! contract, section 6.5).

mod json;

use axum::extract::State;
use keywheel_store::environments::Environment;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{Changed, EnvironmentJson, InEnvironment};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params};
use super::openapi::{at, body_of};
use super::place::{id_param, project_by_id, text_param};
use crate::actions::environments;
use crate::app::App;
use crate::auth::caller::Caller;

/// Environments, below both names of a project.
pub(super) fn routes() -> OpenApiRouter<App> {
    let older = |rest: &str| format!("/api/v1/workspace/{{project}}/environments{rest}");
    OpenApiRouter::new()
        .routes(routes!(get_anywhere))
        .routes(routes!(create))
        .routes(routes!(get_by_slug))
        .routes(routes!(get, update, delete))
        .routes(at(&older(""), "OfWorkspace", routes!(create)))
        .routes(at(&older("/slug/{slug}"), "OfWorkspace", routes!(get_by_slug)))
        .routes(at(
            &older("/{environment}"),
            "OfWorkspace",
            routes!(get, update, delete),
        ))
}

body_of!(
    /// An environment to be made.
    CreateEnvironment = json::create
);
body_of!(
    /// What is to change of an environment.
    UpdateEnvironment = json::update
);

/// Create an environment
///
/// Permission: `create` on `environments`.
#[utoipa::path(
    post,
    path = "/api/v1/projects/{project}/environments",
    operation_id = "createEnvironment",
    tag = "environments",
    request_body = CreateEnvironment,
    responses((status = 200, body = Changed))
)]
async fn create(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<Changed> {
    let wanted = json::create(body.fields())?;
    let made = environments::create(&app, &caller, &project_by_id(&params)?, wanted).await?;
    Ok(changed("Successfully created new environment", made))
}

/// Get an environment
///
/// Permission: `read` on `environments`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/environments/{environment}",
    operation_id = "getEnvironment",
    tag = "environments",
    responses((status = 200, body = InEnvironment))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InEnvironment> {
    let project = project_by_id(&params)?;
    let found = environments::get(&app, &caller, Some(&project), id_param(&params, "environment")?).await?;
    Ok(Answer(InEnvironment {
        environment: found.into(),
    }))
}

/// Get an environment of any project
///
/// Permission: `read` on `environments`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/environments/{environment}",
    operation_id = "getEnvironmentAnywhere",
    tag = "environments",
    responses((status = 200, body = InEnvironment))
)]
async fn get_anywhere(State(app): State<App>, caller: Caller, params: Params) -> Reply<InEnvironment> {
    let found = environments::get(&app, &caller, None, id_param(&params, "environment")?).await?;
    Ok(Answer(InEnvironment {
        environment: found.into(),
    }))
}

/// Get an environment by its slug
///
/// Permission: `read` on `environments`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/environments/slug/{slug}",
    operation_id = "getEnvironmentBySlug",
    tag = "environments",
    responses((status = 200, body = EnvironmentJson))
)]
async fn get_by_slug(State(app): State<App>, caller: Caller, params: Params) -> Reply<EnvironmentJson> {
    let slug = text_param(&params, "slug")?;
    let found = environments::get_by_slug(&app, &caller, &project_by_id(&params)?, &slug).await?;
    Ok(Answer(found.into()))
}

/// Update an environment
///
/// Permission: `edit` on `environments`.
#[utoipa::path(
    patch,
    path = "/api/v1/projects/{project}/environments/{environment}",
    operation_id = "updateEnvironment",
    tag = "environments",
    request_body = UpdateEnvironment,
    responses((status = 200, body = Changed))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<Changed> {
    let (project, id) = (project_by_id(&params)?, id_param(&params, "environment")?);
    let after = environments::update(&app, &caller, &project, id, json::update(body.fields())?).await?;
    Ok(changed("Successfully updated environment", after))
}

/// Delete an environment
///
/// Refused while it holds rotations.
/// Permission: `delete` on `environments`.
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}/environments/{environment}",
    operation_id = "deleteEnvironment",
    tag = "environments",
    responses((status = 200, body = Changed))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<Changed> {
    let (project, id) = (project_by_id(&params)?, id_param(&params, "environment")?);
    let before = environments::delete(&app, &caller, &project, id).await?;
    Ok(changed("Successfully deleted environment", before))
}

fn changed(message: &'static str, environment: Environment) -> Answer<Changed> {
    Answer(Changed {
        message,
        workspace: environment.project,
        environment: environment.into(),
    })
}
