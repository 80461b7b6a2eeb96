//! Signing in and out, and the sessions that people have.

mod json;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::{DoneJson, InSession};
use self::json::{OptionsJson, SessionsJson};
use super::answer::{Answer, Reply};
use super::edge::Scope;
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::openapi::body_of;
use super::place::id_param;
use crate::actions::sessions::{self, Opened};
use crate::app::App;
use crate::auth::browser::{self, Visitor};
use crate::auth::caller::Caller;
use crate::auth::sign_in;

/// An answer that sets the cookie.
pub(super) type WithCookie<T> = Result<([(HeaderName, HeaderValue); 1], Answer<T>), ApiError>;

/// Sessions.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(options))
        .routes(routes!(sign_in, list))
        .routes(routes!(current, sign_out))
        .routes(routes!(revoke))
}

body_of!(
    /// What somebody signs in with.
    SignIn = json::sign_in
);

/// Whether the instance is set up
///
/// What the console asks before it shows its first page.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/options",
    operation_id = "getSessionOptions",
    tag = "people",
    responses((status = 200, body = OptionsJson)),
    security(())
)]
async fn options(State(app): State<App>) -> Reply<OptionsJson> {
    Ok(Answer(OptionsJson::of(
        app.store().organization().await?.is_some(),
    )))
}

/// Sign in
///
/// Sets the cookie `keywheel_session`, over HTTPS `__Host-keywheel_session`.
/// Refused with `CodeRequired` if the password is right and a one-time code is wanted.
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    operation_id = "signIn",
    tag = "people",
    request_body = SignIn,
    responses((status = 200, body = InSession)),
    security(())
)]
async fn sign_in(
    State(app): State<App>,
    visitor: Visitor,
    scope: Scope,
    body: Body,
) -> WithCookie<InSession> {
    let given = json::sign_in(body.fields())?;
    let opened = sign_in::sign_in(&app, scope.trail(), &visitor, given).await?;
    with_cookie(&app, &visitor, opened)
}

/// The answer to who has just signed in.
pub(super) fn with_cookie(app: &App, visitor: &Visitor, opened: Opened) -> WithCookie<InSession> {
    let lasts = app.settings().session_ttl_max;
    let cookie = browser::set_cookie(opened.token.expose_secret(), lasts, visitor.is_secure)?;
    Ok(([(header::SET_COOKIE, cookie)], Answer(opened.current.into())))
}

/// Get the current session
///
/// The `csrfToken` is what requests with the cookie have to send as `X-Keywheel-CSRF`, unless they are GET or HEAD.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/current",
    operation_id = "getCurrentSession",
    tag = "people",
    responses((status = 200, body = InSession))
)]
async fn current(State(app): State<App>, caller: Caller) -> Reply<InSession> {
    Ok(Answer(sessions::current(&app, &caller).await?.into()))
}

/// Sign out
///
/// The session ends at once, and the cookie is taken away.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/current",
    operation_id = "signOut",
    tag = "people",
    responses((status = 200, body = DoneJson))
)]
async fn sign_out(State(app): State<App>, caller: Caller, visitor: Visitor) -> WithCookie<DoneJson> {
    sessions::sign_out(&app, &caller).await?;
    let cookie = browser::clear_cookie(visitor.is_secure)?;
    Ok((
        [(header::SET_COOKIE, cookie)],
        Answer(DoneJson::saying("Signed out")),
    ))
}

/// List your sessions
///
/// Those that go on, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "listSessions",
    tag = "people",
    responses((status = 200, body = SessionsJson))
)]
async fn list(State(app): State<App>, caller: Caller) -> Reply<SessionsJson> {
    let found = sessions::list(&app, &caller).await?;
    Ok(Answer(SessionsJson::of(found, caller.token())))
}

/// End one of your sessions
///
/// It is refused from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{session}",
    operation_id = "revokeSession",
    tag = "people",
    responses((status = 200, body = DoneJson))
)]
async fn revoke(State(app): State<App>, caller: Caller, params: Params) -> Reply<DoneJson> {
    sessions::revoke(&app, &caller, id_param(&params, "session")?).await?;
    Ok(Answer(DoneJson::saying("The session has ended")))
}
