//! Orphans (C.11): keys that a create of ours could explain and whose secret is lost.

use keywheel_core::aws::{AccessKeyId, KeyStatus, LastUse};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::intent::IntentOutcome;
use keywheel_core::key::{KeyState, Proof};
use keywheel_core::ledger::Alarm;
use keywheel_core::rotation::RotationStatus;
use keywheel_core::rotation::policy::Policy;
use keywheel_core::run::{Goal, Outcome, RunErrorCode};

use super::world::{World, rotated, rotated_under, struck, timings};
use super::{MANUAL, code, kinds};

const MOMENT: Millis = Millis::new(1);

/// A rotation whose last create died with its answer, and the key that it made.
fn suspect_under(policy: &Policy) -> (World, AccessKeyId) {
    let make = || {
        let mut world = rotated_under(policy.clone(), 0);
        // The create before this one explains nothing any more.
        world.pass(Millis::from_hours(1));
        world
    };
    let mut world = struck(make, &MANUAL)
        .into_iter()
        .map(|(_, world, _)| world)
        .find(|world| world.ours.len() == 2 && world.ledger.keys.len() == 1)
        .expect("an answer is lost");
    world.pass(timings().late_landing + timings().call_timeout);
    world.run(Goal::Settle);
    let key = world.only(KeyState::OrphanSuspect);
    world.changes.clear();
    world.changed_at.clear();
    (world, key)
}

fn suspect() -> (World, AccessKeyId) {
    suspect_under(&Policy::default())
}

/// Nobody else makes keys on this user, its owner promised at this moment.
fn promised(since: Moment) -> Policy {
    Policy {
        exclusive_since: Some(since),
        ..Policy::default()
    }
}

fn used(world: &mut World, key: &AccessKeyId) {
    let used = LastUse {
        at: world.now,
        service: "sts".to_owned(),
        region: "us-east-1".to_owned(),
    };
    world.uses.insert(key.clone(), used);
}

/// Lets the scheduler work until this moment.
fn work_until(world: &mut World, end: Moment) {
    for _ in 0..100 {
        let Some(due) = world.ledger.user.due_at.filter(|due| *due <= end) else {
            world.now = world.now.max(end);
            return;
        };
        world.now = world.now.max(due);
        world.run(Goal::Settle);
    }
    panic!("the scheduler runs in circles");
}

#[test]
fn a_key_whose_secret_is_lost_is_told_of_once_and_not_touched() {
    let (mut world, key) = suspect();
    let published = world.published().unwrap();
    assert_eq!(world.alarms, [Alarm::OrphanSuspected(key.clone())]);
    let create = world.ledger.creates.last().unwrap();
    assert_eq!(create.outcome, Some(IntentOutcome::Suspect));
    for _ in 0..5 {
        world.pass(Millis::DAY);
        world.run(Goal::Settle);
    }
    assert!(world.changes.is_empty() && world.works(&key) && world.works(&published));
    assert_eq!(world.alarms.len(), 1);
}

#[test]
fn a_rotation_that_needs_the_slot_of_a_suspect_stops_and_names_it() {
    let (mut world, key) = suspect();
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::OrphanSuspect);
    assert!(
        error.before_change && error.text.contains(key.as_str()),
        "{error}"
    );
    assert!(
        error.text.contains("its secret is lost") && error.text.contains("\"ours\""),
        "{error}"
    );
    assert!(world.changes.is_empty());
}

