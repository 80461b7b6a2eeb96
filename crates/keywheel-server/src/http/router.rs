//! Every route of the API.
//!
//! The contract has grown: projects were called workspaces, and newer routes stand beside older ones that
//! clients still call. A path segment has one name everywhere; what it holds, id or slug, the handler knows.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use tower::ServiceExt;
use tower::util::MapRequest;
use utoipa_axum::router::OpenApiRouter;

use super::errors::ApiError;
use super::extract::normalise_path;
use super::{
    accounts, app_connections, audit_logs, auth, bootstrap, connection_checks, console, docs, edge,
    environments, folders, identities, memberships, metrics, openapi, organization_admin, projects,
    retirement_default, rotation_keys, rotation_policy, rotation_runs, rotation_views, secret_imports,
    secret_rotations, secrets, sessions, status, tags, universal_auth, webhooks,
};
use crate::app::App;

/// The API as one service.
pub type Front = MapRequest<Router, fn(Request) -> Request>;

/// All routes, with what surrounds them.
pub fn front(app: App) -> Front {
    let routes = Router::from(documented())
        .fallback(console::or_refuse)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(app.clone(), edge::edge))
        .with_state(app);
    routes.map_request(normalise_path as fn(Request) -> Request)
}

/// All routes with their descriptions. There are no others.
pub(super) fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(status::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(docs::routes())
        .merge(bootstrap::routes())
        .merge(sessions::routes())
        .merge(accounts::routes())
        .merge(auth::routes())
        .merge(identities::routes())
        .merge(universal_auth::routes())
        .merge(projects::routes())
        .merge(organization_admin::routes())
        .merge(environments::routes())
        .merge(memberships::routes())
        .merge(folders::routes())
        .merge(secrets::routes())
        .merge(secret_imports::routes())
        .merge(tags::routes())
        .merge(app_connections::routes())
        .merge(connection_checks::routes())
        .merge(audit_logs::routes())
        .merge(webhooks::routes())
        .merge(secret_rotations::routes())
        .merge(rotation_policy::routes())
        .merge(retirement_default::routes())
        .merge(rotation_keys::routes())
        .merge(rotation_runs::routes())
        .merge(rotation_views::routes())
}

async fn no_route(request: Request) -> ApiError {
    ApiError::no_route(request.method(), request.uri().path())
}
