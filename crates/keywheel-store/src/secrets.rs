//! Secrets and their versions. Values are sealed by the caller; the store keeps bytes.

use std::fmt;
use std::hash::{Hash, Hasher};

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId, RotationId, SecretId, SecretVersionId, TagId};
pub use keywheel_core::ledger::{Author, ReferencesSeen};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use serde::{Deserialize, Serialize};

use crate::error::{Conflict, Result, StoreError};
use crate::identities::PageRequest;
use crate::pages::Keyed;
use crate::patch::Patch;
use crate::sealed::unwrapped;
use crate::tags::SecretTag;

/// A free key and value at a secret, for clients.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SecretMetadata {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Whether the client asked to keep it encrypted.
    pub is_encrypted: bool,
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SecretPlace {
    /// The project.
    pub project: ProjectId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's slug.
    pub environment_slug: Slug,
    /// The folder.
    pub folder: FolderId,
    /// The folder's path.
    pub path: SecretPath,
}

/// A secret with its current value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret {
    /// The secret.
    pub id: SecretId,
    /// Where it is.
    pub place: SecretPlace,
    /// Unique in the folder.
    pub name: SecretName,
    /// The number of the current version; the first is 1.
    pub version: i64,
    /// The current version, to whose id the value is bound.
    pub version_id: SecretVersionId,
    /// The current value, sealed; none if it was erased.
    pub value: Option<Vec<u8>>,
    /// Who wrote the current version.
    pub author: Author,
    /// A comment, sealed; bound to the secret's id.
    pub comment: Option<Vec<u8>>,
    /// Free keys and values.
    pub metadata: Vec<SecretMetadata>,
    /// Its tags; by slug.
    pub tags: Vec<SecretTag>,
    /// Whether clients escape line breaks.
    pub skip_multiline_encoding: Option<bool>,
    /// What a reminder says. Kept for clients.
    pub reminder_note: Option<String>,
    /// How often a reminder comes, in days. Kept for clients.
    pub reminder_days: Option<i64>,
    /// Whether the value may refer to other secrets.
    pub has_references: bool,
    /// The rotation that writes it; its name and value then are not for clients to change.
    pub rotation: Option<RotationId>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// Equal secrets look the same to whoever may see them.
impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            id,
            place,
            name,
            version,
            version_id,
            value,
            author,
            comment,
            metadata,
            tags,
            skip_multiline_encoding,
            reminder_note,
            reminder_days,
            // What the value says, the value says itself.
            has_references: _,
            rotation,
            created_at,
            updated_at,
        } = self;
        // A new root key changes nothing that anybody sees.
        let [value, comment] = [value, comment].map(|sealed| sealed.as_deref().map(unwrapped));
        (id, place, name, version, version_id, value, author, comment).hash(state);
        (
            metadata,
            tags,
            skip_multiline_encoding,
            reminder_note,
            reminder_days,
        )
            .hash(state);
        (rotation, created_at, updated_at).hash(state);
    }
}

/// A value to be written.
#[derive(Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The id that the value is bound to.
    pub id: SecretVersionId,
    /// The sealed value.
    pub value: Vec<u8>,
    /// Whether the value may refer to other secrets.
    pub has_references: bool,
    /// Who writes it.
    pub author: Author,
}

impl fmt::Debug for NewVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewVersion({}, {} sealed bytes)", self.id, self.value.len())
    }
}

/// A secret to be made. Those of a rotation are made with it, by [`crate::Ledgers::commit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSecret {
    /// Its id.
    pub id: SecretId,
    /// The folder.
    pub folder: FolderId,
    /// Unique in the folder.
    pub name: SecretName,
    /// Its first value.
    pub version: NewVersion,
    /// A comment, sealed.
    pub comment: Option<Vec<u8>>,
    /// Free keys and values.
    pub metadata: Vec<SecretMetadata>,
    /// Its tags, which have to be of the same project.
    pub tags: Vec<TagId>,
    /// Whether clients escape line breaks.
    pub skip_multiline_encoding: Option<bool>,
    /// What a reminder says.
    pub reminder_note: Option<String>,
    /// How often a reminder comes, in days.
    pub reminder_days: Option<i64>,
    /// When it is made.
    pub now: Moment,
}

/// What an update of a secret changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecretUpdate {
    /// A new name.
    pub name: Option<SecretName>,
    /// Another folder of the same project.
    pub folder: Option<FolderId>,
    /// A new value; it becomes the next version.
    pub version: Option<NewVersion>,
    /// A new comment, sealed.
    pub comment: Patch<Option<Vec<u8>>>,
    /// New keys and values in place of all old ones.
    pub metadata: Option<Vec<SecretMetadata>>,
    /// Other tags in place of all old ones.
    pub tags: Option<Vec<TagId>>,
    /// Whether clients escape line breaks.
    pub skip_multiline_encoding: Patch<Option<bool>>,
    /// What a reminder says.
    pub reminder_note: Patch<Option<String>>,
    /// How often a reminder comes, in days.
    pub reminder_days: Patch<Option<i64>>,
}

