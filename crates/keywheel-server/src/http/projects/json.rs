//! Bodies and answers of projects.

use keywheel_core::ids::{EnvironmentId, OrganizationId, ProjectId};
use keywheel_core::names::{Slug, Title};
use keywheel_store::Patch;
use keywheel_store::projects::ProjectUpdate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::projects::{CreateProject, ProjectView};
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Change, Field, Fields};
use crate::http::paging::GivenPage;

/// Longest description of a project, in characters (contract).
const DESCRIPTION_CHARS_MAX: i64 = 1_024;
/// Longest time that audit entries are kept, in days: a century is forever.
const AUDIT_DAYS_MAX: i64 = 36_500;
/// Most versions of each secret that a project may keep (contract).
const VERSION_LIMIT_MAX: i64 = 100;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InProject {
    pub(super) project: ProjectJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Projects)]
pub(in crate::http) struct InProjects {
    pub(super) projects: Vec<ProjectJson>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InWorkspace {
    pub(super) workspace: ProjectJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Workspaces)]
pub(in crate::http) struct InWorkspaces {
    pub(super) workspaces: Vec<ProjectJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = KeptAuditLogs)]
pub(in crate::http) struct KeptAudit {
    pub(super) message: &'static str,
    pub(super) workspace: ProjectJson,
}

/// A project as clients read it. What Keywheel has no use for has a fixed value, as clients decode it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the contract has them")]
#[schema(as = Project)]
pub(in crate::http) struct ProjectJson {
    #[schema(value_type = uuid::Uuid)]
    id: ProjectId,
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    same_id: ProjectId,
    #[schema(value_type = String)]
    name: Title,
    description: Option<String>,
    r#type: &'static str,
    #[schema(value_type = String)]
    slug: Slug,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    auto_capitalization: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    version: i32,
    #[schema(value_type = Option<String>)]
    upgrade_status: (),
    pit_version_limit: i64,
    #[schema(value_type = Option<String>)]
    kms_certificate_key_id: (),
    #[schema(value_type = Option<String>)]
    kms_secret_manager_key_id: (),
    audit_logs_retention_days: Option<i64>,
    has_delete_protection: bool,
    secret_sharing: bool,
    show_snapshots_legacy: bool,
    default_product: &'static str,
    #[schema(value_type = Option<String>)]
    secret_detection_ignore_values: (),
    enforce_encrypted_secret_manager_secret_metadata: bool,
    environments: Vec<EnvironmentBrief>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProjectEnvironment)]
struct EnvironmentBrief {
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    name: String,
    #[schema(value_type = String)]
    slug: Slug,
}

/// The kind of project that holds secrets; there is no other here.
const SECRET_MANAGER: &str = "secret-manager";
/// The generation of projects that clients of today expect.
const PROJECT_VERSION: i32 = 3;

impl From<ProjectView> for ProjectJson {
    fn from(view: ProjectView) -> Self {
        let project = view.project;
        let brief = |environment: keywheel_store::environments::Environment| EnvironmentBrief {
            id: environment.id,
            name: environment.name,
            slug: environment.slug,
        };
        Self {
            id: project.id,
            same_id: project.id,
            name: project.name,
            description: project.description,
            r#type: SECRET_MANAGER,
            slug: project.slug,
            org_id: project.organization,
            auto_capitalization: project.auto_capitalization,
            created_at: Time(project.created_at),
            updated_at: Time(project.updated_at),
            version: PROJECT_VERSION,
            upgrade_status: (),
            pit_version_limit: project.version_limit,
            kms_certificate_key_id: (),
            kms_secret_manager_key_id: (),
            audit_logs_retention_days: project.audit_retention_days,
            has_delete_protection: project.delete_protection,
            secret_sharing: false,
            show_snapshots_legacy: false,
            default_product: SECRET_MANAGER,
            secret_detection_ignore_values: (),
            enforce_encrypted_secret_manager_secret_metadata: false,
            environments: view.environments.into_iter().map(brief).collect(),
        }
    }
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateProject, ApiError> {
    let name = fields.required("projectName", |field| {
        field.parsed(|text| Title::parse("projectName", text))
    });
    let description = fields.optional("projectDescription", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    let slug = fields.optional("slug", |field| field.parsed(|text| Slug::parse("slug", text)));
    let default_environments = fields.or("shouldCreateDefaultEnvs", true, Field::boolean);
    let delete_protection = fields.or("hasDeleteProtection", false, Field::boolean);
    let kind = fields.optional("type", |field| field.one_of(&[(SECRET_MANAGER, ())]));
    fields.finish(|| {
        kind?;
        Ok(CreateProject {
            name: name?,
            description: description?,
            slug: slug?,
            default_environments: default_environments?,
            delete_protection: delete_protection?,
        })
    })
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<ProjectUpdate, ApiError> {
    let name = fields.optional("name", |field| field.parsed(|text| Title::parse("name", text)));
    let slug = fields.optional("slug", |field| field.parsed(|text| Slug::parse("slug", text)));
    let description = fields.change("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    let delete_protection = fields.optional("hasDeleteProtection", Field::boolean);
    let auto_capitalization = fields.optional("autoCapitalization", Field::boolean);
    let version_limit = fields.optional("pitVersionLimit", |field| field.integer(1..=VERSION_LIMIT_MAX));
    fields.finish(|| {
        Ok(ProjectUpdate {
            name: name?,
            slug: slug?,
            description: patch(description?),
            delete_protection: delete_protection?,
            auto_capitalization: auto_capitalization?,
            version_limit: version_limit?,
            audit_retention_days: Patch::Keep,
        })
    })
}

/// A change in the words of the store.
pub(in crate::http) fn patch<T>(change: Change<T>) -> Patch<Option<T>> {
    match change {
        Change::Keep => Patch::Keep,
        Change::Clear => Patch::Set(None),
        Change::Set(value) => Patch::Set(Some(value)),
    }
}

/// For how many days audit entries are to be kept.
pub(super) fn audit_days(mut fields: Fields<'_>) -> Result<i64, ApiError> {
    let days = fields.required("auditLogsRetentionDays", |field| {
        field.integer(0..=AUDIT_DAYS_MAX)
    });
    fields.finish(|| days)
}

/// Which page of a list.
pub(super) fn list(mut fields: Fields<'_>) -> Result<GivenPage, ApiError> {
    let page = GivenPage::read(&mut fields);
    fields.finish(|| page)
}
