//! Projects, under the paths that different ages of clients call (platform contract, section 6.4).

mod json;

use axum::extract::State;
use keywheel_store::Part;
use keywheel_store::projects::{ProjectKey, ProjectUpdate};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::patch;
use self::json::{InProject, InProjects, InWorkspace, InWorkspaces, KeptAudit, ProjectJson};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::paging::PagedReply;
use super::place::{project_by_id, project_by_slug};
use crate::actions::projects::{self, ProjectRef};
use crate::app::App;
use crate::auth::caller::Caller;

/// Projects, under both names.
pub(super) fn routes() -> OpenApiRouter<App> {
    let older_slug = "/api/v1/workspace/slug/{project}";
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get_by_slug))
        .routes(routes!(get, update, delete))
        .routes(routes!(list_workspaces))
        .routes(at(older_slug, "AsWorkspace", routes!(get_by_slug)))
        .routes(routes!(get_workspace, update_workspace, delete_workspace))
        .routes(routes!(keep_audit))
        .routes(at("/api/v2/workspace", "AsWorkspace", routes!(create)))
        .routes(routes!(update_by_slug, delete_by_slug))
        .routes(at("/api/v2/workspace/{project}", "V2", routes!(get_by_slug)))
}

query_of!(
    /// Which page.
    ListProjectsQuery = json::list
);
body_of!(
    /// A project to be made.
    CreateProject = json::create
);
body_of!(
    /// What is to change of a project.
    UpdateProject = json::update
);
body_of!(
    /// For how long.
    KeepAuditLogs = json::audit_days
);

/// Create a project
///
/// With the environments dev, staging and prod, unless told otherwise; the caller becomes its admin.
/// Permission: `create` on `project`.
#[utoipa::path(
    post,
    path = "/api/v1/projects",
    operation_id = "createProject",
    tag = "projects",
    request_body = CreateProject,
    responses((status = 200, body = InProject))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InProject> {
    let view = projects::create(&app, &caller, json::create(body.fields())?).await?;
    Ok(Answer(InProject { project: view.into() }))
}

/// List projects
///
/// Those that the caller is a member of.
#[utoipa::path(
    get,
    path = "/api/v1/projects",
    operation_id = "listProjects",
    tag = "projects",
    params(ListProjectsQuery),
    responses((status = 200, body = InProjects))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<InProjects> {
    let found = all(&app, &caller, &query).await?;
    query.paged(found, |projects| InProjects { projects })
}

/// List projects, as workspaces
///
/// Those that the caller is a member of.
#[utoipa::path(
    get,
    path = "/api/v1/workspace",
    operation_id = "listWorkspaces",
    tag = "projects",
    params(ListProjectsQuery),
    responses((status = 200, body = InWorkspaces))
)]
async fn list_workspaces(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<InWorkspaces> {
    let found = all(&app, &caller, &query).await?;
    query.paged(found, |workspaces| InWorkspaces { workspaces })
}

/// Get a project
///
/// Permission: `read` on `project`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}",
    operation_id = "getProject",
    tag = "projects",
    responses((status = 200, body = InProject))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: one(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// Get a project, as a workspace
///
/// Permission: `read` on `project`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/{project}",
    operation_id = "getWorkspace",
    tag = "projects",
    responses((status = 200, body = InWorkspace))
)]
async fn get_workspace(State(app): State<App>, caller: Caller, params: Params) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: one(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// Get a project by its slug
///
/// Permission: `read` on `project`.
#[utoipa::path(
    get,
    path = "/api/v1/projects/slug/{project}",
    operation_id = "getProjectBySlug",
    tag = "projects",
    responses((status = 200, body = ProjectJson))
)]
async fn get_by_slug(State(app): State<App>, caller: Caller, params: Params) -> Reply<ProjectJson> {
    Ok(Answer(one(&app, &caller, project_by_slug(&params)?).await?))
}

/// Update a project
///
/// Permission: `edit` on `project`.
#[utoipa::path(
    patch,
    path = "/api/v1/projects/{project}",
    operation_id = "updateProject",
    tag = "projects",
    request_body = UpdateProject,
    responses((status = 200, body = InProject))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: change(
            &app,
            &caller,
            project_by_id(&params)?,
            json::update(body.fields())?,
        )
        .await?,
    }))
}

