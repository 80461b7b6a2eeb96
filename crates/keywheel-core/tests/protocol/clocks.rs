//! Clocks (I13), healing and regions: what time and place cannot break.

use keywheel_core::aws::{AwsFailure, FailureKind, IamUserId};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RunId;
use keywheel_core::key::KeyState;
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::{RotationStatus, Trigger};
use keywheel_core::run::{Effect, Event, Goal, Outcome, RunErrorCode, goal_of_due};

use super::machine::run_to;
use super::world::{Fault, World, grace, rotated, rotated_under, timings};
use super::{MANUAL, code, kinds};

const MOMENT: Millis = Millis::new(1);

pub(super) fn scheduled(world: &World) -> Goal {
    goal_of_due(
        &world.ledger,
        RunId::new(world.now, &[7; 10]),
        world.now,
        &timings(),
    )
}

#[test]
fn a_wait_is_over_only_when_both_clocks_say_so() {
    let by = Millis::from_secs(20);
    for ahead in [by, by.times(-1)] {
        let mut world = rotated_under(grace(1, 1), 1);
        let key = world.only(KeyState::Displaced);
        world.changes.clear();
        let until = world.now + Millis::from_hours(1);
        world.aws_clock_ahead = ahead;
        let both = until + ahead.times(-1).max(Millis::ZERO);
        world.now = both + Millis::from_secs(-1) + MOMENT.times(-1);
        world.run(Goal::Settle);
        assert!(world.works(&key), "{ahead:?}: one clock says that it is not over");
        let due = world.ledger.user.due_at.unwrap();
        assert!(
            due <= both + timings().retry_first,
            "{ahead:?}: looked at again in time"
        );
        world.now = both;
        world.run(Goal::Settle);
        assert!(!world.works(&key), "{ahead:?}: both say so");
    }
}

#[test]
fn a_due_wait_that_aws_does_not_call_over_is_looked_at_again_without_haste() {
    let mut world = rotated_under(grace(1, 1), 1);
    world.aws_clock_ahead = Millis::from_secs(-25);
    let until = world.now + Millis::from_hours(1);
    let key = world.only(KeyState::Displaced);
    let mut runs = 0;
    while world.works(&key) {
        world.now = world.now.max(world.ledger.user.due_at.unwrap());
        world.run(Goal::Settle);
        runs += 1;
        assert!(runs < 6, "the scheduler runs in circles");
    }
    let late = world.now - until;
    assert!(
        (Millis::from_secs(24)..=Millis::from_secs(90)).contains(&late),
        "{late:?}"
    );
}

#[test]
fn without_the_date_of_aws_nothing_is_changed() {
    for goal in [
        MANUAL,
        Goal::Settle,
        Goal::Revoke {
            delete_secrets: false,
        },
    ] {
        let mut world = rotated_under(grace(1, 1), 1);
        world.changes.clear();
        world.pass(Millis::DAY.times(3));
        world.dated = false;
        let Some(Outcome::Failed(error)) = world.run(goal) else {
            panic!("it ran")
        };
        assert_eq!(error.code, RunErrorCode::AwsUnavailable);
        assert!(error.text.contains("no Date"), "{error}");
        assert!(world.changes.is_empty());
    }
}

#[test]
fn clocks_may_differ_by_what_is_allowed_and_by_no_second_more() {
    for (ahead, runs) in [(30, true), (31, false), (-30, true), (-31, false)] {
        let mut world = rotated(0);
        // On a whole second, which is what `Date` can tell.
        world.now = Moment::from_millis(world.now.as_secs() * 1_000);
        world.aws_clock_ahead = Millis::from_secs(ahead);
        let outcome = world.run(MANUAL);
        if runs {
            assert_eq!(outcome, Some(Outcome::Published), "{ahead} s");
        } else {
            assert_eq!(code(outcome), RunErrorCode::ClockSkew, "{ahead} s");
        }
    }
}

/// A rotation that is due, on a server whose clock was set ahead by so much just now.
fn due_with_a_wrong_clock(by: Millis) -> (World, Goal) {
    let mut world = rotated(0);
    world.now = world.ledger.user.due_at.unwrap();
    let goal = scheduled(&world);
    assert!(matches!(goal, Goal::Rotate(Trigger::Scheduled { .. })));
    (world.now, world.aws_clock_ahead) = (world.now + by, by.times(-1));
    (world, goal)
}

