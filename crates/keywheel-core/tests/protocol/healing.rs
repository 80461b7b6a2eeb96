//! What applications read has to work: healing (C.7, step 1), and verification in every region (C.8).

use keywheel_core::aws::{KeyStatus, Region};
use keywheel_core::clock::Millis;
use keywheel_core::key::KeyState;
use keywheel_core::ledger::Alarm;
use keywheel_core::rotation::Trigger;
use keywheel_core::rotation::policy::Policy;
use keywheel_core::run::{Goal, Outcome, RunErrorCode};

use super::clocks::scheduled;
use super::world::{World, create_with, rotated, rotated_under, timings};
use super::{MANUAL, code, kinds};

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
            super::world::lists_are_right(&mut world);
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
fn a_published_key_that_works_again_is_not_rotated_before_its_time() {
    let mut world = rotated(0);
    super::world::lists_are_right(&mut world);
    let published = world.published().unwrap();
    world.keys.get_mut(&published).unwrap().0 = KeyStatus::Inactive;
    world.run(Goal::Settle);
    assert!(!world.ledger.published_works());
    // Whoever deactivated it takes that back before the run begins.
    world.keys.get_mut(&published).unwrap().0 = KeyStatus::Active;
    world.now = world.ledger.user.due_at.unwrap();
    let slot = world.ledger.rotation.as_ref().unwrap().slot_at;
    assert_eq!(world.run_due().first(), Some(&Some(Outcome::Settled)));
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!((rotation.next_attempt_at, rotation.failures), (slot, 0));
    assert_eq!(world.published(), Some(published));
}

#[test]
fn a_rotation_that_begins_in_the_moment_of_its_slot_is_due_and_not_a_heal() {
    let mut world = rotated(0);
    let published = world.published();
    let slot = world.ledger.rotation.as_ref().unwrap().slot_at.unwrap();
    world.now = slot;
    let trigger = Trigger::Scheduled {
        job: keywheel_core::ids::RunId::new(slot, &[0; 10]),
        started_at: slot,
    };
    assert_eq!(world.run(Goal::Rotate(trigger)), Some(Outcome::Published));
    assert_ne!(world.published(), published);
}
