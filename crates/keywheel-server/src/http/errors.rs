//! Refusals as the contract shapes them: `{reqId, statusCode, message, error[, details]}`.
//!
//! An [`ApiError`] says what the outside may know; what only the log may know goes into its context. The
//! edge ([`super::edge`]) writes both, since it knows the request's id.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keywheel_core::clock::Millis;
use keywheel_core::issues::Issue;
use keywheel_store::StoreError;
use serde::Serialize;

/// Said when the cause is ours and not for the outside.
const SOMETHING_WENT_WRONG: &str = "Something went wrong";
/// The name of the refusal that asks for a one-time code.
pub const CODE_REQUIRED: &str = "CodeRequired";
/// Where the API document is served.
const DOCS_PATH: &str = "/api/docs/json";

/// What every handler fails with.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    name: &'static str,
    message: Message,
    details: Option<serde_json::Value>,
    docs: Option<&'static str>,
    retry_after: Option<Millis>,
    context: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Message {
    Text(Cow<'static, str>),
    Issues(Vec<Issue>),
}

impl ApiError {
    /// A refusal with its own name; the others below are made with it.
    pub fn named(status: StatusCode, name: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            status,
            name,
            message: Message::Text(message.into()),
            details: None,
            docs: None,
            retry_after: None,
            context: None,
        }))
    }

    /// 400: a rule of the system forbids it.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401: who is calling is not known.
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::UNAUTHORIZED, "UnauthorizedError", message)
    }

    /// 401: the password is right, and a one-time code is wanted too.
    pub fn code_required() -> Self {
        let text = "Enter the one-time code of your authenticator app";
        Self::named(StatusCode::UNAUTHORIZED, CODE_REQUIRED, text)
    }

    /// 403: an access token that is expired or not one of ours.
    pub fn bad_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::FORBIDDEN, "TokenError", message)
    }

    /// 403: the caller is known, and refused for another reason than a missing permission.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::FORBIDDEN, "ForbiddenError", message)
    }

    /// 403: the caller lacks the permission.
    pub fn permission_denied(action: &str, subject: &str) -> Self {
        let text = format!("You are not allowed to {action} on {subject}");
        let mut error = Self::named(StatusCode::FORBIDDEN, "PermissionDenied", text);
        error.0.details = Some(serde_json::json!([
            {"action": action, "inverted": false, "subject": subject, "conditions": null}
        ]));
        error
    }

    /// 404: no such thing.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 404: no such route, in the shape that the contract gives it (rule R9).
    pub fn no_route(method: &Method, path: &str) -> Self {
        let text = format!("Route {method}:{path} not found. The API is described at {DOCS_PATH}.");
        let mut error = Self::named(StatusCode::NOT_FOUND, "Not Found", text);
        error.0.docs = Some(DOCS_PATH);
        error
    }

    /// 422: the request is not of the right form; all issues at once.
    pub fn validation(issues: Vec<Issue>) -> Self {
        let mut error = Self::named(StatusCode::UNPROCESSABLE_ENTITY, "ValidationFailure", "");
        error.0.message = Message::Issues(issues);
        error
    }

    /// 429: too often, and when it may be tried again (rule R13).
    pub fn too_many(rest: Millis) -> Self {
        Self::rate_limited(
            "Too many failed logins from this address. Please try again later",
            rest,
        )
    }

    /// 429: too often in another way.
    pub fn rate_limited(message: impl Into<Cow<'static, str>>, rest: Millis) -> Self {
        Self::named(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", message).with_retry_after(rest)
    }

    /// 500 with a text for the outside.
    pub fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    }

    /// 500 without a text for the outside; the cause goes to the log.
    pub fn internal(context: impl fmt::Display) -> Self {
        Self::failed(SOMETHING_WENT_WRONG).with_context(context)
    }

    /// 503: not now, and what to do about it.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// Says when it may be tried again.
    #[must_use]
    pub fn with_retry_after(mut self, rest: Millis) -> Self {
        self.0.retry_after = Some(rest);
        self
    }

    /// Adds what only the log may know. Never a secret.
    #[must_use]
    pub fn with_context(mut self, context: impl fmt::Display) -> Self {
        self.0.context = Some(context.to_string());
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The name of the refusal.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// What only the log may know.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// The message, if it is a text.
    pub fn text(&self) -> Option<&str> {
        match &self.0.message {
            Message::Text(text) => Some(text),
            Message::Issues(_) => None,
        }
    }

    /// The body of the answer.
    pub(super) fn body(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope<'a> {
            req_id: &'a str,
            status_code: u16,
            message: &'a Message,
            error: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            details: Option<&'a serde_json::Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            docs: Option<&'a str>,
        }
        let Parts {
            status,
            name,
            message,
            details,
            docs,
            ..
        } = self.0.as_ref();
        let envelope = Envelope {
            req_id: request_id,
            status_code: status.as_u16(),
            message,
            error: name,
            details: details.as_ref(),
            docs: *docs,
        };
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

/// Leaves the body to the edge, which knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(rest) = self.0.retry_after {
            // Whole seconds, and never too few.
            let secs = rest.as_std().as_millis().div_ceil(1_000);
            if let Ok(secs) = HeaderValue::from_str(&secs.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, secs);
            }
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let outside = match &error {
            StoreError::Full(_) => Self::unavailable(
                "The database cannot be written: its disk is full, or it is read-only. Free space on the disk, or bring back its \
                 primary server, and try again.",
            ),
            StoreError::Unavailable(_) => Self::unavailable(
                "The database cannot be reached at the moment. Try again shortly; if it lasts, see the log of the server.",
            ),
            _ => Self::failed(SOMETHING_WENT_WRONG),
        };
        outside.with_context(chain(&error))
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    crate::cli::causes(std::iter::successors(Some(error), |error| error.source()))
}

