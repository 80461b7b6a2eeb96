//! The machine by itself: answers that do not fit, writes that fail, calls that AWS refuses, bounds.

use keywheel_core::aws::{AwsFailure, FailureKind, IamUserId};
use keywheel_core::clock::Millis;
use keywheel_core::ids::RunId;
use keywheel_core::key::KeyState;
use keywheel_core::ledger::Change;
use keywheel_core::run::{CommitFault, Effect, Event, Goal, Outcome, Run, RunErrorCode, goal_of_due};

use super::world::{Fault, World, create_goal, rotated, struck, timings};
use super::{MANUAL, kinds};

/// A run that waits for the answer to the first effect that looks like this.
pub(super) fn run_to(world: &mut World, goal: Goal, looks: impl Fn(&Effect) -> bool) -> (Run, Effect) {
    let (mut run, mut effect) = world.begin(goal);
    for _ in 0..100 {
        if looks(&effect) {
            return (run, effect);
        }
        let event = world.perform(&effect, usize::MAX);
        effect = run.step(world.now, event);
    }
    panic!("the run does not come to this point")
}

pub(super) const REVOKE: Goal = Goal::Revoke { delete_secrets: true };

/// The numbers of the effects of a rotation.
pub(super) fn effects() -> std::ops::Range<usize> {
    let mut world = rotated(1);
    world.run(MANUAL);
    0..world.effects
}

/// A rotation before the effect with this number.
fn before_effect(number: usize) -> (World, Run) {
    let mut world = rotated(1);
    let (mut run, mut effect) = world.begin(MANUAL);
    for _ in 0..number {
        let event = world.perform(&effect, usize::MAX);
        effect = run.step(world.now, event);
    }
    (world, run)
}

#[test]
fn a_run_whose_lease_is_gone_stops_where_it_is() {
    for number in effects() {
        let (world, mut run) = before_effect(number);
        let effect = run.step(world.now, Event::LeaseLost);
        assert_eq!(effect, Effect::Finish(Outcome::Parked), "{number}");
        let effect = run.step(world.now, Event::Woke);
        assert_eq!(effect, Effect::Finish(Outcome::Parked), "{number}: and stays");
    }
}

#[test]
fn a_run_whose_fence_is_old_stops_where_it_is() {
    let mut commits = 0;
    for number in effects() {
        let (mut world, mut run) = before_effect(number);
        let before = run.ledger().clone();
        if run.step(world.now, Event::Committed(Err(CommitFault::Stale))) == Effect::Finish(Outcome::Parked) {
            commits += 1;
        }
        assert_eq!(
            *run.ledger(),
            before,
            "{number}: what was not written is not believed"
        );
        world.run_due();
        assert!(world.works(&world.published().unwrap()));
    }
    assert!(commits > 5);
}

#[test]
fn a_name_that_is_taken_meanwhile_fails_a_create_and_says_which() {
    let publishes = |effect: &Effect| matches!(effect, Effect::Commit(c) if c.publish.is_some());
    let mut world = World::new();
    let (mut run, _) = run_to(&mut world, create_goal(), publishes);
    let taken = CommitFault::Conflict("the name demo is taken".to_owned());
    let mut effect = run.step(world.now, Event::Committed(Err(taken)));
    while !matches!(effect, Effect::Finish(_)) {
        let event = world.perform(&effect, usize::MAX);
        effect = run.step(world.now, event);
    }
    let Effect::Finish(Outcome::Failed(error)) = effect else {
        panic!("it was published")
    };
    assert_eq!(error.code, RunErrorCode::Conflict);
    assert!(error.text.contains("demo is taken"), "{error}");
    assert!(world.ledger.rotation.is_none());
    assert_eq!(world.ledger.unpublished().unwrap().state, KeyState::Verified);
}

#[test]
fn a_created_key_that_cannot_be_recorded_is_recorded_again() {
    let mut world = rotated(0);
    world.unrecorded = 20;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create", "create"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_created_key_is_tried_to_be_recorded_until_the_lease_could_end_and_not_longer() {
    let mut world = rotated(0);
    world.unrecorded = u32::MAX;
    let began = world.now;
    assert_eq!(world.run(MANUAL), Some(Outcome::Parked));
    let margin = Millis::new(timings().lease.get() - timings().call_timeout.get());
    assert_eq!(world.now - began, margin);
    assert!(world.ledger.open_intent.is_some(), "recovery finds it");
    world.unrecorded = 0;
    world.run_due();
    assert_eq!(world.only(KeyState::OrphanSuspect), world.ours[1]);
}

