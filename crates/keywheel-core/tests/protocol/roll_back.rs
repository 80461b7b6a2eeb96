//! Roll-back (C.9): an earlier key is published again, after it has proven itself like a new one.

use keywheel_core::aws::{AccessKeyId, KeyStatus};
use keywheel_core::clock::Millis;
use keywheel_core::intent::IntentKind;
use keywheel_core::key::{KeyState, Terms};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::{RotationStatus, Slots};
use keywheel_core::run::{Adoption, Goal, Outcome, RunError, RunErrorCode};

use super::world::{Fault, World, create_with, grace, rotated, rotated_under, struck, timings};
use super::{MANUAL, code, kinds};

fn to(key: &AccessKeyId) -> Goal {
    Goal::RollBack { key: key.clone() }
}

/// A rotation with a published key and one that it replaced, which is still active.
fn replaced(policy: Policy) -> (World, AccessKeyId) {
    let mut world = rotated_under(policy, 1);
    world.changes.clear();
    let key = world.only(KeyState::Displaced);
    (world, key)
}

/// The same, with the earlier key in its quarantine.
fn quarantined() -> (World, AccessKeyId) {
    let (mut world, key) = replaced(grace(1, 24));
    world.pass(Millis::from_hours(1));
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::Deactivated);
    world.changes.clear();
    (world, key)
}

fn refusal(world: &mut World, key: &AccessKeyId) -> RunError {
    let published = world.published();
    let outcome = world.run(to(key));
    let Some(Outcome::Failed(error)) = outcome else {
        panic!("expected a refusal, got {outcome:?}")
    };
    assert_eq!(error.code, RunErrorCode::KeyNotEligible);
    assert!(
        error.before_change && error.text.contains("rolled back to"),
        "{error}"
    );
    assert_eq!(world.published(), published);
    error
}

#[test]
fn an_earlier_key_that_is_still_active_is_published_again_without_a_change_at_aws() {
    let (mut world, key) = replaced(Policy::default());
    let newer = world.published().unwrap();
    let before = world.ledger.rotation.clone().unwrap();
    world.verifications = 0;
    world.pass(Millis::from_hours(5));
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    assert!(world.changes.is_empty());
    assert_eq!(world.verifications, timings().verify_successes, "verified first");
    assert_eq!(world.published(), Some(key.clone()));
    assert_eq!(world.violations, Vec::<String>::new());

    let after = world.ledger.rotation.clone().unwrap();
    assert_eq!(after.slots.active_key(), Some(&key));
    assert_eq!(after.slots.keys, before.slots.keys, "each key stays in its place");
    assert_eq!(
        (after.next_attempt_at, after.slot_at, after.anchor_at),
        (before.next_attempt_at, before.slot_at, before.anchor_at),
        "the schedule stays"
    );
    assert_eq!(after.last_rotated_at, before.last_rotated_at);
    assert_eq!(after.updated_at, world.now);
    assert_eq!(world.state(&newer), KeyState::Displaced);
    assert!(world.works(&newer), "the newer key is retired like any other");
    assert_eq!(world.ledger.keys[&newer].terms, Some(Terms::NextRotation));
}

#[test]
fn the_key_that_is_rolled_back_from_has_its_own_grace_time() {
    let (mut world, key) = replaced(grace(3, 5));
    let newer = world.published().unwrap();
    world.pass(Millis::from_hours(2));
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    assert_eq!(world.ledger.keys[&key].terms, None);
    world.run_due();
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
    assert!(world.changes.iter().all(|(_, id)| *id == newer));
    let deactivated_at = *world.changed_at.iter().rev().nth(1).unwrap();
    assert_eq!(deactivated_at - world.displaced[&newer], Millis::from_hours(3));
    assert!(world.works(&key));
}

#[test]
fn the_next_rotation_after_a_roll_back_goes_on_as_ever() {
    let (mut world, key) = replaced(Policy::default());
    let newer = world.published().unwrap();
    world.run(to(&key));
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert!(world.changes[..2].iter().all(|(_, id)| *id == newer));
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!(rotation.slots.active_key(), world.published().as_ref());
    let other = rotation.slots.keys[rotation.slots.active.other().as_usize()].as_ref();
    assert_eq!(other, Some(&key));
}

#[test]
fn one_can_roll_back_and_forth() {
    let (mut world, key) = replaced(Policy::default());
    let newer = world.published().unwrap();
    for target in [&key, &newer, &key] {
        assert_eq!(world.run(to(target)), Some(Outcome::Published));
        let slots = &world.ledger.rotation.as_ref().unwrap().slots;
        assert_eq!(slots.active_key(), Some(target));
    }
    assert!(world.changes.is_empty());
}

