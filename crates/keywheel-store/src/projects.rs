//! Projects: the outermost place of secrets.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, IdentityId, OrganizationId, ProjectId, RotationId};
use keywheel_core::names::{Slug, Title};

use crate::environments::NewEnvironment;
use crate::error::Result;
use crate::memberships::Membership;
use crate::pages::{Keyed, Page, Part};
use crate::patch::Patch;

/// A project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// The project.
    pub id: ProjectId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// For people.
    pub name: Title,
    /// Unique in the organization.
    pub slug: Slug,
    /// For people.
    pub description: Option<String>,
    /// Whether it refuses to be deleted.
    pub delete_protection: bool,
    /// Whether clients write secret names in capitals. Kept for them; the server does not use it.
    pub auto_capitalization: bool,
    /// How many versions of each secret are kept, the current one among them.
    pub version_limit: i64,
    /// How long audit entries are kept; none is the instance's default.
    pub audit_retention_days: Option<i64>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// A project as administrators of its organization see it, whether they are in it or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurveyedProject {
    /// The project.
    pub id: ProjectId,
    /// For people.
    pub name: Title,
    /// Unique in the organization.
    pub slug: Slug,
    /// When it was made.
    pub created_at: Moment,
    /// Whether who looks is a member of it.
    pub is_member: bool,
    /// How many members it has.
    pub members: u32,
    /// How many rotations it holds.
    pub rotations: u32,
}

/// What an update of a project changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProjectUpdate {
    /// A new name.
    pub name: Option<Title>,
    /// A new slug.
    pub slug: Option<Slug>,
    /// A new description.
    pub description: Patch<Option<String>>,
    /// Whether it refuses to be deleted.
    pub delete_protection: Option<bool>,
    /// Whether clients write secret names in capitals.
    pub auto_capitalization: Option<bool>,
    /// How many versions of each secret are kept; older ones go with the next write.
    pub version_limit: Option<i64>,
    /// How long audit entries are kept.
    pub audit_retention_days: Patch<Option<i64>>,
}

/// The part of the tree that is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A project with everything in it.
    Project(ProjectId),
    /// An environment with everything in it.
    Environment(EnvironmentId),
    /// A folder with everything below it.
    Folder(FolderId),
}

/// A rotation that stands in the way of a deletion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotationName {
    /// The rotation.
    pub id: RotationId,
    /// Its name.
    pub name: Slug,
}

/// The order of projects: name and id.
pub type ProjectKey = (String, ProjectId);

impl Keyed for Project {
    type Key = ProjectKey;

    fn key(&self) -> Self::Key {
        (self.name.to_string(), self.id)
    }
}

impl Keyed for SurveyedProject {
    type Key = ProjectKey;

    fn key(&self) -> Self::Key {
        (self.name.to_string(), self.id)
    }
}

/// Projects.
#[async_trait]
pub trait Projects: Send + Sync {
    /// Makes a project with its environments, their root folders and its first member.
    /// `Conflict::ProjectSlug` if the slug is taken.
    async fn create_project(
        &self,
        project: &Project,
        environments: &[NewEnvironment],
        creator: Option<&Membership>,
    ) -> Result<()>;

    /// A project by its id.
    async fn project(&self, id: ProjectId) -> Result<Option<Project>>;

    /// A project by its slug.
    async fn project_by_slug(&self, organization: OrganizationId, slug: &Slug) -> Result<Option<Project>>;

    /// All projects, or those that the identity is a member of; by name.
    async fn projects(
        &self,
        organization: OrganizationId,
        member: Option<IdentityId>,
        page: &Page<ProjectKey>,
    ) -> Result<Part<Project, ProjectKey>>;

    /// All projects whose name or slug contains `search` without regard to case, with what is in them and whether
    /// `viewer` is; by name.
    async fn survey_projects(
        &self,
        organization: OrganizationId,
        viewer: IdentityId,
        search: &str,
        page: &Page<ProjectKey>,
    ) -> Result<Part<SurveyedProject, ProjectKey>>;

    /// Changes a project; none if it does not exist.
    async fn update_project(
        &self,
        id: ProjectId,
        update: &ProjectUpdate,
        now: Moment,
    ) -> Result<Option<Project>>;

    /// Deletes a project with everything in it; whether it was there. `Conflict::Reference` while it holds
    /// rotations.
    async fn delete_project(&self, id: ProjectId) -> Result<bool>;

    /// The rotations in a part of the tree; by name.
    async fn rotations_in(&self, scope: Scope) -> Result<Vec<RotationName>>;
}