#[test]
fn no_other_write_is_repeated_and_no_call_follows_one_that_failed() {
    for (fault, world, outcome) in struck(|| rotated(1), &MANUAL) {
        let Fault::AnswerLost(at) = fault else { continue };
        let (mut calm, run) = before_effect(at);
        let is_commit = {
            let mut run = run;
            run.step(calm.now, Event::Committed(Err(CommitFault::Unavailable)))
        };
        if is_commit == Effect::Finish(Outcome::Parked) && outcome == Some(Outcome::Parked) {
            calm.run_due();
            let sent = |world: &World| world.changes.len();
            assert!(sent(&world) <= sent(&calm), "{at}");
            assert_eq!(world.effects, at + 1, "{at}: the run went on");
        }
    }
}

#[test]
fn a_key_gets_its_time_to_work_and_not_longer() {
    let mut world = rotated(0);
    world.verify_failures = 1_000;
    world.run(MANUAL);
    let tried_since = world.changed_at[1];
    assert_eq!(world.now - tried_since, timings().verify_deadline);
}

#[test]
fn a_verification_of_a_minute_ago_is_good_enough_and_no_older_one() {
    for (took, rounds) in [(60_000, 1), (60_001, 2)] {
        let mut world = rotated(0);
        world.verifications = 0;
        world.slow_verified_commit = Millis::new(took);
        assert_eq!(world.run(MANUAL), Some(Outcome::Published));
        assert_eq!(world.verifications, rounds * timings().verify_successes, "{took}");
    }
}

#[test]
fn retries_of_many_users_do_not_come_together() {
    let mut waits: Vec<i64> = (0..40)
        .map(|n| {
            let mut world = rotated(0);
            world.fence = n * 7;
            world.user_id = IamUserId::from_trusted("AIDAOTHER");
            world.now = world.ledger.user.due_at.unwrap();
            let job = RunId::new(world.now, &[1; 10]);
            world.run(goal_of_due(&world.ledger, job, world.now, &timings()));
            (world.ledger.user.due_at.unwrap() - world.now).get()
        })
        .collect();
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > 20_000), "{waits:?}");
}

#[test]
fn a_run_that_sleeps_through_its_settling_verifies_again() {
    let minute = Millis::from_secs(60);
    for (late, again) in [
        (minute, false),
        (minute + Millis::new(1), true),
        (minute.times(-1), false),
        (minute.times(-1) + Millis::new(-1), true),
    ] {
        let mut world = rotated(0);
        let settles_from = world.now + timings().verify_spacing.times(2);
        let settling = |effect: &Effect| matches!(effect, Effect::Wait(until) if *until == settles_from + timings().verify_settle);
        let (mut run, effect) = run_to(&mut world, MANUAL, settling);
        let Effect::Wait(until) = effect else {
            panic!("it waits")
        };
        let next = run.step(until + late, Event::Woke);
        assert_eq!(matches!(next, Effect::Verify { .. }), again, "{late:?}: {next:?}");
    }
}

#[test]
fn silence_says_nothing_of_a_key_and_its_row_goes_on() {
    let verifies = |effect: &Effect| matches!(effect, Effect::Verify { .. });
    let mut world = rotated(0);
    let mut calls = 0;
    let (mut run, mut effect) = run_to(&mut world, MANUAL, verifies);
    while !matches!(effect, Effect::Finish(_)) {
        calls += u32::from(verifies(&effect));
        let event = if verifies(&effect) && calls.is_multiple_of(2) {
            Event::Verified(Err(AwsFailure {
                kind: FailureKind::Unavailable,
                code: None,
                message: "timeout".to_owned(),
                aws_date: None,
            }))
        } else {
            world.perform(&effect, usize::MAX)
        };
        effect = run.step(world.now, event);
    }
    assert_eq!(effect, Effect::Finish(Outcome::Published));
    assert_eq!(calls, 5, "three successes and two silences between them");
}

#[test]
fn a_run_that_waits_for_an_earlier_call_says_whether_it_changed_anything() {
    let (_, mut world, _) = struck(|| rotated(0), &MANUAL)
        .into_iter()
        .find(|(_, world, _)| world.ledger.open_intent.is_some())
        .unwrap();
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it did not wait")
    };
    assert_eq!(error.code, RunErrorCode::InProgress);
    assert!(
        error.before_change && error.text.contains("may still take effect"),
        "{error}"
    );
}

