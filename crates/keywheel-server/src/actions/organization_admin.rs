//! What administrators of the organization may do about projects that they are not in: see that they are there, and enter
//! them. A project whose members are all gone goes on rotating, and somebody has to be able to stop it.

use keywheel_core::ids::MembershipId;
use keywheel_store::memberships::Membership;
use keywheel_store::projects::{ProjectKey, SurveyedProject};
use keywheel_store::{Conflict, Page, Part, StoreError};

use super::projects::{ProjectRef, find, not_found, permanent_role};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, ProjectRole, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// All projects of the organization whose name or slug contains `search`; by name.
pub async fn projects(
    app: &App,
    caller: &Caller,
    search: &str,
    page: &Page<ProjectKey>,
) -> Result<Part<SurveyedProject, ProjectKey>, ApiError> {
    require(caller)?;
    let found = app
        .store()
        .survey_projects(caller.organization(), caller.identity(), search, page);
    Ok(found.await?)
}

/// Makes the caller an administrator of a project, whatever it was there before.
pub async fn enter(app: &App, caller: &Caller, named: &ProjectRef) -> Result<Membership, ApiError> {
    let project = find(app, caller, named).await?;
    let metadata = Metadata::new()
        .with("projectId", project.id)
        .with("name", &project.name);
    caller.open(Event::EnterProject, project.id, metadata).await?;
    require(caller)?;
    let now = app.now();
    let membership = Membership {
        id: app.new_id(MembershipId::new),
        project: project.id,
        identity: caller.identity(),
        roles: vec![permanent_role(app, ProjectRole::Admin)],
        created_at: now,
        updated_at: now,
    };
    app.store().admit(&membership).await.map_err(|error| match error {
        // Deleted since it was found.
        StoreError::Conflict(Conflict::Reference) => not_found(named),
        other => other.into(),
    })
}

fn require(caller: &Caller) -> Result<(), ApiError> {
    caller.require_in_organization(Action::AccessAllProjects, Subject::AdminConsole)
}
