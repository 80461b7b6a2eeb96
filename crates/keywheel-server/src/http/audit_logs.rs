//! GET /api/v1/organization/audit-logs, and its older name (platform contract, section 6.13).

mod json;

use axum::extract::State;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use self::json::AuditLogsAnswer;
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Params, Query};
use super::place::id_param;
use crate::actions::audit_logs;
use crate::app::App;
use crate::auth::caller::Caller;

/// The route of the contract, and the one that it calls deprecated.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .route("/api/v1/organization/audit-logs", get(list))
        .route("/api/v1/workspace/{project}/audit-logs", get(list_of_project))
}

/// GET /api/v1/organization/audit-logs
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<AuditLogsAnswer> {
    let filter = json::filter(query.fields(), app.now())?;
    Ok(Answer(audit_logs::list(&app, &caller, &filter).await?.into()))
}

/// GET /api/v1/workspace/{project}/audit-logs
async fn list_of_project(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Result<Answer<AuditLogsAnswer>, ApiError> {
    let mut filter = json::filter(query.fields(), app.now())?;
    filter.project = Some(id_param(&params, "project")?);
    Ok(Answer(audit_logs::list(&app, &caller, &filter).await?.into()))
}
