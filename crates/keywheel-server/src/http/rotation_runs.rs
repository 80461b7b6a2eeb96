//! `…/{rotationId}/runs`, `…/preview` and `…/check-credentials`. In `docs/operators-api.md`.

mod json;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use keywheel_core::ids::{RotationId, RunId};

use self::json::{PreviewAnswer, RunsAnswer};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params, Query};
use super::fields::Field;
use super::place::id_param;
use super::secret_rotations::BASE;
use crate::actions::{rotation_runs, rotations};
use crate::app::App;
use crate::auth::caller::Caller;

/// Most runs of one answer: all that are kept.
const RUNS_MAX: u32 = keywheel_store::runs::RUNS_KEPT;
/// Runs of an answer unless the request says otherwise.
const RUNS_DEFAULT: u32 = 20;

pub(super) fn routes() -> Router<App> {
    let one = format!("{BASE}/{{rotationId}}");
    Router::new()
        .route(&format!("{BASE}/preview"), post(preview_create))
        .route(&format!("{one}/preview"), post(preview))
        .route(&format!("{one}/runs"), get(list))
        .route(&format!("{one}/check-credentials"), post(check_credentials))
}

/// GET …/runs?limit=&before=
async fn list(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Reply<RunsAnswer> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let mut fields = query.fields();
    let limit = fields.optional("limit", |f| f.integer(1..=i64::from(RUNS_MAX)));
    let before = fields.optional("before", Field::id::<RunId>);
    let (limit, before) = fields.finish(|| Ok((limit?, before?)))?;
    let limit = limit.and_then(|n| u32::try_from(n).ok()).unwrap_or(RUNS_DEFAULT);
    Ok(Answer(
        rotation_runs::list(&app, &caller, id, before, limit)
            .await?
            .into(),
    ))
}

/// POST …/{rotationId}/preview
async fn preview(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<PreviewAnswer> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let goal = json::goal(&body)?;
    Ok(Answer(
        rotation_runs::preview(&app, &caller, id, goal).await?.into(),
    ))
}

/// POST …/preview, with the body of a create
async fn preview_create(State(app): State<App>, caller: Caller, body: Body) -> Reply<PreviewAnswer> {
    let wanted = super::secret_rotations::read_create(&body)?;
    Ok(Answer(
        rotations::preview_create(&app, &caller, wanted).await?.into(),
    ))
}

/// POST …/{rotationId}/check-credentials
async fn check_credentials(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let id: RotationId = id_param(&params, "rotationId")?;
    rotation_runs::check_credentials(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
