//! Secrets, under the names of the third and the fourth version of the API (platform contract, section
//! 6.2). What differs between the two are names of fields, and all names are read everywhere.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{InSecret, SecretJson, SecretsJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::place::id_param;
use crate::actions::secrets::{self, GetSecret};
use crate::app::App;
use crate::auth::caller::Caller;

/// Secrets, in both versions.
pub(super) fn routes() -> OpenApiRouter<App> {
    let older = "/api/v3/secrets/raw";
    let (by_id, by_name) = (format!("{older}/id/{{id}}"), format!("{older}/{{name}}"));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get_by_id))
        .routes(routes!(get, create, update, delete))
        .routes(at(older, "V3", routes!(list)))
        .routes(at(&by_id, "V3", routes!(get_by_id)))
        .routes(at(&by_name, "V3", routes!(get, create, update, delete)))
}

query_of!(
    /// Which secrets, and what of them.
    ListSecretsQuery = json::list
);
query_of!(
    /// Which secret, and what of it.
    GetSecretQuery = json::get
);
query_of!(
    /// What to show.
    ViewQuery = json::view_value
);
body_of!(
    /// A secret to be made.
    CreateSecret = json::create
);
body_of!(
    /// What is to change of a secret; absent is unchanged.
    UpdateSecret = json::update
);
body_of!(
    /// Which secret.
    DeleteSecret = json::delete
);

/// List secrets
///
/// By path and name.
/// Permission: `read` on `secrets`, and `read-value` unless values are hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets",
    operation_id = "listSecrets",
    tag = "secrets",
    params(ListSecretsQuery),
    responses((status = 200, body = SecretsJson))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<SecretsJson> {
    let wanted = json::list(query.fields())?;
    let place = wanted.place.complete()?;
    let found = secrets::list(&app, &caller, &place, wanted.recursive, wanted.view_value).await?;
    Ok(Answer(SecretsJson {
        secrets: found.iter().map(SecretJson::from).collect(),
        imports: [],
    }))
}

/// Get a secret
///
/// Permission: `read` on `secrets`, and `read-value` unless the value is hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets/{name}",
    operation_id = "getSecret",
    tag = "secrets",
    params(GetSecretQuery),
    responses((status = 200, body = InSecret))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::get(query.fields())?;
    let place = wanted.place.complete()?;
    let wanted = GetSecret {
        place,
        name,
        version: wanted.version,
        view_value: wanted.view_value,
    };
    Ok(Answer(InSecret::from(
        &secrets::get(&app, &caller, &wanted).await?,
    )))
}

/// Get a secret by its id
///
/// Permission: `read` on `secrets`, and `read-value` unless the value is hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets/id/{id}",
    operation_id = "getSecretById",
    tag = "secrets",
    params(ViewQuery),
    responses((status = 200, body = InSecret))
)]
async fn get_by_id(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Reply<InSecret> {
    let view_value = json::view_value(query.fields())?;
    let found = secrets::get_by_id(&app, &caller, id_param(&params, "id")?, view_value).await?;
    Ok(Answer(InSecret::from(&found)))
}

/// Create a secret
///
/// Permission: `create` on `secrets`.
#[utoipa::path(
    post,
    path = "/api/v4/secrets/{name}",
    operation_id = "createSecret",
    tag = "secrets",
    request_body = CreateSecret,
    responses((status = 200, body = InSecret))
)]
async fn create(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::create(body.fields())?;
    let place = wanted.place.complete()?;
    let made = secrets::create(
        &app,
        &caller,
        &place,
        name,
        wanted.kind,
        &wanted.value,
        wanted.details,
    )
    .await?;
    Ok(Answer(InSecret::from(&made)))
}

/// Update a secret
///
/// Name and value of a rotated secret are its rotation's to change.
/// Permission: `edit` on `secrets`.
#[utoipa::path(
    patch,
    path = "/api/v4/secrets/{name}",
    operation_id = "updateSecret",
    tag = "secrets",
    request_body = UpdateSecret,
    responses((status = 200, body = InSecret))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::update(body.fields())?;
    let place = wanted.place.complete()?;
    let (new_name, value) = (wanted.new_name, wanted.value.as_ref());
    let after = secrets::update(&app, &caller, &place, &name, new_name, value, wanted.details).await?;
    Ok(Answer(InSecret::from(&after)))
}

/// Delete a secret
///
/// Not one that a rotation writes.
/// Permission: `delete` on `secrets`.
#[utoipa::path(
    delete,
    path = "/api/v4/secrets/{name}",
    operation_id = "deleteSecret",
    tag = "secrets",
    request_body = DeleteSecret,
    responses((status = 200, body = InSecret))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let (place, kind) = json::delete(body.fields())?;
    let before = secrets::delete(&app, &caller, &place.complete()?, &name, kind).await?;
    Ok(Answer(InSecret::from(&before)))
}
