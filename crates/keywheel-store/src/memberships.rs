//! What identities may do in projects.

use async_trait::async_trait;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IdentityId, MembershipId, ProjectId};
use keywheel_core::names::Slug;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Result;
use crate::identities::{Page, PageRequest};
use crate::pages::{self, Keyed, Part};

/// A role that ends by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TemporaryAccess {
    /// As the client wrote it, such as `1h`.
    pub range: String,
    /// The same as a length of time.
    pub length: Millis,
    /// When it began.
    pub starts_at: Moment,
}

impl TemporaryAccess {
    /// When it ends.
    pub fn ends_at(&self) -> Moment {
        self.starts_at + self.length
    }
}

/// One role of a membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipRole {
    /// Of this entry.
    pub id: Uuid,
    /// The role: `admin`, `member`, `viewer`, `no-access`.
    pub role: Slug,
    /// Until when, if it ends by itself.
    pub temporary: Option<TemporaryAccess>,
}

impl MembershipRole {
    /// Whether the role counts at this moment.
    pub fn counts_at(&self, now: Moment) -> bool {
        self.temporary
            .as_ref()
            .is_none_or(|t| t.starts_at <= now && now < t.ends_at())
    }
}

/// An identity in a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The membership.
    pub id: MembershipId,
    /// The project.
    pub project: ProjectId,
    /// Who.
    pub identity: IdentityId,
    /// What it may do; at least one.
    pub roles: Vec<MembershipRole>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// The order of memberships of an identity: time and id.
pub type MembershipKey = (Moment, MembershipId);

impl Keyed for Membership {
    type Key = MembershipKey;

    fn key(&self) -> Self::Key {
        (self.created_at, self.id)
    }
}

/// Project memberships of identities.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// Makes an identity a member. `Conflict::Membership` if it is one, `Conflict::Reference` if the project
    /// or the identity is gone.
    async fn create_membership(&self, membership: &Membership) -> Result<()>;

    /// Makes an identity a member, or gives the member that it is these roles; the membership as it is then.
    /// `Conflict::Reference` if the project or the identity is gone.
    async fn admit(&self, membership: &Membership) -> Result<Membership>;

    /// The membership of an identity in a project.
    async fn membership(&self, project: ProjectId, identity: IdentityId) -> Result<Option<Membership>>;

    /// A membership by its id.
    async fn membership_by_id(&self, id: MembershipId) -> Result<Option<Membership>>;

    /// The members of a project; oldest first.
    async fn memberships_in(&self, project: ProjectId, page: PageRequest) -> Result<Page<Membership>>;

    /// The memberships of an identity; oldest first.
    async fn memberships_of(
        &self,
        identity: IdentityId,
        page: &pages::Page<MembershipKey>,
    ) -> Result<Part<Membership, MembershipKey>>;

    /// Gives other roles; none if there is no such membership.
    async fn set_roles(
        &self,
        project: ProjectId,
        identity: IdentityId,
        roles: &[MembershipRole],
        now: Moment,
    ) -> Result<Option<Membership>>;

    /// Ends a membership; whether there was one.
    async fn delete_membership(&self, project: ProjectId, identity: IdentityId) -> Result<bool>;
}
