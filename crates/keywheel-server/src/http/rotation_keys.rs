//! `…/{rotationId}/keys`: the key ledger, and what an owner may do with one key. In `docs/operators-api.md`.

mod json;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::RotationId;
use keywheel_core::owner::Word;

use self::json::KeysAnswer;
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::fields::Field;
use super::secret_rotations::{BASE, RotationAnswer};
use crate::actions::rotation_keys::{self, Owner};
use crate::app::App;
use crate::auth::caller::Caller;

/// Longest reason of a hold, in characters.
const REASON_CHARS_MAX: i64 = 256;

pub(super) fn routes() -> Router<App> {
    let keys = format!("{BASE}/{{rotationId}}/keys");
    let key = format!("{keys}/{{accessKeyId}}");
    Router::new()
        .route(&keys, get(list))
        .route(&format!("{key}/roll-back"), post(roll_back))
        .route(&format!("{key}/retire"), post(retire))
        .route(&format!("{key}/resolve"), post(resolve))
        .route(&format!("{key}/hand-over"), post(hand_over))
        .route(&format!("{key}/hold"), post(hold))
        .route(&format!("{key}/release"), post(release))
}

/// GET …/keys
async fn list(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    let id = super::place::id_param(&params, "rotationId")?;
    Ok(Answer(rotation_keys::list(&app, &caller, id).await?.into()))
}

/// POST …/keys/{accessKeyId}/roll-back
async fn roll_back(State(app): State<App>, caller: Caller, params: Params) -> Reply<RotationAnswer> {
    let (id, key) = named(&params)?;
    Ok(Answer(
        rotation_keys::roll_back(&app, &caller, id, key).await?.into(),
    ))
}

/// POST …/keys/{accessKeyId}/retire
async fn retire(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    let (id, key) = named(&params)?;
    Ok(Answer(
        rotation_keys::retire(&app, &caller, id, key).await?.into(),
    ))
}

/// POST …/keys/{accessKeyId}/resolve
async fn resolve(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<KeysAnswer> {
    const OWNERS: [(&str, Owner); 2] = [("ours", Owner::Ours), ("theirs", Owner::Theirs)];
    let (id, key) = named(&params)?;
    let mut fields = body.fields();
    let owner = fields.required("owner", |f| f.one_of(&OWNERS));
    let owner = fields.finish(|| owner)?;
    Ok(Answer(
        rotation_keys::resolve(&app, &caller, id, key, owner)
            .await?
            .into(),
    ))
}

/// POST …/keys/{accessKeyId}/hand-over
async fn hand_over(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    say(&app, &caller, &params, Word::HandOver).await
}

/// POST …/keys/{accessKeyId}/hold
async fn hold(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<KeysAnswer> {
    let mut fields = body.fields();
    let reason = fields.optional("reason", |f: Field<'_>| f.text_within(1..=REASON_CHARS_MAX));
    let reason = fields.finish(|| reason)?;
    let reason = reason.unwrap_or_else(|| "its owner holds it".to_owned());
    say(&app, &caller, &params, Word::Hold { reason }).await
}

/// POST …/keys/{accessKeyId}/release
async fn release(State(app): State<App>, caller: Caller, params: Params) -> Reply<KeysAnswer> {
    say(&app, &caller, &params, Word::Release).await
}

async fn say(app: &App, caller: &Caller, params: &Params, word: Word) -> Reply<KeysAnswer> {
    let (id, key) = named(params)?;
    Ok(Answer(
        rotation_keys::say(app, caller, id, key, word).await?.into(),
    ))
}

fn named(params: &Params) -> Result<(RotationId, AccessKeyId), ApiError> {
    let mut fields = params.fields();
    let id = fields.required("rotationId", Field::id);
    let key = fields.required("accessKeyId", |f| f.parsed(AccessKeyId::parse));
    fields.finish(|| Ok((id?, key?)))
}
