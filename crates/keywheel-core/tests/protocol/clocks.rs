//! Clocks (I13), healing and regions: what time and place cannot break.

use keywheel_core::aws::{KeyStatus, Region};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RunId;
use keywheel_core::key::KeyState;
use keywheel_core::ledger::Alarm;
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::{RotationStatus, Trigger};
use keywheel_core::run::{Goal, Outcome, RunErrorCode, goal_of_due};

use super::world::{Fault, World, create_with, grace, rotated, rotated_under, timings};
use super::{MANUAL, code, kinds};

const MOMENT: Millis = Millis::new(1);

fn scheduled(world: &World) -> Goal {
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
        assert_eq!(error.code, RunErrorCode::ClockSkew);
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

#[test]
fn a_wrong_clock_says_nothing_of_the_schedule() {
    for by in [Millis::DAY.times(400), Millis::DAY.times(-400)] {
        let mut world = rotated(0);
        world.now = world.ledger.user.due_at.unwrap();
        let before = world.ledger.rotation.clone().unwrap();
        let goal = scheduled(&world);
        assert!(matches!(goal, Goal::Rotate(Trigger::Scheduled { .. })));
        let right = world.now;
        (world.now, world.aws_clock_ahead) = (world.now + by, by.times(-1));
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
        world.now = world.ledger.user.due_at.unwrap();
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
fn a_published_key_that_somebody_deactivated_is_told_of_replaced_and_not_reactivated() {
    let mut world = rotated(1);
    let published = world.published().unwrap();
    world.keys.get_mut(&published).unwrap().0 = KeyStatus::Inactive;
    world.changes.clear();
    world.pass(Millis::DAY);
    let found_at = world.now;
    assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
    assert!(
        world
            .alarms
            .contains(&Alarm::PublishedInactive(published.clone()))
    );
    let due = world.ledger.user.due_at.unwrap();
    assert!(
        due - found_at <= timings().retry_first,
        "it heals now, not by schedule"
    );
    world.now = due;
    let goal = scheduled(&world);
    assert!(matches!(goal, Goal::Rotate(Trigger::Scheduled { .. })));
    assert_eq!(world.run(goal), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert!(world.works(&world.published().unwrap()));
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!(rotation.last_rotated_at, rotation.last_attempted_at);
    assert_eq!(
        rotation.next_attempt_at.unwrap() - rotation.anchor_at,
        Millis::DAY.times(30) + Millis::new(-(rotation.anchor_at.as_millis() % Millis::DAY.get())),
        "a new interval begins"
    );
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_published_key_that_somebody_deleted_is_told_of_and_replaced_before_its_day() {
    let mut world = rotated(0);
    let published = world.published().unwrap();
    world.keys.clear();
    world.pass(Millis::DAY);
    world.run(Goal::Settle);
    assert_eq!(world.state(&published), KeyState::Lost);
    assert_eq!(world.alarms, [Alarm::PublishedLost(published)]);
    world.run_due();
    assert!(world.works(&world.published().unwrap()));
    assert_eq!(kinds(&world), ["create", "create"]);
}

#[test]
fn nothing_heals_by_itself_while_automatic_rotation_is_off() {
    let mut world = rotated(0);
    let rotation = world.ledger.rotation.as_mut().unwrap();
    rotation.settings.automatic = false;
    rotation.reschedule(timings().day_length);
    world.keys.clear();
    world.pass(Millis::DAY);
    world.run(Goal::Settle);
    assert_eq!(world.ledger.user.due_at, None);
    assert_eq!(scheduled(&world), Goal::Settle);
}

#[test]
fn a_key_that_cannot_be_healed_is_tried_again_with_patience() {
    let mut world = rotated(0);
    let published = world.published().unwrap();
    world.foreign_key();
    world.keys.get_mut(&published).unwrap().0 = KeyStatus::Inactive;
    world.pass(Millis::DAY);
    world.run(Goal::Settle);
    world.now = world.ledger.user.due_at.unwrap();
    for failures in 1..=8 {
        let goal = scheduled(&world);
        assert_eq!(code(world.run(goal)), RunErrorCode::PreflightUnmanaged);
        assert_eq!(world.ledger.rotation.as_ref().unwrap().failures, failures);
        world.now = world.ledger.user.due_at.unwrap();
    }
    assert_eq!(kinds(&world), ["create"]);
}

fn verified_in(regions: &[&str]) -> Policy {
    Policy {
        verify_regions: regions.iter().map(|r| Region::from_trusted(*r)).collect(),
        ..Policy::default()
    }
}

#[test]
fn a_key_has_to_work_in_every_region_before_it_is_published() {
    let policy = verified_in(&["eu-central-1", "us-east-1", "ap-south-1"]);
    let mut world = rotated_under(policy.clone(), 0);
    assert_eq!(
        world.verifications,
        3 * timings().verify_successes,
        "its own region counts once"
    );
    for dead in ["us-east-1", "eu-central-1", "ap-south-1"] {
        world.dead_region = Some(Region::from_trusted(dead));
        let published = world.published();
        assert_eq!(code(world.run(MANUAL)), RunErrorCode::VerifyTimeout, "{dead}");
        assert_eq!(world.published(), published);
        world.dead_region = None;
        assert_eq!(world.run(MANUAL), Some(Outcome::Published), "{dead}");
    }
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_refusal_in_any_region_begins_the_row_anew() {
    for refused_at in 1..=6 {
        let mut world = World::new();
        world.refused_verification = Some(refused_at);
        let goal = create_with(keywheel_core::run::Adoption::None, verified_in(&["eu-central-1"]));
        assert_eq!(world.run(goal), Some(Outcome::Published));
        assert_eq!(world.verifications, refused_at + 6, "refusal {refused_at}");
        assert_eq!(world.violations, Vec::<String>::new());
    }
}

#[test]
fn healing_of_many_users_does_not_come_together() {
    let mut waits: Vec<i64> = (0..40)
        .map(|n| {
            let mut world = rotated(0);
            world.fence = n * 7;
            world.keys.clear();
            world.run(Goal::Settle);
            (world.ledger.user.due_at.unwrap() - world.now).get()
        })
        .collect();
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
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
