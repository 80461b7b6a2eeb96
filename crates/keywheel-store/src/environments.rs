//! Environments of a project, such as `dev`.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::Slug;

use crate::error::Result;

/// An environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Environment {
    /// The environment.
    pub id: EnvironmentId,
    /// Whose it is.
    pub project: ProjectId,
    /// For people: 1 to 255 characters.
    pub name: String,
    /// Unique in the project.
    pub slug: Slug,
    /// The place in lists; the first is 1.
    pub position: i64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// An environment to be made, with its root folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEnvironment {
    /// Its id.
    pub id: EnvironmentId,
    /// The id of its root folder.
    pub root: FolderId,
    /// Whose it is.
    pub project: ProjectId,
    /// For people.
    pub name: String,
    /// Unique in the project.
    pub slug: Slug,
    /// The place in lists, which moves those from there on; none is behind the last.
    pub position: Option<i64>,
    /// When it is made.
    pub now: Moment,
}

/// What an update of an environment changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EnvironmentUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new slug.
    pub slug: Option<Slug>,
    /// A new place, which moves those from there on.
    pub position: Option<i64>,
}

/// Environments.
#[async_trait]
pub trait Environments: Send + Sync {
    /// Makes an environment with its root folder. `Conflict::EnvironmentSlug` if the slug is taken,
    /// `Conflict::Reference` if the project is gone.
    async fn create_environment(&self, environment: &NewEnvironment) -> Result<Environment>;

    /// An environment by its id.
    async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>>;

    /// An environment by its slug.
    async fn environment_by_slug(&self, project: ProjectId, slug: &Slug) -> Result<Option<Environment>>;

    /// The environments of a project; by position.
    async fn environments(&self, project: ProjectId) -> Result<Vec<Environment>>;

    /// The environments of several projects; by project and position.
    async fn environments_of(&self, projects: &[ProjectId]) -> Result<Vec<Environment>>;

    /// Changes an environment; none if it does not exist.
    async fn update_environment(
        &self,
        id: EnvironmentId,
        update: &EnvironmentUpdate,
        now: Moment,
    ) -> Result<Option<Environment>>;

    /// Deletes an environment with everything in it; whether it was there. `Conflict::Reference` while it
    /// holds rotations.
    async fn delete_environment(&self, id: EnvironmentId) -> Result<bool>;
}
