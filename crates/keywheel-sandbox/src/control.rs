//! The control interface beside the AWS one: seed the account, switch faults, read the truth. Unsigned: the
//! sandbox is reached over loopback only. Its manual is the README.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Moment;
use crate::faults::{Fault, Faults};
use crate::foreign::{ForeignAct, Planned};
use crate::model::{Code, NewKey, PolicyDocument, Propagation, PropagationRule, Refusal};
use crate::sandbox::Shared;
use crate::world::Recorded;

/// Where the paths of the control interface begin; AWS has none like it.
pub(crate) const PREFIX: &str = "/_sandbox/";

/// The region that `try` looks at if it is not told.
const TRY_REGION_DEFAULT: &str = "us-east-1";

type Shown = Result<Json<Value>, Refused>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sandbox/health", get(health))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/users", post(create_user))
        .route("/_sandbox/users/{name}", get(user))
        .route("/_sandbox/users/{name}/policy", put(set_policy))
        .route("/_sandbox/roles", post(put_role))
        .route(
            "/_sandbox/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/_sandbox/foreign", post(foreign))
        .route("/_sandbox/foreign/plan", post(plan_foreign).delete(clear_plan))
        .route("/_sandbox/propagation", put(set_propagation))
        .route("/_sandbox/clock", put(set_clock))
        .route("/_sandbox/calls", get(calls))
        .route("/_sandbox/try", post(try_key))
        .with_state(shared)
}

/// A refusal of the model, as JSON.
struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(Refusal { code, message }) = self;
        let status = match code {
            Code::NoSuchEntity => StatusCode::NOT_FOUND,
            Code::EntityAlreadyExists | Code::LimitExceeded | Code::DeleteConflict => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({ "code": code.as_str(), "message": message }))).into_response()
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.with(|world, now| Json(json!({ "ok": true, "account": world.account.id(), "now": now.iso() })))
}

