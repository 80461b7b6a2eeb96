//! Everything IAM and STS say no with: the codes, and their texts in one place.

use std::fmt;

/// AWS's error codes that the sandbox knows (API models of IAM and STS, and their common errors).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each name is AWS's own error code")]
pub enum Code {
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    ExpiredToken,
    IncompleteSignature,
    InternalFailure,
    InvalidAction,
    InvalidClientTokenId,
    LimitExceeded,
    MalformedQueryString,
    MissingAuthenticationToken,
    NoSuchEntity,
    ServiceFailure,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    Throttling,
    ValidationError,
}

impl Code {
    /// As it stands in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::DeleteConflict => "DeleteConflict",
            Self::EntityAlreadyExists => "EntityAlreadyExists",
            Self::ExpiredToken => "ExpiredToken",
            Self::IncompleteSignature => "IncompleteSignature",
            Self::InternalFailure => "InternalFailure",
            Self::InvalidAction => "InvalidAction",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::LimitExceeded => "LimitExceeded",
            Self::MalformedQueryString => "MalformedQueryString",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::NoSuchEntity => "NoSuchEntity",
            Self::ServiceFailure => "ServiceFailure",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::SignatureDoesNotMatch => "SignatureDoesNotMatch",
            Self::Throttling => "Throttling",
            Self::ValidationError => "ValidationError",
        }
    }
}

/// A definite no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What a program reads.
    pub code: Code,
    /// What a person reads, in AWS's words.
    pub message: String,
}

impl Refusal {
    /// A refusal with a text of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn no_such_user(name: &str) -> Self {
        Self::new(
            Code::NoSuchEntity,
            format!("The user with name {name} cannot be found."),
        )
    }

    pub(crate) fn no_such_key(id: &str) -> Self {
        Self::new(
            Code::NoSuchEntity,
            format!("The Access Key with id {id} cannot be found."),
        )
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(
            Code::InvalidClientTokenId,
            "The security token included in the request is invalid.",
        )
    }

    pub(crate) fn wrong_signature() -> Self {
        Self::new(
            Code::SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details.",
        )
    }

    pub(crate) fn constraint(value: &str, field: &str, rule: &str) -> Self {
        Self::new(
            Code::ValidationError,
            format!(
                "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: \
                 Member must {rule}"
            ),
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}
