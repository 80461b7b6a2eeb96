//! `…/{rotationId}/keys`: the key ledger, and what an owner may do with one key.

mod json;

use axum::extract::State;
use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::RotationId;
use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use keywheel_core::owner::Word;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::KeysAnswer;
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::fields::{Field, Fields, Read};
use super::openapi::body_of;
use super::secret_rotations::RotationAnswer;
use crate::actions::rotation_keys::{self, Owner};
use crate::app::App;
use crate::auth::caller::Caller;

/// Longest reason of a hold, in characters.
const REASON_CHARS_MAX: usize = 256;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(roll_back))
        .routes(routes!(retire))
        .routes(routes!(resolve))
        .routes(routes!(hand_over))
        .routes(routes!(hold))
        .routes(routes!(release))
}

body_of!(
    /// Whose the key is.
    ResolveSuspect = read_owner
);
body_of!(
    /// Why, for people.
    HoldKey = read_reason
);

/// The key ledger
///
/// Every key of the IAM user that Keywheel knows, ended ones too, with what comes next and what blocks.
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys",
    operation_id = "listKeys",
    tag = "keys",
    responses((status = 200, body = KeysAnswer))
)]
async fn list(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    let id = super::place::id_param(&params, "rotationId")?;
    Ok(Answer(rotation_keys::list(&app, &caller, id).await?.into()))
}

/// Publish an earlier key again
///
/// It is reactivated if need be, verified like a new key, then published. `nextRotationAt` does not change.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/roll-back",
    operation_id = "rollBackToKey",
    tag = "keys",
    responses((status = 200, body = RotationAnswer))
)]
async fn roll_back(State(app): State<App>, caller: Caller, params: Params) -> Reply<RotationAnswer> {
    let (id, key) = named(&params)?;
    Ok(Answer(
        rotation_keys::roll_back(&app, &caller, id, key).await?.into(),
    ))
}

/// Retire a key now
///
/// For incidents: deactivated and deleted at once, in two recorded steps, without a wait. Not for the published key.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/retire",
    operation_id = "retireKey",
    tag = "keys",
    responses((status = 200, body = KeysAnswer))
)]
async fn retire(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    let (id, key) = named(&params)?;
    Ok(Answer(
        rotation_keys::retire(&app, &caller, id, key).await?.into(),
    ))
}

/// Resolve a suspect
///
/// As `ours` it is deactivated and deleted; its secret is lost, so nobody can use it. As `theirs` it is never touched.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/resolve",
    operation_id = "resolveSuspect",
    tag = "keys",
    request_body = ResolveSuspect,
    responses((status = 200, body = KeysAnswer))
)]
async fn resolve(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<KeysAnswer> {
    let (id, key) = named(&params)?;
    let owner = read_owner(body.fields())?;
    Ok(Answer(
        rotation_keys::resolve(&app, &caller, id, key, owner)
            .await?
            .into(),
    ))
}

/// Hand a key over
///
/// A key that Keywheel did not create is retired by the policy of the rotation from now on.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/hand-over",
    operation_id = "handOverKey",
    tag = "keys",
    responses((status = 200, body = KeysAnswer))
)]
async fn hand_over(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    say(&app, &caller, &params, Word::HandOver).await
}

/// Hold a key
///
/// Its retirement waits until it is released; a rotation that needs its slot is refused and says why.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/hold",
    operation_id = "holdKey",
    tag = "keys",
    request_body = HoldKey,
    responses((status = 200, body = KeysAnswer))
)]
async fn hold(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<KeysAnswer> {
    let reason = read_reason(body.fields())?;
    say(&app, &caller, &params, Word::Hold { reason }).await
}

/// Release a held key
///
/// Its retirement goes on.
/// Permission: `rotate-secrets` on `secret-rotation`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/keys/{accessKeyId}/release",
    operation_id = "releaseKey",
    tag = "keys",
    responses((status = 200, body = KeysAnswer))
)]
async fn release(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    say(&app, &caller, &params, Word::Release).await
}

async fn say(app: &App, caller: &Caller, params: &Params, word: Word) -> Reply<KeysAnswer> {
    let (id, key) = named(params)?;
    Ok(Answer(
        rotation_keys::say(app, caller, id, key, word).await?.into(),
    ))
}

/// `{owner}`
fn read_owner(mut fields: Fields<'_>) -> Result<Owner, ApiError> {
    const OWNERS: [(&str, Owner); 2] = [("ours", Owner::Ours), ("theirs", Owner::Theirs)];
    let owner = fields.required("owner", |f| f.one_of(&OWNERS));
    fields.finish(|| owner)
}

/// `{reason}`
fn read_reason(mut fields: Fields<'_>) -> Result<String, ApiError> {
    let reason = fields.or("reason", "its owner holds it".to_owned(), reason);
    fields.finish(|| reason)
}

/// A line of text: it is put into messages.
fn reason(field: Field<'_>) -> Read<String> {
    let shape = || {
        json!({"type": "string", "minLength": 1, "maxLength": REASON_CHARS_MAX,
            "pattern": r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"})
    };
    field.parsed_as(shape, |text| {
        let text = text.trim();
        let chars = text.chars().count();
        if chars == 0 || chars > REASON_CHARS_MAX || text.chars().any(char::is_control) {
            let message = format!("A reason is one line of 1 to {REASON_CHARS_MAX} characters");
            return Err(NameFault::new(IssueCode::Custom, message));
        }
        Ok(text.to_owned())
    })
}

fn named(params: &Params) -> Result<(RotationId, AccessKeyId), ApiError> {
    let mut fields = params.fields();
    let id = fields.required("rotationId", Field::id);
    let key = fields.required("accessKeyId", |f| f.parsed(AccessKeyId::parse));
    fields.finish(|| Ok((id?, key?)))
}
