//! Folders of an environment. Each row has the full path, so that a path is found without walking.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::{FolderName, SecretPath, Slug};

use crate::error::Result;
use crate::pages::{Keyed, Page, Part};
use crate::patch::Patch;
use crate::secrets::Author;

/// A folder and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// The folder.
    pub id: FolderId,
    /// The folder around it; none for a root.
    pub parent: Option<FolderId>,
    /// Whose it is.
    pub project: ProjectId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's slug.
    pub environment_slug: Slug,
    /// The environment's name.
    pub environment_name: String,
    /// The full path, its own name included.
    pub path: SecretPath,
    /// For people.
    pub description: Option<String>,
    /// Grows with each change of its name or description; the first is 1.
    pub version: i64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

impl Folder {
    /// The last part of the path; `root` for a root, as clients of the contract know it.
    pub fn name(&self) -> &str {
        self.path
            .as_str()
            .rsplit('/')
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("root")
    }
}

impl Keyed for Folder {
    type Key = String;

    fn key(&self) -> String {
        self.path.to_string()
    }
}

/// A folder to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFolder {
    /// The environment.
    pub environment: EnvironmentId,
    /// The full path, its own name included; not the root.
    pub path: SecretPath,
    /// For people.
    pub description: Option<String>,
    /// Ids for the folder and for parents that are missing: at least as many as the path has parts. The
    /// folder itself takes the last one.
    pub ids: Vec<FolderId>,
    /// When it is made.
    pub now: Moment,
}

/// What an update of a folder changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FolderUpdate {
    /// A new name, in the same parent.
    pub name: Option<FolderName>,
    /// A new description.
    pub description: Patch<Option<String>>,
}

/// Folders.
#[async_trait]
pub trait Folders: Send + Sync {
    /// Makes a folder and the parents that are missing. `Conflict::FolderPath` if the path is taken (and for
    /// the root, which always is), `Conflict::Reference` if the environment is gone.
    async fn create_folder(&self, folder: &NewFolder) -> Result<Folder>;

    /// A folder by its id.
    async fn folder(&self, id: FolderId) -> Result<Option<Folder>>;

    /// The folder at a path, in one query.
    async fn folder_at(
        &self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
    ) -> Result<Option<Folder>>;

    /// The folders directly in a folder; by name.
    async fn folders_in(&self, parent: FolderId, page: &Page<String>) -> Result<Part<Folder, String>>;

    /// All folders below a path of an environment, without the one at the path; by path.
    async fn folders_below(
        &self,
        environment: EnvironmentId,
        path: &SecretPath,
        page: &Page<String>,
    ) -> Result<Part<Folder, String>>;

    /// Changes folders, one after the other in one transaction; a new name moves the paths of all folders below with
    /// it. None, and no change, if one of them does not exist; `Conflict::FolderPath` if a name is taken or a folder
    /// is a root.
    async fn update_folders(
        &self,
        updates: &[(FolderId, FolderUpdate)],
        now: Moment,
    ) -> Result<Option<Vec<Folder>>>;

    /// Changes a folder; none if it does not exist: [`Self::update_folders`] with one.
    async fn update_folder(
        &self,
        id: FolderId,
        update: &FolderUpdate,
        now: Moment,
    ) -> Result<Option<Folder>> {
        let after = self.update_folders(&[(id, update.clone())], now).await?;
        Ok(after.and_then(|mut folders| folders.pop()))
    }

    /// Whether there is nothing in the folder: no folder, no secret and no import.
    async fn folder_is_empty(&self, id: FolderId) -> Result<bool>;

    /// Deletes a folder with everything below it; whether it was there. Webhooks are told of the secrets that go.
    /// `Conflict::Reference` while a rotation is in it or below.
    async fn delete_folder(&self, id: FolderId, author: Author, now: Moment) -> Result<bool>;
}
