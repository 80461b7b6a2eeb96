//! Project memberships of identities (platform contract, section 6.9).

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::json::{BareJson, OwnMembershipsJson};
use self::json::{InBareMembership, InMembership, MembershipsJson, RolesJson};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::place::{id_param, project_by_id};
use crate::actions::memberships;
use crate::app::App;
use crate::auth::caller::Caller;

/// Memberships, below both names of a project.
pub(super) fn routes() -> OpenApiRouter<App> {
    let newer = "/api/v1/projects/{project}/memberships/identities";
    let one = format!("{newer}/{{identity}}");
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get_by_id))
        .routes(routes!(invite))
        .routes(routes!(create, get, update, delete))
        .routes(at(newer, "OfProject", routes!(list)))
        .routes(at(&one, "OfProject", routes!(create, get, update, delete)))
}

body_of!(
    /// One role or several; without any, no access.
    CreateMembership = json::create
);
body_of!(
    /// The roles from now on.
    UpdateMembership = json::update
);
body_of!(
    /// People, whom Keywheel does not have.
    InviteMembers = json::invite
);
query_of!(
    /// Which page.
    PageQuery = json::page
);

/// Make an identity a member
///
/// Permission: `create` on `identity` in the project.
#[utoipa::path(
    post,
    path = "/api/v2/workspace/{project}/identity-memberships/{identity}",
    operation_id = "createMembership",
    tag = "memberships",
    request_body = CreateMembership,
    responses((status = 200, body = InBareMembership))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InBareMembership> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let made = memberships::create(&app, &caller, &project, identity, json::create(body.fields())?).await?;
    Ok(Answer((&made).into()))
}

/// Change the roles of a member
///
/// Permission: `edit` on `identity` in the project.
#[utoipa::path(
    patch,
    path = "/api/v2/workspace/{project}/identity-memberships/{identity}",
    operation_id = "updateMembership",
    tag = "memberships",
    request_body = UpdateMembership,
    responses((status = 200, body = RolesJson))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<RolesJson> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let after = memberships::update(&app, &caller, &project, identity, json::update(body.fields())?).await?;
    Ok(Answer((&after).into()))
}

/// Take a membership away
///
/// Takes effect at once.
/// Permission: `delete` on `identity` in the project.
#[utoipa::path(
    delete,
    path = "/api/v2/workspace/{project}/identity-memberships/{identity}",
    operation_id = "deleteMembership",
    tag = "memberships",
    responses((status = 200, body = InBareMembership))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InBareMembership> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let before = memberships::delete(&app, &caller, &project, identity).await?;
    Ok(Answer((&before).into()))
}

/// Get a membership
///
/// Permission: `read` on `identity` in the project.
#[utoipa::path(
    get,
    path = "/api/v2/workspace/{project}/identity-memberships/{identity}",
    operation_id = "getMembership",
    tag = "memberships",
    responses((status = 200, body = InMembership))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InMembership> {
    let (project, identity) = (project_by_id(&params)?, id_param(&params, "identity")?);
    let found = memberships::get(&app, &caller, &project, identity).await?;
    Ok(Answer(found.into()))
}

/// Get a membership by its id
///
/// Permission: `read` on `identity` in the project.
#[utoipa::path(
    get,
    path = "/api/v2/workspace/identity-memberships/{membership}",
    operation_id = "getMembershipById",
    tag = "memberships",
    responses((status = 200, body = InMembership))
)]
async fn get_by_id(State(app): State<App>, caller: Caller, params: Params) -> Reply<InMembership> {
    let found = memberships::get_by_id(&app, &caller, id_param(&params, "membership")?).await?;
    Ok(Answer(found.into()))
}

/// Invite people to a project
///
/// Always refused: members are machine identities, and Keywheel has no people.
/// Permission: `create` on `identity` in the project.
#[utoipa::path(
    post,
    path = "/api/v2/workspace/{project}/memberships",
    operation_id = "inviteMembers",
    tag = "memberships",
    request_body = InviteMembers,
    responses((status = 200, body = Object))
)]
async fn invite(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<()> {
    json::invite(body.fields())?;
    memberships::invite(&app, &caller, &project_by_id(&params)?)
        .await
        .map(Answer)
}

/// List the members of a project
///
/// Permission: `read` on `identity` in the project.
#[utoipa::path(
    get,
    path = "/api/v2/workspace/{project}/identity-memberships",
    operation_id = "listMemberships",
    tag = "memberships",
    params(PageQuery),
    responses((status = 200, body = MembershipsJson))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<MembershipsJson> {
    let page = json::page(query.fields())?;
    let found = memberships::list(&app, &caller, &project_by_id(&params)?, page).await?;
    Ok(Answer(found.into()))
}
