//! Universal Auth of an identity, below `/api/v1/auth/universal-auth/identities/{identity}` (platform
//! contract, section 6.8).

mod json;

use axum::extract::State;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use self::json::{ClientSecretJson, InUniversalAuth};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params};
use super::place::id_param;
use crate::actions::universal_auth;
use crate::app::App;
use crate::auth::caller::Caller;

/// POST …
pub(super) async fn attach(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InUniversalAuth> {
    let given = json::settings(&body)?;
    let made = universal_auth::attach(&app, &caller, id_param(&params, "identity")?, given).await?;
    Ok(Answer(made.into()))
}

/// GET …
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUniversalAuth> {
    Ok(Answer(
        universal_auth::get(&app, &caller, id_param(&params, "identity")?)
            .await?
            .into(),
    ))
}

/// PATCH …
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InUniversalAuth> {
    let given = json::settings(&body)?;
    let after = universal_auth::update(&app, &caller, id_param(&params, "identity")?, given).await?;
    Ok(Answer(after.into()))
}

/// DELETE …
pub(super) async fn detach(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUniversalAuth> {
    Ok(Answer(
        universal_auth::detach(&app, &caller, id_param(&params, "identity")?)
            .await?
            .into(),
    ))
}

/// POST …/clear-lockouts
pub(super) async fn clear_lockouts(State(app): State<App>, caller: Caller, params: Params) -> Reply<Value> {
    let deleted = universal_auth::clear_lockouts(&app, &caller, id_param(&params, "identity")?).await?;
    Ok(Answer(json!({"deleted": deleted})))
}

/// POST …/client-secrets: the only answer that ever shows the secret.
pub(super) async fn create_client_secret(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<Value> {
    let wanted = json::client_secret(&body)?;
    let identity = id_param(&params, "identity")?;
    let (secret, row) = universal_auth::create_client_secret(&app, &caller, identity, wanted).await?;
    let shown = ClientSecretJson::from(&row);
    Ok(Answer(
        json!({"clientSecret": secret.expose_secret(), "clientSecretData": shown}),
    ))
}

/// GET …/client-secrets
pub(super) async fn list_client_secrets(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<Value> {
    let found = universal_auth::list_client_secrets(&app, &caller, id_param(&params, "identity")?).await?;
    let shown: Vec<ClientSecretJson> = found.iter().map(ClientSecretJson::from).collect();
    Ok(Answer(json!({"clientSecretData": shown})))
}

/// GET …/client-secrets/{secret}
pub(super) async fn get_client_secret(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<Value> {
    let (identity, id) = (id_param(&params, "identity")?, id_param(&params, "secret")?);
    let found = universal_auth::get_client_secret(&app, &caller, identity, id).await?;
    Ok(Answer(
        json!({"clientSecretData": ClientSecretJson::from(&found)}),
    ))
}

/// POST …/client-secrets/{secret}/revoke
pub(super) async fn revoke_client_secret(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Reply<Value> {
    let (identity, id) = (id_param(&params, "identity")?, id_param(&params, "secret")?);
    let after = universal_auth::revoke_client_secret(&app, &caller, identity, id).await?;
    Ok(Answer(
        json!({"clientSecretData": ClientSecretJson::from(&after)}),
    ))
}
