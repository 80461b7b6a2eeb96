//! What a failed call says about its effect. This table is the only place that judges it.
//!
//! | what came back | reading | changing |
//! |---|---|---|
//! | request not built, credentials not found, connection never made | unavailable | unavailable |
//! | AWS error, HTTP 4xx, throttling | unavailable | unavailable |
//! | AWS error, HTTP 4xx, any other code | refused | refused |
//! | anything else: 5xx, timeout, broken connection, an answer that cannot be read | unavailable | **unknown** |
//!
//! The last row is wide on purpose. The SDK reports a connection that was cut after the effect as a dispatch
//! failure, and AWS may answer 500 after it made the key: only an error that AWS itself wrote with a 4xx
//! status is a promise that nothing happened.
//!
//! Texts are made of AWS's code and message or of fixed words. The `Debug` and `Display` of SDK errors are
//! never used: they may quote bodies.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use hyper_util::client::legacy::Error as HttpError;
use keywheel_core::aws::{AwsFailure, FailureKind};

/// Whether a call could have left a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It only looks.
    Reads,
    /// It changes something at AWS.
    Changes,
}

/// Codes with a 4xx status that mean "not now". IAM's quota refusal is `LimitExceeded` and not among them;
/// the similar `LimitExceededException` of other services is.
const TRY_LATER: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "LimitExceededException",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// Longest text that is taken over from an answer: more than AWS ever writes, and no flood for the log.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// The failure of a call, as far as its effect is known.
pub(crate) fn failure<E: ProvideErrorMetadata>(
    effect: Effect,
    error: &SdkError<E, HttpResponse>,
) -> AwsFailure {
    let unclear = match effect {
        Effect::Reads => FailureKind::Unavailable,
        Effect::Changes => FailureKind::OutcomeUnknown,
    };
    match error {
        SdkError::ConstructionFailure(_) => unavailable("the request to AWS could not be built"),
        SdkError::DispatchFailure(failure) => {
            let source = failure.as_connector_error().and_then(Error::source);
            if finds::<CredentialsError>(source).is_some() {
                return unavailable(
                    "no AWS credentials were found: not in the environment, a profile, a web identity, \
                     a container or an instance role",
                );
            }
            if finds::<HttpError>(source).is_some_and(HttpError::is_connect) {
                return unavailable(match finds::<std::io::Error>(source).map(std::io::Error::kind) {
                    Some(std::io::ErrorKind::ConnectionRefused) => {
                        "AWS cannot be reached: connection refused"
                    }
                    _ => "AWS cannot be reached: no connection could be made",
                });
            }
            without_code(unclear, "the connection to AWS broke before an answer came")
        }
        SdkError::TimeoutError(_) => without_code(unclear, "AWS did not answer in time"),
        SdkError::ResponseError(error) => {
            let status = error.raw().status().as_u16();
            without_code(
                unclear,
                format!("AWS answered HTTP {status} with a body that cannot be read"),
            )
        }
        SdkError::ServiceError(error) => {
            let status = error.raw().status().as_u16();
            answered(status, error.err().code(), error.err().message(), unclear)
        }
        _ => without_code(unclear, "the call to AWS failed"),
    }
}

/// A failure before anything was sent.
pub(crate) fn unavailable(message: impl Into<String>) -> AwsFailure {
    without_code(FailureKind::Unavailable, message)
}

/// A success without the fields that make it one.
pub(crate) fn incomplete(effect: Effect, what: &str) -> AwsFailure {
    let kind = match effect {
        Effect::Reads => FailureKind::Unavailable,
        Effect::Changes => FailureKind::OutcomeUnknown,
    };
    without_code(kind, format!("AWS answered without {what}"))
}

fn answered(status: u16, code: Option<&str>, message: Option<&str>, unclear: FailureKind) -> AwsFailure {
    let kind = match code {
        Some(code) if (400..500).contains(&status) => {
            if TRY_LATER.contains(&code) {
                FailureKind::Unavailable
            } else {
                FailureKind::Refused
            }
        }
        _ => unclear,
    };
    let message = message.map_or_else(|| format!("AWS answered HTTP {status}"), shortened);
    AwsFailure {
        kind,
        code: code.map(shortened),
        message,
        aws_date: None,
    }
}

