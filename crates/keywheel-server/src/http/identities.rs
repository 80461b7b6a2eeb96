//! Machine identities (platform contract, section 6.8).

mod json;

use axum::extract::State;
use serde_json::{Value, json};

pub(super) use self::json::{AuthMethodsJson, OrganizationJson};
use self::json::{DetailedJson, IdentityJson, InDetailed, InIdentity, ListJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::memberships::MembershipJson;
use super::place::id_param;
use crate::actions::{identities, memberships};
use crate::app::App;
use crate::auth::caller::Caller;

/// GET /api/v1/identities/details
pub(super) async fn details(State(app): State<App>, caller: Caller) -> Reply<Value> {
    let organization: OrganizationJson = identities::organization(&app, &caller).await?.into();
    Ok(Answer(json!({"identityDetails": {"organization": organization}})))
}

/// POST /api/v1/identities
pub(super) async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InIdentity> {
    let made = identities::create(&app, &caller, json::create(&body)?).await?;
    Ok(Answer(InIdentity {
        identity: IdentityJson::from(made),
    }))
}

/// GET /api/v1/identities
pub(super) async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<ListJson> {
    let (search, page) = json::search(query.fields())?;
    Ok(Answer(
        identities::list(&app, &caller, &search, page).await?.into(),
    ))
}

/// POST /api/v1/identities/search
pub(super) async fn search(State(app): State<App>, caller: Caller, body: Body) -> Reply<ListJson> {
    let (search, page) = json::search(body.fields())?;
    Ok(Answer(
        identities::list(&app, &caller, &search, page).await?.into(),
    ))
}

/// GET /api/v1/identities/{identity}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InDetailed> {
    let found = identities::get(&app, &caller, id_param(&params, "identity")?).await?;
    Ok(Answer(InDetailed {
        identity: DetailedJson::from(found),
    }))
}

/// PATCH /api/v1/identities/{identity}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InIdentity> {
    let id = id_param(&params, "identity")?;
    let after = identities::update(&app, &caller, id, json::update(&body)?).await?;
    Ok(Answer(InIdentity {
        identity: after.into(),
    }))
}

/// DELETE /api/v1/identities/{identity}
pub(super) async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InIdentity> {
    let before = identities::delete(&app, &caller, id_param(&params, "identity")?).await?;
    Ok(Answer(InIdentity {
        identity: before.into(),
    }))
}

/// GET /api/v1/identities/{identity}/identity-memberships
pub(super) async fn memberships(State(app): State<App>, caller: Caller, params: Params) -> Reply<Value> {
    let found = memberships::list_of(&app, &caller, id_param(&params, "identity")?).await?;
    let shown: Vec<MembershipJson> = found.into_iter().map(MembershipJson::from).collect();
    Ok(Answer(json!({"identityMemberships": shown})))
}