/// What a change was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretRead {
    /// Where the secret was.
    pub folder: FolderId,
    /// What it was called.
    pub name: SecretName,
    /// The number of its current version.
    pub version: i64,
}

impl From<&Secret> for SecretRead {
    fn from(secret: &Secret) -> Self {
        Self {
            folder: secret.place.folder,
            name: secret.name.clone(),
            version: secret.version,
        }
    }
}

/// A change of a secret that no rotation writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretChange {
    /// Makes one.
    Create(NewSecret),
    /// Changes one.
    Update {
        /// Which.
        id: SecretId,
        /// What it has to be like still, if that matters.
        read: Option<SecretRead>,
        /// What changes.
        update: SecretUpdate,
    },
    /// Deletes one with all its versions.
    Delete {
        /// Which.
        id: SecretId,
        /// What it has to be like still, if that matters.
        read: Option<SecretRead>,
    },
}

/// The secrets of a project that may refer to others, all of them at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Referring {
    /// How many writes that concern references there had been in the project: see [`ReferencesSeen`].
    pub writes: i64,
    /// The secrets; by path and name.
    pub secrets: Vec<Secret>,
}

/// A value that a secret had or has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretVersion {
    /// The version.
    pub id: SecretVersionId,
    /// Whose value it is.
    pub secret: SecretId,
    /// Its number.
    pub number: i64,
    /// The sealed value; none if it was erased.
    pub value: Option<Vec<u8>>,
    /// Who wrote it.
    pub author: Author,
    /// When it was written.
    pub created_at: Moment,
}

impl SecretChange {
    /// The secret that is there already.
    pub fn existing(&self) -> Option<SecretId> {
        match self {
            Self::Create(_) => None,
            Self::Update { id, .. } | Self::Delete { id, .. } => Some(*id),
        }
    }
}

/// In the list of one folder.
impl Keyed for Secret {
    type Key = String;

    fn key(&self) -> String {
        self.name.to_string()
    }
}

/// Secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Makes all changes in one transaction; what was made or changed, in the order of the changes. Deletions come
    /// first, and names may be swapped. `Conflict::SecretName` if a name is taken, `Conflict::Reference` if a folder
    /// or a tag is gone or a rotation writes what is to be deleted, `Conflict::Changed` if a secret is gone or not as
    /// it was read, or if a reference may have been written since they were `seen`. Webhooks are told of it in the
    /// same transaction.
    async fn write_secrets(
        &self,
        changes: &[SecretChange],
        seen: Option<&ReferencesSeen>,
        author: Author,
        now: Moment,
    ) -> Result<Vec<Secret>>;

    /// Makes a secret with its first version: [`Self::write_secrets`] with one change.
    async fn create_secret(&self, secret: &NewSecret) -> Result<()> {
        let change = SecretChange::Create(secret.clone());
        let author = secret.version.author;
        self.write_secrets(&[change], None, author, secret.now)
            .await
            .map(|_| ())
    }

    /// Changes a secret; none if it does not exist: [`Self::write_secrets`] with one change.
    async fn update_secret(
        &self,
        id: SecretId,
        update: &SecretUpdate,
        author: Author,
        now: Moment,
    ) -> Result<Option<Secret>> {
        let change = SecretChange::Update {
            id,
            read: None,
            update: update.clone(),
        };
        match self.write_secrets(&[change], None, author, now).await {
            Err(StoreError::Conflict(Conflict::Changed)) => Ok(None),
            written => Ok(written?.pop()),
        }
    }

    /// Deletes a secret; whether it was there: [`Self::write_secrets`] with one change.
    async fn delete_secret(&self, id: SecretId, author: Author, now: Moment) -> Result<bool> {
        let change = SecretChange::Delete { id, read: None };
        match self.write_secrets(&[change], None, author, now).await {
            Err(StoreError::Conflict(Conflict::Changed)) => Ok(false),
            written => written.map(|_| true),
        }
    }

    /// A secret by its id.
    async fn secret(&self, id: SecretId) -> Result<Option<Secret>>;

    /// Secrets by their ids, in this order; those that exist.
    async fn secrets_by_ids(&self, ids: &[SecretId]) -> Result<Vec<Secret>>;

    /// A secret by where it is and its name, with its sealed value, in one query.
    async fn secret_at(
        &self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
        name: &SecretName,
    ) -> Result<Option<Secret>>;

    /// Which of the names are taken in a folder; by name.
    async fn taken_names(&self, folder: FolderId, names: &[SecretName]) -> Result<Vec<SecretName>>;

    /// The secrets of a project whose values may refer to other secrets.
    async fn secrets_with_references(&self, project: ProjectId) -> Result<Referring>;

    /// The versions of a secret, the newest first.
    async fn secret_versions(&self, secret: SecretId, page: PageRequest) -> Result<Vec<SecretVersion>>;
}