#[test]
fn a_created_key_is_as_old_as_the_later_clock_says() {
    let issues = |effect: &Effect| matches!(effect, Effect::Issue(_));
    let mut world = rotated(0);
    let (mut run, effect) = run_to(&mut world, MANUAL, issues);
    let Event::Issued(Ok(mut answer)) = world.perform(&effect, usize::MAX) else {
        panic!("it answers")
    };
    let by_aws = world.now + Millis::DAY;
    answer.aws_date = Some(by_aws);
    let id = answer.value.id.clone();
    let effect = run.step(world.now, Event::Issued(Ok(answer)));
    world.perform(&effect, usize::MAX);
    assert_eq!(world.ledger.keys[&id].first_seen_at, by_aws);
}

#[test]
fn a_call_that_was_announced_long_ago_because_this_server_stood_still_is_not_sent() {
    let announces = |effect: &Effect| {
        let opens = |change: &Change| matches!(change, Change::OpenIntent(_));
        matches!(effect, Effect::Commit(commit) if commit.changes.iter().any(opens))
    };
    for rotations in [0, 1] {
        let mut world = rotated(rotations);
        world.changes.clear();
        let (mut run, effect) = run_to(&mut world, MANUAL, announces);
        let event = world.perform(&effect, usize::MAX);
        world.now = world.now + timings().call_timeout + Millis::new(1);
        let effect = run.step(world.now, event);
        let event = world.perform(&effect, usize::MAX);
        assert_eq!(run.step(world.now, event), Effect::Finish(Outcome::Parked));
        assert!(world.changes.is_empty() && world.creates_sent <= 2);
        assert!(world.ledger.open_intent.is_none() && world.ledger.user.settles_at.is_none());
        assert!(world.ledger.keys.values().all(|key| key.settles_at.is_none()));

        let (mut run, effect) = run_to(&mut world, MANUAL, announces);
        let event = world.perform(&effect, usize::MAX);
        world.now = world.now + timings().call_timeout;
        let effect = run.step(world.now, event);
        assert!(
            matches!(effect, Effect::Issue(_) | Effect::Deactivate(_)),
            "in time: {effect:?}"
        );
        world.now = world.now + timings().late_landing + timings().call_timeout;
        world.run_due();
        assert_eq!(kinds(&world).last(), Some(&"create"), "it begins anew");
    }
}

#[test]
fn a_row_of_checks_with_a_gap_in_it_begins_anew() {
    for (gap, more) in [(Millis::from_secs(60), 2), (Millis::new(60_001), 3)] {
        let mut world = rotated(0);
        world.verifications = 0;
        let waits = |effect: &Effect| matches!(effect, Effect::Wait(_));
        let (mut run, mut effect) = run_to(&mut world, MANUAL, waits);
        assert_eq!(world.verifications, 1);
        world.now = world.now + gap;
        effect = run.step(
            world.now,
            match effect {
                Effect::Wait(_) => Event::Woke,
                other => panic!("{other:?}"),
            },
        );
        while !matches!(effect, Effect::Finish(_)) {
            let event = world.perform(&effect, usize::MAX);
            effect = run.step(world.now, event);
        }
        assert_eq!(world.verifications, 1 + more, "{gap:?}");
        assert_eq!(effect, Effect::Finish(Outcome::Published));
    }
}

#[test]
fn a_verification_ages_from_its_end_however_long_this_server_stood_still_twice() {
    let settles = |effect: &Effect| matches!(effect, Effect::Wait(_));
    let mut world = rotated(0);
    world.verifications = 0;
    let (mut run, mut effect) = run_to(&mut world, MANUAL, settles);
    let stands_still = Millis::from_secs(55);
    while !matches!(effect, Effect::Finish(_)) {
        let settling = settles(&effect) && world.verifications == timings().verify_successes;
        let recorded = matches!(&effect, Effect::Commit(commit) if commit.changes.len() == 1);
        let event = world.perform(&effect, usize::MAX);
        if world.verifications == timings().verify_successes && (settling || recorded) {
            world.now = world.now + stands_still;
        }
        effect = run.step(world.now, event);
    }
    assert_eq!(effect, Effect::Finish(Outcome::Published));
    assert_eq!(world.verifications, 2 * timings().verify_successes);
}
