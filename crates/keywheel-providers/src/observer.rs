//! Calls to AWS as somebody sees them who counts.

use std::fmt;
use std::time::Duration;

use keywheel_core::aws::{AwsFailure, FailureKind};

/// A call that has ended, repeats of the SDK included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Called {
    /// Which one, such as `CreateAccessKey`.
    pub operation: &'static str,
    /// In what it ended.
    pub result: CallResult,
    /// How long it took.
    pub took: Duration,
}

/// In what a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallResult {
    /// An answer.
    Success,
    /// AWS said: too much at once.
    Throttled,
    /// AWS understood and said no.
    Refused,
    /// Nothing happened; a later repeat may work.
    Unavailable,
    /// It may have happened.
    Unknown,
}

impl CallResult {
    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn of_failure(failure: &AwsFailure) -> Self {
        let code = failure.code.as_deref().unwrap_or_default();
        match failure.kind {
            FailureKind::Refused => Self::Refused,
            FailureKind::OutcomeUnknown => Self::Unknown,
            FailureKind::Unavailable if is_throttling(code) => Self::Throttled,
            FailureKind::Unavailable => Self::Unavailable,
        }
    }
}

/// All codes of AWS that say "too much at once" have one of these words in them.
fn is_throttling(code: &str) -> bool {
    const WORDS: [&str; 4] = ["Throttl", "LimitExceeded", "TooManyRequests", "SlowDown"];
    WORDS.iter().any(|word| code.contains(word))
}

/// Is told of each call.
pub trait CallObserver: Send + Sync + fmt::Debug {
    /// A call has ended.
    fn called(&self, call: &Called);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_told_from_other_failures() {
        let result = |kind, code: Option<&str>| {
            CallResult::of_failure(&AwsFailure {
                kind,
                code: code.map(str::to_owned),
                message: String::new(),
                aws_date: None,
            })
        };
        let later = FailureKind::Unavailable;
        assert_eq!(result(later, Some("Throttling")), CallResult::Throttled);
        assert_eq!(result(later, Some("RequestLimitExceeded")), CallResult::Throttled);
        assert_eq!(result(later, None), CallResult::Unavailable);
        // IAM's word for a full quota.
        assert_eq!(
            result(FailureKind::Refused, Some("LimitExceeded")),
            CallResult::Refused
        );
    }
}
