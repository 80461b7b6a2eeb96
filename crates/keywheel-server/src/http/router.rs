//! Every route of the API.
//!
//! The contract has grown: projects were called workspaces, and newer routes stand beside older ones that
//! clients still call. A path segment has one name everywhere; what it holds, id or slug, the handler knows.

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post, put};
use tower::ServiceExt;
use tower::util::MapRequest;

use super::errors::ApiError;
use super::extract::normalise_path;
use super::{
    app_connections, auth, bootstrap, edge, environments, folders, identities, memberships, openapi,
    projects, rotation_keys, rotation_policy, rotation_runs, secret_rotations, secrets, status,
    universal_auth,
};
use crate::app::App;

/// The API as one service.
pub type Front = MapRequest<Router, fn(Request) -> Request>;

/// All routes, with what surrounds them.
pub fn front(app: App) -> Front {
    let routes = Router::new()
        .merge(status_routes())
        .merge(login_routes())
        .merge(identity_routes())
        .merge(project_routes())
        .merge(folder_routes())
        .merge(secret_routes())
        .merge(connection_routes())
        .merge(secret_rotations::routes())
        .merge(Router::from(rotation_policy::routes()))
        .merge(Router::from(rotation_keys::routes()))
        .merge(Router::from(rotation_runs::routes()))
        .route("/api/docs/json", get(openapi::show))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(app.clone(), edge::edge))
        .with_state(app);
    routes.map_request(normalise_path as fn(Request) -> Request)
}

async fn no_route(request: Request) -> ApiError {
    ApiError::no_route(request.method(), request.uri().path())
}

fn status_routes() -> Router<App> {
    Router::new()
        .route("/api/status", get(status::status))
        .route("/healthcheck", get(status::alive))
        .route("/healthz", get(status::alive))
        .route("/readyz", get(status::ready))
}

fn login_routes() -> Router<App> {
    Router::new()
        .route("/api/v1/admin/bootstrap", post(bootstrap::bootstrap))
        .route("/api/v1/auth/universal-auth/login", post(auth::login))
        .route("/api/v1/auth/token/renew", post(auth::renew))
        .route("/api/v1/auth/token/revoke", post(auth::revoke))
}

fn identity_routes() -> Router<App> {
    let universal_auth = Router::new()
        .route(
            "/",
            post(universal_auth::attach)
                .get(universal_auth::get)
                .patch(universal_auth::update)
                .delete(universal_auth::detach),
        )
        .route("/clear-lockouts", post(universal_auth::clear_lockouts))
        .route(
            "/client-secrets",
            post(universal_auth::create_client_secret).get(universal_auth::list_client_secrets),
        )
        .route("/client-secrets/{secret}", get(universal_auth::get_client_secret))
        .route(
            "/client-secrets/{secret}/revoke",
            post(universal_auth::revoke_client_secret),
        );
    Router::new()
        .route(
            "/api/v1/identities",
            post(identities::create).get(identities::list),
        )
        .route("/api/v1/identities/details", get(identities::details))
        .route("/api/v1/identities/search", post(identities::search))
        .route(
            "/api/v1/identities/{identity}",
            get(identities::get)
                .patch(identities::update)
                .delete(identities::delete),
        )
        .route(
            "/api/v1/identities/{identity}/identity-memberships",
            get(identities::memberships),
        )
        .nest(
            "/api/v1/auth/universal-auth/identities/{identity}",
            universal_auth,
        )
}

fn project_routes() -> Router<App> {
    let membership = || {
        post(memberships::create)
            .get(memberships::get)
            .patch(memberships::update)
            .delete(memberships::delete)
    };
    Router::new()
        .route("/api/v1/projects", post(projects::create).get(projects::list))
        .route("/api/v1/projects/slug/{project}", get(projects::get_by_slug))
        .route(
            "/api/v1/projects/{project}",
            get(projects::get)
                .patch(projects::update)
                .delete(projects::delete),
        )
        .nest("/api/v1/projects/{project}/environments", environment_routes())
        .route(
            "/api/v1/projects/{project}/memberships/identities",
            get(memberships::list),
        )
        .route(
            "/api/v1/projects/{project}/memberships/identities/{identity}",
            membership(),
        )
        .route("/api/v1/workspace", get(projects::list_workspaces))
        .route("/api/v1/workspace/slug/{project}", get(projects::get_by_slug))
        .route(
            "/api/v1/workspace/environments/{environment}",
            get(environments::get_anywhere),
        )
        .route(
            "/api/v1/workspace/{project}",
            get(projects::get_workspace)
                .patch(projects::update_workspace)
                .delete(projects::delete_workspace),
        )
        .nest("/api/v1/workspace/{project}/environments", environment_routes())
        .route(
            "/api/v1/workspace/{project}/audit-logs-retention",
            put(projects::keep_audit),
        )
        .route("/api/v2/workspace", post(projects::create))
        .route(
            "/api/v2/workspace/{project}",
            get(projects::get_by_slug)
                .patch(projects::update_by_slug)
                .delete(projects::delete_by_slug),
        )
        .route(
            "/api/v2/workspace/{project}/identity-memberships",
            get(memberships::list),
        )
        .route(
            "/api/v2/workspace/{project}/identity-memberships/{identity}",
            membership(),
        )
}

/// Below `…/projects/{project}/environments` and `…/workspace/{project}/environments`.
fn environment_routes() -> Router<App> {
    Router::new()
        .route("/", post(environments::create))
        .route("/slug/{slug}", get(environments::get_by_slug))
        .route(
            "/{environment}",
            patch(environments::update)
                .get(environments::get)
                .delete(environments::delete),
        )
}

fn folder_routes() -> Router<App> {
    Router::new()
        .route("/api/v1/folders", post(folders::create).get(folders::list))
        .route(
            "/api/v1/folders/{folder}",
            get(folders::get)
                .patch(folders::update)
                .delete(folders::delete_by_force),
        )
        .route("/api/v2/folders", post(folders::create).get(folders::list))
        .route(
            "/api/v2/folders/{folder}",
            get(folders::get).patch(folders::update).delete(folders::delete),
        )
}

fn secret_routes() -> Router<App> {
    let by_name = || {
        get(secrets::get)
            .post(secrets::create)
            .patch(secrets::update)
            .delete(secrets::delete)
    };
    Router::new()
        .route("/api/v3/secrets/raw", get(secrets::list))
        .route("/api/v3/secrets/raw/{name}", by_name())
        .route("/api/v3/secrets/raw/id/{id}", get(secrets::get_by_id))
        .route("/api/v4/secrets", get(secrets::list))
        .route("/api/v4/secrets/{name}", by_name())
        .route("/api/v4/secrets/id/{id}", get(secrets::get_by_id))
}

fn connection_routes() -> Router<App> {
    Router::new()
        .route("/api/v1/app-connections", get(app_connections::list))
        .route("/api/v1/app-connections/options", get(app_connections::options))
        .route(
            "/api/v1/app-connections/aws",
            get(app_connections::list).post(app_connections::create),
        )
        .route(
            "/api/v1/app-connections/aws/available",
            get(app_connections::available),
        )
        .route(
            "/api/v1/app-connections/aws/connection-name/{name}",
            get(app_connections::get_by_name),
        )
        .route(
            "/api/v1/app-connections/aws/{connection}",
            get(app_connections::get)
                .patch(app_connections::update)
                .delete(app_connections::delete),
        )
        .route(
            "/api/v1/app-connections/aws/{connection}/users",
            get(app_connections::users),
        )
}
