//! Several secrets of one folder at once.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::ChangedSecrets;
use crate::actions::secrets;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::answer::{Answer, Reply};
use crate::http::extract::Body;
use crate::http::openapi::{at, body_of};

/// Batches, in both versions.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, update, delete))
        .routes(at(
            "/api/v3/secrets/batch/raw",
            "V3",
            routes!(create, update, delete),
        ))
}

body_of!(
    /// Secrets to be made.
    CreateSecrets = json::create
);
body_of!(
    /// What is to change of several secrets; absent is unchanged.
    UpdateSecrets = json::update
);
body_of!(
    /// Which secrets.
    DeleteSecrets = json::delete
);

/// Create several secrets
///
/// All of them, or none.
/// Permission: `create` on `secrets`.
#[utoipa::path(
    post,
    path = "/api/v4/secrets/batch",
    operation_id = "createSecrets",
    tag = "secrets",
    request_body = CreateSecrets,
    responses((status = 200, body = ChangedSecrets))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<ChangedSecrets> {
    let (place, wanted) = json::create(body.fields())?;
    let made = secrets::create_all(&app, &caller, &place.complete()?, wanted).await?;
    Ok(Answer(made.as_slice().into()))
}

/// Update several secrets
///
/// All of them, or none. Name and value of a rotated secret are its rotation's to change.
/// Permission: `edit` on `secrets`, and `create` where `mode` is `upsert` and one is missing.
#[utoipa::path(
    patch,
    path = "/api/v4/secrets/batch",
    operation_id = "updateSecrets",
    tag = "secrets",
    request_body = UpdateSecrets,
    responses((status = 200, body = ChangedSecrets))
)]
async fn update(State(app): State<App>, caller: Caller, body: Body) -> Reply<ChangedSecrets> {
    let wanted = json::update(body.fields())?;
    let place = wanted.place.complete()?;
    let after = secrets::update_all(&app, &caller, &place, wanted.missing, wanted.secrets).await?;
    Ok(Answer(after.as_slice().into()))
}

/// Delete several secrets
///
/// All of them, or none; not one that a rotation writes.
/// Permission: `delete` on `secrets`.
#[utoipa::path(
    delete,
    path = "/api/v4/secrets/batch",
    operation_id = "deleteSecrets",
    tag = "secrets",
    request_body = DeleteSecrets,
    responses((status = 200, body = ChangedSecrets))
)]
async fn delete(State(app): State<App>, caller: Caller, body: Body) -> Reply<ChangedSecrets> {
    let (place, wanted) = json::delete(body.fields())?;
    let before = secrets::delete_all(&app, &caller, &place.complete()?, wanted).await?;
    Ok(Answer(before.as_slice().into()))
}
