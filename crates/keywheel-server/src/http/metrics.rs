//! `/metrics`, for Prometheus: on the API's listener for this machine and for administrators, or on a listener of its own
//! for whoever reaches that.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::ApiError;
use super::extract::normalise_path;
use super::listen::Peer;
use super::router::Front;
use crate::app::App;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::{Caller, is_from_proxy};
use crate::observe::scrape;

/// Where Prometheus looks, unless told otherwise.
const PATH: &str = "/metrics";
/// The text format of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What proxies add: a request with one of these does not come from this machine, whatever its connection says.
const BY_PROXIES: [HeaderName; 4] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(for_the_trusted))
}

/// The listener of its own: nothing but this.
pub fn front(app: App) -> Front {
    let routes = Router::new().fallback(for_everybody).with_state(app);
    routes.map_request(normalise_path as fn(Request) -> Request)
}

/// Whoever may see them on the API's listener.
struct Trusted;

/// Metrics
///
/// For Prometheus, in the text format of OpenMetrics: for callers on this machine that ask it by a loopback address or as
/// `localhost` and that no proxy speaks for, and with the token of an administrator of the organization. With the setting `metrics_listen` they are at that address instead, and
/// not here.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "instance",
    responses((status = 200, body = String, content_type = "application/openmetrics-text", example = json!("# EOF\n"))),
    security(())
)]
async fn for_the_trusted(State(app): State<App>, _: Trusted) -> Response {
    answer(&app).await
}

async fn for_everybody(State(app): State<App>, request: Request) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET, PATH) => answer(&app).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn answer(app: &App) -> Response {
    let text = scrape::text(app).await;
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

impl FromRequestParts<App> for Trusted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if app.settings().metrics_listen.is_some() {
            return Err(ApiError::named(
                StatusCode::NOT_FOUND,
                "NotFound",
                "Metrics are at the address of the setting metrics_listen",
            ));
        }
        if is_local(parts, app) {
            return Ok(Self);
        }
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.require_in_organization(Action::Read, Subject::Metrics)?;
        Ok(Self)
    }
}

/// Whether a program on this machine asks, and nobody through it: a proxy here that adds no header names the host that it
/// was asked for, and so does a browser whose page made a name of its own mean this machine.
fn is_local(parts: &Parts, app: &App) -> bool {
    let peer = parts.extensions.get::<Peer>();
    peer.is_some_and(|peer| peer.0.to_canonical().is_loopback())
        && asks_this_machine(parts)
        && !is_forwarded(&parts.headers)
        && !is_from_proxy(&parts.extensions, app)
}

/// Whether the host of the request is a name of this machine alone.
fn asks_this_machine(parts: &Parts) -> bool {
    let header = || parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    let asked: Option<Authority> = parts.uri.authority().cloned().or_else(header);
    asked.is_some_and(|asked| {
        let host = asked.host().trim_matches(['[', ']']);
        let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
    })
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    BY_PROXIES.iter().any(|name| headers.contains_key(name))
}
