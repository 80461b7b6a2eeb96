//! Whether the server is there, and whether it can work. None of these needs a token.

use axum::extract::State;
use keywheel_core::clock::Millis;
use keywheel_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Answer, Reply, Time};
use super::errors::ApiError;
use super::openapi::at;
use crate::app::App;

/// How long the database may take to say that it is there. Load balancers wait for some seconds at most.
const READY_MAX: Millis = Millis::from_secs(2);

/// What clients look at before they do anything else.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the contract has them")]
pub(super) struct Status {
    #[schema(value_type = String, format = DateTime)]
    date: Time,
    /// Exactly `Ok`: the Kubernetes operator compares it.
    message: &'static str,
    email_configured: bool,
    invite_only_signup: bool,
    redis_configured: bool,
    secret_scanning_configured: bool,
    audit_log_storage_disabled: bool,
    #[serde(rename = "maxIdentityAccessTokenTTL")]
    max_identity_access_token_ttl: i64,
}

/// Routes for those who watch the server.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(alive))
        .routes(at("/healthcheck", "AtHealthcheck", routes!(alive)))
        .routes(routes!(ready))
}

/// Status
#[utoipa::path(
    get,
    path = "/api/status",
    operation_id = "getStatus",
    tag = "instance",
    responses((status = 200, body = Status)),
    security(())
)]
async fn status(State(app): State<App>) -> Reply<Status> {
    Ok(Answer(Status {
        date: Time(app.now()),
        message: "Ok",
        email_configured: app.deliverer().sends_mail(),
        invite_only_signup: true,
        redis_configured: false,
        secret_scanning_configured: false,
        audit_log_storage_disabled: false,
        max_identity_access_token_ttl: app.settings().token_ttl_max.get() / 1_000,
    }))
}

/// Whether the process answers
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "isAlive",
    tag = "instance",
    responses((status = 200, body = String, content_type = "application/json", example = json!("ok"))),
    security(())
)]
async fn alive() -> Answer<&'static str> {
    Answer("ok")
}

/// Whether the server can work
///
/// The database is asked too, and has to answer soon. A server that was told to stop is not ready, and still answers for
/// as long as `drain_delay` says.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "isReady",
    tag = "instance",
    responses((status = 200, body = String, content_type = "application/json", example = json!("ok"))),
    security(())
)]
async fn ready(State(app): State<App>) -> Reply<&'static str> {
    if app.is_stopping() {
        return Err(ApiError::unavailable("This server is about to stop."));
    }
    let asked = tokio::time::timeout(READY_MAX.as_std(), app.store().ready()).await;
    asked.unwrap_or_else(|_| Err(StoreError::Unavailable("it did not answer in time".into())))?;
    Ok(Answer("ok"))
}