#[test]
fn a_key_in_quarantine_is_made_active_and_verified_before_it_is_published() {
    let (mut world, key) = quarantined();
    world.verifications = 0;
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["reactivate"]);
    assert_eq!(world.verifications, timings().verify_successes);
    assert_eq!(world.published(), Some(key.clone()));
    assert_eq!(world.ledger.keys[&key].aws_status, KeyStatus::Active);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_key_that_does_not_work_is_not_rolled_back_to() {
    for (refused_with, expected) in [
        ("InvalidClientTokenId", RunErrorCode::VerifyTimeout),
        ("SignatureDoesNotMatch", RunErrorCode::VerifyRefused),
    ] {
        let (mut world, key) = replaced(Policy::default());
        let before = world.ledger.rotation.clone();
        let published = world.published();
        (world.verify_failures, world.verify_code) = (1_000, refused_with);
        assert_eq!(code(world.run(to(&key))), expected);
        assert_eq!(world.published(), published);
        assert_eq!(world.state(&key), KeyState::Displaced, "it stays as it was");
        assert!(world.changes.is_empty());
        assert_eq!(world.ledger.rotation, before, "the rotation did not fail");
        world.verify_failures = 0;
        assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    }
}

#[test]
fn nobody_rolls_back_to_a_key_that_is_gone_foreign_published_or_unknown() {
    let mut world = rotated(2);
    let deleted = world.only(KeyState::Deleted);
    assert!(refusal(&mut world, &deleted).text.contains("does not exist"));
    let published = world.published().unwrap();
    assert!(refusal(&mut world, &published).text.contains("the published one"));
    let unknown = AccessKeyId::from_trusted("AKIAUNKNOWN");
    assert!(
        refusal(&mut world, &unknown)
            .text
            .contains("not a key of this user")
    );

    let mut world = rotated(0);
    let foreign = world.foreign_key();
    assert!(refusal(&mut world, &foreign).text.contains("not Keywheel's"));

    let (mut world, key) = replaced(Policy::default());
    world.keys.remove(&key);
    assert!(refusal(&mut world, &key).text.contains("does not exist"));
    assert_eq!(world.state(&key), KeyState::Lost);
}

#[test]
fn nobody_rolls_back_to_a_key_whose_secret_keywheel_does_not_have() {
    let mut world = World::new();
    let foreign = world.foreign_key();
    let adoption = Adoption::HandOver {
        key: foreign.clone(),
        at_once: false,
    };
    world.run(create_with(adoption, Policy::default()));
    assert!(
        refusal(&mut world, &foreign)
            .text
            .contains("does not have its secret")
    );
}

#[test]
fn a_key_that_waits_for_its_first_publish_is_not_rolled_back_to() {
    let mut world = rotated(0);
    world.verify_failures = 1_000;
    world.run(MANUAL);
    let pending = world.only(KeyState::Pending);
    assert!(refusal(&mut world, &pending).text.contains("never published"));
}

#[test]
fn a_rotation_that_is_being_deleted_is_not_rolled_back() {
    let (mut world, key) = replaced(Policy::default());
    world.fault = Fault::CrashAfter(0);
    world.run(Goal::Revoke { delete_secrets: true });
    assert!(refusal(&mut world, &key).text.contains("being deleted"));
    world.run_due();
    assert!(world.ledger.rotation.is_none() && world.keys.is_empty());
}

#[test]
fn a_key_that_is_held_is_released_by_rolling_back_to_it() {
    let (mut world, key) = quarantined();
    crate::world::lists_are_right(&mut world);
    world.keys.get_mut(&key).unwrap().0 = KeyStatus::Active;
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    assert!(world.ledger.keys[&key].held.is_none() && world.changes.is_empty());
}