fn without_code(kind: FailureKind, message: impl Into<String>) -> AwsFailure {
    AwsFailure {
        kind,
        code: None,
        message: message.into(),
        aws_date: None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// The first error of type `T` among the causes, the given one included.
fn finds<'a, T: Error + 'static>(mut cause: Option<&'a (dyn Error + 'static)>) -> Option<&'a T> {
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::error::{ConnectorError, ErrorMetadata};

    use super::*;

    type Failed = SdkError<ErrorMetadata, HttpResponse>;

    const REFUSED: FailureKind = FailureKind::Refused;
    const UNAVAILABLE: FailureKind = FailureKind::Unavailable;
    const UNKNOWN: FailureKind = FailureKind::OutcomeUnknown;

    fn response(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), "secret-in-the-body".into())
    }

    fn answer(status: u16, code: Option<&str>) -> Failed {
        let mut meta = ErrorMetadata::builder().message("words of AWS");
        if let Some(code) = code {
            meta = meta.code(code);
        }
        SdkError::service_error(meta.build(), response(status))
    }

    fn io(kind: std::io::ErrorKind) -> Failed {
        SdkError::dispatch_failure(ConnectorError::io(std::io::Error::from(kind).into()))
    }

    #[test]
    fn each_ending_of_a_call_says_what_is_known_of_its_effect() {
        let rows: Vec<(&str, Failed, FailureKind, FailureKind)> = vec![
            (
                "not built",
                SdkError::construction_failure("x"),
                UNAVAILABLE,
                UNAVAILABLE,
            ),
            ("timeout", SdkError::timeout_error("x"), UNAVAILABLE, UNKNOWN),
            (
                "reset",
                io(std::io::ErrorKind::ConnectionReset),
                UNAVAILABLE,
                UNKNOWN,
            ),
            (
                "credentials",
                SdkError::dispatch_failure(ConnectorError::other(
                    CredentialsError::not_loaded("x").into(),
                    None,
                )),
                UNAVAILABLE,
                UNAVAILABLE,
            ),
            (
                "body",
                SdkError::response_error("x", response(200)),
                UNAVAILABLE,
                UNKNOWN,
            ),
            (
                "body of a 4xx",
                SdkError::response_error("x", response(403)),
                UNAVAILABLE,
                UNKNOWN,
            ),
            ("500", answer(500, Some("ServiceFailure")), UNAVAILABLE, UNKNOWN),
            (
                "503",
                answer(503, Some("ServiceUnavailable")),
                UNAVAILABLE,
                UNKNOWN,
            ),
            (
                "503 throttling",
                answer(503, Some("Throttling")),
                UNAVAILABLE,
                UNKNOWN,
            ),
            ("no code", answer(403, None), UNAVAILABLE, UNKNOWN),
            ("quota", answer(409, Some("LimitExceeded")), REFUSED, REFUSED),
            ("absent", answer(404, Some("NoSuchEntity")), REFUSED, REFUSED),
            ("denied", answer(403, Some("AccessDenied")), REFUSED, REFUSED),
            (
                "throttled",
                answer(400, Some("Throttling")),
                UNAVAILABLE,
                UNAVAILABLE,
            ),
            (
                "throttled",
                answer(400, Some("RequestLimitExceeded")),
                UNAVAILABLE,
                UNAVAILABLE,
            ),
        ];
        for (name, error, reading, changing) in rows {
            assert_eq!(failure(Effect::Reads, &error).kind, reading, "{name}, reading");
            assert_eq!(
                failure(Effect::Changes, &error).kind,
                changing,
                "{name}, changing"
            );
        }
    }

    #[test]
    fn the_code_and_text_of_aws_are_kept_and_bodies_are_not() {
        let quota = failure(Effect::Changes, &answer(409, Some("LimitExceeded")));
        assert!(quota.is("LimitExceeded"));
        assert_eq!(quota.message, "words of AWS");

        let unread: Failed = SdkError::response_error("secret-in-the-body", response(200));
        let shown = format!("{:?}", failure(Effect::Changes, &unread));
        assert!(!shown.contains("secret-in-the-body"), "{shown}");
    }

    #[test]
    fn a_flood_of_text_is_cut() {
        let meta = ErrorMetadata::builder().code("X").message("é".repeat(5_000));
        let error: Failed = SdkError::service_error(meta.build(), response(400));
        assert_eq!(
            failure(Effect::Reads, &error).message.chars().count(),
            MESSAGE_CHARS_MAX
        );
    }
}
