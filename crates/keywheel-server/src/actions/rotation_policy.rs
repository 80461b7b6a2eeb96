//! The policy of a rotation: what goes beyond Infisical's contract, and is read and changed at a sub-resource.

use keywheel_core::aws::Region;
use keywheel_core::clock::Moment;
use keywheel_core::ids::RotationId;
use keywheel_core::ledger::Change;
use keywheel_core::rotation::policy::{Hours, Policy, Retirement, WhenStillUsed};
use keywheel_core::rotation::schedule::IntervalDays;
use keywheel_core::run::due_at;

use super::rotations::{begun, changes, current, failure, permitted, refused};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::about;
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// What a request changes of a policy; absent is unchanged.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PolicyChange {
    /// When displaced keys are retired.
    pub retirement: RetirementChange,
    /// What recent use of a displaced key does.
    pub when_still_used: UseChange,
    /// Where else a new key has to work.
    pub verify_regions: Option<Vec<Region>>,
    /// Whether the owner promises that nobody else makes keys on the user. The promise counts from now on.
    pub exclusive_user: Option<bool>,
}

/// What a request changes of the retirement; absent is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RetirementChange {
    /// Whether displaced keys have a grace time.
    pub grace: Option<bool>,
    /// How long it is.
    pub grace_hours: Option<Hours>,
    /// How long they are inactive then.
    pub quarantine_hours: Option<Hours>,
}

/// What a request changes of the meaning of recent use; absent is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct UseChange {
    /// Whether it holds a displaced key.
    pub hold: Option<bool>,
    /// For how long at most.
    pub hours_max: Option<Hours>,
}

const WAITS_OF_NOTHING: &str =
    "graceHours and quarantineHours belong to the mode \"grace\", which is not set. Give the mode as well";
const END_OF_NOTHING: &str =
    "hoursMax belongs to the action \"hold\", which is not set. Give the action as well";

impl RetirementChange {
    /// The retirement after the change; both waits are a day unless something else was said. Refused, with the reason,
    /// where only waits were said, and there is no grace time that they could be of.
    pub(super) fn applied_to(self, before: Retirement) -> Result<Retirement, String> {
        let (had_grace, grace, quarantine) = match before {
            Retirement::NextRotation => (false, Hours::A_DAY, Hours::A_DAY),
            Retirement::Grace {
                grace_hours,
                quarantine_hours,
            } => (true, grace_hours, quarantine_hours),
        };
        let has_waits = self.grace_hours.is_some() || self.quarantine_hours.is_some();
        if !self.grace.unwrap_or(had_grace) {
            return match self.grace {
                None if has_waits => Err(WAITS_OF_NOTHING.to_owned()),
                _ => Ok(Retirement::NextRotation),
            };
        }
        Ok(Retirement::Grace {
            grace_hours: self.grace_hours.unwrap_or(grace),
            quarantine_hours: self.quarantine_hours.unwrap_or(quarantine),
        })
    }
}

impl UseChange {
    /// What use means after the change; a hold ends after a week unless something else was said. Refused, with the
    /// reason, where only its end was said, and there is no hold.
    pub(super) fn applied_to(self, before: WhenStillUsed) -> Result<WhenStillUsed, String> {
        let (held, most) = match before {
            WhenStillUsed::Warn => (false, Hours::A_WEEK),
            WhenStillUsed::Hold { hours_max } => (true, hours_max),
        };
        if !self.hold.unwrap_or(held) {
            return match self.hold {
                None if self.hours_max.is_some() => Err(END_OF_NOTHING.to_owned()),
                _ => Ok(WhenStillUsed::Warn),
            };
        }
        Ok(WhenStillUsed::Hold {
            hours_max: self.hours_max.unwrap_or(most),
        })
    }
}

impl PolicyChange {
    /// Changes a policy. Refused, with the reason, where regions of another partition or too long waits are asked for.
    pub fn apply(
        &self,
        policy: &mut Policy,
        region: &Region,
        interval: IntervalDays,
        now: Moment,
    ) -> Result<(), String> {
        policy.retirement = self.retirement.applied_to(policy.retirement)?;
        policy.when_still_used = self.when_still_used.applied_to(policy.when_still_used)?;
        if let Some(regions) = &self.verify_regions {
            if let Some(foreign) = regions.iter().find(|r| r.partition() != region.partition()) {
                return Err(format!(
                    "Region {foreign} is in another AWS partition than {region}; keys do not work across partitions"
                ));
            }
            policy.verify_regions.clone_from(regions);
        }
        match self.exclusive_user {
            Some(true) if policy.exclusive_since.is_none() => policy.exclusive_since = Some(now),
            Some(false) => policy.exclusive_since = None,
            _ => {}
        }
        require_fit(policy, interval)
    }
}

/// Refuses waits of a displaced key that do not end before the next rotation needs its slot.
pub fn require_fit(policy: &Policy, interval: IntervalDays) -> Result<(), String> {
    if policy.retirement.fits(interval) {
        return Ok(());
    }
    Err(format!(
        "Grace time and quarantine together must be at least an hour shorter than the rotation interval of {} days; \
         otherwise the displaced key would hold the slot that the next rotation needs. Shorten them in the policy of the \
         rotation, or choose a longer interval",
        interval.get()
    ))
}

/// The policy of a rotation.
pub async fn get(app: &App, caller: &Caller, id: RotationId) -> Result<Policy, ApiError> {
    Ok(permitted(app, caller, id, Action::Read)
        .await?
        .rotation
        .settings
        .policy)
}

/// Changes the policy. Keys that are displaced already keep the terms that they were displaced under.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: RotationId,
    wanted: PolicyChange,
) -> Result<Policy, ApiError> {
    let before = begun(app, caller, id, Action::Edit, Event::UpdateRotationPolicy, about).await?;
    let settings = &before.rotation.settings;
    let mut policy = settings.policy.clone();
    wanted
        .apply(&mut policy, &settings.region, settings.interval, app.now())
        .map_err(ApiError::bad_request)?;
    if policy.exclusive_since > settings.policy.exclusive_since {
        // The promise covers what comes after it, so its moment has to be right.
        app.engine()
            .require_clock(before.rotation.user)
            .await
            .map_err(failure)?;
    }
    let (now, timings) = (app.now(), *app.engine().timings());
    let edited = app.engine().edit(before.rotation.user, move |ledger| {
        let mut rotation = current(ledger, id)?;
        if rotation.revoking {
            return Err(EngineError::Revoking);
        }
        let settings = &mut rotation.settings;
        wanted
            .apply(&mut settings.policy, &settings.region, settings.interval, now)
            .map_err(refused)?;
        rotation.updated_at = now;
        let mut after = ledger.clone();
        after.rotation = Some(rotation.clone());
        after.user.due_at = due_at(&after, &timings, now);
        Ok(changes(vec![
            Change::UpdateRotation(rotation),
            Change::User(after.user),
        ]))
    });
    edited.await.map_err(failure)?;
    let after = get(app, caller, id).await?;
    caller.note("policy", &after);
    Ok(after)
}
