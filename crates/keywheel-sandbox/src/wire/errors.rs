//! Refusals on the wire: status and XML of every code.

use axum::http::StatusCode;

use super::xml::{Xml, namespace};
use crate::model::{Code, Refusal};

/// The HTTP status of a code (AWS: API models of IAM and STS, common errors).
pub(super) const fn status(code: Code) -> StatusCode {
    match code {
        Code::AccessDenied
        | Code::ExpiredToken
        | Code::InvalidClientTokenId
        | Code::MissingAuthenticationToken
        | Code::SignatureDoesNotMatch => StatusCode::FORBIDDEN,
        Code::NoSuchEntity => StatusCode::NOT_FOUND,
        Code::DeleteConflict | Code::EntityAlreadyExists | Code::LimitExceeded => StatusCode::CONFLICT,
        Code::InternalFailure | Code::ServiceFailure => StatusCode::INTERNAL_SERVER_ERROR,
        Code::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::IncompleteSignature
        | Code::InvalidAction
        | Code::MalformedQueryString
        | Code::Throttling
        | Code::ValidationError => StatusCode::BAD_REQUEST,
    }
}

/// The whole body of a refusal.
pub(super) fn body(service: &str, refusal: &Refusal, request_id: &str) -> String {
    let fault = if status(refusal.code).is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let mut xml = Xml::default();
    xml.open_with_namespace("ErrorResponse", namespace(service), |xml| {
        xml.nest("Error", |xml| {
            xml.text("Type", fault);
            xml.text("Code", refusal.code.as_str());
            xml.text("Message", &refusal.message);
        });
        xml.text("RequestId", request_id);
    });
    xml.0
}
