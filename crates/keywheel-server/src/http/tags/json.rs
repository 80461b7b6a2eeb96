//! Bodies and answers of tags.

use keywheel_core::ids::{ProjectId, TagId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{NameFault, Slug};
use keywheel_store::Patch;
use keywheel_store::tags::{SecretTag, Tag, TagUpdate};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::actions::tags::CreateTag;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read};
use crate::http::projects::patch;

/// Longest color, in characters: a word or a number of CSS.
const COLOR_CHARS_MAX: usize = 64;
/// Longest name, in characters. The contract has no bound.
const NAME_CHARS_MAX: usize = 255;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tag)]
pub(in crate::http) struct TagJson {
    #[schema(value_type = uuid::Uuid)]
    id: TagId,
    #[schema(value_type = String)]
    slug: Slug,
    color: String,
    name: String,
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// What a secret tells of one of its tags.
#[derive(Serialize, ToSchema)]
#[schema(as = SecretTag)]
pub(in crate::http) struct SecretTagJson {
    #[schema(value_type = uuid::Uuid)]
    id: TagId,
    #[schema(value_type = String)]
    slug: Slug,
    color: String,
    name: String,
}

/// `{tag}`
#[derive(Serialize, ToSchema)]
pub(super) struct InTag {
    tag: TagJson,
}

/// `{workspaceTag}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InWorkspaceTag {
    workspace_tag: TagJson,
}

/// `{tags}`
#[derive(Serialize, ToSchema)]
#[schema(as = Tags)]
pub(super) struct TagsJson {
    tags: Vec<TagJson>,
}

/// `{workspaceTags}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkspaceTags)]
pub(super) struct WorkspaceTagsJson {
    workspace_tags: Vec<TagJson>,
}

impl From<Tag> for TagJson {
    fn from(tag: Tag) -> Self {
        Self {
            id: tag.id,
            name: tag.name().to_owned(),
            slug: tag.slug,
            color: tag.color,
            project_id: tag.project,
            created_at: Time(tag.created_at),
            updated_at: Time(tag.updated_at),
        }
    }
}

impl From<&SecretTag> for SecretTagJson {
    fn from(tag: &SecretTag) -> Self {
        Self {
            id: tag.id,
            slug: tag.slug.clone(),
            color: tag.color.clone(),
            name: tag.name.clone(),
        }
    }
}

impl From<Tag> for InTag {
    fn from(tag: Tag) -> Self {
        Self { tag: tag.into() }
    }
}

impl From<Tag> for InWorkspaceTag {
    fn from(tag: Tag) -> Self {
        Self {
            workspace_tag: tag.into(),
        }
    }
}

impl From<Vec<Tag>> for TagsJson {
    fn from(tags: Vec<Tag>) -> Self {
        Self {
            tags: tags.into_iter().map(TagJson::from).collect(),
        }
    }
}

impl From<Vec<Tag>> for WorkspaceTagsJson {
    fn from(tags: Vec<Tag>) -> Self {
        Self {
            workspace_tags: tags.into_iter().map(TagJson::from).collect(),
        }
    }
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateTag, ApiError> {
    let slug = fields.required("slug", slug);
    let color = fields.optional("color", |field| one_line(field, COLOR_CHARS_MAX));
    let name = fields.optional("name", |field| one_line(field, NAME_CHARS_MAX));
    fields.finish(|| {
        Ok(CreateTag {
            slug: slug?,
            color: color?.unwrap_or_default(),
            name: name?.filter(|name| !name.is_empty()),
        })
    })
}

/// What an update sends. Without a name of its own, a tag is called by its slug.
pub(super) fn update(mut fields: Fields<'_>) -> Result<TagUpdate, ApiError> {
    let slug = fields.optional("slug", slug);
    let color = fields.optional("color", |field| one_line(field, COLOR_CHARS_MAX));
    let name = fields.change("name", |field| one_line(field, NAME_CHARS_MAX));
    fields.finish(|| {
        Ok(TagUpdate {
            slug: slug?,
            color: color?,
            name: match patch(name?) {
                Patch::Set(name) => Patch::Set(name.filter(|name| !name.is_empty())),
                Patch::Keep => Patch::Keep,
            },
        })
    })
}

fn slug(field: Field<'_>) -> Read<Slug> {
    field.parsed(|text| Slug::parse("slug", text))
}

/// A trimmed text without control characters.
fn one_line(field: Field<'_>, chars_max: usize) -> Read<String> {
    let shape = || json!({"type": "string", "maxLength": chars_max, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"});
    field.parsed_as(shape, |text| {
        if text.contains(char::is_control) {
            let message = "Text cannot contain control characters";
            return Err(NameFault::new(IssueCode::Custom, message));
        }
        let text = text.trim();
        if text.chars().count() > chars_max {
            let message = format!("Text cannot exceed {chars_max} characters");
            return Err(NameFault::new(IssueCode::Custom, message));
        }
        Ok(text.to_owned())
    })
}
