//! One state of the tree, for reads that belong together: what a rotation changes in one transaction is seen as a
//! whole, however many questions are asked.

use async_trait::async_trait;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId, SecretId};
use keywheel_core::names::{SecretName, SecretPath, Slug};

use crate::error::Result;
use crate::folders::Folder;
use crate::imports::SecretImport;
use crate::pages::{Page, Part};
use crate::secrets::{Secret, SecretVersion};

/// One state. It holds a connection to the database until it is dropped.
#[async_trait]
pub trait Snapshot: Send {
    /// The folder at a path.
    async fn folder_at(
        &mut self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
    ) -> Result<Option<Folder>>;

    /// A secret by its id.
    async fn secret(&mut self, id: SecretId) -> Result<Option<Secret>>;

    /// One version of a secret by its number.
    async fn secret_version(&mut self, secret: SecretId, number: i64) -> Result<Option<SecretVersion>>;

    /// The folder at a path and all below it; by path.
    async fn folders_from(&mut self, environment: EnvironmentId, path: &SecretPath) -> Result<Vec<FolderId>>;

    /// The secrets directly in folders, only those of a name if there is one; by path and name.
    async fn secrets_in(&mut self, folders: &[FolderId], name: Option<&SecretName>) -> Result<Vec<Secret>>;

    /// The secrets directly in a folder; by name.
    async fn secrets_part(&mut self, folder: FolderId, page: &Page<String>) -> Result<Part<Secret, String>>;

    /// The secrets of some names in the folder at a path; by name.
    async fn secrets_named(
        &mut self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
        names: &[SecretName],
    ) -> Result<Vec<Secret>>;

    /// The imports of folders; by the path and the environment of the folder, and position.
    async fn imports_of(&mut self, folders: &[FolderId]) -> Result<Vec<SecretImport>>;
}

/// Where snapshots come from.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// The state of now.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;
}
