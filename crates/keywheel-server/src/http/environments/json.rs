//! Bodies and answers of environments.

use keywheel_core::ids::{EnvironmentId, ProjectId};
use keywheel_core::names::Slug;
use keywheel_store::environments::{Environment, EnvironmentUpdate};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::environments::CreateEnvironment;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::Fields;

/// Longest name of an environment, in characters (contract).
const NAME_CHARS_MAX: i64 = 255;
/// Last place in lists.
const POSITION_MAX: i64 = 10_000;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InEnvironment {
    pub(super) environment: EnvironmentJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChangedEnvironment)]
pub(in crate::http) struct Changed {
    pub(super) message: &'static str,
    #[schema(value_type = uuid::Uuid)]
    pub(super) workspace: ProjectId,
    pub(super) environment: EnvironmentJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Environment)]
pub(in crate::http) struct EnvironmentJson {
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    name: String,
    #[schema(value_type = String)]
    slug: Slug,
    position: i64,
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl From<Environment> for EnvironmentJson {
    fn from(environment: Environment) -> Self {
        Self {
            id: environment.id,
            name: environment.name,
            slug: environment.slug,
            position: environment.position,
            project_id: environment.project,
            created_at: Time(environment.created_at),
            updated_at: Time(environment.updated_at),
        }
    }
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateEnvironment, ApiError> {
    let name = fields.required("name", |field| field.text_within(1..=NAME_CHARS_MAX));
    let slug = fields.required("slug", |field| field.parsed(|text| Slug::parse("slug", text)));
    let position = fields.optional("position", |field| field.integer(1..=POSITION_MAX));
    fields.finish(|| {
        Ok(CreateEnvironment {
            name: name?,
            slug: slug?,
            position: position?,
        })
    })
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<EnvironmentUpdate, ApiError> {
    let name = fields.optional("name", |field| field.text_within(1..=NAME_CHARS_MAX));
    let slug = fields.optional("slug", |field| field.parsed(|text| Slug::parse("slug", text)));
    let position = fields.optional("position", |field| field.integer(1..=POSITION_MAX));
    fields.finish(|| {
        Ok(EnvironmentUpdate {
            name: name?,
            slug: slug?,
            position: position?,
        })
    })
}
