//! The API document, OpenAPI 3.1, made from the code. It is checked in as `openapi.json`, and a test fails when the two
//! differ.
//!
//! | part | where it comes from |
//! |---|---|
//! | paths, methods | the router: a route without a description does not compile into it |
//! | bodies and queries | the readers that check them, by way of [`Sketch`](super::fields::Sketch) |
//! | answers | the types that are serialized |
//! | what every operation has | [`complete`]: the token, refusals, headers, path parameters |
//! | what a field means, and an example | [`glossary`], once for each name |

mod complete;
mod described;
mod examples;
mod glossary;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use axum::extract::State;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::described::{at, body_of, query, query_of, schema};
use super::answer::Answer;
use super::router;
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keywheel",
        description = "Rotates the access keys of AWS IAM users. The API is that of Infisical, whose clients work \
                       unchanged; what Keywheel adds are sub-resources and optional request fields.\n\nSend \
                       `Authorization: Bearer <access token>` from a Universal Auth login, or the cookie of a session. Bodies are JSON; unknown keys \
                       are dropped. Every answer has an `x-request-id`; every refusal repeats it as `reqId`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "secret rotations", description = "Rotations of AWS IAM users, as in Infisical's API"),
        (name = "keys", description = "The access keys of a rotation's IAM user, and what their owner may do with one"),
        (name = "policy", description = "How a rotation treats displaced keys"),
        (name = "runs", description = "What runs did, and what a run would do"),
        (name = "app connections", description = "Credentials that Keywheel uses at AWS"),
        (name = "secrets", description = "Secrets and their versions"),
        (name = "secret imports", description = "Folders that show the secrets of other folders"),
        (name = "tags", description = "Tags of a project, which its secrets can have"),
        (name = "folders", description = "Folders that secrets and rotations are in"),
        (name = "environments", description = "Environments of a project"),
        (name = "projects", description = "Projects; older routes call them workspaces"),
        (name = "memberships", description = "Roles of identities in projects"),
        (name = "identities", description = "Machine identities"),
        (name = "universal auth", description = "Logins of identities by client id and client secret"),
        (name = "access tokens", description = "Log in, renew, revoke"),
        (name = "people", description = "Accounts of people, and what they sign in for"),
        (name = "webhooks", description = "Who is told of changed secrets and failed rotations"),
        (name = "audit logs", description = "Who did what"),
        (name = "instance", description = "Set-up, status and this document"),
    )
)]
struct Head;

/// The document.
pub(super) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = Head::openapi();
        document.merge(router::documented().into_openapi());
        // A document that cannot be written is caught by the test that compares it with the checked-in one.
        let mut document = serde_json::to_value(document).unwrap_or_default();
        complete::complete(&mut document);
        document
    })
}

/// The document as a route.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(at(
        "/api/docs/openapi.json",
        "AtOpenapi",
        routes!(show),
    ))
}

/// The API document
///
/// This document: OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/api/docs/json",
    operation_id = "getApiDocument",
    tag = "instance",
    responses((status = 200, body = Object)),
    security(())
)]
async fn show(State(_): State<App>) -> Answer<&'static Value> {
    Answer(document())
}
