//! Tags of a project, which its secrets can have.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ProjectId, TagId};
use keywheel_core::names::Slug;

use crate::error::Result;
use crate::patch::Patch;

/// A tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// The tag.
    pub id: TagId,
    /// Whose it is.
    pub project: ProjectId,
    /// Unique in the project.
    pub slug: Slug,
    /// For people; may be empty.
    pub color: String,
    /// For people; none where the slug is all there is.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

impl Tag {
    /// What people call it.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.slug.as_str())
    }
}

/// What a secret tells of one of its tags.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SecretTag {
    /// Unique in the project.
    pub slug: Slug,
    /// The tag.
    pub id: TagId,
    /// For people; may be empty.
    pub color: String,
    /// What people call it.
    pub name: String,
}

/// What an update of a tag changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TagUpdate {
    /// A new slug.
    pub slug: Option<Slug>,
    /// A new color.
    pub color: Option<String>,
    /// A new name, or none.
    pub name: Patch<Option<String>>,
}

/// Tags. Their texts have no control characters.
#[async_trait]
pub trait Tags: Send + Sync {
    /// Makes a tag. `Conflict::TagSlug` if the slug is taken, `Conflict::Reference` if the project is gone.
    async fn create_tag(&self, tag: &Tag) -> Result<()>;

    /// A tag by its id.
    async fn tag(&self, id: TagId) -> Result<Option<Tag>>;

    /// A tag by its slug.
    async fn tag_by_slug(&self, project: ProjectId, slug: &Slug) -> Result<Option<Tag>>;

    /// The tags of a project; by slug.
    async fn tags(&self, project: ProjectId) -> Result<Vec<Tag>>;

    /// Changes a tag; none if it does not exist. `Conflict::TagSlug` if the new slug is taken.
    async fn update_tag(&self, id: TagId, update: &TagUpdate, now: Moment) -> Result<Option<Tag>>;

    /// Deletes a tag and takes it from all secrets; whether it was there.
    async fn delete_tag(&self, id: TagId) -> Result<bool>;
}
