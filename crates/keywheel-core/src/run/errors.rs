//! Why a run ended without a publish, in words for the owner.

use crate::aws::{AwsFailure, FailureKind};
use crate::key::{KeyState, ManagedKey};
use crate::ledger::Ledger;

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

    /// No free slot and none that may be freed: names every key in the way and the ways out.
    pub fn blocked(ledger: &Ledger, creating: bool) -> Self {
        let blockers: Vec<&ManagedKey> = ledger
            .keys
            .values()
            .filter(|k| !k.state.is_end() && k.state != KeyState::Published)
            .collect();
        let any = |state| blockers.iter().any(|k| k.state == state);
        let code = if creating && !any(KeyState::OrphanSuspect) {
            RunErrorCode::AdoptionBlocked
        } else if any(KeyState::OrphanSuspect) {
            RunErrorCode::OrphanSuspect
        } else if any(KeyState::Unmanaged) {
            RunErrorCode::PreflightUnmanaged
        } else {
            RunErrorCode::KeyHeld
        };
        let named: Vec<String> = blockers.iter().map(|k| describe(k)).collect();
        let text = format!(
            "IAM user {} has no room for a new access key, and Keywheel does not touch keys that it did not \
             create: {}. Nothing was changed at AWS. Delete a key that is no longer used in IAM, then try again.",
            ledger.user.name,
            named.join("; ")
        );
        Self::new(code, text)
    }
}

/// A key in a text: id, what it is, status and creation time.
fn describe(key: &ManagedKey) -> String {
    let what = match key.state {
        KeyState::Unmanaged => "not created by Keywheel",
        KeyState::OrphanSuspect => "possibly created by Keywheel, its secret is lost",
        _ if key.held.is_some() => "reactivated by somebody, held until its owner decides",
        other => other.as_str(),
    };
    let created = key
        .aws_created_at
        .map_or_else(|| "at an unknown time".to_owned(), |at| format!("on {at}"));
    format!("{} ({what}, {:?}, created {created})", key.id, key.aws_status)
}