/// Update a project, as a workspace
///
/// Permission: `edit` on `project`.
#[utoipa::path(
    patch,
    path = "/api/v1/workspace/{project}",
    operation_id = "updateWorkspace",
    tag = "projects",
    request_body = UpdateProject,
    responses((status = 200, body = InWorkspace))
)]
async fn update_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: change(
            &app,
            &caller,
            project_by_id(&params)?,
            json::update(body.fields())?,
        )
        .await?,
    }))
}

/// Update a project by its slug
///
/// Permission: `edit` on `project`.
#[utoipa::path(
    patch,
    path = "/api/v2/workspace/{project}",
    operation_id = "updateProjectBySlug",
    tag = "projects",
    request_body = UpdateProject,
    responses((status = 200, body = ProjectJson))
)]
async fn update_by_slug(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<ProjectJson> {
    Ok(Answer(
        change(
            &app,
            &caller,
            project_by_slug(&params)?,
            json::update(body.fields())?,
        )
        .await?,
    ))
}

/// Say how long audit logs are kept
///
/// The project is named by its slug.
/// Permission: `edit` on `project`.
#[utoipa::path(
    put,
    path = "/api/v1/workspace/{project}/audit-logs-retention",
    operation_id = "keepAuditLogs",
    tag = "projects",
    request_body = KeepAuditLogs,
    responses((status = 200, body = KeptAudit))
)]
async fn keep_audit(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<KeptAudit> {
    let days = json::audit_days(body.fields())?;
    let view = projects::keep_audit(&app, &caller, &project_by_slug(&params)?, days).await?;
    Ok(Answer(KeptAudit {
        message: "Successfully updated project's audit logs retention period",
        workspace: view.into(),
    }))
}

/// Delete a project
///
/// Refused while it holds rotations.
/// Permission: `delete` on `project`.
#[utoipa::path(
    delete,
    path = "/api/v1/projects/{project}",
    operation_id = "deleteProject",
    tag = "projects",
    responses((status = 200, body = InProject))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: remove(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// Delete a project, as a workspace
///
/// Refused while it holds rotations.
/// Permission: `delete` on `project`.
#[utoipa::path(
    delete,
    path = "/api/v1/workspace/{project}",
    operation_id = "deleteWorkspace",
    tag = "projects",
    responses((status = 200, body = InWorkspace))
)]
async fn delete_workspace(State(app): State<App>, caller: Caller, params: Params) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: remove(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// Delete a project by its slug
///
/// Refused while it holds rotations.
/// Permission: `delete` on `project`.
#[utoipa::path(
    delete,
    path = "/api/v2/workspace/{project}",
    operation_id = "deleteProjectBySlug",
    tag = "projects",
    responses((status = 200, body = ProjectJson))
)]
async fn delete_by_slug(State(app): State<App>, caller: Caller, params: Params) -> Reply<ProjectJson> {
    Ok(Answer(remove(&app, &caller, project_by_slug(&params)?).await?))
}

async fn all(app: &App, caller: &Caller, query: &Query) -> Result<Part<ProjectJson, ProjectKey>, ApiError> {
    let page = query.page(json::list(query.fields())?)?;
    let found = projects::list(app, caller, &page).await?;
    Ok(found.map(ProjectJson::from))
}

async fn one(app: &App, caller: &Caller, named: ProjectRef) -> Result<ProjectJson, ApiError> {
    Ok(projects::get(app, caller, &named).await?.into())
}

async fn change(
    app: &App,
    caller: &Caller,
    named: ProjectRef,
    wanted: ProjectUpdate,
) -> Result<ProjectJson, ApiError> {
    Ok(projects::update(app, caller, &named, wanted).await?.into())
}

async fn remove(app: &App, caller: &Caller, named: ProjectRef) -> Result<ProjectJson, ApiError> {
    Ok(projects::delete(app, caller, &named).await?.into())
}