async fn reset(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.reset();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUser {
    user_name: String,
    path: Option<String>,
    /// May the user do everything?
    #[serde(default = "yes")]
    admin: bool,
    /// Is a first key made?
    #[serde(default)]
    access_key: bool,
}

const fn yes() -> bool {
    true
}

async fn create_user(State(shared): State<Arc<Shared>>, Json(new): Json<NewUser>) -> Shown {
    shared.with(|world, now| {
        world
            .account
            .create_user(now, &new.user_name, new.path.as_deref())?;
        if new.admin {
            world
                .account
                .set_user_policy(&new.user_name, Some(PolicyDocument::allow_all()))?;
        }
        let act = ForeignAct::CreateKey {
            user_name: new.user_name.clone(),
            past_quota: false,
        };
        let key = if new.access_key {
            act.perform(&mut world.account, now)?
        } else {
            None
        };
        let user = world.account.user_view(&new.user_name);
        Ok(Json(
            json!({ "user": user, "accessKey": key.as_ref().map(with_secret) }),
        ))
    })
}

fn with_secret(key: &NewKey) -> Value {
    json!({
        "userName": key.user_name,
        "accessKeyId": key.access_key_id,
        "secretAccessKey": key.secret_access_key,
    })
}

async fn user(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Shown {
    shared.with(|world, _| {
        let user = world
            .account
            .user_view(&name)
            .ok_or_else(|| Refusal::no_such_user(&name))?;
        let keys = world.account.keys_of_user(&name).into_iter().map(|(key, used)| {
            json!({
                "accessKeyId": key.access_key_id,
                "status": key.status,
                "createDate": key.create_date.iso(),
                "lastUsed": used.map(|used| {
                    json!({ "at": used.at.iso(), "service": used.service, "region": used.region })
                }),
            })
        });
        Ok(Json(json!({ "user": user, "keys": keys.collect::<Vec<_>>() })))
    })
}

async fn set_policy(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Json(policy): Json<Option<PolicyDocument>>,
) -> Result<StatusCode, Refused> {
    shared.with(|world, _| world.account.set_user_policy(&name, policy))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewRole {
    role_name: String,
    principal: String,
    external_id: Option<String>,
    /// What the role may do; everything, if absent.
    policy: Option<PolicyDocument>,
}

async fn put_role(State(shared): State<Arc<Shared>>, Json(new): Json<NewRole>) -> Json<Value> {
    let policy = new.policy.unwrap_or_else(PolicyDocument::allow_all);
    shared.with(|world, _| {
        let arn = world
            .account
            .put_role(&new.role_name, &new.principal, new.external_id, Some(policy));
        Json(json!({ "roleName": new.role_name, "arn": arn }))
    })
}

async fn faults(State(shared): State<Arc<Shared>>) -> Json<Faults> {
    shared.with(|world, _| Json(world.faults.clone()))
}

async fn add_fault(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> StatusCode {
    shared.with(|world, _| world.faults.add(fault));
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.with(|world, _| world.faults.clear());
    shared.release();
    StatusCode::NO_CONTENT
}

async fn foreign(State(shared): State<Arc<Shared>>, Json(act): Json<ForeignAct>) -> Shown {
    let made = shared.with(|world, now| act.perform(&mut world.account, now))?;
    Ok(Json(json!({ "accessKey": made.as_ref().map(with_secret) })))
}

async fn plan_foreign(State(shared): State<Arc<Shared>>, Json(planned): Json<Planned>) -> StatusCode {
    shared.with(|world, _| world.plan.push(planned));
    StatusCode::NO_CONTENT
}

async fn clear_plan(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.with(|world, _| world.plan.clear());
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spreading {
    rules: Option<Vec<PropagationRule>>,
    last_used_lag_ms: Option<i64>,
}

async fn set_propagation(State(shared): State<Arc<Shared>>, Json(new): Json<Spreading>) -> StatusCode {
    shared.with(|world, _| {
        if let Some(rules) = new.rules {
            world.account.set_propagation(Propagation::from(rules));
        }
        if let Some(lag_ms) = new.last_used_lag_ms {
            world.account.set_last_used_lag_ms(lag_ms);
        }
    });
    StatusCode::NO_CONTENT
}

/// How the clock is set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum ClockSetting {
    /// Follows the system at this distance, in milliseconds.
    #[serde(rename = "offsetMs")]
    Follow(i64),
    /// Moves from where it is, in milliseconds.
    #[serde(rename = "advanceMs")]
    Advance(i64),
    /// Stands still here, in milliseconds since the epoch.
    #[serde(rename = "stopAtMs")]
    Stop(i64),
}

async fn set_clock(State(shared): State<Arc<Shared>>, Json(setting): Json<ClockSetting>) -> Json<Value> {
    match setting {
        ClockSetting::Follow(offset) => shared.clock.follow_system(offset),
        ClockSetting::Advance(millis) => shared.clock.advance(millis),
        ClockSetting::Stop(at) => shared.clock.stop_at(Moment::from_millis(at)),
    }
    Json(json!({ "now": shared.now().iso() }))
}

async fn calls(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let calls: Vec<Recorded> = shared.with(|world, _| world.calls().cloned().collect());
    Json(json!({ "calls": calls }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Try {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: Option<String>,
}

#[derive(Serialize)]
struct Tried {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// Would a signed request be accepted? Neither a call nor a use of the key.
async fn try_key(State(shared): State<Arc<Shared>>, Json(tried): Json<Try>) -> Json<Tried> {
    let region = tried.region.as_deref().unwrap_or(TRY_REGION_DEFAULT);
    let (key, token) = (&tried.access_key_id, tried.session_token.as_deref());
    let code = match shared.with(|world, now| world.credential(key, token, region, now)) {
        Ok(credential) if credential.secret.expose() == tried.secret_access_key => None,
        Ok(_) => Some(Code::SignatureDoesNotMatch.as_str()),
        Err(refusal) => Some(refusal.code.as_str()),
    };
    Json(Tried {
        accepted: code.is_none(),
        code,
    })
}
