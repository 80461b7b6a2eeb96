//! What surrounds every request: its id, its time limit, its log line, the shape of refusals, the entity tag.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use keywheel_core::clock::Millis;
use keywheel_core::ids::IdentityId;
use tracing::Instrument;

use super::errors::ApiError;
use super::etag::{self, Known};
use crate::app::App;
use crate::audit::trail::Trail;
use crate::auth::caller::client_ip;

/// Carries the id of a request in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request while it is handled.
#[derive(Clone)]
pub struct Scope(Arc<ScopeInner>);

struct ScopeInner {
    id: String,
    identity: OnceLock<IdentityId>,
    address: IpAddr,
    trail: Trail,
}

impl Scope {
    fn open(app: &App, request: &Request) -> Self {
        let address = client_ip(request.extensions(), request.headers(), app);
        let user_agent = request.headers().get(header::USER_AGENT).cloned();
        Self(Arc::new(ScopeInner {
            id: format!("req-{}", hex::encode(app.entropy().bytes::<8>())),
            identity: OnceLock::new(),
            address,
            trail: Trail::new(app.audit().clone(), address, user_agent),
        }))
    }

    /// The id that answers and log lines carry.
    pub fn request_id(&self) -> &str {
        &self.0.id
    }

    /// Where the request comes from.
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The entry in the audit log.
    pub fn trail(&self) -> &Trail {
        &self.0.trail
    }

    /// Tells the log line who called.
    pub fn set_identity(&self, identity: IdentityId) {
        // Set once per request; a second call could only repeat it.
        let _ = self.0.identity.set(identity);
    }
}

impl FromRequestParts<App> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let scope = parts.extensions.get::<Self>().cloned();
        scope.ok_or_else(|| ApiError::internal("a request did not come through the edge"))
    }
}

/// The outermost layer of the router.
pub(super) async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = app.clock().monotonic();
    let scope = Scope::open(&app, &request);
    request.extensions_mut().insert(scope.clone());
    let (method, version) = (request.method().clone(), request.version());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let known = Known::from(request.headers().get(header::IF_NONE_MATCH).cloned());

    let span = tracing::info_span!("request", req_id = scope.request_id());
    let limit = app.settings().http.request_timeout;
    let handled = tokio::time::timeout(limit.as_std(), surviving_panics(next.run(request)));
    let response = handled
        .instrument(span.clone())
        .await
        .unwrap_or_else(|_| too_slow(limit).into_response());
    let response = close_entry(response, &scope).instrument(span.clone()).await;

    let _inside = span.enter();
    let response = shape_refusal(response, &scope);
    let took_ms = app.clock().monotonic().get() - started.get();
    log_access(&scope, &method, path.as_ref(), response.status(), took_ms);
    let route = path.as_ref().map(MatchedPath::as_str);
    let took = Millis::new(took_ms);
    app.metrics().answered(&method, route, response.status(), took);
    let mut response = tag(response, &method, &known);
    add_headers(response.headers_mut(), &scope);
    if app.is_stopping() {
        end_connection(response.headers_mut(), version);
    }
    response
}

fn too_slow(limit: Millis) -> ApiError {
    let text = format!(
        "The request took longer than {} s; look at its outcome before you repeat it",
        limit.get() / 1_000
    );
    ApiError::named(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeoutError", text)
}

/// Completes the entry in the audit log before the answer leaves.
async fn close_entry(response: Response, scope: &Scope) -> Response {
    let error = response
        .extensions()
        .get::<Arc<ApiError>>()
        .map(|error| error.name());
    match scope.trail().close(response.status(), error).await {
        Ok(()) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// A panic ends one request, not the connection or the process.
async fn surviving_panics(handler: impl Future<Output = Response>) -> Response {
    let mut handler = pin!(handler);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(ApiError::internal("the handler panicked").into_response()))
    })
    .await
}

/// Writes the body of a refusal, now that the request's id is known, and its context to the log.
fn shape_refusal(mut response: Response, scope: &Scope) -> Response {
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return response;
    };
    if let Some(context) = error.context() {
        tracing::error!(status = error.status().as_u16(), context, "request failed");
    }
    *response.body_mut() = Body::from(error.body(scope.request_id()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

/// One line per request. Reads that went well are the bulk of all traffic, and are lines for debugging.
fn log_access(scope: &Scope, method: &Method, path: Option<&MatchedPath>, status: StatusCode, ms: i64) {
    let path = path.map_or("-", MatchedPath::as_str);
    let identity = scope.0.identity.get().map(tracing::field::display);
    let status = status.as_u16();
    if method == Method::GET && status < 400 {
        tracing::debug!(%method, path, status, ms, identity, "answered");
    } else {
        tracing::info!(%method, path, status, ms, identity, "answered");
    }
}

/// Adds the entity tag to what GET answers, and leaves the body out if the client has it (rule R11).
fn tag(response: Response, method: &Method, known: &Known) -> Response {
    if method == Method::GET && response.status() == StatusCode::OK {
        etag::apply(response, known)
    } else {
        response
    }
}

fn add_headers(headers: &mut HeaderMap, scope: &Scope) {
    if let Ok(id) = HeaderValue::from_str(scope.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Tells a client to send its next request over another connection: over this one it could be lost when the server ends.
/// HTTP/2 has a frame for that.
fn end_connection(headers: &mut HeaderMap, version: Version) {
    if version <= Version::HTTP_11 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_500_without_its_words() {
        let handler = async { panic!("planted") };
        let mut response = surviving_panics(handler).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = response.extensions_mut().remove::<Arc<ApiError>>().unwrap();
        let body = String::from_utf8(error.body("req-1")).unwrap();
        assert!(
            body.contains("Something went wrong") && !body.contains("planted"),
            "{body}"
        );
    }

    #[test]
    fn a_slow_request_is_told_that_it_may_have_had_an_effect() {
        let error = too_slow(Millis::from_secs(300));
        assert_eq!(error.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(error.text().unwrap().contains("look at its outcome"));
    }
}
