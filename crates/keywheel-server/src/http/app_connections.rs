//! App connections to AWS (platform contract, section 6.10). Secrets go in and never come out.

mod json;

use axum::extract::State;
use serde_json::{Value, json};

use self::json::{
    AvailableJson, ConnectionJson, InAvailable, InConnection, InConnections, InUsers, UserJson,
};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::place::id_param;
use crate::actions::connections;
use crate::app::App;
use crate::auth::caller::Caller;

/// GET /api/v1/app-connections/options
pub(super) async fn options(_: Caller) -> Reply<Value> {
    Ok(Answer(json!({
        "appConnectionOptions": [{"name": "AWS", "app": "aws", "methods": ["assume-role", "access-key"]}]
    })))
}

/// GET /api/v1/app-connections and /api/v1/app-connections/aws
pub(super) async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<InConnections> {
    let found = connections::list(&app, &caller, json::project(&query)?).await?;
    Ok(Answer(InConnections {
        app_connections: found.iter().map(ConnectionJson::from).collect(),
    }))
}

/// GET /api/v1/app-connections/aws/available
pub(super) async fn available(State(app): State<App>, caller: Caller, query: Query) -> Reply<InAvailable> {
    let found = connections::usable(&app, &caller, json::project(&query)?).await?;
    Ok(Answer(InAvailable {
        app_connections: found.iter().map(AvailableJson::from).collect(),
    }))
}

/// GET /api/v1/app-connections/aws/{connection}
pub(super) async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InConnection> {
    let found = connections::get(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InConnection {
        app_connection: (&found).into(),
    }))
}

/// GET /api/v1/app-connections/aws/connection-name/{name}
pub(super) async fn get_by_name(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<InConnection> {
    let name = json::name_in_path(&params)?;
    let found = connections::get_by_name(&app, &caller, json::project(&query)?, &name).await?;
    Ok(Answer(InConnection {
        app_connection: (&found).into(),
    }))
}

/// GET /api/v1/app-connections/aws/{connection}/users
pub(super) async fn users(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUsers> {
    let found = connections::users(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InUsers {
        iam_users: found.into_iter().map(UserJson::from).collect(),
    }))
}

/// POST /api/v1/app-connections/aws
pub(super) async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InConnection> {
    let made = connections::create(&app, &caller, json::create(&body)?).await?;
    Ok(Answer(InConnection {
        app_connection: (&made).into(),
    }))
}

/// PATCH /api/v1/app-connections/aws/{connection}
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    body: Body,
) -> Reply<InConnection> {
    let id = id_param(&params, "connection")?;
    let given = json::update(&body)?;
    let before = connections::to_change(&app, &caller, id).await?;
    let wanted = given.for_method(before.method, &body)?;
    let after = connections::update(&app, &before, wanted).await?;
    Ok(Answer(InConnection {
        app_connection: (&after).into(),
    }))
}

/// DELETE /api/v1/app-connections/aws/{connection}
pub(super) async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<InConnection> {
    let before = connections::delete(&app, &caller, id_param(&params, "connection")?).await?;
    Ok(Answer(InConnection {
        app_connection: (&before).into(),
    }))
}
