//! Imports: a folder that shows the secrets of other folders of its project.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, ImportId, ProjectId};
use keywheel_core::names::{SecretPath, Slug};

use crate::error::Result;

/// Most folders that one folder imports: each list of its secrets reads all of them.
pub const IMPORTS_MAX: u32 = 100;

/// A folder in an environment, with its names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FolderPlace {
    /// The folder.
    pub folder: FolderId,
    /// Its path.
    pub path: SecretPath,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's slug.
    pub environment_slug: Slug,
    /// The environment's name.
    pub environment_name: String,
}

/// An import.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SecretImport {
    /// Its id.
    pub id: ImportId,
    /// The project of both folders.
    pub project: ProjectId,
    /// The folder that imports.
    pub into: FolderPlace,
    /// The folder whose secrets are shown.
    pub from: FolderPlace,
    /// Its place among the imports of the folder, from 1. Later ones win.
    pub position: i64,
    /// Grows with each change; the first is 1.
    pub version: i64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// An import to be made, behind all others of its folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewImport {
    /// Its id.
    pub id: ImportId,
    /// The folder that imports.
    pub into: FolderId,
    /// The folder whose secrets are shown.
    pub from: FolderId,
    /// When it is made.
    pub now: Moment,
}

/// What an update of an import changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportUpdate {
    /// Another folder to import.
    pub from: Option<FolderId>,
    /// Another place among the imports of the folder, from 1; beyond the last is the last.
    pub position: Option<i64>,
}

/// Imports.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Makes an import. `Conflict::TooMany` if the folder has [`IMPORTS_MAX`] already, `Conflict::Import` if the folder imports that one already, `Conflict::Reference` if one of
    /// them is gone.
    async fn create_import(&self, import: &NewImport) -> Result<()>;

    /// An import by its id.
    async fn import(&self, id: ImportId) -> Result<Option<SecretImport>>;

    /// Changes an import; none if it does not exist. `Conflict::Import` if the folder imports the other one already.
    async fn update_import(
        &self,
        id: ImportId,
        update: &ImportUpdate,
        now: Moment,
    ) -> Result<Option<SecretImport>>;

    /// Deletes an import, and closes the gap that it leaves; whether it was there.
    async fn delete_import(&self, id: ImportId) -> Result<bool>;
}
