//! Rotations as the API shows them. What changes them is in [`crate::ledgers`].

use async_trait::async_trait;
use keywheel_core::ids::{FolderId, ProjectId, RotationId};
use keywheel_core::names::{SecretPath, Slug};
use keywheel_core::rotation::Rotation;

use crate::error::Result;
use crate::pages::{Keyed, Page, Part};

/// A rotation with the names of what it points at.
#[derive(Clone, PartialEq, Debug)]
pub struct ShownRotation {
    /// The rotation.
    pub rotation: Rotation,
    /// The name of its connection.
    pub connection_name: Slug,
    /// The slug of its environment.
    pub environment_slug: Slug,
    /// The name of its environment.
    pub environment_name: String,
    /// The path of its folder.
    pub path: SecretPath,
}

/// The order of rotations: name and id.
pub type RotationKey = (String, RotationId);

impl Keyed for ShownRotation {
    type Key = RotationKey;

    fn key(&self) -> Self::Key {
        (self.rotation.settings.name.to_string(), self.rotation.id)
    }
}

/// Rotations, for reading.
#[async_trait]
pub trait Rotations: Send + Sync {
    /// A rotation by its id, in one query.
    async fn rotation(&self, id: RotationId) -> Result<Option<ShownRotation>>;

    /// A rotation by its name in a folder.
    async fn rotation_by_name(&self, folder: FolderId, name: &Slug) -> Result<Option<ShownRotation>>;

    /// The rotations of a project; by name.
    async fn rotations(
        &self,
        project: ProjectId,
        page: &Page<RotationKey>,
    ) -> Result<Part<ShownRotation, RotationKey>>;
}