#[test]
fn the_owners_ours_retires_a_suspect_in_two_steps_and_makes_room() {
    let (mut world, key) = suspect();
    assert_eq!(
        world.run(Goal::Retire { key: key.clone() }),
        Some(Outcome::Settled)
    );
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
    assert_eq!(world.ledger.keys[&key].proof, Some(Proof::Owner));
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn the_owners_ours_counts_whatever_strikes() {
    let key = suspect().1;
    for (fault, mut world, _) in struck(|| suspect().0, &Goal::Retire { key: key.clone() }) {
        let taken_down = world.ledger.keys[&key].proof == Some(Proof::Owner);
        world.run_due();
        let state = world.state(&key);
        let expected = if taken_down {
            KeyState::Deleted
        } else {
            KeyState::OrphanSuspect
        };
        assert_eq!(state, expected, "{fault:?}");
        assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn a_suspect_that_was_ever_used_is_somebody_elses() {
    let (mut world, key) = suspect();
    used(&mut world, &key);
    world.pass(Millis::DAY.times(300));
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::Unmanaged);
    let retire = Goal::Retire { key: key.clone() };
    assert_eq!(code(world.run(retire)), RunErrorCode::KeyNotEligible);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::PreflightUnmanaged);
    assert!(world.changes.is_empty() && world.works(&key));
}

/// A key that AWS answered with and whose secret could not be sealed; the process died before it could retire it.
fn proven() -> (World, AccessKeyId) {
    let make = || {
        let mut world = rotated(0);
        world.seals = false;
        world
    };
    let found = struck(make, &MANUAL).into_iter().map(|(_, world, _)| world);
    let is_proven = |world: &World| {
        let mut keys = world.ledger.keys.values();
        keys.any(|k| k.proof == Some(Proof::CreateResponse) && k.state == KeyState::OrphanSuspect)
    };
    let mut world = found
        .into_iter()
        .find(|world| is_proven(world) && world.ledger.open_intent.is_none())
        .expect("it is recorded");
    world.changes.clear();
    let key = world.only(KeyState::OrphanSuspect);
    (world, key)
}

#[test]
fn a_key_whose_secret_cannot_be_sealed_is_retired_at_once_and_never_published() {
    let mut world = rotated(0);
    let published = world.published();
    world.seals = false;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::SealingFailed);
    assert_eq!(kinds(&world), ["create", "create", "deactivate", "delete"]);
    assert_eq!(world.published(), published);
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!(rotation.status, RotationStatus::Failed);
    world.seals = true;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_proven_key_goes_after_a_crash_too() {
    let (mut world, key) = proven();
    world.seals = true;
    world.run_due();
    assert_eq!(world.state(&key), KeyState::Deleted);
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
}

#[test]
fn a_proof_and_a_use_contradict_each_other_and_nothing_is_touched_until_the_owner_speaks() {
    let (mut world, key) = proven();
    used(&mut world, &key);
    world.run(Goal::Settle);
    assert!(world.alarms.contains(&Alarm::Contradiction(key.clone())));
    for _ in 0..5 {
        world.pass(Millis::DAY);
        world.run(Goal::Settle);
        assert_eq!(code(world.run(MANUAL)), RunErrorCode::OrphanSuspect);
    }
    assert!(world.changes.is_empty() && world.works(&key));
    let told = world
        .alarms
        .iter()
        .filter(|a| matches!(a, Alarm::Contradiction(_)));
    assert_eq!(told.count(), 1);
    world.run(Goal::Retire { key: key.clone() });
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
}

#[test]
fn a_proven_key_whose_use_cannot_be_read_is_retired_all_the_same() {
    let (mut world, key) = proven();
    world.uses_unreadable = true;
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::Deleted);
}

