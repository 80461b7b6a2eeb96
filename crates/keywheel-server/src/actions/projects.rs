//! Projects (platform contract, section 6.4).

use keywheel_core::ids::{EnvironmentId, FolderId, MembershipId, ProjectId};
use keywheel_core::names::{Slug, Title};
use keywheel_store::environments::{Environment, NewEnvironment};
use keywheel_store::memberships::{Membership, MembershipRole};
use keywheel_store::projects::{Project, ProjectKey, ProjectUpdate, Scope};
use keywheel_store::{Conflict, Page, Part, Patch, StoreError};
use uuid::Uuid;

use super::slugs::slug_for;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, ProjectRole, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// How many versions of each secret are kept where nobody says otherwise (contract).
const VERSION_LIMIT: i64 = 10;
/// The environments that a project starts with unless the caller wants none.
const FIRST_ENVIRONMENTS: [(&str, &str); 3] = [
    ("Development", "dev"),
    ("Staging", "staging"),
    ("Production", "prod"),
];

/// How a request names a project. An id that is none names no project, which is a 404 and not a 422.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProjectRef {
    /// By its id.
    Id(String),
    /// By its slug.
    Slug(String),
}

/// A project to be made.
pub struct CreateProject {
    /// For people.
    pub name: Title,
    /// For people.
    pub description: Option<String>,
    /// Unique in the organization; made from the name if it is not given.
    pub slug: Option<Slug>,
    /// Whether to start with dev, staging and prod.
    pub default_environments: bool,
    /// Whether it refuses to be deleted.
    pub delete_protection: bool,
}

/// A project with its environments.
pub struct ProjectView {
    /// The project.
    pub project: Project,
    /// By position.
    pub environments: Vec<Environment>,
}

/// Makes a project; the caller becomes its administrator.
pub async fn create(app: &App, caller: &Caller, wanted: CreateProject) -> Result<ProjectView, ApiError> {
    let id = app.new_id(ProjectId::new);
    let metadata = Metadata::new().with("name", &wanted.name);
    caller.open(Event::CreateProject, id, metadata).await?;
    caller.require_in_organization(Action::Create, Subject::Projects)?;
    let now = app.now();
    let project = Project {
        id,
        organization: caller.organization(),
        slug: wanted
            .slug
            .unwrap_or_else(|| slug_for(wanted.name.as_str(), app.entropy())),
        name: wanted.name,
        description: wanted.description,
        delete_protection: wanted.delete_protection,
        auto_capitalization: false,
        version_limit: VERSION_LIMIT,
        audit_retention_days: None,
        created_at: now,
        updated_at: now,
    };
    let wanted_environments: &[_] = if wanted.default_environments {
        &FIRST_ENVIRONMENTS
    } else {
        &[]
    };
    let environments: Vec<_> = wanted_environments
        .iter()
        .map(|(name, slug)| NewEnvironment {
            id: app.new_id(EnvironmentId::new),
            root: app.new_id(FolderId::new),
            project: project.id,
            name: (*name).to_owned(),
            slug: Slug::from_stored((*slug).to_owned()),
            position: None,
            now,
        })
        .collect();
    let creator = Membership {
        id: app.new_id(MembershipId::new),
        project: project.id,
        identity: caller.identity(),
        roles: vec![permanent_role(app, ProjectRole::Admin)],
        created_at: now,
        updated_at: now,
    };
    app.store()
        .create_project(&project, &environments, Some(&creator))
        .await
        .map_err(slug_taken(&project.slug))?;
    view(app, project).await
}

/// A role without an end.
pub(super) fn permanent_role(app: &App, role: ProjectRole) -> MembershipRole {
    MembershipRole {
        id: new_uuid(app),
        role: Slug::from_stored(role.as_str().to_owned()),
        temporary: None,
    }
}

/// An id for a row that has no id type of its own.
pub(super) fn new_uuid(app: &App) -> Uuid {
    app.new_id(|now, entropy| ProjectId::new(now, entropy).as_uuid())
}

fn slug_taken(slug: &Slug) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::ProjectSlug) => {
            ApiError::bad_request(format!("A project with the slug '{slug}' already exists"))
        }
        other => other.into(),
    }
}

/// The projects that the caller is a member of; by name.
pub async fn list(
    app: &App,
    caller: &Caller,
    page: &Page<ProjectKey>,
) -> Result<Part<ProjectView, ProjectKey>, ApiError> {
    let projects = app
        .store()
        .projects(caller.organization(), Some(caller.identity()), page)
        .await?;
    let ids: Vec<ProjectId> = projects.rows.iter().map(|project| project.id).collect();
    let mut environments = app.store().environments_of(&ids).await?;
    Ok(projects.map(|project| {
        let own = environments
            .extract_if(.., |environment| environment.project == project.id)
            .collect();
        ProjectView {
            project,
            environments: own,
        }
    }))
}

