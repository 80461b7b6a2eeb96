//! When a user has to be looked at next, and what for.

use super::Goal;
use super::evidence::{USE_AGAIN, is_promised, looks_ahead_at};
use crate::clock::Moment;
use crate::ids::RunId;
use crate::intent::IntentKind;
use crate::key::{KeyState, ManagedKey};
use crate::ledger::{Ledger, Unfinished};
use crate::rotation::policy::WhenStillUsed;
use crate::rotation::{Rotation, Trigger};
use crate::timings::Timings;

/// What a claimed user needs: the run that was asked for and not ended, the rotation that is due, or order.
pub fn goal_of_due(ledger: &Ledger, job: RunId, now: Moment, timings: &Timings) -> Goal {
    match (ledger.user.unfinished, &ledger.rotation) {
        (Some(Unfinished::Revoke { delete_secrets }), Some(_)) => Goal::Revoke { delete_secrets },
        (Some(Unfinished::Rotate), Some(rotation)) if !rotation.revoking => Goal::Rotate(Trigger::Manual),
        (_, Some(rotation)) if is_due(rotation, ledger, now, timings) => {
            Goal::Rotate(Trigger::Scheduled { job, started_at: now })
        }
        _ => Goal::Settle,
    }
}

fn is_due(rotation: &Rotation, ledger: &Ledger, now: Moment, timings: &Timings) -> bool {
    let by_schedule = rotation.starts_at(timings.day_length).is_some_and(|at| at <= now);
    by_schedule || is_sick(rotation, ledger)
}

/// Whether what applications read does not work, so that a rotation heals it. After a failed attempt the
/// back-off counts.
fn is_sick(rotation: &Rotation, ledger: &Ledger) -> bool {
    let scheduled = rotation.settings.automatic && !rotation.revoking;
    scheduled && rotation.failures == 0 && !ledger.published_works()
}

/// When a user has to be looked at next: the earliest of what is left to do. None if that is nothing.
///
/// `retry_at` is when work that just failed may be tried again.
pub fn due_at(ledger: &Ledger, timings: &Timings, retry_at: Moment) -> Option<Moment> {
    let intent = ledger.open_intent.as_ref().map(|intent| match intent.kind {
        IntentKind::Create => intent.settles_at(timings.late_landing).max(retry_at),
        IntentKind::Deactivate | IntentKind::Reactivate | IntentKind::Delete => retry_at,
    });
    let unfinished = ledger.user.unfinished.map(|_| retry_at);
    let rotation = ledger.rotation.as_ref();
    let scheduled = rotation.and_then(|r| r.starts_at(timings.day_length));
    let heal = rotation.filter(|r| is_sick(r, ledger)).map(|_| retry_at);
    let steps = |key| {
        let ahead = looks_ahead_at(key, ledger, timings);
        key_due_at(key, ledger, timings).into_iter().chain(ahead)
    };
    let keys = ledger.keys.values().flat_map(steps).map(|at| at.max(retry_at));
    intent
        .into_iter()
        .chain(unfinished)
        .chain(scheduled)
        .chain(heal)
        .chain(keys)
        .min()
}

/// When the next step of a key's retirement is due, or the next look at who uses it.
fn key_due_at(key: &ManagedKey, ledger: &Ledger, timings: &Timings) -> Option<Moment> {
    let again_at = key.use_checked_at.map(|at| at + USE_AGAIN);
    if let Some(at) = key.retires_at(timings.pending_max) {
        let bound = hold_ends_at(key, ledger, timings);
        let wait = bound.and_then(|bound| again_at.map(|again| again.min(bound)));
        return Some(wait.map_or(at, |wait| wait.max(at)));
    }
    let may_be_proven =
        key.state == KeyState::OrphanSuspect && key.held.is_none() && is_promised(ledger, key);
    may_be_proven.then(|| {
        let quiet = key.first_seen_at + timings.suspect_quiet;
        again_at.map_or(quiet, |again| again.max(quiet))
    })
}

/// Until when use holds the retirement of a displaced key back at most.
fn hold_ends_at(key: &ManagedKey, ledger: &Ledger, timings: &Timings) -> Option<Moment> {
    let policy = &ledger.rotation.as_ref()?.settings.policy;
    let since = key.use_waits_since.filter(|_| key.state == KeyState::Displaced)?;
    match policy.when_still_used {
        WhenStillUsed::Warn => None,
        WhenStillUsed::Hold { hours_max } => Some(since + hours_max.length(timings.day_length)),
    }
}
