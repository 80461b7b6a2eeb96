//! Retirement (C.9): when a displaced key goes, in which steps, and what holds it back.

use keywheel_core::aws::LastUse;
use keywheel_core::aws::{AccessKeyId, KeyStatus};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::key::{KeyState, Terms};
use keywheel_core::ledger::Alarm;
use keywheel_core::rotation::RotationStatus;
use keywheel_core::rotation::policy::Policy;
use keywheel_core::run::{Effect, Event, Goal, Outcome, RunErrorCode};

use super::machine::run_to;
use super::still_used::{AHEAD, holding, use_at};
use super::world::{World, grace, rotated, rotated_under, struck, timings};
use super::{MANUAL, code, kinds};

pub(super) const MOMENT: Millis = Millis::new(1);

/// A rotation with a displaced key that was just replaced, and that key.
pub(super) fn displaced_under(policy: Policy) -> (World, AccessKeyId) {
    let mut world = rotated_under(policy, 1);
    world.changes.clear();
    world.changed_at.clear();
    let key = world.only(KeyState::Displaced);
    (world, key)
}

/// Ties up what is due at this moment.
pub(super) fn settle_at(world: &mut World, at: Moment) -> Option<Outcome> {
    world.now = at;
    world.run(Goal::Settle)
}

#[test]
fn a_displaced_key_is_active_for_its_grace_time_then_inactive_for_its_quarantine_then_gone() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let displaced_at = world.displaced[&key];
    let until = displaced_at + Millis::from_hours(3);
    assert_eq!(world.ledger.user.due_at, Some(until));

    settle_at(&mut world, until - MOMENT);
    assert!(
        world.works(&key) && world.changes.is_empty(),
        "not a moment before"
    );
    settle_at(&mut world, until);
    assert_eq!(kinds(&world), ["deactivate"]);
    assert_eq!(world.state(&key), KeyState::Deactivated);

    let deletes_at = until + Millis::from_hours(5);
    assert_eq!(world.ledger.user.due_at, Some(deletes_at));
    settle_at(&mut world, deletes_at - MOMENT);
    assert_eq!(kinds(&world), ["deactivate"], "not a moment before");
    settle_at(&mut world, deletes_at);
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
    assert_eq!(world.state(&key), KeyState::Deleted);
    assert!(world.ledger.keys[&key].secret.is_none());
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn one_key_is_active_in_the_steady_state_of_grace() {
    let (mut world, _) = displaced_under(grace(1, 1));
    world.run_due();
    assert_eq!(world.keys.len(), 1);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
}

#[test]
fn a_rotation_does_not_shorten_the_waits_of_grace() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let until = world.displaced[&key] + Millis::from_hours(3);
    let published = world.published().unwrap();
    let refuse = |world: &mut World| {
        let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
            panic!("it rotated")
        };
        assert_eq!(error.code, RunErrorCode::GraceHoldsSlot);
        assert!(
            error.before_change && error.text.contains(key.as_str()),
            "{error}"
        );
        assert!(!error.text.contains(published.as_str()), "it is not in the way");
        error.text
    };
    assert!(refuse(&mut world).contains("in its grace time until"));
    world.now = until - MOMENT;
    refuse(&mut world);
    assert!(world.changes.is_empty());
    settle_at(&mut world, until);
    refuse(&mut world);
    world.now = until + Millis::from_hours(5) - MOMENT;
    refuse(&mut world);
    assert_eq!(kinds(&world), ["deactivate"]);
    world.pass(MOMENT);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_rotation_that_had_to_deactivate_a_key_first_does_not_say_that_nothing_was_changed() {
    let (mut world, key) = displaced_under(grace(3, 5));
    world.now = world.displaced[&key] + Millis::from_hours(3);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::GraceHoldsSlot);
    assert_eq!(kinds(&world), ["deactivate"]);
    assert!(
        !error.before_change && !error.text.contains("Nothing was changed"),
        "{error}"
    );
}

