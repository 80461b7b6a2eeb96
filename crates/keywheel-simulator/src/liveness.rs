//! A whole schedule, and what must come of it in the end: L1, L2, L3.
//!
//! From a moment on nothing goes wrong any more. Then every rotation that is due must publish within a bound of
//! simulated time, or stand in a state that needs its owner, with a status and a message that say so; and no
//! intent may stay open.

use std::sync::Arc;

use keywheel_core::rotation::RotationStatus;
use keywheel_core::run::RunErrorCode;

use crate::plan::{Plan, START};
use crate::store::Row;
use crate::world::World;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 86_400_000;
/// An open intent is closed within this time, unless the user itself is gone (L2; the bound of the protocol is 30
/// minutes from the moment at which AWS can be reached again, and a retry may be an hour away).
const RECOVERED_WITHIN: i64 = 95 * MINUTE;
/// Beyond the interval: a slot comes up to a day later, a suspect keeps its slot for a quiet day and a day of
/// quarantine, a hold for use lasts half a day, and after each of them a retry may be an hour away.
const PUBLISHED_WITHIN: i64 = DAY + 2 * DAY + DAY / 2 + 4 * HOUR;
/// No schedule of these lengths needs as many events; one that does goes in circles.
const STEPS_MAX: u64 = 400_000;
/// A state that needs the owner has to be found twice.
const FAILURES_ENOUGH: u32 = 2;

/// Runs a schedule to its end, or to the first broken promise.
pub fn run(plan: &Arc<Plan>, log: bool) -> World {
    let mut world = World::new(Arc::clone(plan));
    world.log.enabled = log;
    let calm_at = START + plan.calm_at;
    while world.violation.is_none() && world.step(calm_at) {
        guard(&mut world);
    }
    if world.violation.is_some() {
        return world;
    }
    world.calm_down();
    let days = plan
        .users
        .iter()
        .map(|user| user.interval_days)
        .max()
        .unwrap_or(1);
    let ends_at = calm_at + days * DAY + PUBLISHED_WITHIN;
    while world.violation.is_none() && world.step(ends_at) {
        guard(&mut world);
        if world.jobs.is_empty() && world.now > calm_at + RECOVERED_WITHIN && is_at_rest(&world, calm_at) {
            break;
        }
    }
    if world.violation.is_none()
        && let Some((id, text)) = (0..world.rows.len()).find_map(|row| unfinished(&world, row, calm_at))
    {
        world.violate(id, text);
    }
    world
}

fn guard(world: &mut World) {
    if world.steps > STEPS_MAX {
        world.violate("L1", "the schedule goes in circles".to_owned());
    }
}

fn is_at_rest(world: &World, calm_at: i64) -> bool {
    world.agenda.is_empty() && (0..world.rows.len()).all(|row| unfinished(world, row, calm_at).is_none())
}

/// What is left to be done for a user, if anything is.
fn unfinished(world: &World, number: usize, calm_at: i64) -> Option<(&'static str, String)> {
    let row = &world.rows[number];
    let raised = needs_owner(world, row, number);
    if let Some(open) = row.open_intents().next().filter(|_| !raised) {
        let text = format!(
            "a {} of {} is still announced",
            open.kind.as_str(),
            open.opened_at
        );
        return Some(("L2", text));
    }
    let rotation = row.rotation.as_ref().filter(|rotation| !rotation.revoking)?;
    if row.user.due_at.is_none() {
        return Some(("L3", "a rotation is not in the schedule any more".to_owned()));
    }
    let truth = &world.truth.users[number];
    let published = truth.published_at.is_some_and(|at| at >= calm_at);
    let told = rotation.status == RotationStatus::Failed
        && rotation.last_message.is_some()
        && truth.failures_in_calm >= FAILURES_ENOUGH;
    if published || (raised && told) {
        return None;
    }
    let failure = truth.failure.map(|failure| failure.code.as_str());
    Some((
        "L1",
        format!("a rotation that is due does not publish; the last failure is {failure:?}"),
    ))
}

/// Whether the last failure is one that only the owner can mend.
fn needs_owner(world: &World, row: &Row, number: usize) -> bool {
    let Some(failure) = world.truth.users[number].failure else {
        return false;
    };
    match failure.code {
        RunErrorCode::PreflightUnmanaged | RunErrorCode::OrphanSuspect | RunErrorCode::IdentityChanged => {
            true
        }
        RunErrorCode::KeyHeld => row.keys.values().any(|key| key.held.is_some()),
        // The user is gone.
        RunErrorCode::AwsRefused => world.aws.user_id(row.user.name.as_str()).is_none(),
        _ => false,
    }
}
