//! Whether the server is there, and whether it can work. None of these needs a token.

use axum::extract::State;
use serde::Serialize;

use super::answer::{Answer, Reply, Time};
use crate::app::App;

/// What clients look at before they do anything else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the contract has them")]
pub(super) struct Status {
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

/// GET /api/status
pub(super) async fn status(State(app): State<App>) -> Reply<Status> {
    Ok(Answer(Status {
        date: Time(app.now()),
        message: "Ok",
        email_configured: false,
        invite_only_signup: true,
        redis_configured: false,
        secret_scanning_configured: false,
        audit_log_storage_disabled: false,
        max_identity_access_token_ttl: app.settings().token_ttl_max.get() / 1_000,
    }))
}

/// GET /healthz and /healthcheck: the process answers.
pub(super) async fn alive() -> Answer<&'static str> {
    Answer("ok")
}

/// GET /readyz: the database answers too.
pub(super) async fn ready(State(app): State<App>) -> Reply<&'static str> {
    app.store().ready().await?;
    Ok(Answer("ok"))
}