#[test]
fn a_wrong_clock_says_nothing_of_the_schedule() {
    for by in [Millis::DAY.times(400), Millis::DAY.times(-400)] {
        let (mut world, goal) = due_with_a_wrong_clock(by);
        let (right, before) = (world.now + by.times(-1), world.ledger.rotation.clone().unwrap());
        assert_eq!(code(world.run(goal)), RunErrorCode::ClockSkew);
        let after = world.ledger.rotation.clone().unwrap();
        assert_eq!(
            (
                after.slot_at,
                after.next_attempt_at,
                after.failures,
                after.last_job
            ),
            (before.slot_at, before.next_attempt_at, 0, before.last_job)
        );
        assert_eq!(after.status, RotationStatus::Failed);
        assert!(after.last_message.unwrap().contains("Synchronize"));
        // Seen from a clock that is right again, it comes back soon.
        let due = world.ledger.user.due_at.unwrap();
        let wait = due - right;
        assert!(wait <= timings().retry_cap, "{by:?}: {wait:?}");
        (world.now, world.aws_clock_ahead) = (right.max(due), Millis::ZERO);
        let goal = scheduled(&world);
        assert_eq!(world.run(goal), Some(Outcome::Published));
        assert_eq!(kinds(&world), ["create", "create"]);
    }
}

#[test]
fn whatever_fails_under_a_wrong_clock_sets_no_date_far_away() {
    for by in [Millis::DAY.times(400), Millis::DAY.times(-400)] {
        let (mut world, goal) = due_with_a_wrong_clock(by);
        let (right, before) = (world.now + by.times(-1), world.ledger.rotation.clone().unwrap());
        world.user_id = IamUserId::from_trusted("AIDAOTHER");
        assert_eq!(code(world.run(goal)), RunErrorCode::IdentityChanged);
        let after = world.ledger.rotation.clone().unwrap();
        assert_eq!(
            (after.next_attempt_at, after.failures),
            (before.next_attempt_at, 0)
        );
        let wait = world.ledger.user.due_at.unwrap() - right;
        assert!(
            wait >= Millis::ZERO && wait <= timings().retry_cap,
            "{by:?}: {wait:?}"
        );
    }
}

#[test]
fn a_wrong_clock_is_told_with_its_difference_and_what_to_do() {
    let mut world = rotated(0);
    world.aws_clock_ahead = Millis::from_secs(90);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it ran")
    };
    let difference = "differ by 90 s, more than the 30 s allowed";
    assert!(error.text.contains(difference), "{error}");
    assert!(
        error.before_change && error.text.contains("Synchronize"),
        "{error}"
    );
}

/// Lets the clock jump before each effect of a rotation, and puts it right afterwards.
fn jumps(policy: &Policy, goal: impl Fn(&World) -> Goal, by: Millis) -> Vec<(usize, World)> {
    let make = || {
        let mut world = rotated_under(policy.clone(), 0);
        world.now = world.ledger.user.due_at.unwrap();
        (world.effects, world.changes, world.changed_at) = (0, Vec::new(), Vec::new());
        world
    };
    let mut calm = make();
    calm.run(goal(&calm));
    (0..calm.effects)
        .map(|at| {
            let mut world = make();
            world.fault = Fault::ClockJumpsBefore(at, by);
            world.run(goal(&world));
            world.now = world.aws_now();
            world.aws_clock_ahead = Millis::ZERO;
            (at, world)
        })
        .collect()
}