#[test]
fn a_promise_from_before_the_create_proves_a_suspect_after_a_day_without_use_and_a_day_of_quarantine() {
    let created = rotated(0).now;
    let (mut world, key) = suspect_under(&promised(created));
    let quiet_at = world.ledger.keys[&key].first_seen_at + timings().suspect_quiet;
    work_until(&mut world, quiet_at + MOMENT.times(-1));
    world.run(Goal::Settle);
    assert!(world.works(&key), "not a moment before");
    work_until(&mut world, quiet_at + Millis::from_secs(3_660));
    assert_eq!(kinds(&world), ["deactivate"]);
    assert_eq!(world.ledger.keys[&key].proof, Some(Proof::Exclusive));
    let deactivated_at = world.changed_at[0];
    assert!(deactivated_at >= quiet_at);
    work_until(
        &mut world,
        deactivated_at + timings().suspect_quiet + MOMENT.times(-1),
    );
    world.run(Goal::Settle);
    assert_eq!(kinds(&world), ["deactivate"], "not a moment before");
    work_until(
        &mut world,
        deactivated_at + timings().suspect_quiet + timings().retry_first,
    );
    assert_eq!(kinds(&world), ["deactivate", "delete"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_rotation_does_not_shorten_the_waits_of_a_promised_suspect() {
    let created = rotated(0).now;
    let (mut world, key) = suspect_under(&promised(created));
    let quiet_at = world.ledger.keys[&key].first_seen_at + timings().suspect_quiet;
    world.now = quiet_at + MOMENT.times(-1);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::OrphanSuspect);
    assert!(world.works(&key));
    world.now = quiet_at;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::GraceHoldsSlot);
    assert_eq!(kinds(&world), ["deactivate"]);
    world.now = quiet_at + timings().suspect_quiet;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
}

/// When the create of [`suspect`] was announced.
fn announced_at() -> Moment {
    suspect().0.ledger.creates.last().unwrap().opened_at
}

#[test]
fn a_promise_counts_from_the_moment_of_the_create_on_and_not_for_earlier_ones() {
    for (since, proves) in [(announced_at(), true), (announced_at() + MOMENT, false)] {
        let (mut world, key) = suspect_under(&promised(since));
        let end = world.now + Millis::DAY.times(3);
        work_until(&mut world, end);
        assert_eq!(world.status(&key).is_none(), proves, "{since}");
    }
}

#[test]
fn without_a_promise_no_time_proves_a_suspect() {
    let (mut world, key) = suspect();
    let end = world.now + Millis::DAY.times(20);
    work_until(&mut world, end);
    world.run(Goal::Settle);
    assert!(world.works(&key) && world.changes.is_empty());
}

#[test]
fn a_promised_suspect_that_is_used_within_its_day_is_somebody_elses() {
    let (mut world, key) = suspect_under(&promised(announced_at()));
    world.pass(Millis::from_hours(20));
    used(&mut world, &key);
    let end = world.now + Millis::DAY.times(3);
    work_until(&mut world, end);
    assert_eq!(world.state(&key), KeyState::Unmanaged);
    assert!(world.changes.is_empty());
}

#[test]
fn a_promised_suspect_whose_use_cannot_be_read_is_asked_for_again_and_not_condemned() {
    let (mut world, key) = suspect_under(&promised(announced_at()));
    world.uses_unreadable = true;
    let end = world.now + Millis::DAY.times(2);
    work_until(&mut world, end);
    assert!(world.works(&key) && world.changes.is_empty());
    world.uses_unreadable = false;
    let end = world.now + Millis::from_hours(2);
    work_until(&mut world, end);
    assert_eq!(kinds(&world), ["deactivate"]);
}

#[test]
fn a_promised_suspect_that_somebody_reactivates_in_its_quarantine_is_held() {
    let (mut world, key) = suspect_under(&promised(announced_at()));
    let end = world.now + Millis::DAY + Millis::from_hours(1);
    work_until(&mut world, end);
    assert_eq!(world.status(&key), Some(KeyStatus::Inactive));
    world.keys.get_mut(&key).unwrap().0 = KeyStatus::Active;
    let end = world.now + Millis::DAY.times(5);
    work_until(&mut world, end);
    assert!(world.works(&key));
    assert!(world.ledger.keys[&key].held.is_some());
}

#[test]
fn a_key_that_no_create_explains_is_never_a_suspect() {
    let mut world = rotated(0);
    let foreign = world.foreign_key();
    world.run(Goal::Settle);
    assert_eq!(world.state(&foreign), KeyState::Unmanaged);
    assert!(world.alarms.is_empty());
}

#[test]
fn a_foreign_key_made_in_the_seconds_of_a_create_is_a_suspect_and_the_owner_decides() {
    let make = || rotated(0);
    let (_, mut world, _) = struck(make, &MANUAL)
        .into_iter()
        .find(|(_, world, _)| world.ledger.open_intent.is_some() && world.ours.len() == 1)
        .expect("announced and not sent");
    let foreign = world.foreign_key();
    world.keys.get_mut(&foreign).unwrap().1 = world.now;
    world.pass(timings().late_landing + timings().call_timeout);
    world.run(Goal::Settle);
    assert_eq!(world.state(&foreign), KeyState::OrphanSuspect);
    for _ in 0..5 {
        world.pass(Millis::DAY);
        world.run(Goal::Settle);
    }
    assert!(world.works(&foreign));
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_rotation_that_is_deleted_takes_a_proven_suspect_with_it_and_no_other() {
    let revoke = Goal::Revoke {
        delete_secrets: false,
    };
    let (mut world, key) = proven();
    used(&mut world, &key);
    assert_eq!(world.run(revoke.clone()), Some(Outcome::Revoked));
    assert!(
        world.keys.is_empty(),
        "the owner's word is for all that is Keywheel's"
    );

    let (mut world, key) = suspect();
    assert_eq!(world.run(revoke), Some(Outcome::Revoked));
    assert!(world.works(&key));
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn nobody_is_asked_for_the_use_of_a_key_that_nobody_can_have_used() {
    let mut world = rotated(0);
    world.seals = false;
    world.run(MANUAL);
    assert_eq!(world.only(KeyState::Deleted), world.ours[1]);
    assert_eq!(world.lookups, 0);
}

/// A suspect that its owner's promise has put into quarantine, which ends now.
fn at_the_end_of_quarantine() -> (World, AccessKeyId) {
    let created = rotated(0).now;
    let (mut world, key) = suspect_under(&promised(created));
    world.now = world.ledger.keys[&key].first_seen_at + timings().suspect_quiet;
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::Deactivated);
    world.now = world.now + timings().suspect_quiet;
    (world, key)
}

#[test]
fn a_promised_suspect_of_which_aws_tells_a_late_use_is_not_deleted() {
    let (mut world, key) = at_the_end_of_quarantine();
    used(&mut world, &key);
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::Deactivated);
    assert!(world.ledger.keys[&key].held.is_some());
    assert!(world.alarms.contains(&Alarm::Contradiction(key)));
}

#[test]
fn a_promised_suspect_is_not_deleted_while_aws_does_not_tell_of_its_use() {
    let (mut world, key) = at_the_end_of_quarantine();
    world.uses_unreadable = true;
    assert_eq!(code(world.run(Goal::Settle)), RunErrorCode::AwsUnavailable);
    assert_eq!(world.state(&key), KeyState::Deactivated);
    world.uses_unreadable = false;
    world.run_due();
    assert_eq!(world.state(&key), KeyState::Deleted);
}

#[test]
fn a_suspect_that_its_owner_hands_over_has_the_terms_of_the_policy() {
    let (mut world, key) = suspect();
    let given = keywheel_core::owner::Word::HandOver;
    let commit = keywheel_core::owner::take(&world.ledger, &key, &given, world.now, &timings()).unwrap();
    for change in &commit.changes {
        world.ledger.apply(change);
    }
    assert_eq!(world.state(&key), KeyState::Displaced);
    assert_eq!(
        world.ledger.keys[&key].terms(),
        keywheel_core::key::Terms::NextRotation
    );
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.state(&key), KeyState::Deleted);
}
