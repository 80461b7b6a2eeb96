//! `…/{rotationId}/policy`: what goes beyond Infisical's contract. Its shape is in `docs/operators-api.md`.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use keywheel_core::aws::Region;
use keywheel_core::ids::RotationId;
use keywheel_core::rotation::policy::{Hours, Policy, Retirement, VERIFY_REGIONS_MAX, WhenStillUsed};
use serde::Serialize;

use super::answer::{Answer, Reply, Time};
use super::extract::{Body, Params};
use super::fields::{Field, Fields, Read, Taken};
use super::place::id_param;
use super::secret_rotations::BASE;
use crate::actions::rotation_policy::{self, PolicyChange};
use crate::app::App;
use crate::auth::caller::Caller;

pub(super) fn routes() -> Router<App> {
    Router::new().route(
        &format!("{BASE}/{{rotationId}}/policy"),
        get(show).patch(update).put(update),
    )
}

/// GET …/policy
async fn show(State(app): State<App>, caller: Caller, params: Params) -> Reply<InPolicy> {
    let id: RotationId = id_param(&params, "rotationId")?;
    Ok(Answer(rotation_policy::get(&app, &caller, id).await?.into()))
}

/// PATCH …/policy
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InPolicy> {
    let id: RotationId = id_param(&params, "rotationId")?;
    let mut fields = body.fields();
    let wanted = policy_fields(&mut fields);
    let wanted = fields.finish(|| wanted)?;
    Ok(Answer(
        rotation_policy::update(&app, &caller, id, wanted).await?.into(),
    ))
}

/// `{policy}`
#[derive(Serialize)]
struct InPolicy {
    policy: PolicyJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyJson {
    retirement: Retirement,
    when_still_used: WhenStillUsed,
    verify_regions: Vec<Region>,
    exclusive_user: bool,
    exclusive_since: Option<Time>,
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

/// The fields of a policy, all optional: in a PATCH of it, and in a create.
pub(super) fn policy_fields(fields: &mut Fields<'_>) -> Taken<PolicyChange> {
    let retirement = fields.optional("retirement", |f| f.object(retirement));
    let when_still_used = fields.optional("whenStillUsed", |f| f.object(when_still_used));
    let verify_regions = fields.optional("verifyRegions", |f| {
        f.list(VERIFY_REGIONS_MAX, |region| region.parsed(Region::parse))
    });
    let exclusive_user = fields.optional("exclusiveUser", Field::boolean);
    Ok(PolicyChange {
        retirement: retirement?,
        when_still_used: when_still_used?,
        verify_regions: verify_regions?,
        exclusive_user: exclusive_user?,
    })
}

/// `{mode: "next-rotation"}` or `{mode: "grace", graceHours, quarantineHours}`; both waits default to a day.
fn retirement(fields: &mut Fields<'_>) -> Taken<Retirement> {
    const GRACE: [(&str, bool); 2] = [("next-rotation", false), ("grace", true)];
    let grace = fields.required("mode", |f| f.one_of(&GRACE));
    let grace_hours = fields.optional("graceHours", hours);
    let quarantine_hours = fields.optional("quarantineHours", hours);
    let (grace_hours, quarantine_hours) = (grace_hours?, quarantine_hours?);
    Ok(if grace? {
        Retirement::Grace {
            grace_hours: grace_hours.unwrap_or(Hours::A_DAY),
            quarantine_hours: quarantine_hours.unwrap_or(Hours::A_DAY),
        }
    } else {
        Retirement::NextRotation
    })
}

/// `{action: "warn"}` or `{action: "hold", hoursMax}`; the bound defaults to a week.
fn when_still_used(fields: &mut Fields<'_>) -> Taken<WhenStillUsed> {
    const HOLD: [(&str, bool); 2] = [("warn", false), ("hold", true)];
    let hold = fields.required("action", |f| f.one_of(&HOLD));
    let hours_max = fields.optional("hoursMax", hours)?;
    Ok(if hold? {
        WhenStillUsed::Hold {
            hours_max: hours_max.unwrap_or(Hours::A_WEEK),
        }
    } else {
        WhenStillUsed::Warn
    })
}

fn hours(field: Field<'_>) -> Read<Hours> {
    let hours = field.integer(1..=i64::from(Hours::MAX))?;
    Hours::new(hours).ok_or_else(Vec::new)
}
