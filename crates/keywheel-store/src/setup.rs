//! The instance itself: what is set once, and its organization.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::OrganizationId;
use keywheel_core::names::{Slug, Title};

use crate::accounts::Account;
use crate::error::Result;
use crate::identities::Identity;
use crate::tokens::Token;

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

/// Everything that exists after the bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The organization.
    pub organization: Organization,
    /// Its first administrator.
    pub account: Account,
    /// The administrator's own identity, with the organization role `admin`.
    pub person: Identity,
    /// A machine that administers; none where a person sets the instance up.
    pub machine: Option<FirstMachine>,
}

/// The first machine identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstMachine {
    /// With the organization role `admin` and token auth.
    pub identity: Identity,
    /// Its token, which does not expire.
    pub token: Token,
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
    /// How new rotations treat displaced keys unless they say otherwise, as JSON. The only one that is replaced.
    pub const RETIREMENT_DEFAULT: &str = "retirement_default";
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

    /// Keeps the value in place of the one that there is.
    async fn replace_setting(&self, name: &str, value: &[u8]) -> Result<()>;

    /// Makes the organization, its administrator and their identities, in one transaction.
    /// `Conflict::Bootstrapped` if there is an organization.
    async fn bootstrap(&self, bootstrap: &Bootstrap) -> Result<()>;

    /// The organization; none before the bootstrap.
    async fn organization(&self) -> Result<Option<Organization>>;
}