#[test]
fn the_terms_of_a_key_are_fixed_when_it_is_displaced() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let settings = &mut world.ledger.rotation.as_mut().unwrap().settings;
    settings.policy = Policy::default();
    let until = world.displaced[&key] + Millis::from_hours(3);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::GraceHoldsSlot);
    settle_at(&mut world, until);
    assert_eq!(kinds(&world), ["deactivate"]);

    let (mut world, key) = displaced_under(Policy::default());
    let settings = &mut world.ledger.rotation.as_mut().unwrap().settings;
    settings.policy = grace(3, 5);
    world.pass(Millis::DAY);
    world.run(Goal::Settle);
    assert!(world.works(&key) && world.changes.is_empty());
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    let next = world.only(KeyState::Displaced);
    assert!(matches!(
        world.ledger.keys[&next].terms,
        Some(Terms::Grace { .. })
    ));
}

#[test]
fn the_owners_word_retires_a_key_at_once_and_still_in_two_steps() {
    for policy in [Policy::default(), grace(24, 24), holding(grace(24, 24), 168)] {
        let (mut world, key) = displaced_under(policy);
        let now = world.now;
        use_at(&mut world, &key, now);
        let published = world.published();
        let status = world.ledger.rotation.clone();
        assert_eq!(
            world.run(Goal::Retire { key: key.clone() }),
            Some(Outcome::Settled)
        );
        assert_eq!(kinds(&world), ["deactivate", "delete"]);
        assert_eq!(world.published(), published);
        assert_eq!(world.ledger.rotation, status, "the rotation is what it was");
        assert_eq!(world.violations, Vec::<String>::new());
    }
}

#[test]
fn the_owners_word_for_a_key_that_is_in_quarantine_deletes_it() {
    let (mut world, key) = displaced_under(grace(1, 24));
    let until = world.displaced[&key] + Millis::from_hours(1);
    settle_at(&mut world, until);
    world.run(Goal::Retire { key: key.clone() });
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
}

#[test]
fn the_owners_word_counts_for_a_key_that_may_go_and_for_no_other() {
    let mut world = rotated(0);
    let foreign = world.foreign_key();
    world.run(Goal::Settle);
    world.changes.clear();
    let published = world.published().unwrap();
    let unknown = AccessKeyId::from_trusted("AKIAUNKNOWN");
    for (key, why) in [
        (published, "it is the published one"),
        (foreign, "hand it over"),
        (unknown, "not a key of this user"),
    ] {
        let Some(Outcome::Failed(error)) = world.run(Goal::Retire { key }) else {
            panic!("it was retired")
        };
        assert_eq!(error.code, RunErrorCode::KeyNotEligible);
        assert!(error.before_change && error.text.contains(why), "{error}");
    }
    let (mut world, key) = displaced_under(Policy::default());
    world.run(Goal::Retire { key: key.clone() });
    let Some(Outcome::Failed(error)) = world.run(Goal::Retire { key }) else {
        panic!("it was retired twice")
    };
    assert!(error.text.contains("does not exist at AWS any more"), "{error}");
    assert_eq!(world.ledger.rotation.unwrap().status, RotationStatus::Success);
}

