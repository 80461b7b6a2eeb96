//! How requests name projects and places in them. Older routes say `workspace` where newer ones say
//! `project`; both are read everywhere.

use std::str::FromStr;

use keywheel_core::names::{SecretPath, Slug};
use keywheel_store::identities::PageRequest;

use super::errors::ApiError;
use super::extract::Params;
use super::fields::{Field, Fields, Taken};
use crate::actions::folders::Place;
use crate::actions::projects::ProjectRef;

/// The project in a path, by id: `{project}`.
pub(super) fn project_by_id(params: &Params) -> Result<ProjectRef, ApiError> {
    text_param(params, "project").map(ProjectRef::Id)
}

/// The project in a path, by slug: `{project}`.
pub(super) fn project_by_slug(params: &Params) -> Result<ProjectRef, ApiError> {
    text_param(params, "project").map(ProjectRef::Slug)
}

/// One variable part of the path, as text.
pub(super) fn text_param(params: &Params, key: &str) -> Result<String, ApiError> {
    let mut fields = params.fields();
    let text = fields.required(key, Field::text);
    fields.finish(|| text)
}

/// One variable part of the path that has to be an id.
pub(super) fn id_param<T: FromStr>(params: &Params, key: &str) -> Result<T, ApiError> {
    let mut fields = params.fields();
    let id = fields.required(key, Field::id);
    fields.finish(|| id)
}

/// The project that a body or a query names, if it names one.
pub(super) fn optional_project(fields: &mut Fields<'_>) -> Taken<Option<ProjectRef>> {
    let id = fields.optional_any(&["projectId", "workspaceId"], Field::text);
    let slug = fields.optional_any(&["projectSlug", "workspaceSlug"], Field::text);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(given(id?)
        .map(ProjectRef::Id)
        .or(given(slug?).map(ProjectRef::Slug)))
}

/// What is to be read of a place that may be named incompletely.
pub(super) struct GivenPlace {
    project: Option<ProjectRef>,
    environment: Option<String>,
    path: SecretPath,
}

impl GivenPlace {
    /// Reads project, environment and path; the path defaults to the root. `path_keys` are its names.
    pub(super) fn read(fields: &mut Fields<'_>, path_keys: &[&str]) -> Taken<Self> {
        let project = optional_project(fields);
        let environment = fields.optional("environment", Field::text);
        let path = fields.optional_any(path_keys, |field| field.parsed(SecretPath::parse));
        Ok(Self {
            project: project?,
            environment: environment?.filter(|slug| !slug.is_empty()),
            path: path?.unwrap_or_else(SecretPath::root),
        })
    }

    /// The place, if it is complete.
    pub(super) fn complete(self) -> Result<Place, ApiError> {
        match (self.project, self.environment) {
            (Some(project), Some(slug)) => Ok(Place {
                project,
                environment: Slug::from_stored(slug),
                path: self.path,
            }),
            _ => Err(ApiError::bad_request("Missing project id or environment")),
        }
    }
}

/// Reads `offset` and `limit`.
pub(super) fn page(fields: &mut Fields<'_>, limit_default: u32, limit_max: u32) -> Taken<PageRequest> {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let offset = fields.or("offset", 0, |field| field.integer(0..=i64::from(u32::MAX)));
    let limit = fields.or("limit", i64::from(limit_default), |field| {
        field.integer(1..=i64::from(limit_max))
    });
    Ok(PageRequest {
        offset: small(offset?),
        limit: small(limit?),
    })
}
