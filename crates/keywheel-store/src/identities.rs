//! Machine identities.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, OrganizationId};
use keywheel_core::names::Slug;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Result;

/// A way for an identity to get a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// Client id and client secret.
    UniversalAuth,
    /// A token that was handed out directly.
    TokenAuth,
}

impl AuthMethod {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UniversalAuth => "universal-auth",
            Self::TokenAuth => "token-auth",
        }
    }
}

/// A free key and value at an identity, for clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IdentityMetadata {
    /// Of this entry.
    pub id: Uuid,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A machine identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The identity.
    pub id: IdentityId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// For people and audit entries.
    pub name: String,
    /// What it may do in the organization: `admin`, `member`, `no-access`.
    pub role: Slug,
    /// Free keys and values.
    pub metadata: Vec<IdentityMetadata>,
    /// Whether it refuses to be deleted.
    pub delete_protection: bool,
    /// How it can get a token. Only `TokenAuth` is written with the identity; `UniversalAuth` is there when
    /// its settings are.
    pub auth_methods: Vec<AuthMethod>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// What an update of an identity changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdentityUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new role.
    pub role: Option<Slug>,
    /// New keys and values in place of all old ones.
    pub metadata: Option<Vec<IdentityMetadata>>,
    /// Whether it refuses to be deleted.
    pub delete_protection: Option<bool>,
}

/// A page of a list and the number of rows in all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// How many there are in all.
    pub total: i64,
}

/// Which page of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// How many rows to leave out at the start.
    pub offset: u32,
    /// The most rows to return.
    pub limit: u32,
}

/// Machine identities.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Makes an identity.
    async fn create_identity(&self, identity: &Identity) -> Result<()>;

    /// An identity by its id.
    async fn identity(&self, id: IdentityId) -> Result<Option<Identity>>;

    /// The identities of an organization whose name contains `search` without regard to case; by name.
    async fn identities(
        &self,
        organization: OrganizationId,
        search: &str,
        page: PageRequest,
    ) -> Result<Page<Identity>>;

    /// Changes an identity; none if it does not exist. `Conflict::LastAdmin` if an account would lose the role `admin`
    /// that no other account with a password has.
    async fn update_identity(
        &self,
        id: IdentityId,
        update: &IdentityUpdate,
        now: Moment,
    ) -> Result<Option<Identity>>;

    /// Deletes an identity with its logins, tokens and memberships; whether it was there.
    async fn delete_identity(&self, id: IdentityId) -> Result<bool>;
}