#[test]
fn a_roll_back_that_is_struck_anywhere_publishes_what_works_and_can_be_asked_for_again() {
    for make in [|| replaced(Policy::default()), quarantined] {
        let key = make().1;
        for (fault, mut world, outcome) in struck(|| make().0, &to(&key)) {
            let story = format!("{fault:?} {outcome:?}");
            assert!(world.works(&world.published().unwrap()), "{story}");
            world.run(Goal::Settle);
            assert!(world.works(&world.published().unwrap()), "{story}");
            world.pass(timings().late_landing + timings().call_timeout.times(2));
            if world.published() != Some(key.clone()) {
                assert_eq!(world.run(to(&key)), Some(Outcome::Published), "{story}");
            }
            assert!(world.works(&key), "{story}");
            assert!(world.ledger.open_intent.is_none(), "{story}");
            assert_eq!(world.violations, Vec::<String>::new(), "{story}");
            let rotation = world.ledger.rotation.as_ref().unwrap();
            assert_eq!(
                (rotation.status, rotation.slots.active_key()),
                (RotationStatus::Success, Some(&key)),
                "{story}"
            );
        }
    }
}

#[test]
fn a_roll_back_that_is_struck_anywhere_and_not_asked_for_again_leaves_nothing_open() {
    let key = quarantined().1;
    for (fault, mut world, _) in struck(|| quarantined().0, &to(&key)) {
        let published = world.published().unwrap();
        world.run_due();
        assert!(world.ledger.open_intent.is_none(), "{fault:?}");
        assert!(world.works(&published), "{fault:?}");
        assert!(
            published == key || world.state(&key) == KeyState::Deleted,
            "{fault:?}: its terms count as before"
        );
        assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
    }
}

/// An open intent to change the key, whose call may still land.
fn announced(kind: IntentKind, make: impl Fn() -> World, goal: &Goal) -> World {
    let found = struck(make, goal).into_iter().find(|(fault, world, _)| {
        let open = world.ledger.open_intent.as_ref();
        matches!(fault, Fault::CrashAfter(_)) && open.is_some_and(|i| i.kind == kind)
    });
    found.expect("it is announced").1
}

#[test]
fn a_deactivation_that_may_still_land_is_waited_for() {
    let make = || {
        let (mut world, _) = replaced(grace(1, 24));
        world.pass(Millis::from_hours(1));
        world
    };
    let mut world = announced(IntentKind::Deactivate, make, &Goal::Settle);
    let key = world.ledger.open_intent.as_ref().unwrap().key.clone().unwrap();
    let lands_until = world.ledger.keys[&key].settles_at.unwrap();
    assert_eq!(code(world.run(to(&key))), RunErrorCode::InProgress);
    assert_eq!(kinds(&world), ["deactivate"], "repeated, and not contradicted");
    world.now = lands_until + Millis::new(-1);
    assert_eq!(code(world.run(to(&key))), RunErrorCode::InProgress);
    assert_eq!(kinds(&world), ["deactivate"]);
    world.now = lands_until;
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "reactivate"]);
}

#[test]
fn a_reactivation_that_may_still_land_is_waited_for_before_the_key_is_published_or_retired() {
    let key = quarantined().1;
    let mut world = announced(IntentKind::Reactivate, || quarantined().0, &to(&key));
    let lands_until = world.ledger.keys[&key].settles_at.unwrap();
    assert_eq!(code(world.run(to(&key))), RunErrorCode::InProgress);
    assert_eq!(kinds(&world), ["reactivate"]);
    assert_eq!(
        code(world.run(Goal::Retire { key: key.clone() })),
        RunErrorCode::InProgress
    );
    assert_eq!(kinds(&world), ["reactivate"]);
    world.now = lands_until;
    assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
    assert_eq!(kinds(&world), ["reactivate", "deactivate", "delete"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_clock_that_is_wrong_stops_a_reactivation() {
    let (mut world, key) = quarantined();
    world.aws_clock_ahead = Millis::from_secs(60);
    assert_eq!(code(world.run(to(&key))), RunErrorCode::ClockSkew);
    assert!(world.changes.is_empty());
}

#[test]
fn a_key_that_left_its_place_takes_the_other_one() {
    let key = |n: u8| AccessKeyId::from_trusted(format!("AKIA{n}"));
    let mut slots = Slots::first(key(1));
    slots.publish(key(2));
    slots.roll_back(key(3));
    assert_eq!(slots.keys, [Some(key(3)), Some(key(2))]);
    assert_eq!(slots.active_key(), Some(&key(3)));
}

#[test]
fn a_roll_back_ends_what_was_told_of_an_earlier_failure() {
    let (mut world, key) = replaced(Policy::default());
    let rotation = world.ledger.rotation.as_mut().unwrap();
    rotation.status = RotationStatus::Failed;
    rotation.last_message = Some("it is held".to_owned());
    assert_eq!(world.run(to(&key)), Some(Outcome::Published));
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!(
        (rotation.status, &rotation.last_message),
        (RotationStatus::Success, &None)
    );
}