/// The project that a request names, which the caller may see.
pub async fn get(app: &App, caller: &Caller, named: &ProjectRef) -> Result<ProjectView, ApiError> {
    let project = find(app, caller, named).await?;
    caller
        .require(project.id, Action::Read, Subject::Projects)
        .await?;
    view(app, project).await
}

/// Changes a project.
pub async fn update(
    app: &App,
    caller: &Caller,
    named: &ProjectRef,
    update: ProjectUpdate,
) -> Result<ProjectView, ApiError> {
    let before = find(app, caller, named).await?;
    caller
        .open(Event::UpdateProject, before.id, Metadata::new())
        .await?;
    caller.require(before.id, Action::Edit, Subject::Projects).await?;
    let slug = update.slug.clone().unwrap_or(before.slug);
    let after = app
        .store()
        .update_project(before.id, &update, app.now())
        .await
        .map_err(slug_taken(&slug))?;
    view(app, after.ok_or_else(|| not_found(named))?).await
}

/// Sets how long audit entries are kept.
pub async fn keep_audit(
    app: &App,
    caller: &Caller,
    named: &ProjectRef,
    days: i64,
) -> Result<ProjectView, ApiError> {
    let change = ProjectUpdate {
        audit_retention_days: Patch::Set(Some(days)),
        ..ProjectUpdate::default()
    };
    update(app, caller, named, change).await
}

/// Deletes a project with everything in it. Refused while it holds rotations.
pub async fn delete(app: &App, caller: &Caller, named: &ProjectRef) -> Result<ProjectView, ApiError> {
    let project = find(app, caller, named).await?;
    let metadata = Metadata::new().with("name", &project.name);
    caller.open(Event::DeleteProject, project.id, metadata).await?;
    caller
        .require(project.id, Action::Delete, Subject::Projects)
        .await?;
    if project.delete_protection {
        return Err(ApiError::bad_request(
            "Cannot delete project: delete protection is on. Switch it off first.",
        ));
    }
    refuse_rotations(app, Scope::Project(project.id), "project").await?;
    let before = view(app, project).await?;
    app.store()
        .delete_project(before.project.id)
        .await
        .map_err(held("project"))?;
    Ok(before)
}

/// Refuses while rotations are in the part of the tree that is to go, and names them (rule D19).
pub(super) async fn refuse_rotations(app: &App, scope: Scope, what: &str) -> Result<(), ApiError> {
    let names: Vec<String> = app
        .store()
        .rotations_in(scope)
        .await?
        .into_iter()
        .map(|rotation| rotation.name.to_string())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let text = format!(
        "Cannot delete this {what} because it holds secret rotations: {}. Delete or move them first.",
        names.join(", ")
    );
    Err(ApiError::bad_request(text))
}

/// The same where a rotation came in between.
pub(super) fn held(what: &str) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::Reference) => ApiError::bad_request(format!(
            "Cannot delete this {what} because it holds secret rotations. Delete or move them first."
        )),
        other => other.into(),
    }
}

/// The id of the project that a request names. Whether the caller may do anything there is not checked.
pub async fn find_id(app: &App, caller: &Caller, named: &ProjectRef) -> Result<ProjectId, ApiError> {
    match named {
        ProjectRef::Id(text) => text.parse().map_err(|_| not_found(named)),
        ProjectRef::Slug(_) => Ok(find(app, caller, named).await?.id),
    }
}

/// Whether a project is one of the caller's organization.
pub(super) async fn is_own(app: &App, caller: &Caller, id: ProjectId) -> Result<bool, ApiError> {
    let found = app.store().project(id).await?;
    Ok(found.is_some_and(|project| project.organization == caller.organization()))
}

/// The project that a request names. Whether the caller may do anything there is not checked.
pub(super) async fn find(app: &App, caller: &Caller, named: &ProjectRef) -> Result<Project, ApiError> {
    let found = match named {
        ProjectRef::Id(text) => match text.parse() {
            Ok(id) => app.store().project(id).await?,
            Err(_) => None,
        },
        ProjectRef::Slug(slug) => {
            app.store()
                .project_by_slug(caller.organization(), &Slug::from_stored(slug.clone()))
                .await?
        }
    };
    found
        .filter(|project| project.organization == caller.organization())
        .ok_or_else(|| not_found(named))
}

pub(super) fn not_found(named: &ProjectRef) -> ApiError {
    ApiError::not_found(match named {
        ProjectRef::Id(id) => format!("Project with ID '{id}' not found"),
        ProjectRef::Slug(slug) => format!("Project with slug '{slug}' not found"),
    })
}

async fn view(app: &App, project: Project) -> Result<ProjectView, ApiError> {
    let environments = app.store().environments(project.id).await?;
    Ok(ProjectView {
        project,
        environments,
    })
}