#[test]
fn a_clock_that_jumps_in_the_middle_of_a_rotation_rotates_nothing_twice() {
    for by in [400, 40, -40, -400] {
        for (at, mut world) in jumps(&Policy::default(), scheduled, Millis::DAY.times(by)) {
            let story = format!("{by} days before effect {at}");
            let mut runs = 0;
            let week = world.now + Millis::DAY.times(7);
            while let Some(due) = world.ledger.user.due_at.filter(|due| *due <= week) {
                world.now = world.now.max(due);
                world.run(scheduled(&world));
                runs += 1;
                assert!(runs < 20, "{story}: the scheduler runs in circles");
            }
            let published = kinds(&world).iter().filter(|k| **k == "create").count();
            assert_eq!(published, 1, "{story}: {:?}", world.changes);
            assert!(world.works(&world.published().unwrap()), "{story}");
            assert_eq!(world.violations, Vec::<String>::new(), "{story}");
            let next = world.ledger.rotation.as_ref().unwrap().next_attempt_at.unwrap();
            let wait = next - world.now;
            assert!(
                (Millis::DAY.times(20)..=Millis::DAY.times(31)).contains(&wait),
                "{story}: next in {wait:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_jumps_in_the_middle_of_a_rotation_shortens_no_grace_time() {
    for by in [40, -1, -40] {
        for (at, mut world) in jumps(&grace(24, 24), scheduled, Millis::DAY.times(by)) {
            let story = format!("{by} days before effect {at}");
            world.run_due();
            world.run_due();
            world.run_due();
            let Some((key, displaced_at)) = world.displaced.pop_first() else {
                continue;
            };
            let changed = world.changes.iter().zip(&world.changed_at);
            for ((kind, _), when) in changed.filter(|((_, id), _)| *id == key) {
                let waited = *when - displaced_at;
                let least = if *kind == "deactivate" { 1 } else { 2 };
                assert!(
                    waited >= Millis::DAY.times(least) + Millis::from_secs(-31),
                    "{story}: {kind} after {waited:?}"
                );
            }
        }
    }
}

#[test]
fn a_clock_that_jumps_back_while_a_key_is_deactivated_shortens_no_quarantine() {
    for at in 0..8 {
        let mut world = rotated_under(grace(24, 24), 1);
        world.now = world.displaced[&world.only(KeyState::Displaced)] + Millis::DAY;
        (world.effects, world.changes, world.changed_at) = (0, Vec::new(), Vec::new());
        world.fault = Fault::ClockJumpsBefore(at, Millis::DAY.times(-1));
        world.run(Goal::Settle);
        world.now = world.aws_now();
        world.aws_clock_ahead = Millis::ZERO;
        world.run_due();
        world.run_due();
        assert_eq!(kinds(&world), ["deactivate", "delete"], "before effect {at}");
        let inactive = world.changed_at[1] - world.changed_at[0];
        assert!(inactive >= Millis::DAY, "before effect {at}: {inactive:?}");
    }
}

#[test]
fn a_clock_that_jumps_in_the_middle_of_a_rotation_by_hand_moves_no_date() {
    for by in [400, -400] {
        for (at, mut world) in jumps(&Policy::default(), |_| MANUAL, Millis::DAY.times(by)) {
            world.run_due();
            let rotation = world.ledger.rotation.as_ref().unwrap();
            let next = rotation.next_attempt_at.unwrap() - world.now;
            assert!(
                (Millis::DAY.times(20)..=Millis::DAY.times(32)).contains(&next),
                "{by} days before effect {at}: next in {next:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_jumped_before_the_list_creates_nothing() {
    let lists = 2;
    for by in [1, -1] {
        let (_, world) = jumps(&Policy::default(), |_| MANUAL, Millis::DAY.times(by)).swap_remove(lists);
        assert!(world.changes.is_empty(), "{by} days");
        let message = world.ledger.rotation.unwrap().last_message.unwrap();
        assert!(message.contains("Synchronize"), "{message}");
    }
}

#[test]
fn a_failure_that_aws_did_not_date_leaves_the_schedule_alone_and_does_not_come_back_at_once() {
    let mut world = rotated(0);
    world.now = world.ledger.user.due_at.unwrap();
    let goal = scheduled(&world);
    let next = world.ledger.rotation.as_ref().unwrap().next_attempt_at;
    world.effects = 0;
    world.fault = Fault::AnswerLost(0);
    assert!(matches!(world.run(goal), Some(Outcome::Failed(_))));
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!((rotation.next_attempt_at, rotation.failures), (next, 0));
    let due = world.ledger.user.due_at.unwrap();
    assert!(due > world.now && due <= world.now + timings().retry_first);
    world.fault = Fault::None;
    assert_eq!(world.run_due().first(), Some(&Some(Outcome::Published)));
}

#[test]
fn a_refused_signature_that_aws_dates_far_from_our_clock_is_told_as_a_wrong_clock() {
    let far = Millis::DAY.times(400);
    for (ahead, code) in [
        (far, RunErrorCode::ClockSkew),
        (Millis::ZERO, RunErrorCode::AwsRefused),
    ] {
        let mut world = rotated(0);
        let next = world.ledger.user.due_at;
        let asks = |effect: &Effect| *effect == Effect::Identify;
        let (mut run, _) = run_to(&mut world, MANUAL, asks);
        let expired = AwsFailure {
            kind: FailureKind::Refused,
            code: Some("SignatureDoesNotMatch".to_owned()),
            message: "Signature expired".to_owned(),
            aws_date: Some(world.now),
        };
        let wrong_now = world.now + ahead;
        let mut effect = run.step(wrong_now, Event::Identified(Err(expired)));
        while let Effect::Commit(_) = effect {
            let event = world.perform(&effect, usize::MAX);
            effect = run.step(wrong_now, event);
        }
        let Effect::Finish(Outcome::Failed(error)) = effect else {
            panic!("it went on: {effect:?}")
        };
        assert_eq!(error.code, code);
        assert_eq!(run.is_clock_wrong(), ahead == far);
        let due = world.ledger.user.due_at.unwrap();
        assert!(Some(due) <= next, "dated by AWS's clock: {due}");
    }
}
