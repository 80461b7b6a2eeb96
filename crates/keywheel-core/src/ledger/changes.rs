//! How the record changes, and what people hear of it.

use serde::{Deserialize, Serialize};

use super::ManagedUser;
use crate::aws::AccessKeyId;
use crate::clock::Moment;
use crate::ids::{FolderId, IdentityId, IntentId, ProjectId, RotationId, SecretId, SecretVersionId};
use crate::intent::{Intent, IntentOutcome};
use crate::key::ManagedKey;
use crate::names::SecretName;
use crate::rotation::Rotation;
use crate::run::RunErrorCode;

/// One change of the record. All changes of a [`Commit`] take effect in one transaction, or none does.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Replaces the user's row.
    User(ManagedUser),
    /// Inserts or replaces a key's row.
    Key(ManagedKey),
    /// Opens an intent.
    OpenIntent(Intent),
    /// Closes the open intent.
    CloseIntent {
        /// Which.
        id: IntentId,
        /// How it ended.
        outcome: IntentOutcome,
        /// When.
        at: Moment,
    },
    /// Inserts a rotation together with its two secrets.
    CreateRotation(Rotation),
    /// Replaces the rotation's row.
    UpdateRotation(Rotation),
    /// Removes the rotation. Its secrets become ordinary ones, or go with it.
    RemoveRotation {
        /// Which.
        id: RotationId,
        /// Whether the secrets go too.
        delete_secrets: bool,
    },
    /// Erases the values that a dead key left in the version history of secrets.
    EraseValues(AccessKeyId),
    /// Gives a secret of the project its next value, because what it refers to moves. Refused if the secret was
    /// changed since it was read.
    RewriteSecret {
        /// Which.
        secret: SecretId,
        /// The number of the version that was read.
        read: i64,
        /// The next version.
        version: SealedVersion,
        /// Who caused it.
        author: Author,
    },
    /// Refused if a reference may have been written in the project since these were seen.
    References(ReferencesSeen),
    /// Removes the secrets of these names from a folder, so that a rotation can move there. Never one that a rotation
    /// writes.
    ClearNames {
        /// The folder.
        folder: FolderId,
        /// The names.
        names: Vec<SecretName>,
    },
}

/// Changes that belong together, and what people should hear of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Commit {
    /// In this order.
    pub changes: Vec<Change>,
    /// The key whose values the two mapped secrets get in the same transaction.
    pub publish: Option<AccessKeyId>,
    /// What somebody has to know or to decide.
    pub alarms: Vec<Alarm>,
    /// A rotation that failed, if webhooks are to tell of it.
    pub failed: Option<FailedRotation>,
    /// Who asked for changes that no run makes; none is the platform.
    pub author: Option<Author>,
}

/// A rotation that failed, as far as everyone may know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailedRotation {
    /// The reason.
    pub code: RunErrorCode,
    /// Whether somebody had asked for the run.
    pub is_manual: bool,
}

/// Who caused a new version of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Author {
    /// The engine, on schedule.
    Platform,
    /// A machine identity.
    Identity(IdentityId),
}

impl Author {
    /// The identity; none for the engine.
    pub const fn identity(self) -> Option<IdentityId> {
        match self {
            Self::Platform => None,
            Self::Identity(id) => Some(id),
        }
    }
}

/// What was seen of the references in a project: of all of them, at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferencesSeen {
    /// The project.
    pub project: ProjectId,
    /// How many writes that concern references there had been.
    pub writes: i64,
    /// Secrets that were taken to refer to others, and do not.
    pub without: Vec<SecretId>,
}

/// The sealed values of a publish, made outside of the core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedValues {
    /// The key that both belong to.
    pub key: AccessKeyId,
    /// The new version of the secret that carries the access key id.
    pub access_key_id: SealedVersion,
    /// The new version of the secret that carries the secret access key.
    pub secret_access_key: SealedVersion,
    /// Who caused it.
    pub author: Author,
}

/// A sealed value and the id of the version that it is bound to.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// The version.
    pub id: SecretVersionId,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for SealedVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedVersion({}, {} bytes)", self.id, self.sealed.len())
    }
}

/// Something that a person should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The published key is gone at AWS.
    PublishedLost(AccessKeyId),
    /// Somebody deactivated the published key.
    PublishedInactive(AccessKeyId),
    /// A key of Keywheel's vanished without its doing.
    KeyLost(AccessKeyId),
    /// A key appeared that a create of ours could explain; only its owner can tell.
    OrphanSuspected(AccessKeyId),
    /// Somebody brought a deactivated key back: it is held until its owner speaks.
    Reactivated(AccessKeyId),
    /// An id that had ended is listed again.
    Returned(AccessKeyId),
    /// A displaced key was used lately; somebody may not have moved over.
    StillUsed {
        /// Which.
        key: AccessKeyId,
        /// Whether its retirement has not come yet.
        is_ahead: bool,
        /// Until when its use keeps it at most, from its retirement on; none if it goes all the same.
        kept_until: Option<Moment>,
    },
    /// A key is proven to be ours and was used all the same: its owner has to decide.
    Contradiction(AccessKeyId),
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(10_000_000);

    #[test]
    fn debug_shows_no_sealed_value() {
        let version = SealedVersion {
            id: SecretVersionId::new(NOW, &[1; 10]),
            sealed: vec![104, 105],
        };
        assert_eq!(
            format!("{version:?}"),
            format!("SealedVersion({}, 2 bytes)", version.id)
        );
    }
}
