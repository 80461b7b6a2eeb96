//! Project memberships of identities (platform contract, section 6.9).

mod json;

use axum::extract::State;
use serde_json::{Value, json};

pub(super) use self::json::MembershipJson;
use self::json::{BareJson, RoleJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::place::{id_param, project_by_id};
use crate::actions::memberships;
use crate::app::App;
use crate::auth::caller::Caller;

/// POST …/identity-memberships/{identity}
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<Value> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let made = memberships::create(&app, &caller, &project, identity, json::create(&body)?).await?;
    Ok(Answer(json!({"identityMembership": BareJson::from(&made)})))
}

/// PATCH …/identity-memberships/{identity}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<Value> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let after = memberships::update(&app, &caller, &project, identity, json::update(&body)?).await?;
    let roles: Vec<RoleJson> = after
        .roles
        .iter()
        .map(|role| RoleJson::of(role, after.id))
        .collect();
    Ok(Answer(json!({"roles": roles})))
}

/// DELETE …/identity-memberships/{identity}
pub(super) async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<Value> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let before = memberships::delete(&app, &caller, &project, identity).await?;
    Ok(Answer(json!({"identityMembership": BareJson::from(&before)})))
}

/// GET …/identity-memberships/{identity}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<Value> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let found = memberships::get(&app, &caller, &project, identity).await?;
    Ok(Answer(json!({"identityMembership": MembershipJson::from(found)})))
}

/// GET …/identity-memberships
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<Value> {
    let page = json::page(&query)?;
    let found = memberships::list(&app, &caller, &project_by_id(&params)?, page).await?;
    let shown: Vec<MembershipJson> = found.rows.into_iter().map(MembershipJson::from).collect();
    Ok(Answer(
        json!({"identityMemberships": shown, "totalCount": found.total}),
    ))
}
