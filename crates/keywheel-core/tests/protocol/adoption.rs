//! Adoption (C.12): what a new rotation does with the keys that its user already has.

use keywheel_core::aws::{AccessKeyId, KeyStatus, LastUse};
use keywheel_core::clock::Millis;
use keywheel_core::key::{KeyState, Origin, SealedSecret, Terms};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::run::{Adoption, Goal, Outcome, RunError, RunErrorCode};

use super::world::{IMPORTED, World, create_goal, create_with, grace, stranger, struck, timings};
use super::{MANUAL, code, kinds};

/// A user with so many foreign keys, all of them to be found in `given` if their owner names them.
fn user_with(keys: usize) -> (World, Vec<AccessKeyId>) {
    let mut world = World::new();
    let ids = (0..keys).map(|_| world.foreign_key()).collect();
    (world, ids)
}

fn import(key: &AccessKeyId) -> Adoption {
    Adoption::Import {
        key: key.clone(),
        secret: SealedSecret::from_bytes(IMPORTED.to_vec()),
    }
}

fn hand_over(key: &AccessKeyId, at_once: bool) -> Adoption {
    Adoption::HandOver {
        key: key.clone(),
        at_once,
    }
}

fn creating(adoption: Adoption) -> Goal {
    create_with(adoption, Policy::default())
}

fn refusal(world: &mut World, goal: Goal) -> RunError {
    let outcome = world.run(goal);
    let Some(Outcome::Failed(error)) = outcome else {
        panic!("expected a refusal, got {outcome:?}")
    };
    assert!(error.before_change, "{error}");
    assert!(
        world.changes.is_empty() && world.ledger.rotation.is_none(),
        "{error}"
    );
    error
}

#[test]
fn a_key_that_the_request_does_not_name_is_left_alone_and_said_to_block_the_next_rotation() {
    let (mut world, ids) = user_with(1);
    assert_eq!(world.run(create_goal()), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create"]);
    assert_eq!(world.state(&ids[0]), KeyState::Unmanaged);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::PreflightUnmanaged);
    assert!(error.before_change && error.text.contains(ids[0].as_str()));
    assert!(error.text.contains("Hand it over"), "{error}");
    assert!(world.works(&ids[0]));
}

#[test]
fn an_imported_key_is_published_and_nothing_changes_at_aws() {
    for keys in [1, 2] {
        let (mut world, ids) = user_with(keys);
        assert_eq!(world.run(creating(import(&ids[0]))), Some(Outcome::Published));
        assert!(world.changes.is_empty());
        assert_eq!(world.violations, Vec::<String>::new());
        let key = world.ledger.published().unwrap();
        assert_eq!((&key.id, key.origin), (&ids[0], Origin::Imported));
        assert_eq!(key.secret.as_ref().unwrap().as_bytes(), IMPORTED);
        let rotation = world.ledger.rotation.as_ref().unwrap();
        assert_eq!(rotation.slots.active_key(), Some(&ids[0]));
        assert_eq!(world.verifications, timings().verify_successes);
        for other in &ids[1..] {
            assert_eq!(world.state(other), KeyState::Unmanaged);
        }
    }
}

#[test]
fn an_imported_key_is_rotated_like_one_of_ours() {
    let (mut world, ids) = user_with(1);
    world.run(creating(import(&ids[0])));
    world.given.push(ids[0].clone());
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.state(&ids[0]), KeyState::Displaced);
    assert!(world.works(&ids[0]));
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create", "deactivate", "delete", "create"]);
    assert_eq!(world.state(&ids[0]), KeyState::Deleted);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_second_key_beside_an_imported_one_blocks_the_next_rotation_until_it_is_resolved() {
    let (mut world, ids) = user_with(2);
    world.run(creating(import(&ids[0])));
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::PreflightUnmanaged);
    assert!(world.changes.is_empty());
    world.keys.remove(&ids[1]);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
}

#[test]
fn a_key_whose_secret_is_refused_is_not_imported_and_not_waited_for() {
    for refusal_code in ["SignatureDoesNotMatch", "InvalidClientTokenId"] {
        let (mut world, ids) = user_with(1);
        (world.verify_failures, world.verify_code) = (1_000, refusal_code);
        let error = refusal(&mut world, creating(import(&ids[0])));
        assert_eq!(error.code, RunErrorCode::VerifyRefused);
        assert_eq!(world.verifications, timings().signature_tries);
        assert_eq!(world.state(&ids[0]), KeyState::Unmanaged);
        assert!(world.ledger.keys[&ids[0]].secret.is_none());
        assert!(world.works(&ids[0]));
    }
}

