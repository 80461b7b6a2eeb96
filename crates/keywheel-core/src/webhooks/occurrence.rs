//! What happened that somebody may want to hear of, as it is kept until everyone has heard it.

use serde::{Deserialize, Serialize};

use super::EventName;
use crate::aws::AccessKeyId;
use crate::clock::Moment;
use crate::ids::RotationId;
use crate::ledger::Author;

/// Which rotation it is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AboutRotation {
    /// The rotation.
    pub id: RotationId,
    /// Its name.
    pub name: String,
    /// The name of the IAM user whose keys it renews.
    pub user: String,
}

/// Why a key on the user is not one that a rotation made and knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrangeKey {
    /// A create of ours could explain it, and its secret is lost: its owner has to decide.
    Suspect,
    /// Somebody else made it. It takes one of the two places of the user.
    Foreign,
}

impl StrangeKey {
    /// The word in payloads, and in the overview of what needs a decision.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Foreign => "foreign",
        }
    }
}

/// What happened in a folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Occurrence {
    /// Secrets were made, changed or deleted.
    SecretsModified {
        /// Who did it.
        by: Author,
    },
    /// A rotation failed.
    RotationFailed {
        /// The name of the rotation.
        rotation: String,
        /// The kind of failure, for everyone; see [`super::category`].
        category: String,
        /// Whether somebody had asked for the run.
        is_manual: bool,
    },
    /// The two secrets of a rotation carry another key.
    Rotated {
        /// Which rotation.
        rotation: AboutRotation,
        /// Who asked for it.
        by: Author,
        /// The key that they carry now.
        key: AccessKeyId,
        /// The key that they carried; none if that was gone.
        previous: Option<AccessKeyId>,
        /// When the previous one is deactivated at the earliest; none if nothing says so yet.
        previous_retires_at: Option<Moment>,
        /// Whether the key was published before.
        is_roll_back: bool,
    },
    /// A key appeared on the user that no rotation made and knows.
    KeySuspect {
        /// Which rotation.
        rotation: AboutRotation,
        /// The key.
        key: AccessKeyId,
        /// What it may be.
        kind: StrangeKey,
        /// When AWS says it was created.
        created_at: Option<Moment>,
    },
    /// A displaced key is about to be deactivated, and is still used.
    KeyRetiringInUse {
        /// Which rotation.
        rotation: AboutRotation,
        /// The key.
        key: AccessKeyId,
        /// When it is deactivated at the earliest; none if nothing says so yet.
        retires_at: Option<Moment>,
        /// Whether its use holds that back now.
        is_held: bool,
        /// Until when its use keeps it at most; none if it goes all the same.
        kept_until: Option<Moment>,
        /// When AWS saw it used last.
        used_at: Moment,
        /// With which service.
        service: String,
    },
    /// A rotation that should have begun has not.
    RotationOverdue {
        /// Which rotation.
        rotation: AboutRotation,
        /// When it was due.
        due_at: Moment,
    },
}

impl Occurrence {
    /// What can be subscribed to hear of it.
    pub const fn event(&self) -> EventName {
        match self {
            Self::SecretsModified { .. } => EventName::SecretsModified,
            Self::RotationFailed { .. } => EventName::RotationFailed,
            Self::Rotated { .. } => EventName::Rotated,
            Self::KeySuspect { .. } => EventName::KeySuspect,
            Self::KeyRetiringInUse { .. } => EventName::KeyRetiringInUse,
            Self::RotationOverdue { .. } => EventName::RotationOverdue,
        }
    }

    /// Who did it, where somebody did.
    pub const fn by(&self) -> Option<Author> {
        match self {
            Self::SecretsModified { by } | Self::Rotated { by, .. } => Some(*by),
            _ => None,
        }
    }
}
