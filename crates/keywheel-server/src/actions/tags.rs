//! Tags of a project, which its secrets can have (platform contract, section 6.6).

use keywheel_core::ids::{ProjectId, TagId};
use keywheel_core::names::Slug;
use keywheel_store::tags::{Tag, TagUpdate};
use keywheel_store::{Conflict, StoreError};

use super::projects::{ProjectRef, find_id};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Most tags of a project: lists of them have no pages.
const TAGS_MAX: usize = 1_000;

/// A tag to be made.
pub struct CreateTag {
    /// Unique in the project.
    pub slug: Slug,
    /// For people; may be empty.
    pub color: String,
    /// For people; the slug if it is not given.
    pub name: Option<String>,
}

/// Makes a tag.
pub async fn create(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    wanted: CreateTag,
) -> Result<Tag, ApiError> {
    let project = find_id(app, caller, project).await?;
    let metadata = Metadata::new().with("slug", &wanted.slug);
    caller.open(Event::CreateTag, project, metadata).await?;
    caller.require(project, Action::Create, Subject::Tags).await?;
    if app.store().tags(project).await?.len() >= TAGS_MAX {
        let text = format!("A project can have {TAGS_MAX} tags at most");
        return Err(ApiError::bad_request(text));
    }
    let now = app.now();
    let tag = Tag {
        id: app.new_id(TagId::new),
        project,
        slug: wanted.slug,
        color: wanted.color,
        name: wanted.name,
        created_at: now,
        updated_at: now,
    };
    caller.note("tagId", tag.id);
    app.store()
        .create_tag(&tag)
        .await
        .map_err(slug_taken(&tag.slug))?;
    Ok(tag)
}

/// The tags of a project; by slug.
pub async fn list(app: &App, caller: &Caller, project: &ProjectRef) -> Result<Vec<Tag>, ApiError> {
    let project = find_id(app, caller, project).await?;
    caller.require(project, Action::Read, Subject::Tags).await?;
    Ok(app.store().tags(project).await?)
}

/// A tag by its id.
pub async fn get(app: &App, caller: &Caller, project: &ProjectRef, id: TagId) -> Result<Tag, ApiError> {
    let project = find_id(app, caller, project).await?;
    find_to(app, caller, project, id, Action::Read).await
}

/// A tag by its slug.
pub async fn get_by_slug(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    slug: &str,
) -> Result<Tag, ApiError> {
    let project = find_id(app, caller, project).await?;
    caller.require(project, Action::Read, Subject::Tags).await?;
    let found = app
        .store()
        .tag_by_slug(project, &Slug::from_stored(slug.to_owned()))
        .await?;
    found.ok_or_else(|| ApiError::not_found(format!("Tag with slug '{slug}' not found")))
}

/// Changes slug, color or name.
pub async fn update(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    id: TagId,
    update: TagUpdate,
) -> Result<Tag, ApiError> {
    let project = open(app, caller, project, id, Event::UpdateTag).await?;
    let before = find_to(app, caller, project, id, Action::Edit).await?;
    caller.note("oldSlug", &before.slug);
    let slug = update.slug.clone().unwrap_or(before.slug);
    let after = app
        .store()
        .update_tag(id, &update, app.now())
        .await
        .map_err(slug_taken(&slug))?;
    after.ok_or_else(|| not_found(id))
}

/// Deletes a tag and takes it from all secrets.
pub async fn delete(app: &App, caller: &Caller, project: &ProjectRef, id: TagId) -> Result<Tag, ApiError> {
    let project = open(app, caller, project, id, Event::DeleteTag).await?;
    let before = find_to(app, caller, project, id, Action::Delete).await?;
    caller.note("slug", &before.slug);
    app.store().delete_tag(id).await?;
    Ok(before)
}

/// Refuses unless all of these are tags of the project. The text is the contract's.
pub(super) async fn require_all(app: &App, project: ProjectId, ids: &[TagId]) -> Result<(), ApiError> {
    if ids.is_empty() {
        return Ok(());
    }
    let tags = app.store().tags(project).await?;
    let found: Vec<&Tag> = tags.iter().filter(|tag| ids.contains(&tag.id)).collect();
    if ids.iter().all(|id| found.iter().any(|tag| tag.id == *id)) {
        return Ok(());
    }
    let slugs: Vec<&str> = found.iter().map(|tag| tag.slug.as_str()).collect();
    Err(ApiError::not_found(format!(
        "Tag not found. Found {}",
        slugs.join(",")
    )))
}

/// Begins an entry in the audit log.
async fn open(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    id: TagId,
    event: Event,
) -> Result<ProjectId, ApiError> {
    let project = find_id(app, caller, project).await?;
    let metadata = Metadata::new().with("tagId", id);
    caller.open(event, project, metadata).await?;
    Ok(project)
}

/// A tag of the project that the caller wants to do something to.
async fn find_to(
    app: &App,
    caller: &Caller,
    project: ProjectId,
    id: TagId,
    action: Action,
) -> Result<Tag, ApiError> {
    caller.require(project, action, Subject::Tags).await?;
    let found = app.store().tag(id).await?;
    found
        .filter(|tag| tag.project == project)
        .ok_or_else(|| not_found(id))
}

fn not_found(id: TagId) -> ApiError {
    ApiError::not_found(format!("Tag with ID '{id}' not found"))
}

fn slug_taken(slug: &Slug) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::TagSlug) => {
            ApiError::bad_request(format!("A tag with the slug '{slug}' already exists"))
        }
        other => other.into(),
    }
}
