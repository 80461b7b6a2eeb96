//! `/api/v1/organization/retirement-default`: how new rotations treat displaced keys unless they say otherwise.

use axum::extract::State;
use keywheel_core::rotation::policy::{Retirement, RetirementDefault, WhenStillUsed};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::Body;
use super::fields::Fields;
use super::openapi::body_of;
use super::rotation_policy::{RetirementShape, WhenStillUsedShape, retirement, when_still_used};
use crate::actions::retirement_default;
use crate::actions::rotation_policy::{RetirementChange, UseChange};
use crate::app::App;
use crate::auth::caller::Caller;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, replace))
}

body_of!(
    /// How new rotations treat displaced keys; absent is what the contract has.
    ReplaceRetirementDefault = wanted
);

/// How new rotations treat displaced keys
#[utoipa::path(
    get,
    path = "/api/v1/organization/retirement-default",
    operation_id = "getRetirementDefault",
    tag = "policy",
    responses((status = 200, body = InRetirementDefault))
)]
async fn show(State(app): State<App>, _: Caller) -> Reply<InRetirementDefault> {
    Ok(Answer(retirement_default::get(&app).await?.into()))
}

/// Replace how new rotations treat displaced keys
///
/// Counts for rotations that are made from now on and say nothing of it themselves. Where the waits do not fit into the
/// interval of a rotation, its displaced keys are retired by the next rotation.
/// Permission: `edit` on `secret-rotation` in the organization.
#[utoipa::path(
    put,
    path = "/api/v1/organization/retirement-default",
    operation_id = "replaceRetirementDefault",
    tag = "policy",
    request_body = ReplaceRetirementDefault,
    responses((status = 200, body = InRetirementDefault))
)]
async fn replace(State(app): State<App>, caller: Caller, body: Body) -> Reply<InRetirementDefault> {
    let (retirement, when_still_used) = wanted(body.fields())?;
    let set = retirement_default::set(&app, &caller, retirement, when_still_used).await?;
    Ok(Answer(set.into()))
}

/// `{retirementDefault}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InRetirementDefault {
    retirement_default: RetirementDefaultJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RetirementDefault)]
struct RetirementDefaultJson {
    #[schema(value_type = RetirementShape)]
    retirement: Retirement,
    #[schema(value_type = WhenStillUsedShape)]
    when_still_used: WhenStillUsed,
}

impl From<RetirementDefault> for InRetirementDefault {
    fn from(default: RetirementDefault) -> Self {
        Self {
            retirement_default: RetirementDefaultJson {
                retirement: default.retirement,
                when_still_used: default.when_still_used,
            },
        }
    }
}

fn wanted(mut fields: Fields<'_>) -> Result<(RetirementChange, UseChange), ApiError> {
    let retirement = fields.optional("retirement", |f| f.object(retirement));
    let when_still_used = fields.optional("whenStillUsed", |f| f.object(when_still_used));
    fields.finish(|| {
        Ok((
            retirement?.unwrap_or_default(),
            when_still_used?.unwrap_or_default(),
        ))
    })
}
