//! What a secret was.

use axum::extract::State;
use keywheel_core::ids::{ProjectId, RotationId, SecretId, SecretVersionId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_store::identities::PageRequest;
use keywheel_store::secrets::Secret;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::{Actor, shown_value};
use crate::actions::secrets::{self, VersionView};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::answer::{Answer, PlainText, Reply, Time};
use crate::http::errors::ApiError;
use crate::http::extract::{Params, Query};
use crate::http::fields::{Field, Fields};
use crate::http::openapi::query_of;
use crate::http::place::{self, id_param};

/// Versions on a page where nobody says otherwise.
const PAGE_DEFAULT: u32 = 20;
/// Most versions on a page: as many as a project may keep of each secret.
const PAGE_MAX: u32 = 100;

query_of!(
    /// Which versions, and what of them.
    ListVersionsQuery = page
);

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretVersions)]
pub(in crate::http) struct VersionsJson {
    secret_versions: Vec<VersionJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretVersion)]
struct VersionJson {
    #[schema(value_type = uuid::Uuid)]
    id: SecretVersionId,
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    same_id: SecretVersionId,
    #[schema(value_type = uuid::Uuid)]
    secret_id: SecretId,
    #[schema(value_type = uuid::Uuid)]
    workspace: ProjectId,
    #[schema(value_type = String)]
    environment: Slug,
    #[schema(value_type = String)]
    secret_path: SecretPath,
    r#type: &'static str,
    version: i64,
    #[schema(value_type = String)]
    secret_key: SecretName,
    #[schema(value_type = String)]
    secret_value: PlainText,
    secret_value_hidden: bool,
    is_erased: bool,
    is_rotated_secret: bool,
    #[schema(value_type = Option<uuid::Uuid>)]
    rotation_id: Option<RotationId>,
    actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl VersionJson {
    fn new(secret: &Secret, view: &VersionView) -> Self {
        let version = &view.version;
        Self {
            id: version.id,
            same_id: version.id,
            secret_id: secret.id,
            workspace: secret.place.project,
            environment: secret.place.environment_slug.clone(),
            secret_path: secret.place.path.clone(),
            r#type: "shared",
            version: version.number,
            secret_key: secret.name.clone(),
            secret_value: shown_value(view.value.as_ref()),
            secret_value_hidden: view.value.is_none(),
            is_erased: version.value.is_none(),
            is_rotated_secret: secret.rotation.is_some(),
            rotation_id: secret.rotation,
            actor: version.author.into(),
            created_at: Time(version.created_at),
            updated_at: Time(version.created_at),
        }
    }
}

/// Which page, and whether with values.
fn page(mut fields: Fields<'_>) -> Result<(PageRequest, bool), ApiError> {
    let page = place::page(&mut fields, PAGE_DEFAULT, PAGE_MAX);
    let view_value = fields.or("viewSecretValue", true, Field::boolean);
    fields.finish(|| Ok((page?, view_value?)))
}

/// List the versions of a secret
///
/// The newest first, as many as the project keeps. The values of access keys that were deleted are gone for good.
/// Permission: `read` on `secrets`, and `read-value` unless values are hidden.
#[utoipa::path(
    get,
    path = "/api/v1/secret/{id}/secret-versions",
    operation_id = "listSecretVersions",
    tag = "secrets",
    params(ListVersionsQuery),
    responses((status = 200, body = VersionsJson))
)]
pub(super) async fn list_versions(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    query: Query,
) -> Reply<VersionsJson> {
    let (page, view_value) = page(query.fields())?;
    let id = id_param(&params, "id")?;
    let (secret, versions) = secrets::list_versions(&app, &caller, id, page, view_value).await?;
    Ok(Answer(VersionsJson {
        secret_versions: versions
            .iter()
            .map(|view| VersionJson::new(&secret, view))
            .collect(),
    }))
}
