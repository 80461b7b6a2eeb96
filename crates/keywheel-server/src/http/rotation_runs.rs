//! `…/{rotationId}/runs`, `…/preview` and `…/check-credentials`.

mod json;

use axum::extract::State;
use axum::http::StatusCode;
use keywheel_core::ids::RotationId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{PreviewAnswer, RunsAnswer};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params, Query};
use super::openapi::{body_of, query_of};
use super::place::id_param;
use crate::actions::{rotation_runs, rotations};
use crate::app::App;
use crate::auth::caller::Caller;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(preview_create))
        .routes(routes!(preview))
        .routes(routes!(list))
        .routes(routes!(check_credentials))
}

query_of!(
    /// Which runs.
    RunsQuery = json::page
);
body_of!(
    /// What is to be imagined; a rotation if nothing is said.
    PreviewRun = json::goal
);

/// The history of runs
///
/// Latest first, with steps, times and errors. A run that was interrupted has no end.
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/runs",
    operation_id = "listRuns",
    tag = "runs",
    params(RunsQuery),
    responses((status = 200, body = RunsAnswer))
)]
async fn list(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Reply<RunsAnswer> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let (limit, before) = json::page(query.fields())?;
    Ok(Answer(
        rotation_runs::list(&app, &caller, id, before, limit)
            .await?
            .into(),
    ))
}

/// What a run would do
///
/// All checks are made, AWS is only read, and nothing is changed: the same rules run over what is there, and every change
/// and wait is imagined. `next` is the rotation after it.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/preview",
    operation_id = "previewRun",
    tag = "runs",
    request_body = PreviewRun,
    responses((status = 200, body = PreviewAnswer))
)]
async fn preview(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<PreviewAnswer> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let goal = json::goal(body.fields())?;
    Ok(Answer(
        rotation_runs::preview(&app, &caller, id, goal).await?.into(),
    ))
}

/// What a create would do
///
/// The body is that of a create, `adoption` and `policy` included. Nothing is made, here or at AWS.
/// Permission: `create` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/preview",
    operation_id = "previewCreate",
    tag = "runs",
    request_body = super::secret_rotations::CreateSecretRotation,
    responses((status = 200, body = PreviewAnswer))
)]
async fn preview_create(State(app): State<App>, caller: Caller, body: Body) -> Reply<PreviewAnswer> {
    let wanted = super::secret_rotations::read_create(body.fields())?;
    Ok(Answer(
        rotations::preview_create(&app, &caller, wanted).await?.into(),
    ))
}

/// Check the published key
///
/// AWS is asked who signs with it. It reports and repairs nothing.
/// Permission: `read-generated-credentials` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/check-credentials",
    operation_id = "checkCredentials",
    tag = "runs",
    responses((status = 204))
)]
async fn check_credentials(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let id: RotationId = id_param(&params, "rotationId")?;
    rotation_runs::check_credentials(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