/// Sealed bytes that do not open are our trouble, and what exactly is wrong with them nobody else's business.
impl From<keywheel_envelope::Error> for ApiError {
    fn from(error: keywheel_envelope::Error) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &ApiError) -> serde_json::Value {
        serde_json::from_slice(&error.body("req-1")).unwrap()
    }

    #[test]
    fn the_envelope_has_the_fields_of_the_contract() {
        assert_eq!(
            body(&ApiError::permission_denied("edit", "secret-rotation")),
            serde_json::json!({
                "reqId": "req-1", "statusCode": 403, "error": "PermissionDenied",
                "message": "You are not allowed to edit on secret-rotation",
                "details": [{"action": "edit", "inverted": false, "subject": "secret-rotation", "conditions": null}]
            })
        );
    }

    #[test]
    fn context_stays_inside() {
        let error = ApiError::internal("row 7 is odd");
        assert_eq!(error.context(), Some("row 7 is odd"));
        assert_eq!(body(&error)["message"], "Something went wrong");
        assert!(!String::from_utf8(error.body("r")).unwrap().contains("row 7"));
    }

    #[test]
    fn a_database_in_trouble_is_503_and_says_what_to_do() {
        let cause = || std::io::Error::other("planted detail").into();
        for (error, words) in [
            (StoreError::Full(cause()), "Free space"),
            (StoreError::Unavailable(cause()), "Try again shortly"),
        ] {
            let error = ApiError::from(error);
            let shown = body(&error);
            assert_eq!(
                (error.status(), &shown["error"]),
                (StatusCode::SERVICE_UNAVAILABLE, &"ServiceUnavailable".into())
            );
            assert!(shown["message"].as_str().unwrap().contains(words), "{shown}");
            assert!(!shown.to_string().contains("planted"), "{shown}");
        }
    }

    #[test]
    fn the_log_gets_the_whole_chain_of_causes() {
        let cause = std::io::Error::other("disk I/O error").into();
        assert!(
            ApiError::from(StoreError::Full(cause))
                .context()
                .unwrap()
                .contains("disk I/O error")
        );
    }
}
