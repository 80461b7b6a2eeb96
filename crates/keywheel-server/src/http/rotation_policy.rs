//! `…/{rotationId}/policy`: how a rotation treats displaced keys.

use axum::extract::State;
use keywheel_core::aws::Region;
use keywheel_core::ids::RotationId;
use keywheel_core::rotation::policy::{Hours, Policy, Retirement, VERIFY_REGIONS_MAX, WhenStillUsed};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Answer, Reply, Time};
use super::errors::ApiError;
use super::extract::{Body, Params};
use super::fields::{Field, Fields, Read, Taken};
use super::openapi::body_of;
use super::place::id_param;
use crate::actions::rotation_policy::{self, PolicyChange, RetirementChange, UseChange};
use crate::app::App;
use crate::auth::caller::Caller;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, update))
}

body_of!(
    /// What is to change of a policy, bare or below `policy`; absent is unchanged.
    UpdatePolicy = patch
);

/// The policy of a rotation
///
/// Permission: `read` on `secret-rotation`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/policy",
    operation_id = "getPolicy",
    tag = "policy",
    responses((status = 200, body = InPolicy))
)]
async fn show(State(app): State<App>, caller: Caller, params: Params) -> Reply<InPolicy> {
    let id: RotationId = id_param(&params, "rotationId")?;
    Ok(Answer(rotation_policy::get(&app, &caller, id).await?.into()))
}

/// Change the policy
///
/// Absent fields stay as they are. Keys that are displaced already keep the terms they were displaced under.
/// Permission: `edit` on `secret-rotation`.
#[utoipa::path(
    patch,
    path = "/api/v2/secret-rotations/aws-iam-user-secret/{rotationId}/policy",
    operation_id = "updatePolicy",
    tag = "policy",
    request_body = UpdatePolicy,
    responses((status = 200, body = InPolicy))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InPolicy> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let wanted = patch(body.fields())?;
    Ok(Answer(
        rotation_policy::update(&app, &caller, id, wanted).await?.into(),
    ))
}

/// `{policy}`
#[derive(Serialize, ToSchema)]
struct InPolicy {
    policy: PolicyJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Policy)]
struct PolicyJson {
    #[schema(value_type = RetirementShape)]
    retirement: Retirement,
    #[schema(value_type = WhenStillUsedShape)]
    when_still_used: WhenStillUsed,
    /// Regions, besides the rotation's own, in which a new key has to work before it is published.
    #[schema(value_type = Vec<String>)]
    verify_regions: Vec<Region>,
    /// Whether the owner promises that nobody else makes keys on this user.
    exclusive_user: bool,
    /// Since when; it counts for creates after that.
    #[schema(value_type = Option<String>, format = DateTime)]
    exclusive_since: Option<Time>,
}

/// When a displaced key is retired: when the next rotation needs its slot, or after hours of its own, then inactive
/// for a quarantine. Both waits together are at least an hour shorter than the rotation interval.
#[derive(Serialize, ToSchema)]
#[serde(tag = "mode", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[schema(as = Retirement)]
#[expect(dead_code, reason = "the shape of `Retirement`")]
pub(super) enum RetirementShape {
    NextRotation,
    Grace {
        /// How long a displaced key stays active. Unless said, what it was before, or 24.
        #[schema(rename = "graceHours", minimum = 1)]
        grace_hours: Option<u32>,
        /// How long it is inactive then, before it is deleted. Unless said, what it was before, or 24.
        #[schema(rename = "quarantineHours", minimum = 1)]
        quarantine_hours: Option<u32>,
    },
}

/// What recent use of a displaced key does: people are told, or it is kept as well, for at most so many hours.
#[derive(Serialize, ToSchema)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[schema(as = WhenStillUsed)]
#[expect(dead_code, reason = "the shape of `WhenStillUsed`")]
pub(super) enum WhenStillUsedShape {
    Warn,
    Hold {
        /// For how long use may hold a key at most. Unless said, what it was before, or 168.
        #[schema(rename = "hoursMax", minimum = 1, maximum = 720)]
        hours_max: Option<u32>,
    },
}

impl From<Policy> for InPolicy {
    fn from(policy: Policy) -> Self {
        Self {
            policy: PolicyJson {
                retirement: policy.retirement,
                when_still_used: policy.when_still_used,
                verify_regions: policy.verify_regions,
                exclusive_user: policy.exclusive_since.is_some(),
                exclusive_since: policy.exclusive_since.map(Time),
            },
        }
    }
}

/// The body of a PATCH: the fields of a policy, bare or as they are answered, below `policy`.
fn patch(mut fields: Fields<'_>) -> Result<PolicyChange, ApiError> {
    let wrapped = fields.optional("policy", |f| f.object(policy_fields));
    let bare = policy_fields(&mut fields);
    let (wrapped, bare) = fields.finish(|| Ok((wrapped?, bare?)))?;
    match wrapped {
        Some(_) if bare != PolicyChange::default() => Err(ApiError::bad_request(
            "Give the fields of the policy bare or below \"policy\", and not both",
        )),
        wrapped => Ok(wrapped.unwrap_or(bare)),
    }
}

/// The fields of a policy, all optional: in a PATCH of it, and in a create.
pub(super) fn policy_fields(fields: &mut Fields<'_>) -> Taken<PolicyChange> {
    let retirement = fields.optional("retirement", |f| f.object(retirement));
    let when_still_used = fields.optional("whenStillUsed", |f| f.object(when_still_used));
    let verify_regions = fields.optional("verifyRegions", |f| {
        f.list(0..=VERIFY_REGIONS_MAX, |region| region.parsed(Region::parse))
    });
    let exclusive_user = fields.optional("exclusiveUser", Field::boolean);
    Ok(PolicyChange {
        retirement: retirement?.unwrap_or_default(),
        when_still_used: when_still_used?.unwrap_or_default(),
        verify_regions: verify_regions?,
        exclusive_user: exclusive_user?,
    })
}

/// `{mode: "next-rotation"}` or `{mode: "grace", graceHours, quarantineHours}`.
pub(super) fn retirement(fields: &mut Fields<'_>) -> Taken<RetirementChange> {
    const GRACE: [(&str, bool); 2] = [("next-rotation", false), ("grace", true)];
    let grace = fields.optional("mode", |f| f.one_of(&GRACE));
    let grace_hours = fields.optional("graceHours", hours);
    let quarantine_hours = fields.optional("quarantineHours", hours);
    Ok(RetirementChange {
        grace: grace?,
        grace_hours: grace_hours?,
        quarantine_hours: quarantine_hours?,
    })
}

/// `{action: "warn"}` or `{action: "hold", hoursMax}`.
pub(super) fn when_still_used(fields: &mut Fields<'_>) -> Taken<UseChange> {
    const HOLD: [(&str, bool); 2] = [("warn", false), ("hold", true)];
    let hold = fields.optional("action", |f| f.one_of(&HOLD));
    let hours_max = fields.optional("hoursMax", |f| hours_up_to(f, Hours::HOLD_MAX));
    Ok(UseChange {
        hold: hold?,
        hours_max: hours_max?,
    })
}

fn hours(field: Field<'_>) -> Read<Hours> {
    hours_up_to(field, Hours::MAX)
}

fn hours_up_to(field: Field<'_>, most: u32) -> Read<Hours> {
    let hours = field.integer(1..=i64::from(most))?;
    Hours::new(hours).ok_or_else(Vec::new)
}
