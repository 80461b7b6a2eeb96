//! Projects, under the paths that different ages of clients call (platform contract, section 6.4).

mod json;

use axum::extract::State;

pub(super) use self::json::patch;
use self::json::{InProject, InProjects, InWorkspace, InWorkspaces, KeptAudit, ProjectJson};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::place::{project_by_id, project_by_slug};
use crate::actions::projects::{self, ProjectRef};
use crate::app::App;
use crate::auth::caller::Caller;

/// POST /api/v1/projects and /api/v2/workspace
pub(super) async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InProject> {
    let view = projects::create(&app, &caller, json::create(&body)?).await?;
    Ok(Answer(InProject { project: view.into() }))
}

/// GET /api/v1/projects
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Reply<InProjects> {
    Ok(Answer(InProjects {
        projects: all(&app, &caller).await?,
    }))
}

/// GET /api/v1/workspace
pub(super) async fn list_workspaces(State(app): State<App>, caller: Caller) -> Reply<InWorkspaces> {
    Ok(Answer(InWorkspaces {
        workspaces: all(&app, &caller).await?,
    }))
}

/// GET /api/v1/projects/{project}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: one(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// GET /api/v1/workspace/{project}
pub(super) async fn get_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: one(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// GET /api/v1/projects/slug/{project}, /api/v1/workspace/slug/{project} and /api/v2/workspace/{project}
pub(super) async fn get_by_slug(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<ProjectJson> {
    Ok(Answer(one(&app, &caller, project_by_slug(&params)?).await?))
}

/// PATCH /api/v1/projects/{project}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: change(&app, &caller, project_by_id(&params)?, &body).await?,
    }))
}

/// PATCH /api/v1/workspace/{project}
pub(super) async fn update_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: change(&app, &caller, project_by_id(&params)?, &body).await?,
    }))
}

/// PATCH /api/v2/workspace/{project}
pub(super) async fn update_by_slug(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<ProjectJson> {
    Ok(Answer(
        change(&app, &caller, project_by_slug(&params)?, &body).await?,
    ))
}

/// PUT /api/v1/workspace/{project}/audit-logs-retention
pub(super) async fn keep_audit(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<KeptAudit> {
    let days = json::audit_days(&body)?;
    let view = projects::keep_audit(&app, &caller, &project_by_slug(&params)?, days).await?;
    Ok(Answer(KeptAudit {
        message: "Successfully updated project's audit logs retention period",
        workspace: view.into(),
    }))
}

/// DELETE /api/v1/projects/{project}
pub(super) async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InProject> {
    Ok(Answer(InProject {
        project: remove(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// DELETE /api/v1/workspace/{project}
pub(super) async fn delete_workspace(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InWorkspace> {
    Ok(Answer(InWorkspace {
        workspace: remove(&app, &caller, project_by_id(&params)?).await?,
    }))
}

/// DELETE /api/v2/workspace/{project}
pub(super) async fn delete_by_slug(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<ProjectJson> {
    Ok(Answer(remove(&app, &caller, project_by_slug(&params)?).await?))
}

async fn all(app: &App, caller: &Caller) -> Result<Vec<ProjectJson>, ApiError> {
    Ok(projects::list(app, caller)
        .await?
        .into_iter()
        .map(ProjectJson::from)
        .collect())
}

async fn one(app: &App, caller: &Caller, named: ProjectRef) -> Result<ProjectJson, ApiError> {
    Ok(projects::get(app, caller, &named).await?.into())
}

async fn change(app: &App, caller: &Caller, named: ProjectRef, body: &Body) -> Result<ProjectJson, ApiError> {
    Ok(projects::update(app, caller, &named, json::update(body)?)
        .await?
        .into())
}

async fn remove(app: &App, caller: &Caller, named: ProjectRef) -> Result<ProjectJson, ApiError> {
    Ok(projects::delete(app, caller, &named).await?.into())
}
