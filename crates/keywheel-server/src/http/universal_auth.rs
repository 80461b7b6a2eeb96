//! Universal Auth of an identity, below `/api/v1/auth/universal-auth/identities/{identity}` (platform
//! contract, section 6.8).

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{ClearedJson, ClientSecretsJson, InClientSecret, InUniversalAuth, NewClientSecretJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{body_of, query_of};
use super::paging::PagedReply;
use super::place::id_param;
use crate::actions::universal_auth;
use crate::app::App;
use crate::auth::caller::Caller;

/// Universal Auth of an identity.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(attach, get, update, detach))
        .routes(routes!(clear_lockouts))
        .routes(routes!(create_client_secret, list_client_secrets))
        .routes(routes!(get_client_secret))
        .routes(routes!(revoke_client_secret))
}

body_of!(
    /// Settings; absent ones keep their value or get the default.
    UniversalAuthSettings = json::settings
);
query_of!(
    /// Which page.
    ListClientSecretsQuery = json::client_secrets
);
body_of!(
    /// A client secret to be made.
    CreateClientSecret = json::client_secret
);

/// Attach Universal Auth
///
/// Permission: `edit` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/universal-auth/identities/{identity}",
    operation_id = "attachUniversalAuth",
    tag = "universal auth",
    request_body = UniversalAuthSettings,
    responses((status = 200, body = InUniversalAuth))
)]
async fn attach(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InUniversalAuth> {
    let given = json::settings(body.fields())?;
    let made = universal_auth::attach(&app, &caller, id_param(&params, "identity")?, given).await?;
    Ok(Answer(made.into()))
}

/// Get Universal Auth
///
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/auth/universal-auth/identities/{identity}",
    operation_id = "getUniversalAuth",
    tag = "universal auth",
    responses((status = 200, body = InUniversalAuth))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUniversalAuth> {
    Ok(Answer(
        universal_auth::get(&app, &caller, id_param(&params, "identity")?)
            .await?
            .into(),
    ))
}

/// Update Universal Auth
///
/// Lists of addresses count for issued tokens too.
/// Permission: `edit` on `identity`.
#[utoipa::path(
    patch,
    path = "/api/v1/auth/universal-auth/identities/{identity}",
    operation_id = "updateUniversalAuth",
    tag = "universal auth",
    request_body = UniversalAuthSettings,
    responses((status = 200, body = InUniversalAuth))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InUniversalAuth> {
    let given = json::settings(body.fields())?;
    let after = universal_auth::update(&app, &caller, id_param(&params, "identity")?, given).await?;
    Ok(Answer(after.into()))
}

/// Detach Universal Auth
///
/// Client secrets and tokens end with it.
/// Permission: `delete` on `identity`.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/universal-auth/identities/{identity}",
    operation_id = "detachUniversalAuth",
    tag = "universal auth",
    responses((status = 200, body = InUniversalAuth))
)]
async fn detach(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUniversalAuth> {
    Ok(Answer(
        universal_auth::detach(&app, &caller, id_param(&params, "identity")?)
            .await?
            .into(),
    ))
}

/// Clear lockouts
///
/// Permission: `edit` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/universal-auth/identities/{identity}/clear-lockouts",
    operation_id = "clearLockouts",
    tag = "universal auth",
    responses((status = 200, body = ClearedJson))
)]
async fn clear_lockouts(State(app): State<App>, caller: Caller, params: Params) -> Reply<ClearedJson> {
    let deleted = universal_auth::clear_lockouts(&app, &caller, id_param(&params, "identity")?).await?;
    Ok(Answer(ClearedJson { deleted }))
}

/// Create a client secret
///
/// The only answer that ever shows it.
/// Permission: `edit` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/universal-auth/identities/{identity}/client-secrets",
    operation_id = "createClientSecret",
    tag = "universal auth",
    request_body = CreateClientSecret,
    responses((status = 200, body = NewClientSecretJson))
)]
async fn create_client_secret(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<NewClientSecretJson> {
    let wanted = json::client_secret(body.fields())?;
    let identity = id_param(&params, "identity")?;
    let (secret, row) = universal_auth::create_client_secret(&app, &caller, identity, wanted).await?;
    Ok(Answer(NewClientSecretJson::new(&secret, &row)))
}

/// List client secrets
///
/// Those that are not revoked.
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/auth/universal-auth/identities/{identity}/client-secrets",
    operation_id = "listClientSecrets",
    tag = "universal auth",
    params(ListClientSecretsQuery),
    responses((status = 200, body = ClientSecretsJson))
)]
async fn list_client_secrets(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> PagedReply<ClientSecretsJson> {
    let (identity, page) = (
        id_param(&params, "identity")?,
        query.page(json::client_secrets(query.fields())?)?,
    );
    let found = universal_auth::list_client_secrets(&app, &caller, identity, &page).await?;
    query.paged(found, |found| found.as_slice().into())
}

/// Get a client secret
///
/// Without the secret itself; a revoked one too.
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/auth/universal-auth/identities/{identity}/client-secrets/{secret}",
    operation_id = "getClientSecret",
    tag = "universal auth",
    responses((status = 200, body = InClientSecret))
)]
async fn get_client_secret(State(app): State<App>, caller: Caller, params: Params) -> Reply<InClientSecret> {
    let (identity, id) = (id_param(&params, "identity")?, id_param(&params, "secret")?);
    let found = universal_auth::get_client_secret(&app, &caller, identity, id).await?;
    Ok(Answer((&found).into()))
}

/// Revoke a client secret
///
/// Tokens that came of it are refused from then on.
/// Permission: `delete` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/universal-auth/identities/{identity}/client-secrets/{secret}/revoke",
    operation_id = "revokeClientSecret",
    tag = "universal auth",
    responses((status = 200, body = InClientSecret))
)]
async fn revoke_client_secret(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<InClientSecret> {
    let (identity, id) = (id_param(&params, "identity")?, id_param(&params, "secret")?);
    let after = universal_auth::revoke_client_secret(&app, &caller, identity, id).await?;
    Ok(Answer((&after).into()))
}
