//! Lenient request data: what real clients send is accepted (contract rules R2 to R8).

use std::convert::Infallible;
use std::fmt;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, uri};
use keywheel_core::clock::Millis;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::errors::ApiError;
use super::fields::Fields;
use crate::app::App;

/// The JSON body. Empty means `{}`, whatever the method and the content type are. It may hold secrets: it is
/// wiped when dropped, and not shown.
pub struct Body(Value);

/// The query, as an object of texts. Empty values count as absent.
#[derive(Debug)]
pub struct Query {
    path: String,
    values: Value,
}

/// The variable parts of the path, as an object of texts.
#[derive(Debug)]
pub struct Params(Value);

impl Body {
    /// Its fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields::json(&self.0)
    }
}

impl Query {
    /// Its fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields::texts(&self.values)
    }

    /// The path in front of it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Its names and values, each name once.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.values.as_object().into_iter().flatten();
        values.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }
}

impl Params {
    /// Its fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields::texts(&self.0)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)")
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Wipes every text. Its depth is bounded by that of the JSON parser.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let http = &app.settings().http;
        let reading = read_bytes(request, http.body_bytes_max as usize);
        let read = tokio::time::timeout(http.body_timeout.as_std(), reading).await;
        let bytes = read.map_err(|_| too_slow(http.body_timeout))??;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Value::Object(Map::new())));
        }
        // A syntax fault of serde_json names the place and never quotes the text.
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|fault| ApiError::bad_request(format!("The body is not valid JSON: {fault}")))
    }
}

fn too_slow(limit: Millis) -> ApiError {
    let text = format!("The body took longer than {} ms", limit.get());
    ApiError::named(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", text)
}

async fn read_bytes(request: Request, bytes_max: usize) -> Result<Bytes, ApiError> {
    let body = request.into_body();
    // What says beforehand that it is too large is not waited for.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    axum::body::to_bytes(body, bytes_max).await.map_err(|fault| {
        let source = std::error::Error::source(&fault);
        if source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>) {
            return too_large(bytes_max);
        }
        ApiError::bad_request("The body could not be read to its end")
    })
}

fn too_large(bytes_max: usize) -> ApiError {
    let text = format!("The body is larger than the limit of {bytes_max} bytes");
    ApiError::named(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", text)
}

/// What is no UTF-8 is read with a mark in its place, as browsers do (WHATWG URL, section 5.1).
impl FromRequestParts<App> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let given = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
        Ok(Self {
            path: parts.uri.path().to_owned(),
            values: given
                .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
                .collect(),
        })
    }
}

impl FromRequestParts<App> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::bad_request("The path is not valid URL encoding"))?;
        Ok(Self(
            params
                .iter()
                .map(|(key, value)| (key.to_owned(), Value::String(value.to_owned())))
                .collect(),
        ))
    }
}

/// Brings the path to the form that routes are written in: no trailing slash, no doubled slashes at the
/// front (rules R1 and R2). Doubled slashes further in are kept: they are part of a name.
pub(super) fn normalise_path<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let path = request.uri().path();
    let trimmed = path.trim_matches('/');
    if path.len() == trimmed.len() + 1 && path.starts_with('/') {
        return request;
    }
    let query = request
        .uri()
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let wanted = format!("/{trimmed}{query}");
    if let Ok(path_and_query) = uri::PathAndQuery::try_from(wanted) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str) -> String {
        let request = axum::http::Request::builder().uri(path).body(()).unwrap();
        normalise_path(request).uri().to_string()
    }

    #[test]
    fn slashes_around_the_path_do_not_matter() {
        for (given, kept) in [
            ("/api/status", "/api/status"),
            ("/api/status/", "/api/status"),
            ("//api/status", "/api/status"),
            ("/api/status/?a=b/", "/api/status?a=b/"),
            ("/", "/"),
            ("/a//b", "/a//b"),
        ] {
            assert_eq!(normal(given), kept);
        }
    }
}