#[test]
fn an_inactive_key_is_not_imported() {
    let (mut world, ids) = user_with(1);
    world.keys.get_mut(&ids[0]).unwrap().0 = KeyStatus::Inactive;
    let error = refusal(&mut world, creating(import(&ids[0])));
    assert_eq!(error.code, RunErrorCode::KeyNotEligible);
    assert!(error.text.contains("inactive"), "{error}");
    assert_eq!(world.verifications, 0);
}

#[test]
fn an_inactive_key_can_be_handed_over() {
    let (mut world, ids) = user_with(1);
    world.keys.get_mut(&ids[0]).unwrap().0 = KeyStatus::Inactive;
    world.given.push(ids[0].clone());
    assert_eq!(
        world.run(creating(hand_over(&ids[0], false))),
        Some(Outcome::Published)
    );
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.state(&ids[0]), KeyState::Deleted);
}

#[test]
fn a_key_of_another_user_is_not_imported() {
    let (mut world, ids) = user_with(1);
    world.verified_as = Some(stranger());
    let error = refusal(&mut world, creating(import(&ids[0])));
    assert_eq!(error.code, RunErrorCode::IdentityChanged);
    assert!(error.text.contains("stranger"), "{error}");
}

#[test]
fn a_key_that_aws_does_not_list_cannot_be_adopted() {
    let nobodys = AccessKeyId::from_trusted("AKIANOBODYS");
    for adoption in [
        import(&nobodys),
        hand_over(&nobodys, false),
        hand_over(&nobodys, true),
    ] {
        let (mut world, _) = user_with(1);
        let error = refusal(&mut world, creating(adoption));
        assert_eq!(error.code, RunErrorCode::KeyNotEligible);
        assert!(error.text.contains("does not list"), "{error}");
    }
}

#[test]
fn a_key_that_somebody_deleted_since_it_was_seen_cannot_be_adopted() {
    for adopt in [
        import as fn(&_) -> _,
        |id| hand_over(id, false),
        |id| hand_over(id, true),
    ] {
        let (mut world, ids) = user_with(1);
        world.run(Goal::Settle);
        world.keys.clear();
        let error = refusal(&mut world, creating(adopt(&ids[0])));
        assert_eq!(error.code, RunErrorCode::KeyNotEligible);
        assert!(error.text.contains("lost"), "{error}");
    }
}

#[test]
fn a_handed_over_key_works_until_its_successor_does_and_is_displaced_under_the_terms_of_the_policy() {
    let (mut world, ids) = user_with(1);
    world.given.push(ids[0].clone());
    assert_eq!(
        world.run(creating(hand_over(&ids[0], false))),
        Some(Outcome::Published)
    );
    assert_eq!(kinds(&world), ["create"]);
    assert!(world.works(&ids[0]));
    let key = &world.ledger.keys[&ids[0]];
    assert_eq!((key.state, key.origin), (KeyState::Displaced, Origin::HandedOver));
    assert_eq!(key.terms, Some(Terms::NextRotation));
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create", "deactivate", "delete", "create"]);
    assert_eq!(world.state(&ids[0]), KeyState::Deleted);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_key_handed_over_with_grace_has_its_grace_time() {
    let (mut world, ids) = user_with(1);
    world.given.push(ids[0].clone());
    let goal = create_with(hand_over(&ids[0], false), grace(3, 2));
    assert_eq!(world.run(goal), Some(Outcome::Published));
    let until = world.now + Millis::from_hours(3);
    let quarantine = Millis::from_hours(2);
    assert_eq!(
        world.ledger.keys[&ids[0]].terms,
        Some(Terms::Grace { until, quarantine })
    );
    world.run_due();
    assert_eq!(kinds(&world), ["create", "deactivate", "delete"]);
    assert_eq!(
        world.changed_at[1..],
        [until, world.changed_at[1] + quarantine],
        "both waits ran in full"
    );
}

#[test]
fn of_two_keys_exactly_the_one_that_is_handed_over_at_once_goes_before_its_successor_comes() {
    let (mut world, ids) = user_with(2);
    world.given.push(ids[1].clone());
    assert_eq!(
        world.run(creating(hand_over(&ids[1], true))),
        Some(Outcome::Published)
    );
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert!(world.changes[..2].iter().all(|(_, id)| *id == ids[1]));
    assert_eq!(world.state(&ids[1]), KeyState::Deleted);
    assert_eq!(world.state(&ids[0]), KeyState::Unmanaged);
    assert!(world.works(&ids[0]));
    assert_eq!(world.violations, Vec::<String>::new());
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::PreflightUnmanaged);
}

