//! Why a run ended without a publish, in words for the owner.

use crate::aws::{AccessKeyId, AwsFailure, FailureKind, KeyStatus};
use crate::key::{KeyState, ManagedKey};

/// The reasons (`docs/error-codes.md` explains each of them).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunErrorCode {
    /// The user already has two keys that are not Keywheel's.
    AdoptionBlocked,
    /// The connection acts as the very user whose keys are to be rotated.
    SelfRotation,
    /// Another run holds the user, or a call may still land.
    InProgress,
    /// A key in the way is held back until its owner speaks.
    KeyHeld,
    /// A displaced key in the way is still in the waits of its grace time.
    GraceHoldsSlot,
    /// The key that a request names is not one that this can be done to.
    KeyNotEligible,
    /// A key that is not Keywheel's holds the slot.
    PreflightUnmanaged,
    /// A key that only its owner can tell holds the slot.
    OrphanSuspect,
    /// AWS refused a further key although the list showed room.
    NoFreeSlot,
    /// No answer to the create: a key may or may not exist.
    OutcomeUnknown,
    /// The new key did not work within the deadline.
    VerifyTimeout,
    /// The new key will not work: its secret is refused.
    VerifyRefused,
    /// The name now means another user, or the connection reaches another account.
    IdentityChanged,
    /// AWS's clock and ours differ too much.
    ClockSkew,
    /// AWS understood and refused.
    AwsRefused,
    /// AWS could not be reached, or was busy.
    AwsUnavailable,
    /// The secret of the new key could not be sealed.
    SealingFailed,
    /// A name that was free at the start is taken now.
    Conflict,
}

impl RunErrorCode {
    /// The code in logs and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdoptionBlocked => "ADOPTION_BLOCKED",
            Self::SelfRotation => "SELF_ROTATION",
            Self::InProgress => "IN_PROGRESS",
            Self::KeyHeld => "KEY_HELD",
            Self::GraceHoldsSlot => "GRACE_HOLDS_SLOT",
            Self::KeyNotEligible => "KEY_NOT_ELIGIBLE",
            Self::PreflightUnmanaged => "PREFLIGHT_UNMANAGED",
            Self::OrphanSuspect => "ORPHAN_SUSPECT",
            Self::NoFreeSlot => "NO_FREE_SLOT",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::VerifyTimeout => "VERIFY_TIMEOUT",
            Self::VerifyRefused => "VERIFY_REFUSED",
            Self::IdentityChanged => "IDENTITY_CHANGED",
            Self::ClockSkew => "CLOCK_SKEW",
            Self::AwsRefused => "AWS_REFUSED",
            Self::AwsUnavailable => "AWS_UNAVAILABLE",
            Self::SealingFailed => "SEALING_FAILED",
            Self::Conflict => "CONFLICT",
        }
    }
}

/// Why a run ended without a publish. The text is for everyone who may read the rotation; it holds ids and
/// AWS's words, never a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct RunError {
    /// The reason.
    pub code: RunErrorCode,
    /// What happened and what to do.
    pub text: String,
    /// Whether the run stopped before its first changing call. The contract tells such a refusal (400) from
    /// a failure (500).
    pub before_change: bool,
}

impl RunError {
    /// A refusal or failure; the run fills in whether anything was changed.
    pub fn new(code: RunErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            before_change: true,
        }
    }

    /// AWS's refusal or silence while doing something.
    pub fn aws(doing: &str, failure: &AwsFailure) -> Self {
        let code = match failure.kind {
            FailureKind::Refused => RunErrorCode::AwsRefused,
            FailureKind::Unavailable | FailureKind::OutcomeUnknown => RunErrorCode::AwsUnavailable,
        };
        Self::new(code, format!("{doing}: {failure}"))
    }

    /// A request named a key that this cannot be done to, with what the ledger knows of it. `done` is a
    /// participle: "retired", "rolled back to".
    pub fn not_eligible(id: &AccessKeyId, key: Option<&ManagedKey>, done: &str) -> Self {
        let text = match key {
            None => format!("access key {id} is not a key of this user, so it cannot be {done}"),
            Some(key) => {
                let why = match key.state {
                    KeyState::Published => "it is the published one",
                    KeyState::Unmanaged => "it is not Keywheel's; its owner can hand it over by its id",
                    KeyState::Deleted | KeyState::Lost => "it does not exist at AWS any more",
                    KeyState::Pending | KeyState::Verified => "it was never published",
                    KeyState::Displaced | KeyState::Deactivated | KeyState::OrphanSuspect => {
                        "Keywheel does not have its secret"
                    }
                };
                format!("access key {id} ({}) cannot be {done}: {why}", key.state.as_str())
            }
        };
        Self::new(RunErrorCode::KeyNotEligible, text)
    }

    /// A create named a key that cannot be adopted.
    pub fn not_adoptable(id: &AccessKeyId, key: Option<&ManagedKey>) -> Self {
        let why = match key {
            None => "AWS does not list it for this IAM user".to_owned(),
            Some(key) if key.state == KeyState::Unmanaged && key.aws_status == KeyStatus::Inactive => {
                "it is inactive; activate it in IAM first, or hand it over".to_owned()
            }
            Some(key) => format!("its state is {}", key.state.as_str()),
        };
        let text = format!("access key {id} cannot be adopted: {why}");
        Self::new(RunErrorCode::KeyNotEligible, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_name_in_capitals() {
        use RunErrorCode::*;
        for code in [
            AdoptionBlocked,
            SelfRotation,
            InProgress,
            KeyHeld,
            GraceHoldsSlot,
            KeyNotEligible,
            PreflightUnmanaged,
            OrphanSuspect,
            NoFreeSlot,
            OutcomeUnknown,
            VerifyTimeout,
            VerifyRefused,
            IdentityChanged,
            ClockSkew,
            AwsRefused,
            AwsUnavailable,
            SealingFailed,
            Conflict,
        ] {
            let joined = code.as_str().replace('_', "");
            assert_eq!(joined, format!("{code:?}").to_uppercase());
        }
    }
}
