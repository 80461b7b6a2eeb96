//! All projects of the organization, for its administrators.

use axum::extract::State;
use keywheel_core::ids::ProjectId;
use keywheel_core::names::{Slug, Title};
use keywheel_store::projects::SurveyedProject;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Answer, Reply, Time};
use super::errors::ApiError;
use super::extract::{Params, Query};
use super::fields::Fields;
use super::memberships::BareJson;
use super::openapi::query_of;
use super::paging::{GivenPage, PagedReply};
use super::place::project_by_id;
use crate::actions::organization_admin;
use crate::app::App;
use crate::auth::caller::Caller;

/// Longest text that is looked for, in characters: names have less.
const TEXT_CHARS_MAX: i64 = 255;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(grant_admin_access))
}

query_of!(
    /// Which projects, and which page.
    ListOrganizationProjectsQuery = search
);

/// List all projects of the organization
///
/// Also those that the caller is not a member of, with what is in them.
/// Permission: `access-all-projects` on `organization-admin-console`.
#[utoipa::path(
    get,
    path = "/api/v1/organization-admin/projects",
    operation_id = "listOrganizationProjects",
    tag = "projects",
    params(ListOrganizationProjectsQuery),
    responses((status = 200, body = InSurvey))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> PagedReply<InSurvey> {
    let (search, page) = search(query.fields())?;
    let page = query.page(page)?;
    let found = organization_admin::projects(&app, &caller, &search, &page).await?;
    query.paged(found.map(SurveyedJson::from), |projects| InSurvey { projects })
}

/// Enter a project as its administrator
///
/// The caller becomes a member with the role `admin`, in place of all roles that it had there. The audit log of the project
/// tells.
/// Permission: `access-all-projects` on `organization-admin-console`.
#[utoipa::path(
    post,
    path = "/api/v1/organization-admin/projects/{project}/grant-admin-access",
    operation_id = "grantOrganizationAdminProjectAccess",
    tag = "projects",
    responses((status = 200, body = InAccess))
)]
async fn grant_admin_access(State(app): State<App>, caller: Caller, params: Params) -> Reply<InAccess> {
    let membership = organization_admin::enter(&app, &caller, &project_by_id(&params)?).await?;
    Ok(Answer(InAccess {
        membership: (&membership).into(),
    }))
}

/// `{projects}`
#[derive(Serialize, ToSchema)]
#[schema(as = OrganizationProjects)]
struct InSurvey {
    projects: Vec<SurveyedJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrganizationProject)]
struct SurveyedJson {
    #[schema(value_type = uuid::Uuid)]
    id: ProjectId,
    #[schema(value_type = String)]
    name: Title,
    #[schema(value_type = String)]
    slug: Slug,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    is_member: bool,
    members_count: u32,
    rotations_count: u32,
}

/// `{membership}`
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectAccess)]
struct InAccess {
    membership: BareJson,
}

impl From<SurveyedProject> for SurveyedJson {
    fn from(project: SurveyedProject) -> Self {
        Self {
            id: project.id,
            name: project.name,
            slug: project.slug,
            created_at: Time(project.created_at),
            is_member: project.is_member,
            members_count: project.members,
            rotations_count: project.rotations,
        }
    }
}

/// Which projects, and which page.
fn search(mut fields: Fields<'_>) -> Result<(String, GivenPage), ApiError> {
    let search = fields.optional("search", |field| field.text_within(0..=TEXT_CHARS_MAX));
    let page = GivenPage::read(&mut fields);
    fields.finish(|| Ok((search?.unwrap_or_default(), page?)))
}
