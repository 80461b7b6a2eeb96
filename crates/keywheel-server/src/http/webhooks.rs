//! Webhooks (platform contract, section 6.11).

mod deliveries;
mod json;

use axum::extract::State;
use keywheel_store::webhooks::Webhook;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::deliveries::{InDeliveries, Options};
use self::json::{Changed, InWebhook, InWebhooks};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{body_of, query_of};
use super::place::id_param;
use crate::actions::webhooks;
use crate::app::App;
use crate::auth::caller::Caller;

/// Webhooks.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(test))
        .routes(routes!(list_deliveries))
        .routes(routes!(options))
}

body_of!(
    /// A webhook to be made.
    CreateWebhook = json::create
);
body_of!(
    /// What is to change of a webhook: at least one of its fields.
    UpdateWebhook = json::update
);
query_of!(
    /// Which webhooks.
    ListWebhooks = json::list
);
query_of!(
    /// How many deliveries.
    ListDeliveries = deliveries::limit
);
query_of!(
    /// Of which project.
    WebhookOptions = deliveries::project
);

/// Create a webhook
///
/// It is told of what happens from now on.
/// Permission: `create` on `webhooks`.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    operation_id = "createWebhook",
    tag = "webhooks",
    request_body = CreateWebhook,
    responses((status = 200, body = Changed))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<Changed> {
    let made = webhooks::create(&app, &caller, json::create(body.fields())?).await?;
    Ok(changed("Successfully created webhook", made))
}

/// List the webhooks of a project
///
/// With their addresses; the oldest first.
/// Permission: `read` on `webhooks`.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    operation_id = "listWebhooks",
    tag = "webhooks",
    params(ListWebhooks),
    responses((status = 200, body = InWebhooks))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<InWebhooks> {
    let found = webhooks::list(&app, &caller, &json::list(query.fields())?).await?;
    Ok(Answer(InWebhooks::from(found)))
}

/// Get a webhook
///
/// Permission: `read` on `webhooks`.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}",
    operation_id = "getWebhook",
    tag = "webhooks",
    responses((status = 200, body = InWebhook))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InWebhook> {
    let found = webhooks::get(&app, &caller, id_param(&params, "webhook")?).await?;
    Ok(Answer(InWebhook {
        webhook: found.into(),
    }))
}

/// Update a webhook
///
/// One that is disabled is told nothing, and what waits for it is dropped.
/// Permission: `edit` on `webhooks`.
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{webhook}",
    operation_id = "updateWebhook",
    tag = "webhooks",
    request_body = UpdateWebhook,
    responses((status = 200, body = Changed))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<Changed> {
    let id = id_param(&params, "webhook")?;
    let after = webhooks::update(&app, &caller, id, json::update(body.fields())?).await?;
    Ok(changed("Successfully updated webhook", after))
}

/// Delete a webhook
///
/// With what it was still to be told.
/// Permission: `delete` on `webhooks`.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{webhook}",
    operation_id = "deleteWebhook",
    tag = "webhooks",
    responses((status = 200, body = Changed))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params) -> Reply<Changed> {
    let before = webhooks::delete(&app, &caller, id_param(&params, "webhook")?).await?;
    Ok(changed("Successfully deleted webhook", before))
}

/// Test a webhook
///
/// Sends it a test, also if it is disabled, and waits for the answer: how it went is in `lastStatus`.
/// Permission: `edit` on `webhooks`.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook}/test",
    operation_id = "testWebhook",
    tag = "webhooks",
    responses((status = 200, body = Changed))
)]
async fn test(State(app): State<App>, caller: Caller, params: Params) -> Reply<Changed> {
    let after = webhooks::test(&app, &caller, id_param(&params, "webhook")?).await?;
    Ok(changed("Successfully tested webhook", after))
}

/// List the deliveries of a webhook
///
/// Each attempt to tell it something, tests included, the latest first. The last 100 are kept.
/// Permission: `read` on `webhooks`.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook}/deliveries",
    operation_id = "listWebhookDeliveries",
    tag = "webhooks",
    params(ListDeliveries),
    responses((status = 200, body = InDeliveries))
)]
async fn list_deliveries(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<InDeliveries> {
    let id = id_param(&params, "webhook")?;
    let limit = deliveries::limit(query.fields())?;
    Ok(Answer(
        webhooks::deliveries(&app, &caller, id, limit).await?.into(),
    ))
}

/// What a webhook can be
///
/// The events that it can be told of, and the types with whether one can be made here.
/// Permission: `read` on `webhooks`.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/options",
    operation_id = "getWebhookOptions",
    tag = "webhooks",
    params(WebhookOptions),
    responses((status = 200, body = Options))
)]
async fn options(State(app): State<App>, caller: Caller, query: Query) -> Reply<Options> {
    let project = deliveries::project(query.fields())?;
    Ok(Answer(webhooks::kinds(&app, &caller, &project).await?.into()))
}

fn changed(message: &'static str, webhook: Webhook) -> Answer<Changed> {
    Answer(Changed {
        message,
        webhook: webhook.into(),
    })
}
