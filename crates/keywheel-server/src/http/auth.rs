//! Login with universal auth, and the life of a token (platform contract, section 6.1).

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{Revoked, TokenAnswer, access_token};
use super::answer::{Answer, Reply};
use super::edge::Scope;
use super::extract::Body;
use super::openapi::body_of;
use crate::app::App;
use crate::auth::login;

/// Log in, renew, revoke.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(renew))
        .routes(routes!(revoke))
}

body_of!(
    /// What a login sends.
    LogIn = |fields| json::login(fields, std::net::Ipv4Addr::LOCALHOST.into())
);
body_of!(
    /// The token that a renew or a revoke is about.
    AccessTokenBody = access_token
);

/// Log in
///
/// With the client id and a client secret of Universal Auth. Wrong ones count towards the lockout of the identity.
#[utoipa::path(
    post,
    path = "/api/v1/auth/universal-auth/login",
    operation_id = "logIn",
    tag = "access tokens",
    request_body = LogIn,
    responses((status = 200, body = TokenAnswer)),
    security(())
)]
async fn login(State(app): State<App>, scope: Scope, body: Body) -> Reply<TokenAnswer> {
    let wanted = json::login(body.fields(), scope.address())?;
    Ok(Answer(login::log_in(&app, scope.trail(), &wanted).await?.into()))
}

/// Renew an access token
///
/// Until its max TTL is over. No other token is needed.
#[utoipa::path(
    post,
    path = "/api/v1/auth/token/renew",
    operation_id = "renewAccessToken",
    tag = "access tokens",
    request_body = AccessTokenBody,
    responses((status = 200, body = TokenAnswer)),
    security(())
)]
async fn renew(State(app): State<App>, scope: Scope, body: Body) -> Reply<TokenAnswer> {
    Ok(Answer(
        login::renew(&app, scope.trail(), &access_token(body.fields())?)
            .await?
            .into(),
    ))
}

/// Revoke an access token
///
/// It is refused from then on, after a restart too.
#[utoipa::path(
    post,
    path = "/api/v1/auth/token/revoke",
    operation_id = "revokeAccessToken",
    tag = "access tokens",
    request_body = AccessTokenBody,
    responses((status = 200, body = Revoked)),
    security(())
)]
async fn revoke(State(app): State<App>, scope: Scope, body: Body) -> Reply<Revoked> {
    login::revoke(&app, scope.trail(), &access_token(body.fields())?).await?;
    Ok(Answer(Revoked::done()))
}
