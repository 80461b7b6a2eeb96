//! Login with universal auth, and the life of a token (platform contract, section 6.1).

mod json;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde_json::{Value, json};

use self::json::{TokenAnswer, access_token};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::Body;
use crate::app::App;
use crate::auth::caller::client_ip;
use crate::auth::login;

/// Where a request comes from.
pub(super) struct ClientAddress(std::net::IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(client_ip(parts, app)))
    }
}

/// POST /api/v1/auth/universal-auth/login
pub(super) async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    body: Body,
) -> Reply<TokenAnswer> {
    Ok(Answer(
        login::log_in(&app, &json::login(&body, address)?).await?.into(),
    ))
}

/// POST /api/v1/auth/token/renew
pub(super) async fn renew(State(app): State<App>, body: Body) -> Reply<TokenAnswer> {
    Ok(Answer(login::renew(&app, &access_token(&body)?).await?.into()))
}

/// POST /api/v1/auth/token/revoke
pub(super) async fn revoke(State(app): State<App>, body: Body) -> Reply<Value> {
    login::revoke(&app, &access_token(&body)?).await?;
    Ok(Answer(json!({"message": "Successfully revoked access token"})))
}
