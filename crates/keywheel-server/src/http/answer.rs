//! Answers: JSON that is written once and whose bytes the edge can tag without reading the body again.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use keywheel_core::clock::Moment;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::errors::ApiError;

/// Room for a body before it is written: most answers about one thing fit, and are not moved while they grow. From 1,024
/// bytes on, allocators look for room at length.
const BODY_BYTES_USUAL: usize = 960;

/// What every handler returns.
pub type Reply<T> = Result<Answer<T>, ApiError>;

/// 200 with a JSON body.
#[derive(Debug)]
pub struct Answer<T>(pub T);

/// The bytes of the body, beside it.
#[derive(Clone)]
pub(super) struct Written(pub(super) Bytes);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut bytes = Vec::with_capacity(BODY_BYTES_USUAL);
        if let Err(fault) = serde_json::to_writer(&mut bytes, &self.0) {
            return ApiError::internal(fault).into_response();
        }
        let bytes = Bytes::from(bytes);
        let mut response = Response::new(Body::from(bytes.clone()));
        response.extensions_mut().insert(Written(bytes));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        response
    }
}

/// A secret as answers show it: plain, and wiped after it was written.
#[derive(Serialize)]
#[serde(transparent)]
pub struct PlainText(#[serde(serialize_with = "plain")] Zeroizing<String>);

fn plain<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl PlainText {
    /// A text that is no secret, in the place of one.
    pub fn from_public(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<&SecretString> for PlainText {
    fn from(secret: &SecretString) -> Self {
        Self(Zeroizing::new(secret.expose_secret().to_owned()))
    }
}

/// A moment as answers show it: RFC 3339, UTC, milliseconds, `Z` (rule R14).
#[derive(Clone, Copy, Debug)]
pub struct Time(pub Moment);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
