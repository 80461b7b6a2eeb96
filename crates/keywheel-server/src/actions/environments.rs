//! Environments of a project (platform contract, section 6.5).

use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::Slug;
use keywheel_store::environments::{Environment, EnvironmentUpdate, NewEnvironment};
use keywheel_store::projects::Scope;
use keywheel_store::{Conflict, StoreError};

use super::projects::{ProjectRef, find_id, held, refuse_rotations};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// An environment to be made.
pub struct CreateEnvironment {
    /// For people.
    pub name: String,
    /// Unique in the project.
    pub slug: Slug,
    /// The place in lists; behind the last if it is not given.
    pub position: Option<i64>,
}

/// Makes an environment with its root folder.
pub async fn create(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    wanted: CreateEnvironment,
) -> Result<Environment, ApiError> {
    let project = find_id(app, caller, project).await?;
    let metadata = Metadata::new()
        .with("name", &wanted.name)
        .with("environment", &wanted.slug);
    caller.open(Event::CreateEnvironment, project, metadata).await?;
    caller
        .require(project, Action::Create, Subject::Environments)
        .await?;
    let environment = NewEnvironment {
        id: app.new_id(EnvironmentId::new),
        root: app.new_id(FolderId::new),
        project,
        name: wanted.name,
        slug: wanted.slug,
        position: wanted.position,
        now: app.now(),
    };
    app.store()
        .create_environment(&environment)
        .await
        .map_err(slug_taken(&environment.slug))
}

/// An environment by its id. Where the path of the request names a project too, it has to be in that one.
pub async fn get(
    app: &App,
    caller: &Caller,
    project: Option<&ProjectRef>,
    id: EnvironmentId,
) -> Result<Environment, ApiError> {
    find_to(app, caller, project, id, Action::Read).await
}

/// An environment that the caller wants to do something to.
async fn find_to(
    app: &App,
    caller: &Caller,
    project: Option<&ProjectRef>,
    id: EnvironmentId,
    action: Action,
) -> Result<Environment, ApiError> {
    let environment = app.store().environment(id).await?.ok_or_else(|| not_found(id))?;
    if let Some(project) = project
        && find_id(app, caller, project).await? != environment.project
    {
        return Err(not_found(id));
    }
    let unknown = || not_found(id);
    caller
        .require_found(environment.project, action, Subject::Environments, unknown)
        .await?;
    Ok(environment)
}

/// An environment by its slug.
pub async fn get_by_slug(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    slug: &str,
) -> Result<Environment, ApiError> {
    let project = find_id(app, caller, project).await?;
    caller
        .require(project, Action::Read, Subject::Environments)
        .await?;
    let found = app
        .store()
        .environment_by_slug(project, &Slug::from_stored(slug.to_owned()))
        .await?;
    found.ok_or_else(|| unknown_slug(slug, project))
}

/// Changes name, slug or position.
pub async fn update(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    id: EnvironmentId,
    update: EnvironmentUpdate,
) -> Result<Environment, ApiError> {
    open(app, caller, project, id, Event::UpdateEnvironment).await?;
    let before = find_to(app, caller, Some(project), id, Action::Edit).await?;
    caller.note("oldSlug", &before.slug);
    let slug = update.slug.clone().unwrap_or(before.slug);
    let after = app
        .store()
        .update_environment(id, &update, app.now())
        .await
        .map_err(slug_taken(&slug))?;
    after.ok_or_else(|| not_found(id))
}

/// Deletes an environment with everything in it. Refused while it holds rotations.
pub async fn delete(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    id: EnvironmentId,
) -> Result<Environment, ApiError> {
    open(app, caller, project, id, Event::DeleteEnvironment).await?;
    let environment = find_to(app, caller, Some(project), id, Action::Delete).await?;
    caller.note("slug", &environment.slug);
    refuse_rotations(app, Scope::Environment(id), "environment").await?;
    app.store()
        .delete_environment(id)
        .await
        .map_err(held("environment"))?;
    Ok(environment)
}

/// Begins an entry in the audit log. A project that is none is refused later.
async fn open(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    id: EnvironmentId,
    event: Event,
) -> Result<(), ApiError> {
    let project = find_id(app, caller, project).await.ok();
    let metadata = Metadata::new().with("environmentId", id);
    caller.open(event, project, metadata).await
}

/// What is said where a project has no environment of that slug.
pub(super) fn unknown_slug(slug: &str, project: ProjectId) -> ApiError {
    ApiError::not_found(format!(
        "Environment with slug '{slug}' in project with ID '{project}' not found"
    ))
}

fn not_found(id: EnvironmentId) -> ApiError {
    ApiError::not_found(format!("Environment with ID '{id}' not found"))
}

fn slug_taken(slug: &Slug) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::EnvironmentSlug) => {
            ApiError::bad_request(format!("An environment with the slug '{slug}' already exists"))
        }
        other => other.into(),
    }
}