#[test]
fn of_two_keys_none_is_handed_over_before_there_is_room_unless_the_request_says_at_once() {
    let (mut world, ids) = user_with(2);
    let error = refusal(&mut world, creating(hand_over(&ids[0], false)));
    assert_eq!(error.code, RunErrorCode::AdoptionBlocked);
    assert!(
        error.text.contains(ids[0].as_str()) && error.text.contains("retireAtOnce"),
        "{error}"
    );
    assert!(ids.iter().all(|id| world.state(id) == KeyState::Unmanaged));
}

#[test]
fn keys_that_leave_no_room_are_named_with_status_age_last_use_and_the_ways_out() {
    for keys in [2, 3] {
        let (mut world, ids) = user_with(keys);
        world.keys.get_mut(&ids[1]).unwrap().0 = KeyStatus::Inactive;
        world.keys.get_mut(&ids[1]).unwrap().1 = world.now - Millis::DAY.times(90);
        let used = LastUse {
            at: world.now - Millis::from_hours(30),
            service: "s3".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        world.uses.insert(ids[0].clone(), used);
        let error = refusal(&mut world, create_goal());
        assert_eq!(error.code, RunErrorCode::AdoptionBlocked);
        let first = format!(
            "{} (not created by Keywheel, Active, 1 h old, last used 2026-03-09T03:30:00.000Z with s3 in eu-west-1)",
            ids[0]
        );
        let second = format!(
            "{} (not created by Keywheel, Inactive, 90 days old, never used as far as AWS knows)",
            ids[1]
        );
        assert!(
            error.text.contains(&first) && error.text.contains(&second),
            "{error}"
        );
        assert!(ids.iter().all(|id| error.text.contains(id.as_str())));
        for way_out in ["Import one", "hand one over", "delete one"] {
            assert!(error.text.contains(way_out), "{error}");
        }
    }
}

#[test]
fn a_last_use_that_cannot_be_read_is_said_to_be_unknown() {
    let (mut world, _) = user_with(2);
    world.uses_unreadable = true;
    let error = refusal(&mut world, create_goal());
    assert!(error.text.contains("last use unknown"), "{error}");
}

/// An adoption for each row of the table that leads to a rotation: how many keys there are, and what is said of
/// the first one.
fn rows() -> Vec<(usize, Option<Adoption>)> {
    let first = user_with(1).1.remove(0);
    vec![
        (0, None),
        (1, None),
        (1, Some(import(&first))),
        (1, Some(hand_over(&first, false))),
        (1, Some(hand_over(&first, true))),
        (2, Some(import(&first))),
        (2, Some(hand_over(&first, true))),
    ]
}

#[test]
fn an_adoption_that_is_interrupted_anywhere_touches_only_the_named_key_and_can_be_repeated() {
    for (keys, adoption) in rows() {
        let goal = creating(adoption.clone().unwrap_or_default());
        let make = || {
            let (mut world, ids) = user_with(keys);
            if matches!(adoption, Some(Adoption::HandOver { .. })) {
                world.given.push(ids[0].clone());
            }
            world
        };
        let foreign = user_with(keys).1;
        for (fault, mut world, _) in struck(make, &goal) {
            let story = format!("{keys} keys, {adoption:?}, {fault:?}");
            world.run_due();
            if world.ledger.rotation.is_none() {
                let mut named = foreign.iter().filter_map(|id| world.ledger.keys.get(id));
                let untouched = named.all(|k| k.verified_at.is_none());
                assert!(untouched, "{story}: nothing is recorded before the publish");
                world.pass(timings().late_landing + timings().call_timeout);
                let mut outcome = world.run(goal.clone());
                let suspects = world.ledger.keys.values();
                let suspect = suspects
                    .filter(|k| k.state == KeyState::OrphanSuspect)
                    .map(|k| k.id.clone())
                    .next();
                if let (Some(Outcome::Failed(error)), Some(suspect)) = (&outcome, suspect) {
                    // The create of the first try died with its answer: only its owner can tell.
                    assert_eq!(error.code, RunErrorCode::OrphanSuspect, "{story}");
                    world.run(Goal::Retire { key: suspect });
                    outcome = world.run(goal.clone());
                }
                assert_eq!(outcome, Some(Outcome::Published), "{story}");
            }
            assert_eq!(world.violations, Vec::<String>::new(), "{story}");
            let unnamed = foreign
                .iter()
                .filter(|id| adoption.as_ref().and_then(Adoption::key) != Some(*id));
            for id in unnamed {
                assert!(world.works(id), "{story}: {id}");
            }
            if matches!(adoption, Some(Adoption::HandOver { at_once: false, .. })) {
                assert!(world.works(&foreign[0]), "{story}: it goes after its successor");
            }
            assert!(world.works(&world.published().unwrap()), "{story}");
        }
    }
}

/// A user whose first create died with its answer, and the key that it made.
fn user_with_suspect() -> (World, AccessKeyId) {
    let mut world = struck(World::new, &create_goal())
        .into_iter()
        .map(|(_, world, _)| world)
        .find(|world| world.ours.len() == 1 && world.ledger.keys.is_empty())
        .expect("an answer is lost");
    world.pass(timings().late_landing + timings().call_timeout);
    world.run(Goal::Settle);
    let key = world.only(KeyState::OrphanSuspect);
    world.changes.clear();
    (world, key)
}

#[test]
fn a_suspect_that_is_handed_over_goes_after_its_successor_has_come_or_before_if_so_said() {
    let (mut world, key) = user_with_suspect();
    assert_eq!(
        world.run(creating(hand_over(&key, false))),
        Some(Outcome::Published)
    );
    assert_eq!(kinds(&world), ["create"]);
    world.run_due();
    assert_eq!(kinds(&world), ["create"], "under the terms of any other key");
    assert_eq!(world.run(super::MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create", "deactivate", "delete", "create"]);
    assert_eq!(world.state(&key), KeyState::Deleted);

    let (mut world, key) = user_with_suspect();
    world.run(creating(hand_over(&key, true)));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_suspect_is_not_imported_active_or_not() {
    for status in [KeyStatus::Active, KeyStatus::Inactive] {
        let (mut world, key) = user_with_suspect();
        world.keys.get_mut(&key).unwrap().0 = status;
        let error = refusal(&mut world, creating(import(&key)));
        assert_eq!(error.code, RunErrorCode::KeyNotEligible);
        assert!(error.text.contains("its state is orphan_suspect"), "{error}");
    }
}

#[test]
fn a_key_that_waits_for_its_first_publish_does_not_make_an_import_wait() {
    let mut world = World::new();
    world.verify_failures = 1_000;
    world.run(create_goal());
    let foreign = world.foreign_key();
    (world.verifications, world.verify_failures) = (0, 1_000);
    let outcome = world.run(creating(import(&foreign)));
    assert_eq!(code(outcome), RunErrorCode::VerifyRefused);
    assert_eq!(world.verifications, timings().signature_tries);
    world.verify_failures = 0;
    let outcome = world.run(creating(import(&foreign)));
    assert_eq!(outcome, Some(Outcome::Published));
    assert_eq!(world.published(), Some(foreign));
}

#[test]
fn the_age_of_a_key_in_the_way_is_told_in_words() {
    for (hours, told) in [
        (0, "less than an hour old"),
        (1, "1 h old"),
        (47, "47 h old"),
        (48, "2 days old"),
        (100, "4 days old"),
    ] {
        let (mut world, ids) = user_with(2);
        world.keys.get_mut(&ids[0]).unwrap().1 = world.now - Millis::from_hours(hours);
        let error = refusal(&mut world, create_goal());
        assert!(error.text.contains(&format!("Active, {told}, never")), "{error}");
    }
}

#[test]
fn a_key_that_came_back_after_it_had_been_given_has_to_be_given_anew() {
    let (mut world, key) = user_with_suspect();
    world.run(Goal::Retire { key: key.clone() });
    assert_eq!(world.state(&key), KeyState::Deleted);
    world.pass(Millis::DAY);
    let created_at = world.now - Millis::DAY;
    world.keys.insert(key.clone(), (KeyStatus::Active, created_at));
    world.foreign_key();
    world.changes.clear();
    let error = refusal(&mut world, create_goal());
    assert_eq!(error.code, RunErrorCode::AdoptionBlocked);
    assert_eq!(world.state(&key), KeyState::Unmanaged);
    let outcome = world.run(creating(hand_over(&key, true)));
    assert_eq!(outcome, Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
}
