//! `/api/v2/secret-rotations` (rotation contract, section 5).

mod json;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use keywheel_core::ids::RotationId;
use serde_json::{Value, json};

pub(super) use self::json::RotationAnswer;
pub(super) use self::json::create as read_create;
use self::json::{CredentialsAnswer, RotationsAnswer};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params, Query};
use super::fields::Field;
use crate::actions::rotations;
use crate::app::App;
use crate::auth::caller::Caller;

/// Where the rotations of the one type are.
const BASE: &str = "/api/v2/secret-rotations/aws-iam-user-secret";

/// The routes of all types and of the one type that there is.
pub(super) fn routes() -> Router<App> {
    let base = "/api/v2/secret-rotations";
    let kind = BASE;
    Router::new()
        .route(base, get(list))
        .route(&format!("{base}/options"), get(options))
        .route(kind, get(list).post(create))
        .route(
            &format!("{kind}/rotation-name/{{rotationName}}"),
            get(get_by_name),
        )
        .route(&format!("{kind}/move/{{rotationId}}"), post(relocate))
        .route(
            &format!("{kind}/{{rotationId}}"),
            get(get_one).patch(update).delete(delete),
        )
        .route(
            &format!("{kind}/{{rotationId}}/generated-credentials"),
            get(credentials),
        )
        .route(&format!("{kind}/{{rotationId}}/rotate-secrets"), post(rotate))
}

/// GET …/options
async fn options(_: Caller) -> Answer<Value> {
    Answer(json!({"secretRotationOptions": [{
        "name": "AWS IAM User Secret",
        "type": "aws-iam-user-secret",
        "connection": "aws",
        "template": {"secretsMapping": {
            "accessKeyId": "AWS_ACCESS_KEY_ID",
            "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
        }},
    }]}))
}

/// GET …?projectId=
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<RotationsAnswer> {
    let project = json::project_of(&query)?;
    Ok(Answer(rotations::list(&app, &caller, project).await?.into()))
}

/// GET …/{rotationId}
async fn get_one(State(app): State<App>, caller: Caller, params: Params) -> Reply<RotationAnswer> {
    Ok(Answer(rotations::get(&app, &caller, id(&params)?).await?.into()))
}

/// GET …/rotation-name/{rotationName}
async fn get_by_name(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<RotationAnswer> {
    let (place, name) = json::place_and_name(&params, &query)?;
    Ok(Answer(
        rotations::get_by_name(&app, &caller, &place, &name).await?.into(),
    ))
}

/// POST …
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<RotationAnswer> {
    Ok(Answer(
        rotations::create(&app, &caller, json::create(&body)?)
            .await?
            .into(),
    ))
}

/// PATCH …/{rotationId}
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    Ok(Answer(
        rotations::update(&app, &caller, id, json::update(&body)?)
            .await?
            .into(),
    ))
}

/// DELETE …/{rotationId}; a body is tolerated and not read.
async fn delete(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    let (delete_secrets, revoke) = json::delete_flags(&query)?;
    Ok(Answer(
        rotations::delete(&app, &caller, id, delete_secrets, revoke)
            .await?
            .into(),
    ))
}

/// POST …/move/{rotationId}
async fn relocate(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    Ok(Answer(
        rotations::relocate(&app, &caller, id, json::relocate(&body)?)
            .await?
            .into(),
    ))
}

/// POST …/{rotationId}/rotate-secrets; a body is tolerated and not read.
async fn rotate(State(app): State<App>, caller: Caller, params: Params) -> Reply<RotationAnswer> {
    Ok(Answer(
        rotations::rotate(&app, &caller, id(&params)?).await?.into(),
    ))
}

/// GET …/{rotationId}/generated-credentials
async fn credentials(State(app): State<App>, caller: Caller, params: Params) -> Reply<CredentialsAnswer> {
    Ok(Answer(
        rotations::generated_credentials(&app, &caller, id(&params)?)
            .await?
            .into(),
    ))
}

fn id(params: &Params) -> Result<RotationId, ApiError> {
    let mut fields = params.fields();
    let id = fields.required("rotationId", Field::id);
    fields.finish(|| id)
}
