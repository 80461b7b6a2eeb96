//! App connections to AWS (platform contract, section 6.10). Secrets go in and never come out.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{
    AvailableJson, ConnectionJson, InAvailable, InConnection, InConnections, InUsers, OptionsJson, UserJson,
};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::paging::PagedReply;
use super::place::id_param;
use crate::actions::connections;
use crate::app::App;
use crate::auth::caller::Caller;

/// Connections.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(options))
        .routes(routes!(list, create))
        .routes(routes!(available))
        .routes(routes!(get_by_name))
        .routes(routes!(get, update, delete))
        .routes(routes!(users))
        .routes(at("/api/v1/app-connections", "OfAllApps", routes!(list)))
}

query_of!(
    /// Of which project.
    ProjectQuery = json::project
);
query_of!(
    /// Of which project, and which page.
    ListConnectionsQuery = json::list
);
body_of!(
    /// A connection to be made.
    CreateAppConnection = json::create
);
body_of!(
    /// What is to change of a connection.
    UpdateAppConnection = json::update
);

/// List what can be connected
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/options",
    operation_id = "listAppConnectionOptions",
    tag = "app connections",
    responses((status = 200, body = OptionsJson))
)]
async fn options(_: Caller) -> Reply<OptionsJson> {
    Ok(Answer(OptionsJson::aws()))
}

/// List connections
///
/// Of a project, or all of the organization.
/// Permission: `read` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws",
    operation_id = "listAppConnections",
    tag = "app connections",
    params(ListConnectionsQuery),
    responses((status = 200, body = InConnections))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<InConnections> {
    let (project, page) = json::list(query.fields())?;
    let found = connections::list(&app, &caller, project, query.page(page)?).await?;
    query.paged(found, |found| InConnections {
        app_connections: found.iter().map(ConnectionJson::from).collect(),
    })
}

/// List connections that a project may use
///
/// Permission: `connect` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/available",
    operation_id = "listAvailableAppConnections",
    tag = "app connections",
    params(ListConnectionsQuery),
    responses((status = 200, body = InAvailable))
)]
async fn available(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<InAvailable> {
    let (project, page) = json::list(query.fields())?;
    let found = connections::usable(&app, &caller, project, query.page(page)?).await?;
    query.paged(found, |found| InAvailable {
        app_connections: found.iter().map(AvailableJson::from).collect(),
    })
}

/// Get a connection
///
/// Permission: `read` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/{connection}",
    operation_id = "getAppConnection",
    tag = "app connections",
    responses((status = 200, body = InConnection))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InConnection> {
    let found = connections::get(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InConnection {
        app_connection: (&found).into(),
    }))
}

/// Get a connection by its name
///
/// Permission: `read` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/connection-name/{name}",
    operation_id = "getAppConnectionByName",
    tag = "app connections",
    params(
        ("name" = String, Path, max_length = 64, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"),
        ProjectQuery
    ),
    responses((status = 200, body = InConnection))
)]
async fn get_by_name(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<InConnection> {
    let name = json::name_in_path(&params)?;
    let found = connections::get_by_name(&app, &caller, json::project(query.fields())?, &name).await?;
    Ok(Answer(InConnection {
        app_connection: (&found).into(),
    }))
}

/// List the IAM users of a connection
///
/// Of the account that it reaches.
/// Permission: `connect` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/{connection}/users",
    operation_id = "listIamUsers",
    tag = "app connections",
    responses((status = 200, body = InUsers))
)]
async fn users(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUsers> {
    let found = connections::users(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InUsers {
        iam_users: found.into_iter().map(UserJson::from).collect(),
    }))
}

/// Create a connection
///
/// AWS has to accept its credentials.
/// Permission: `create` on `app-connections`.
#[utoipa::path(
    post,
    path = "/api/v1/app-connections/aws",
    operation_id = "createAppConnection",
    tag = "app connections",
    request_body = CreateAppConnection,
    responses((status = 200, body = InConnection))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InConnection> {
    let made = connections::create(&app, &caller, json::create(body.fields())?).await?;
    Ok(Answer(InConnection {
        app_connection: (&made).into(),
    }))
}

/// Update a connection
///
/// New credentials are checked with AWS; the method cannot change.
/// Permission: `edit` on `app-connections`.
#[utoipa::path(
    patch,
    path = "/api/v1/app-connections/aws/{connection}",
    operation_id = "updateAppConnection",
    tag = "app connections",
    request_body = UpdateAppConnection,
    responses((status = 200, body = InConnection))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InConnection> {
    let id = id_param(&params, "connection")?;
    let given = json::update(body.fields())?;
    let before = connections::to_change(&app, &caller, id).await?;
    let wanted = given.for_method(before.method, body.fields())?;
    let after = connections::update(&app, &before, wanted).await?;
    Ok(Answer(InConnection {
        app_connection: (&after).into(),
    }))
}

/// Delete a connection
///
/// Refused while rotations use it.
/// Permission: `delete` on `app-connections`.
#[utoipa::path(
    delete,
    path = "/api/v1/app-connections/aws/{connection}",
    operation_id = "deleteAppConnection",
    tag = "app connections",
    responses((status = 200, body = InConnection))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InConnection> {
    let before = connections::delete(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InConnection {
        app_connection: (&before).into(),
    }))
}
