//! One id type per noun, so that a folder's id cannot be passed where a project's is wanted.
//!
//! Ids are UUIDs of version 7 (RFC 9562, section 5.7), built from a given time and given random bytes:
//! sortable by age, and the same in every repetition of a simulated run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Moment;

/// Random bytes for one id. They come from the caller; the core has no randomness.
pub type IdEntropy = [u8; 10];

/// Builds the UUID that every id type wraps.
fn uuid_from(now: Moment, entropy: &IdEntropy) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, entropy).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from the time and ten random bytes.
            pub fn new(now: Moment, entropy: &IdEntropy) -> Self {
                Self(uuid_from(now, entropy))
            }

            /// An id that was stored before.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// An organization: the outermost container. A self-hosted server has one.
    OrganizationId;
    /// A person's account.
    AccountId;
    /// A project: environments, folders and secrets of one application.
    ProjectId;
    /// An environment of a project, such as `dev`.
    EnvironmentId;
    /// A folder of an environment; the root `/` is one too.
    FolderId;
    /// A secret in a folder.
    SecretId;
    /// An import of one folder's secrets into another.
    ImportId;
    /// One value that a secret had or has.
    SecretVersionId;
    /// A machine identity.
    IdentityId;
    /// The Universal Auth settings of an identity.
    UniversalAuthId;
    /// The public half of a Universal Auth login.
    ClientId;
    /// A client secret of Universal Auth.
    ClientSecretId;
    /// An access token.
    TokenId;
    /// A tag of a project, for its secrets.
    TagId;
    /// Membership of an identity in a project.
    MembershipId;
    /// Credentials for a system outside: an AWS account.
    ConnectionId;
    /// A rotation: the standing order to renew the keys of one IAM user.
    RotationId;
    /// An IAM user whose keys are in the ledger.
    ManagedUserId;
    /// A durable note written before a call to AWS.
    IntentId;
    /// One run of the engine over a managed user.
    RunId;
    /// An entry of the audit log.
    AuditEntryId;
    /// A webhook: whom to tell of changes.
    WebhookId;
    /// An attempt to tell a webhook something.
    DeliveryId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let early = RotationId::new(Moment::from_millis(1_000), &[255; 10]);
        let late = RotationId::new(Moment::from_millis(2_000), &[0; 10]);
        assert!(early < late);
    }

    #[test]
    fn same_time_and_same_bytes_give_the_same_id() {
        let make = || ProjectId::new(Moment::from_millis(5), &[7; 10]);
        assert_eq!(make(), make());
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = FolderId::new(Moment::from_millis(1_773_100_000_000), &[3; 10]);
        assert_eq!(id.to_string().parse::<FolderId>().unwrap(), id);
    }

    #[test]
    fn an_id_holds_its_time_and_its_random_bytes() {
        let at = Moment::from_millis(1_773_100_000_000);
        let id = RunId::new(at, &[0xab; 10]);
        assert_eq!(id.to_string(), "019cd4fe-e300-7bab-abab-abababababab");
        assert_eq!(RunId::from_uuid(id.as_uuid()), id);
        assert_eq!(format!("{id:?}"), format!("RunId({id})"));
    }
}
