//! Machine identities (platform contract, section 6.8).

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::{AuthMethodsJson, OrganizationJson};
use self::json::{DetailedJson, DetailsJson, IdentityJson, InDetailed, InIdentity, ListJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::memberships::OwnMembershipsJson;
use super::openapi::{body_of, query_of};
use super::paging::PagedReply;
use super::place::id_param;
use crate::actions::{identities, memberships, universal_auth};
use crate::app::App;
use crate::auth::caller::Caller;

/// Identities.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(details))
        .routes(routes!(search))
        .routes(routes!(get, update, delete))
        .routes(routes!(memberships))
}

query_of!(
    /// What a list asks for.
    SearchQuery = json::search
);
query_of!(
    /// Which page.
    ListOwnMembershipsQuery = json::memberships
);
body_of!(
    /// What a search asks for.
    SearchIdentities = json::search
);
body_of!(
    /// An identity to be made.
    CreateIdentity = json::create
);
body_of!(
    /// What is to change of an identity.
    UpdateIdentity = json::update
);

/// Whose token this is
///
/// The cheapest test of a token.
#[utoipa::path(
    get,
    path = "/api/v1/identities/details",
    operation_id = "getOwnDetails",
    tag = "identities",
    responses((status = 200, body = DetailsJson))
)]
async fn details(State(app): State<App>, caller: Caller) -> Reply<DetailsJson> {
    Ok(Answer(identities::organization(&app, &caller).await?.into()))
}

/// Create an identity
///
/// Permission: `create` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/identities",
    operation_id = "createIdentity",
    tag = "identities",
    request_body = CreateIdentity,
    responses((status = 200, body = InIdentity))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InIdentity> {
    let made = identities::create(&app, &caller, json::create(body.fields())?).await?;
    Ok(Answer(InIdentity {
        identity: IdentityJson::from(made),
    }))
}

/// List identities
///
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/identities",
    operation_id = "listIdentities",
    tag = "identities",
    params(SearchQuery),
    responses((status = 200, body = ListJson))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<ListJson> {
    let (search, page) = json::search(query.fields())?;
    Ok(Answer(
        identities::list(&app, &caller, &search, page).await?.into(),
    ))
}

/// Search identities
///
/// Permission: `read` on `identity`.
#[utoipa::path(
    post,
    path = "/api/v1/identities/search",
    operation_id = "searchIdentities",
    tag = "identities",
    request_body = SearchIdentities,
    responses((status = 200, body = ListJson))
)]
async fn search(State(app): State<App>, caller: Caller, body: Body) -> Reply<ListJson> {
    let (search, page) = json::search(body.fields())?;
    Ok(Answer(
        identities::list(&app, &caller, &search, page).await?.into(),
    ))
}

/// Get an identity
///
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/identities/{identity}",
    operation_id = "getIdentity",
    tag = "identities",
    responses((status = 200, body = InDetailed))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InDetailed> {
    let found = identities::get(&app, &caller, id_param(&params, "identity")?).await?;
    let is_locked = universal_auth::is_locked(&app, found.id).await?;
    let shown = DetailedJson::from(found);
    Ok(Answer(InDetailed {
        identity: if is_locked { shown.locked() } else { shown },
    }))
}

/// Update an identity
///
/// Permission: `edit` on `identity`.
#[utoipa::path(
    patch,
    path = "/api/v1/identities/{identity}",
    operation_id = "updateIdentity",
    tag = "identities",
    request_body = UpdateIdentity,
    responses((status = 200, body = InIdentity))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InIdentity> {
    let id = id_param(&params, "identity")?;
    let after = identities::update(&app, &caller, id, json::update(body.fields())?).await?;
    Ok(Answer(InIdentity {
        identity: after.into(),
    }))
}

/// Delete an identity
///
/// Its tokens are refused from then on.
/// Permission: `delete` on `identity`.
#[utoipa::path(
    delete,
    path = "/api/v1/identities/{identity}",
    operation_id = "deleteIdentity",
    tag = "identities",
    responses((status = 200, body = InIdentity))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InIdentity> {
    let before = identities::delete(&app, &caller, id_param(&params, "identity")?).await?;
    Ok(Answer(InIdentity {
        identity: before.into(),
    }))
}

/// List the memberships of an identity
///
/// Permission: `read` on `identity`.
#[utoipa::path(
    get,
    path = "/api/v1/identities/{identity}/identity-memberships",
    operation_id = "listMembershipsOfIdentity",
    tag = "memberships",
    params(ListOwnMembershipsQuery),
    responses((status = 200, body = OwnMembershipsJson))
)]
async fn memberships(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> PagedReply<OwnMembershipsJson> {
    let page = query.page(json::memberships(query.fields())?)?;
    let found = memberships::list_of(&app, &caller, id_param(&params, "identity")?, &page).await?;
    query.paged(found, OwnMembershipsJson::from)
}
