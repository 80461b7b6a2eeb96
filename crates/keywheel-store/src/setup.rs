//! The instance itself: what is set once, and its organization.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, OrganizationId, TokenId};
use keywheel_core::names::{Slug, Title};

use crate::error::Result;
use crate::identities::Identity;

/// The organization of this instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organization {
    /// The organization.
    pub id: OrganizationId,
    /// For people.
    pub name: Title,
    /// For addresses.
    pub slug: Slug,
    /// When it was made.
    pub created_at: Moment,
}

/// A person who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// In lower case; also the user name.
    pub email: String,
    /// The PHC string of the password's hash.
    pub password_hash: String,
    /// Whether the account administers the instance.
    pub super_admin: bool,
    /// When it was made.
    pub created_at: Moment,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// Everything that exists after the bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The organization.
    pub organization: Organization,
    /// Its first administrator.
    pub account: Account,
    /// A machine identity with the organization role `admin` and token auth.
    pub identity: Identity,
    /// The token of that identity; it does not expire.
    pub token: TokenId,
}

/// Names of values that are kept once per instance.
pub mod setting {
    /// Sealed with the root key; opens only with the same one.
    pub const ROOT_KEY_CHECK: &str = "root_key_check";
    /// The random id of this instance.
    pub const INSTANCE_ID: &str = "instance_id";
    /// The key of the audit log's chain, sealed with the root key.
    pub const AUDIT_KEY: &str = "audit_key";
    /// The key that signs access tokens, sealed with the root key.
    pub const TOKEN_KEY: &str = "token_key";
}

/// The instance itself.
#[async_trait]
pub trait Setup: Send + Sync {
    /// Whether the database answers. For readiness checks.
    async fn ready(&self) -> Result<()>;

    /// Lets the database look at what its tables hold now, so that it plans by it: after much was written at once.
    async fn analyze(&self) -> Result<()>;

    /// A value that is kept once per instance; see [`setting`].
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps the value unless there is one; returns the one that is kept.
    async fn keep_setting(&self, name: &str, value: &[u8]) -> Result<Vec<u8>>;

    /// Makes the organization, its administrator and the administrator's identity, in one transaction.
    /// `Conflict::Bootstrapped` if there is an organization.
    async fn bootstrap(&self, bootstrap: &Bootstrap) -> Result<()>;

    /// The organization; none before the bootstrap.
    async fn organization(&self) -> Result<Option<Organization>>;

    /// An account by its e-mail address in lower case.
    async fn account_by_email(&self, email: &str) -> Result<Option<Account>>;
}
