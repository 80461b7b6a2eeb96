//! GET /api/v1/organization/audit-logs, and its older name (platform contract, section 6.13).

mod json;

use axum::extract::State;
use keywheel_core::clock::Moment;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::AuditLogsAnswer;
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Params, Query};
use super::openapi::query_of;
use super::place::id_param;
use crate::actions::audit_logs;
use crate::app::App;
use crate::auth::caller::Caller;

/// The route of the contract, and the one that it calls deprecated.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_of_project))
}

query_of!(
    /// Which entries. Without dates: from the last midnight (UTC) to now.
    AuditLogsQuery = |fields| json::filter(fields, Moment::from_millis(0))
);

/// List audit logs
///
/// Latest first. Without dates from the last midnight (UTC) to now; at most three months at once.
/// Permission: `read` on `audit-logs`, of the organization or of the project that is asked for.
#[utoipa::path(
    get,
    path = "/api/v1/organization/audit-logs",
    operation_id = "listAuditLogs",
    tag = "audit logs",
    params(AuditLogsQuery),
    responses((status = 200, body = AuditLogsAnswer))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<AuditLogsAnswer> {
    let filter = json::filter(query.fields(), app.now())?;
    Ok(Answer(audit_logs::list(&app, &caller, filter).await?.into()))
}

/// List audit logs of a project
///
/// The older route. Latest first.
/// Permission: `read` on `audit-logs`.
#[utoipa::path(
    get,
    path = "/api/v1/workspace/{project}/audit-logs",
    operation_id = "listAuditLogsOfProject",
    tag = "audit logs",
    params(("project" = String, Path, format = Uuid), AuditLogsQuery),
    responses((status = 200, body = AuditLogsAnswer))
)]
async fn list_of_project(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Result<Answer<AuditLogsAnswer>, ApiError> {
    let mut filter = json::filter(query.fields(), app.now())?;
    filter.project = Some(id_param(&params, "project")?);
    Ok(Answer(audit_logs::list(&app, &caller, filter).await?.into()))
}
