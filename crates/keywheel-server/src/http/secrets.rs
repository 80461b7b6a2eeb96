//! Secrets, under the names of the third and the fourth version of the API (platform contract, section
//! 6.2). What differs between the two are names of fields, and all names are read everywhere.

mod json;

use axum::extract::State;

use self::json::{InSecret, SecretJson, SecretsJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::place::id_param;
use crate::actions::secrets::{self, GetSecret};
use crate::app::App;
use crate::auth::caller::Caller;

/// GET /api/v3/secrets/raw and /api/v4/secrets
pub(super) async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<SecretsJson> {
    let wanted = json::list(&query)?;
    let place = wanted.place.complete()?;
    let found = secrets::list(&app, &caller, &place, wanted.recursive, wanted.view_value).await?;
    Ok(Answer(SecretsJson {
        secrets: found.iter().map(SecretJson::from).collect(),
        imports: [],
    }))
}

/// GET /api/v3/secrets/raw/{name} and /api/v4/secrets/{name}
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::get(&query)?;
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

/// GET /api/v3/secrets/raw/id/{id} and /api/v4/secrets/id/{id}
pub(super) async fn get_by_id(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<InSecret> {
    let view_value = json::view_value(&query)?;
    let found = secrets::get_by_id(&app, &caller, id_param(&params, "id")?, view_value).await?;
    Ok(Answer(InSecret::from(&found)))
}

/// POST /api/v3/secrets/raw/{name} and /api/v4/secrets/{name}
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::create(&body)?;
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

/// PATCH /api/v3/secrets/raw/{name} and /api/v4/secrets/{name}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::update(&body)?;
    let place = wanted.place.complete()?;
    let (new_name, value) = (wanted.new_name, wanted.value.as_ref());
    let after = secrets::update(&app, &caller, &place, &name, new_name, value, wanted.details).await?;
    Ok(Answer(InSecret::from(&after)))
}

/// DELETE /api/v3/secrets/raw/{name} and /api/v4/secrets/{name}
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let (place, kind) = json::delete(&body)?;
    let before = secrets::delete(&app, &caller, &place.complete()?, &name, kind).await?;
    Ok(Answer(InSecret::from(&before)))
}
