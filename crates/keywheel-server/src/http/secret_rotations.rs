//! `/api/v2/secret-rotations` (rotation contract, section 5).

mod json;

use axum::extract::State;
use keywheel_core::ids::RotationId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::RotationAnswer;
use self::json::{CredentialsAnswer, OptionsAnswer, RotationsAnswer};
pub(super) use self::json::{create as read_create, interval as read_interval, project as read_project};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params, Query};
use super::fields::Field;
use super::openapi::{at, body_of, query_of};
use super::paging::PagedReply;
use crate::actions::rotations;
use crate::app::App;
use crate::auth::caller::Caller;

/// The routes of all types and of the one type that there is.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(options))
        .routes(at("/api/v2/secret-rotations", "OfAllTypes", routes!(list)))
        .routes(routes!(list, create))
        .routes(routes!(get_by_name))
        .routes(routes!(relocate))
        .routes(routes!(get_one, update, delete))
        .routes(routes!(credentials))
        .routes(routes!(rotate))
}

query_of!(
    /// Of which project, and which page.
    ListRotationsQuery = json::list
);
query_of!(
    /// Where.
    PlaceQuery = json::place
);
query_of!(
    /// What goes with the rotation.
    DeleteRotationQuery = json::delete_flags
);
body_of!(
    /// A rotation to be made. `policy` and `adoption` go beyond Infisical's API.
    CreateSecretRotation = json::create
);
body_of!(
    /// What is to change of a rotation; absent is unchanged.
    UpdateSecretRotation = json::update
);
body_of!(
    /// Where to.
    MoveSecretRotation = json::relocate
);

/// List types of rotations
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/options",
    operation_id = "listSecretRotationOptions",
    tag = "secret rotations",
    responses((status = 200, body = OptionsAnswer))
)]
async fn options(_: Caller) -> Answer<OptionsAnswer> {
    Answer(OptionsAnswer::default())
}

/// List rotations
///
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret",
    operation_id = "listAWSIAMUserSecretRotations",
    tag = "secret rotations",
    params(ListRotationsQuery),
    responses((status = 200, body = RotationsAnswer))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<RotationsAnswer> {
    let (project, page) = json::list(query.fields())?;
    let found = rotations::list(&app, &caller, project, &query.page(page)?).await?;
    query.paged(found, RotationsAnswer::from)
}

/// Get a rotation
///
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}",
    operation_id = "getAWSIAMUserSecretRotation",
    tag = "secret rotations",
    responses((status = 200, body = RotationAnswer))
)]
async fn get_one(State(app): State<App>, caller: Caller, params: Params) -> Reply<RotationAnswer> {
    Ok(Answer(rotations::get(&app, &caller, id(&params)?).await?.into()))
}

/// Get a rotation by its name
///
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/rotation-name/{rotationName}",
    operation_id = "getAWSIAMUserSecretRotationByName",
    tag = "secret rotations",
    params(PlaceQuery),
    responses((status = 200, body = RotationAnswer))
)]
async fn get_by_name(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<RotationAnswer> {
    let name = json::name_in_path(&params)?;
    let place = json::place(query.fields())?;
    Ok(Answer(
        rotations::get_by_name(&app, &caller, &place, &name).await?.into(),
    ))
}

/// Create a rotation
///
/// Makes and verifies the first access key, and publishes it as two secrets. Everything that needs no change at AWS is
/// checked first.
/// Permission: `create` on `secret-rotation` and on `secrets`, and `connect` on the connection.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret",
    operation_id = "createAWSIAMUserSecretRotation",
    tag = "secret rotations",
    request_body = CreateSecretRotation,
    responses((status = 200, body = RotationAnswer))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<RotationAnswer> {
    Ok(Answer(
        rotations::create(&app, &caller, json::create(body.fields())?)
            .await?
            .into(),
    ))
}

/// Update a rotation
///
/// Absent fields stay as they are; takes effect at once, also for work that is due already. Another `environment` or
/// `secretPath` is a move, and another `connectionId` has to reach the same IAM user. References to secrets that get
/// another name or place follow.
/// Permission: `edit` on `secret-rotation`, and on `secrets` if the mapping changes; for another place also that of a
/// move, and `connect` on another connection.
#[utoipa::path(
    patch,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}",
    operation_id = "updateAWSIAMUserSecretRotation",
    tag = "secret rotations",
    request_body = UpdateSecretRotation,
    responses((status = 200, body = RotationAnswer))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    Ok(Answer(
        rotations::update(&app, &caller, id, json::update(body.fields())?)
            .await?
            .into(),
    ))
}

/// Delete a rotation
///
/// Answers with what it was.
/// Permission: `delete` on `secret-rotation`, and on `secrets` if they are deleted too.
#[utoipa::path(
    delete,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}",
    operation_id = "deleteAWSIAMUserSecretRotation",
    tag = "secret rotations",
    params(DeleteRotationQuery),
    responses((status = 200, body = RotationAnswer))
)]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    let (delete_secrets, revoke) = json::delete_flags(query.fields())?;
    Ok(Answer(
        rotations::delete(&app, &caller, id, delete_secrets, revoke)
            .await?
            .into(),
    ))
}

/// Move a rotation
///
/// With its two secrets and all their versions, within the project. References to them follow.
/// Permission: `delete` on `secret-rotation` where it is, `create` on it and on `secrets` where it goes, and `delete` on
/// `secrets` if some are replaced.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/move/{rotationId}",
    operation_id = "moveAWSIAMUserSecretRotation",
    tag = "secret rotations",
    request_body = MoveSecretRotation,
    responses((status = 200, body = RotationAnswer))
)]
async fn relocate(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<RotationAnswer> {
    let id = id(&params)?;
    Ok(Answer(
        rotations::relocate(&app, &caller, id, json::relocate(body.fields())?)
            .await?
            .into(),
    ))
}

/// Rotate now
///
/// Waits for the end. Works while automatic rotation is off.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/rotate-secrets",
    operation_id = "rotateAWSIAMUserSecretRotation",
    tag = "secret rotations",
    responses((status = 200, body = RotationAnswer))
)]
async fn rotate(State(app): State<App>, caller: Caller, params: Params, _: Body) -> Reply<RotationAnswer> {
    Ok(Answer(
        rotations::rotate(&app, &caller, id(&params)?).await?.into(),
    ))
}

/// Get the generated credentials
///
/// In slot order.
/// Permission: `read-generated-credentials` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/generated-credentials",
    operation_id = "getAWSIAMUserSecretRotationGeneratedCredentials",
    tag = "secret rotations",
    responses((status = 200, body = CredentialsAnswer))
)]
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
