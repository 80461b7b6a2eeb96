//! Accounts of people: the first one, invitations, and what everybody does to their own.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{AccountsJson, InAccount, InLink, InvitedJson, TotpJson};
pub(super) use self::json::{email, old_password, one_time_code};
use super::answer::{Answer, Reply};
use super::edge::Scope;
use super::extract::{Body, Params};
use super::openapi::body_of;
use super::place::id_param;
use super::sessions::{DoneJson, InSession, WithCookie, with_cookie};
use crate::actions::{accounts, own_account};
use crate::app::App;
use crate::auth::browser::Visitor;
use crate::auth::caller::Caller;
use crate::auth::sign_in;

/// Accounts.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(set_up))
        .routes(routes!(join))
        .routes(routes!(change_password))
        .routes(routes!(start_totp, stop_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(create, list))
        .routes(routes!(create_link))
        .routes(routes!(delete))
}

body_of!(
    /// The first account and the organization.
    SetUpAccount = json::set_up
);
body_of!(
    /// A one-time link and the password to be.
    JoinAccount = json::join
);
body_of!(
    /// A person to be invited.
    CreateAccount = json::create
);
body_of!(
    /// The password that is and the one to be.
    ChangePassword = json::change_password
);
body_of!(
    /// A one-time code.
    ConfirmTotp = json::code
);
body_of!(
    /// The own password.
    StartTotp = json::password
);
body_of!(
    /// The own password.
    StopTotp = json::password
);

/// Set the instance up
///
/// With the token of the link that the server prints at its start until then. Sets the cookie
/// `keywheel_session`, over HTTPS `__Host-keywheel_session`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/setup",
    operation_id = "setUpAccount",
    tag = "people",
    request_body = SetUpAccount,
    responses((status = 200, body = InSession)),
    security(())
)]
async fn set_up(State(app): State<App>, visitor: Visitor, scope: Scope, body: Body) -> WithCookie<InSession> {
    let (token, wanted) = json::set_up(body.fields())?;
    let opened = sign_in::set_up(&app, scope.trail(), &visitor, &token, wanted).await?;
    with_cookie(&app, &visitor, opened)
}

/// Choose a password with a one-time link
///
/// Switches one-time codes off, ends all sessions of the account and begins one: sets the cookie
/// `keywheel_session`, over HTTPS `__Host-keywheel_session`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/join",
    operation_id = "joinAccount",
    tag = "people",
    request_body = JoinAccount,
    responses((status = 200, body = InSession)),
    security(())
)]
async fn join(State(app): State<App>, visitor: Visitor, scope: Scope, body: Body) -> WithCookie<InSession> {
    let (token, password) = json::join(body.fields())?;
    let opened = sign_in::join(&app, scope.trail(), &visitor, &token, password).await?;
    with_cookie(&app, &visitor, opened)
}

/// Change your password
///
/// Ends all your other sessions.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/me/password",
    operation_id = "changePassword",
    tag = "people",
    request_body = ChangePassword,
    responses((status = 200, body = DoneJson))
)]
async fn change_password(
    State(app): State<App>,
    caller: Caller,
    visitor: Visitor,
    scope: Scope,
    body: Body,
) -> Reply<DoneJson> {
    let (old, new) = json::change_password(body.fields())?;
    own_account::change_password(&app, &caller, scope.trail(), &visitor, old, new).await?;
    Ok(Answer(DoneJson::saying("The password is changed")))
}

/// Ask for one-time codes
///
/// Answers with a secret for an authenticator app (RFC 6238). It counts once a code has confirmed it.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/me/totp",
    operation_id = "startTotp",
    tag = "people",
    request_body = StartTotp,
    responses((status = 200, body = TotpJson))
)]
async fn start_totp(
    State(app): State<App>,
    caller: Caller,
    visitor: Visitor,
    scope: Scope,
    body: Body,
) -> Reply<TotpJson> {
    let password = json::password(body.fields())?;
    let made = own_account::start_totp(&app, &caller, scope.trail(), &visitor, password).await?;
    Ok(Answer(made.into()))
}

/// Confirm one-time codes
///
/// From then on each sign-in asks for one.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/me/totp/confirm",
    operation_id = "confirmTotp",
    tag = "people",
    request_body = ConfirmTotp,
    responses((status = 200, body = DoneJson))
)]
async fn confirm_totp(State(app): State<App>, caller: Caller, body: Body) -> Reply<DoneJson> {
    own_account::confirm_totp(&app, &caller, &json::code(body.fields())?).await?;
    Ok(Answer(DoneJson::saying("One-time codes are on")))
}

/// Switch one-time codes off
#[utoipa::path(
    delete,
    path = "/api/v1/accounts/me/totp",
    operation_id = "stopTotp",
    tag = "people",
    request_body = StopTotp,
    responses((status = 200, body = DoneJson))
)]
async fn stop_totp(
    State(app): State<App>,
    caller: Caller,
    visitor: Visitor,
    scope: Scope,
    body: Body,
) -> Reply<DoneJson> {
    let password = json::password(body.fields())?;
    own_account::stop_totp(&app, &caller, scope.trail(), &visitor, password).await?;
    Ok(Answer(DoneJson::saying("One-time codes are off")))
}

/// List accounts
///
/// Permission: `read` on `accounts`.
#[utoipa::path(
    get,
    path = "/api/v1/accounts",
    operation_id = "listAccounts",
    tag = "people",
    responses((status = 200, body = AccountsJson))
)]
async fn list(State(app): State<App>, caller: Caller) -> Reply<AccountsJson> {
    Ok(Answer(accounts::list(&app, &caller).await?.into()))
}

/// Invite a person
///
/// Makes an account with an identity of its own, and a one-time link for its owner to choose a password.
/// Permission: `create` on `accounts`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts",
    operation_id = "createAccount",
    tag = "people",
    request_body = CreateAccount,
    responses((status = 200, body = InvitedJson))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InvitedJson> {
    let (email, role) = json::create(body.fields())?;
    Ok(Answer(
        accounts::create(&app, &caller, &email, role).await?.into(),
    ))
}

/// Make a link to choose a new password
///
/// It replaces the one before. Whoever uses it has no one-time codes any more.
/// Permission: `edit` on `accounts`.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/link",
    operation_id = "createAccountLink",
    tag = "people",
    responses((status = 200, body = InLink))
)]
async fn create_link(State(app): State<App>, caller: Caller, params: Params) -> Reply<InLink> {
    let link = accounts::create_link(&app, &caller, id_param(&params, "account")?).await?;
    Ok(Answer(link.into()))
}

/// Delete an account
///
/// With its identity, its memberships and its sessions, which end at once.
/// Permission: `delete` on `accounts`.
#[utoipa::path(
    delete,
    path = "/api/v1/accounts/{account}",
    operation_id = "deleteAccount",
    tag = "people",
    responses((status = 200, body = InAccount))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InAccount> {
    let before = accounts::delete(&app, &caller, id_param(&params, "account")?).await?;
    Ok(Answer(before.into()))
}
