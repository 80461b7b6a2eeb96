//! Who is a member of a project, and in which roles (platform contract, section 6.9).

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IdentityId, MembershipId, ProjectId};
use keywheel_core::names::Slug;
use keywheel_store::identities::{Identity, Page, PageRequest};
use keywheel_store::memberships::{Membership, MembershipKey, MembershipRole, TemporaryAccess};
use keywheel_store::projects::Project;
use keywheel_store::{Conflict, Part, StoreError, pages};

use super::identities;
use super::projects::{ProjectRef, find_id, new_uuid};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, ProjectRole, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// A role to be given.
pub struct GrantRole {
    /// The role.
    pub role: ProjectRole,
    /// For how long, if it ends by itself.
    pub temporary: Option<Temporary>,
}

/// How long a role counts.
pub struct Temporary {
    /// As the caller wrote it, such as `1h`.
    pub range: String,
    /// The same as a length of time.
    pub length: Millis,
    /// When it begins.
    pub starts_at: Moment,
}

/// A membership with both of its ends.
pub struct MembershipView {
    /// The membership.
    pub membership: Membership,
    /// Who.
    pub identity: Identity,
    /// Where.
    pub project: Project,
}

/// Makes an identity a member of a project.
pub async fn create(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    identity: IdentityId,
    roles: Vec<GrantRole>,
) -> Result<Membership, ApiError> {
    let project = changing(
        app,
        caller,
        project,
        identity,
        Event::CreateMembership,
        Action::Create,
    )
    .await?;
    identities::find(app, caller, identity).await?;
    let now = app.now();
    let membership = Membership {
        id: app.new_id(MembershipId::new),
        project,
        identity,
        roles: stored_roles(app, caller, roles),
        created_at: now,
        updated_at: now,
    };
    app.store()
        .create_membership(&membership)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::Membership) => ApiError::bad_request(format!(
                "Identity with ID {identity} already exists in project with ID {project}"
            )),
            StoreError::Conflict(Conflict::Reference) => {
                ApiError::not_found(format!("Failed to find identity with ID {identity}"))
            }
            other => other.into(),
        })?;
    Ok(membership)
}

/// Gives a member other roles.
pub async fn update(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    identity: IdentityId,
    roles: Vec<GrantRole>,
) -> Result<Membership, ApiError> {
    let project = changing(
        app,
        caller,
        project,
        identity,
        Event::UpdateMembership,
        Action::Edit,
    )
    .await?;
    let after = app
        .store()
        .set_roles(project, identity, &stored_roles(app, caller, roles), app.now())
        .await?;
    after.ok_or_else(|| no_member(project, identity))
}

/// Ends a membership.
pub async fn delete(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    identity: IdentityId,
) -> Result<Membership, ApiError> {
    let project = changing(
        app,
        caller,
        project,
        identity,
        Event::DeleteMembership,
        Action::Delete,
    )
    .await?;
    let before = app
        .store()
        .membership(project, identity)
        .await?
        .ok_or_else(|| no_member(project, identity))?;
    app.store().delete_membership(project, identity).await?;
    Ok(before)
}

/// One membership.
pub async fn get(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    identity: IdentityId,
) -> Result<MembershipView, ApiError> {
    let project = allowed(app, caller, project, Action::Read).await?;
    let membership = app.store().membership(project, identity).await?;
    view(
        app,
        caller,
        membership.ok_or_else(|| no_member(project, identity))?,
    )
    .await
}

/// A membership by its id.
pub async fn get_by_id(app: &App, caller: &Caller, id: MembershipId) -> Result<MembershipView, ApiError> {
    let not_found = || ApiError::not_found(format!("Identity membership with ID {id} not found"));
    let membership = app.store().membership_by_id(id).await?.ok_or_else(not_found)?;
    caller
        .require_found(membership.project, Action::Read, Subject::Identities, not_found)
        .await?;
    view(app, caller, membership).await
}

/// Refuses to invite people: there are none.
pub async fn invite(app: &App, caller: &Caller, project: &ProjectRef) -> Result<(), ApiError> {
    allowed(app, caller, project, Action::Create).await?;
    Err(ApiError::bad_request(
        "Keywheel has no people to invite: members of a project are machine identities. Make one a member with POST \
         /api/v2/workspace/{projectId}/identity-memberships/{identityId}.",
    ))
}

/// The members of a project; oldest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    page: PageRequest,
) -> Result<Page<MembershipView>, ApiError> {
    let project = allowed(app, caller, project, Action::Read).await?;
    let found = app.store().memberships_in(project, page).await?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for membership in found.rows {
        rows.push(view(app, caller, membership).await?);
    }
    Ok(Page {
        rows,
        total: found.total,
    })
}

/// The memberships of an identity; oldest first.
pub async fn list_of(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    page: &pages::Page<MembershipKey>,
) -> Result<Part<MembershipView, MembershipKey>, ApiError> {
    identities::get(app, caller, identity).await?;
    let found = app.store().memberships_of(identity, page).await?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for membership in found.rows {
        rows.push(view(app, caller, membership).await?);
    }
    let next = found.next;
    Ok(Part { rows, next })
}

/// The project, in which the caller is about to change what an identity may do.
async fn changing(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    identity: IdentityId,
    event: Event,
    action: Action,
) -> Result<ProjectId, ApiError> {
    let project = find_id(app, caller, project).await?;
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(event, project, metadata).await?;
    caller.require(project, action, Subject::Identities).await?;
    Ok(project)
}

async fn allowed(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
    action: Action,
) -> Result<ProjectId, ApiError> {
    let project = find_id(app, caller, project).await?;
    caller.require(project, action, Subject::Identities).await?;
    Ok(project)
}

async fn view(app: &App, caller: &Caller, membership: Membership) -> Result<MembershipView, ApiError> {
    let identity = app.store().identity(membership.identity).await?;
    let project = app.store().project(membership.project).await?;
    match (identity, project) {
        (Some(identity), Some(project)) if identity.organization == caller.organization() => {
            Ok(MembershipView {
                membership,
                identity,
                project,
            })
        }
        // Deleted between the two reads.
        _ => Err(no_member(membership.project, membership.identity)),
    }
}

fn stored_roles(app: &App, caller: &Caller, roles: Vec<GrantRole>) -> Vec<MembershipRole> {
    let words: Vec<&str> = roles.iter().map(|granted| granted.role.as_str()).collect();
    caller.note("roles", words);
    let stored = |granted: GrantRole| MembershipRole {
        id: new_uuid(app),
        role: Slug::from_stored(granted.role.as_str().to_owned()),
        temporary: granted.temporary.map(|t| TemporaryAccess {
            range: t.range,
            length: t.length,
            starts_at: t.starts_at,
        }),
    };
    roles.into_iter().map(stored).collect()
}

fn no_member(project: ProjectId, identity: IdentityId) -> ApiError {
    ApiError::not_found(format!(
        "Identity with ID {identity} is no member of project with ID {project}"
    ))
}
