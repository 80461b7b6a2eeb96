//! Environments, below `/api/v1/projects/{project}` and `/api/v1/workspace/{project}` alike (platform
//! contract, section 6.5).

mod json;

use axum::extract::State;
use keywheel_store::environments::Environment;

use self::json::{Changed, EnvironmentJson, InEnvironment};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params};
use super::place::{id_param, project_by_id, text_param};
use crate::actions::environments;
use crate::app::App;
use crate::auth::caller::Caller;

/// POST …/environments
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<Changed> {
    let wanted = json::create(&body)?;
    let made = environments::create(&app, &caller, &project_by_id(&params)?, wanted).await?;
    Ok(changed("Successfully created new environment", made))
}

/// GET …/environments/{environment}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InEnvironment> {
    let project = project_by_id(&params)?;
    let found = environments::get(&app, &caller, Some(&project), id_param(&params, "environment")?).await?;
    Ok(Answer(InEnvironment {
        environment: found.into(),
    }))
}

/// GET /api/v1/workspace/environments/{environment}
pub(super) async fn get_anywhere(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InEnvironment> {
    let found = environments::get(&app, &caller, None, id_param(&params, "environment")?).await?;
    Ok(Answer(InEnvironment {
        environment: found.into(),
    }))
}

/// GET …/environments/slug/{slug}: bare, because Terraform reads it so.
pub(super) async fn get_by_slug(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<EnvironmentJson> {
    let slug = text_param(&params, "slug")?;
    let found = environments::get_by_slug(&app, &caller, &project_by_id(&params)?, &slug).await?;
    Ok(Answer(found.into()))
}

/// PATCH …/environments/{environment}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<Changed> {
    let (project, id) = (project_by_id(&params)?, id_param(&params, "environment")?);
    let after = environments::update(&app, &caller, &project, id, json::update(&body)?).await?;
    Ok(changed("Successfully updated environment", after))
}

/// DELETE …/environments/{environment}
pub(super) async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<Changed> {
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
