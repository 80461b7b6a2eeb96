//! What the engine asks of IAM. Deactivation and deletion are two operations, as they are two commits.
//!
//! Every operation ends within the call timeout, all of its parts together, and ends in one of four ways: an
//! answer, or one of the three kinds of failure of [`keywheel_core::aws::FailureKind`]. The trait is object
//! safe: the engine holds an `Arc<dyn IamUsers>`.

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, Arn, AwsFailure, CallerIdentity, IamUserName, Identified, KeyStatus, LastUse,
    ListedKey, Region,
};
use keywheel_core::clock::Moment;
use secrecy::SecretString;

use crate::connection::ConnectionCredentials;

/// Which user to act on, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// As whom.
    pub connection: &'a ConnectionCredentials,
    /// The region of the rotation. It decides the partition, and with it the endpoint of IAM.
    pub region: &'a Region,
    /// The user. It is sent with every call: IAM would act on the signer if it were missing.
    pub user_name: &'a IamUserName,
    /// `keywheel-<uuid>` of the intent or run. It is the role session name and stands in the user agent, so
    /// that CloudTrail can tell later which intent made a call.
    pub session: &'a str,
}

/// The answer to a creation. The secret exists nowhere else: AWS never shows it again.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: SecretString,
    /// When AWS says it was created; whole seconds.
    pub created_at: Option<Moment>,
    /// The name of the owner as AWS writes it.
    pub user_name: IamUserName,
}

/// One user of an account, to choose from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IamUser {
    /// The name as AWS writes it.
    pub user_name: IamUserName,
    /// The name with account and path.
    pub arn: Arn,
}

/// Whether a role can be assumed without the external id of its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExternalId {
    /// AWS refused: the trust policy asks for the id.
    Demanded,
    /// AWS granted it: whoever may use this Keywheel could reach the role. The trust policy must be mended.
    NotDemanded,
    /// The connection has no role, or no external id.
    NotApplicable,
}

/// The IAM users whose access keys are rotated.
///
/// Operations that change something make one attempt and never repeat on their own: `CreateAccessKey` has no
/// idempotency token, so a repeat after a lost answer makes a second key. Operations that only read may repeat
/// within the call timeout.
#[async_trait]
pub trait IamUsers: Send + Sync {
    /// Whom the connection acts as (`sts:GetCallerIdentity`).
    async fn caller(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<CallerIdentity>;

    /// As whom Keywheel itself acts, before it assumes any role (`sts:GetCallerIdentity`). Providers that act as nobody say
    /// so.
    async fn own_identity(&self, _: &Region, _: &str) -> Answer<CallerIdentity> {
        Err(AwsFailure::not_sent(
            "there is nobody to ask as whom Keywheel acts",
        ))
    }

    /// Tries to assume the connection's role *without* its external id, which AWS must refuse.
    async fn external_id(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<ExternalId>;

    /// The users of the account, to choose from; the first [`USERS_MAX`] (`iam:ListUsers`).
    async fn users(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<Vec<IamUser>>;

    /// Who the user is and who asks (`sts:GetCallerIdentity`, `iam:GetUser`).
    async fn identify(&self, target: Target<'_>) -> Answer<Identified>;

    /// Every key of the user, or a failure: never a part of the list (`iam:ListAccessKeys`).
    async fn list(&self, target: Target<'_>) -> Answer<Vec<ListedKey>>;

    /// Makes a key, in one attempt (`iam:CreateAccessKey`).
    async fn issue(&self, target: Target<'_>) -> Answer<IssuedKey>;

    /// Signs one request with the key itself, at the region's STS (`sts:GetCallerIdentity`); one attempt.
    async fn verify(
        &self,
        region: &Region,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Answer<CallerIdentity>;

    /// Switches a key on or off, in one attempt (`iam:UpdateAccessKey`).
    async fn set_status(&self, target: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()>;

    /// Deletes a key, in one attempt; an absent key is the refusal `NoSuchEntity` (`iam:DeleteAccessKey`).
    async fn delete(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<()>;

    /// The last use of a key, or `None` if AWS knows of none (`iam:GetAccessKeyLastUsed`).
    async fn last_used(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>>;
}

/// Most users that [`IamUsers::users`] returns: the default quota of an account is 5,000 (AWS: IAM quotas).
pub const USERS_MAX: usize = 5_000;