#[test]
fn the_owners_word_once_taken_down_is_kept_whatever_strikes() {
    let make = || displaced_under(grace(24, 24)).0;
    let key = make().only(KeyState::Displaced);
    for (fault, mut world, outcome) in struck(make, &Goal::Retire { key: key.clone() }) {
        let published = world.published().unwrap();
        let taken_down = world.ledger.keys[&key].terms() == Terms::AtOnce;
        assert!(
            taken_down || outcome.is_none() || outcome == Some(Outcome::Parked),
            "{fault:?}"
        );
        world.run_due();
        if taken_down {
            assert_eq!(world.state(&key), KeyState::Deleted, "{fault:?}");
            assert!(world.status(&key).is_none(), "{fault:?}");
        }
        assert!(world.works(&published), "{fault:?}");
        assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn a_retirement_that_is_struck_anywhere_ends_all_the_same_and_never_early() {
    let make = || {
        let (mut world, key) = displaced_under(grace(3, 5));
        world.now = world.displaced[&key] + Millis::from_hours(3);
        world
    };
    let key = make().only(KeyState::Displaced);
    for (fault, mut world, _) in struck(make, &Goal::Settle) {
        world.run_due();
        assert_eq!(kinds(&world).last(), Some(&"delete"), "{fault:?}");
        assert_eq!(world.state(&key), KeyState::Deleted, "{fault:?}");
        let inactive = world.changed_at[world.changed_at.len() - 1] - world.changed_at[0];
        assert!(inactive >= Millis::from_hours(5), "{fault:?}");
        let rotation = world.ledger.rotation.as_ref().unwrap();
        assert_eq!(
            (rotation.status, rotation.failures),
            (RotationStatus::Success, 0),
            "{fault:?}"
        );
        assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn a_retirement_that_fails_is_tried_again_and_says_nothing_of_the_rotation() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let before = world.ledger.rotation.clone();
    world.denied = true;
    world.now = world.displaced[&key] + Millis::from_hours(3);
    for failures in 1..=9 {
        assert_eq!(code(world.run(Goal::Settle)), RunErrorCode::AwsRefused);
        assert_eq!(world.ledger.user.failures, failures);
        let wait = world.ledger.user.due_at.unwrap() - world.now;
        let bound = Millis::from_secs(60)
            .times(1 << failures)
            .min(timings().retry_cap);
        assert!(
            Millis::ZERO <= wait && wait <= bound,
            "after {failures}: {wait:?}"
        );
        world.now = world.ledger.user.due_at.unwrap();
    }
    assert_eq!(world.ledger.rotation, before);
    world.denied = false;
    assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
    assert_eq!(world.ledger.user.failures, 0);
    assert_eq!(kinds(&world), ["deactivate"]);
}

#[test]
fn without_a_word_of_its_owner_a_key_waits_for_the_next_rotation_however_long() {
    let (mut world, key) = displaced_under(Policy::default());
    for _ in 0..20 {
        world.pass(Millis::DAY);
        world.run(Goal::Settle);
    }
    assert!(world.works(&key) && world.changes.is_empty());
    let due = world.ledger.user.due_at.unwrap();
    assert_eq!(due, world.slot() - AHEAD, "a look at who uses it");
    settle_at(&mut world, due);
    assert!(world.works(&key) && world.changes.is_empty());
    assert_eq!(
        world.ledger.user.due_at,
        Some(world.slot()),
        "only the schedule is due"
    );
}

#[test]
fn a_key_that_somebody_reactivates_in_quarantine_is_held_until_its_owner_speaks() {
    let (mut world, key) = displaced_under(grace(1, 5));
    let until = world.displaced[&key] + Millis::from_hours(1);
    settle_at(&mut world, until);
    world.keys.get_mut(&key).unwrap().0 = KeyStatus::Active;
    for day in 1..10 {
        settle_at(&mut world, until + Millis::DAY.times(day));
    }
    assert!(world.works(&key));
    assert_eq!(kinds(&world), ["deactivate"]);
    let told = world
        .alarms
        .iter()
        .filter(|a| **a == Alarm::Reactivated(key.clone()));
    assert_eq!(told.count(), 1);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::KeyHeld);
    assert!(error.text.contains("held: somebody reactivated it"), "{error}");
    world.run(Goal::Retire { key });
    assert_eq!(kinds(&world), ["deactivate", "deactivate", "delete"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_key_that_somebody_else_deactivates_has_its_quarantine_all_the_same() {
    let (mut world, key) = displaced_under(grace(24, 5));
    world.keys.get_mut(&key).unwrap().0 = KeyStatus::Inactive;
    let seen = world.now + Millis::from_hours(1);
    settle_at(&mut world, seen);
    assert_eq!(world.state(&key), KeyState::Deactivated);
    settle_at(&mut world, seen + Millis::from_hours(5) - MOMENT);
    assert!(world.changes.is_empty());
    settle_at(&mut world, seen + Millis::from_hours(5));
    assert_eq!(kinds(&world), ["delete"]);
}

#[test]
fn a_key_that_was_never_published_goes_after_its_time_and_not_a_moment_before() {
    let mut world = rotated(0);
    world.verify_failures = 1_000;
    world.run(MANUAL);
    let key = world.only(KeyState::Pending);
    let ends_at = world.ledger.keys[&key].first_seen_at + timings().pending_max;
    settle_at(&mut world, ends_at - MOMENT);
    assert!(world.works(&key));
    settle_at(&mut world, ends_at);
    assert_eq!(kinds(&world), ["create", "create", "deactivate", "delete"]);
}

#[test]
fn a_deletion_is_not_forgotten_because_another_key_is_retired_meanwhile() {
    let (make, revoke) = (
        || displaced_under(Policy::default()).0,
        Goal::Revoke { delete_secrets: true },
    );
    let key = make().only(KeyState::Displaced);
    for (fault, mut world, outcome) in struck(make, &revoke) {
        let begun = world.ledger.rotation.as_ref().is_some_and(|r| r.revoking);
        if outcome.is_none() && begun {
            world.run(Goal::Retire { key: key.clone() });
            world.run_due();
            assert!(world.ledger.rotation.is_none(), "{fault:?}");
            assert!(world.keys.is_empty(), "{fault:?}");
        }
    }
}

#[test]
fn the_retirement_of_one_key_does_not_keep_a_rotation_with_room_from_healing() {
    let (mut world, key) = displaced_under(grace(3, 5));
    world.now = world.displaced[&key] + Millis::from_hours(3);
    let published = world.published().unwrap();
    world.keys.remove(&published);
    world.denied = true;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create"], "the other key is the scheduler's");
    assert!(world.works(&key));
}

#[test]
fn a_quarantine_counts_from_the_later_clock() {
    let deactivates = |effect: &Effect| matches!(effect, Effect::Deactivate(_));
    let (mut world, key) = displaced_under(grace(3, 5));
    world.now = world.displaced[&key] + Millis::from_hours(3);
    let (mut run, effect) = run_to(&mut world, Goal::Settle, deactivates);
    let Event::Changed(Ok(mut answer)) = world.perform(&effect, usize::MAX) else {
        panic!("it answers")
    };
    let by_aws = world.now + Millis::from_secs(5);
    answer.aws_date = Some(by_aws);
    let effect = run.step(world.now, Event::Changed(Ok(answer)));
    world.perform(&effect, usize::MAX);
    assert_eq!(world.ledger.keys[&key].deactivated_at, Some(by_aws));
}

#[test]
fn a_grace_time_that_refuses_a_rotation_by_hand_is_no_failure_of_the_rotation() {
    let mut world = rotated_under(grace(24, 24), 1);
    let before = world.ledger.rotation.clone();
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::GraceHoldsSlot);
    assert_eq!(world.ledger.rotation, before);
    assert_eq!(world.ledger.user.unfinished, None);
}

#[test]
fn a_use_that_was_our_own_check_is_told_as_such() {
    let mut world = rotated_under(grace(24, 24), 1);
    let key = world.only(KeyState::Displaced);
    let checked_at = world.ledger.keys[&key].verified_at.unwrap();
    let used = LastUse {
        at: checked_at,
        service: "sts".to_owned(),
        region: "us-east-1".to_owned(),
    };
    world.uses.insert(key.clone(), used);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it went")
    };
    assert!(error.text.contains("by a check of Keywheel's"), "{error}");
    assert!(keywheel_core::run::is_own_use(&world.ledger.keys[&key]));
}
