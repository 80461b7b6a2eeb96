//! The protocol against a world that obeys the rules of AWS, with a fault at every point of a rotation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // tests stop at the first surprise

mod adoption;
mod clocks;
mod healing;
mod interplay;
mod machine;
mod recovery;
mod refusals;
mod retirement;
mod roll_back;
mod still_used;
mod suspects;
mod world;

use keywheel_core::aws::KeyStatus;
use keywheel_core::clock::Millis;
use keywheel_core::key::KeyState;
use keywheel_core::rotation::{RotationStatus, Trigger};
use keywheel_core::run::{Goal, Outcome, RunErrorCode};
use world::{Fault, World, create_goal, lists_are_right, rotated, timings};

const MANUAL: Goal = Goal::Rotate(Trigger::Manual);

fn kinds(world: &World) -> Vec<&'static str> {
    world.changes.iter().map(|(kind, _)| *kind).collect()
}

fn code(outcome: Option<Outcome>) -> RunErrorCode {
    match outcome {
        Some(Outcome::Failed(error)) => error.code,
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[test]
fn a_first_key_is_created_verified_and_published_with_its_rotation() {
    let world = rotated(0);
    let rotation = world.ledger.rotation.as_ref().unwrap();
    assert_eq!(kinds(&world), ["create"]);
    assert_eq!(rotation.slots.active_key(), world.published().as_ref());
    assert_eq!(rotation.slots.active.as_usize(), 0);
    assert_eq!(
        rotation.next_attempt_at.unwrap().to_string(),
        "2026-04-10T00:00:00.000Z"
    );
    assert!(world.ledger.user.due_at.unwrap() >= rotation.next_attempt_at.unwrap());
}

#[test]
fn the_previous_key_keeps_working_after_a_rotation() {
    let mut world = rotated(0);
    let first = world.published().unwrap();
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_ne!(world.published().unwrap(), first);
    assert!(world.works(&first));
    assert_eq!(world.ledger.user.unfinished, None);
    assert_eq!(world.ledger.rotation.unwrap().slots.active.as_usize(), 1);
}

#[test]
fn the_second_rotation_retires_the_key_before_the_previous_one_in_two_steps() {
    let mut world = rotated(1);
    let before = world.published().unwrap();
    world.changes.clear();
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["deactivate", "delete", "create"]);
    assert!(world.works(&before) && world.keys.len() == 2);
}

#[test]
fn the_schedule_rotates_when_the_day_has_come_and_not_before() {
    let mut world = rotated(0);
    let due = world.ledger.user.due_at.unwrap();
    world.now = due - Millis::new(1);
    let job = keywheel_core::ids::RunId::new(world.now, &[0; 10]);
    let early = keywheel_core::run::goal_of_due(&world.ledger, job, world.now, &timings());
    assert_eq!(early, Goal::Settle);
    world.now = due;
    assert_eq!(world.run_due(), [Some(Outcome::Published)]);
    let rotation = world.ledger.rotation.unwrap();
    assert!(!rotation.last_manual && rotation.last_job.is_some());
    assert_eq!(
        rotation.next_attempt_at.unwrap().to_string(),
        "2026-05-10T00:00:00.000Z"
    );
}

/// Every point of a rotation at which something can strike.
fn points(rotations: usize) -> std::ops::Range<usize> {
    let mut world = rotated(rotations);
    world.run(MANUAL);
    0..world.effects
}

/// Strikes once, then lets the scheduler put things in order, and checks what must hold whatever happened.
fn after(fault: Fault, rotations: usize) -> World {
    let mut world = rotated(rotations);
    let published = world.published().unwrap();
    world.fault = fault;
    world.run(MANUAL);
    // What applications read worked at the moment of the fault, and works afterwards.
    assert!(
        world.works(&published),
        "{fault:?}: the published key stopped working"
    );
    world.run_due();
    assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
    let now_published = world.published().unwrap();
    assert!(
        world.works(&now_published),
        "{fault:?}: what is published does not work"
    );
    world
}

#[test]
fn a_crash_at_any_point_ends_in_a_completed_rotation_or_in_one_named_suspect() {
    for rotations in [0, 1, 2] {
        for at in points(rotations) {
            for fault in [Fault::CrashBefore(at), Fault::CrashAfter(at)] {
                let before = rotated(rotations).published().unwrap();
                let world = after(fault, rotations);
                let suspects = world
                    .ledger
                    .keys
                    .values()
                    .filter(|k| k.state == KeyState::OrphanSuspect)
                    .count();
                let moved_on = world.published().unwrap() != before;
                // A crash before the run was noted leaves nothing behind; a crash between the create and its
                // record leaves a key whose secret nobody has.
                assert!(
                    moved_on || suspects == 1 || fault == Fault::CrashBefore(0),
                    "{rotations} {fault:?}: {:?}",
                    world.ledger.keys
                );
                assert!(
                    world.ledger.open_intent.is_none(),
                    "{fault:?}: an intent stayed open"
                );
            }
        }
    }
}

#[test]
fn a_key_whose_secret_is_stored_is_resumed_and_never_created_twice() {
    for at in points(0) {
        let world = after(Fault::CrashAfter(at), 0);
        let creates = kinds(&world).iter().filter(|k| **k == "create").count();
        let lost = world
            .ledger
            .keys
            .values()
            .any(|k| k.state == KeyState::OrphanSuspect);
        assert!(
            creates == 2 || lost || at == 0,
            "after effect {at}: {creates} creates"
        );
    }
}

#[test]
fn lost_answers_and_errors_at_any_point_break_no_promise() {
    for rotations in [0, 1] {
        for at in points(rotations) {
            after(Fault::AnswerLost(at), rotations);
            after(Fault::ErrorWithoutEffect(at), rotations);
        }
    }
}

#[test]
fn a_foreign_key_that_appears_at_any_point_is_never_touched() {
    for rotations in [0, 1] {
        for at in points(rotations) {
            let world = after(Fault::ForeignKeyBefore(at), rotations);
            assert_eq!(
                world
                    .keys
                    .keys()
                    .filter(|k| k.as_str().contains("FOREIGN"))
                    .count(),
                1,
                "{at}"
            );
        }
    }
}

#[test]
fn a_key_that_somebody_reactivated_is_held_and_not_deleted() {
    // The world stops between deactivation and deletion; somebody needs the key and reactivates it.
    let mut world = rotated(1);
    let deactivated_at = (0..100).find(|at| {
        let mut probe = rotated(1);
        probe.fault = Fault::CrashAfter(*at);
        probe.run(MANUAL);
        probe
            .ledger
            .keys
            .values()
            .any(|k| k.state == KeyState::Deactivated)
    });
    world.fault = Fault::CrashAfter(deactivated_at.unwrap());
    world.run(MANUAL);
    world
        .keys
        .values_mut()
        .for_each(|(status, _)| *status = KeyStatus::Active);
    lists_are_right(&mut world);
    let outcomes = world.run_due();
    assert_eq!(code(outcomes[0].clone()), RunErrorCode::KeyHeld);
    assert_eq!(world.keys.len(), 2);
    assert!(world.ledger.keys.values().any(|k| k.held.is_some()));
}

#[test]
fn a_user_made_again_under_the_same_name_is_not_touched() {
    for at in points(1) {
        let mut world = rotated(1);
        world.fault = Fault::UserReplacedBefore(at);
        world.run(MANUAL);
        world.run_due();
        assert!(world.keys.keys().any(|k| k.as_str().contains("FOREIGN")), "{at}");
        assert_eq!(world.violations, Vec::<String>::new(), "{at}");
    }
}

#[test]
fn a_published_key_that_somebody_deleted_is_replaced() {
    let mut world = rotated(0);
    lists_are_right(&mut world);
    world.fault = Fault::PublishedDeletedBefore(0);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    let published = world.published().unwrap();
    assert!(world.works(&published));
    assert_eq!(
        world
            .ledger
            .keys
            .values()
            .filter(|k| k.state == KeyState::Lost)
            .count(),
        1
    );
}

#[test]
fn two_foreign_keys_refuse_a_new_rotation_and_are_named() {
    let mut world = World::new();
    let ids = [world.foreign_key(), world.foreign_key()];
    let Some(Outcome::Failed(error)) = world.run(create_goal()) else {
        panic!("it ran")
    };
    assert_eq!(error.code, RunErrorCode::AdoptionBlocked);
    assert!(
        error.before_change && ids.iter().all(|id| error.text.contains(id.as_str())),
        "{error}"
    );
    assert!(world.changes.is_empty() && world.ledger.rotation.is_none());
}

#[test]
fn one_foreign_key_leaves_room_for_the_first_key_and_blocks_the_next_rotation() {
    let mut world = World::new();
    let foreign = world.foreign_key();
    assert_eq!(world.run(create_goal()), Some(Outcome::Published));
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::PreflightUnmanaged);
    assert!(world.works(&foreign) && kinds(&world) == ["create"]);
    let rotation = world.ledger.rotation.unwrap();
    assert_eq!(rotation.status, RotationStatus::Failed);
    assert!(rotation.last_message.unwrap().contains(foreign.as_str()));
}

#[test]
fn an_unverified_key_is_kept_for_the_next_attempt() {
    let mut world = rotated(0);
    world.verify_failures = 1_000;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::VerifyTimeout);
    let next_before = world.ledger.rotation.as_ref().unwrap().next_attempt_at;
    world.verify_failures = 0;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(
        kinds(&world),
        ["create", "create"],
        "one for the first key, one for the second"
    );
    assert!(next_before.is_some());
}

#[test]
fn success_has_to_come_in_a_row() {
    let mut world = rotated(0);
    world.verifications = 0;
    world.refused_verification = Some(3);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(
        world.verifications, 6,
        "two that counted for nothing, a refusal, three in a row"
    );
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_key_whose_secret_is_refused_for_good_is_retired_and_never_published() {
    let mut world = rotated(0);
    let published = world.published();
    world.verify_failures = 3;
    world.verify_code = "SignatureDoesNotMatch";
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::VerifyRefused);
    assert_eq!(kinds(&world), ["create", "create", "deactivate", "delete"]);
    assert_eq!(world.published(), published);
}

#[test]
fn clocks_that_differ_too_much_stop_every_change() {
    for ahead in [Millis::from_secs(32), Millis::from_secs(-32)] {
        let mut world = rotated(1);
        world.changes.clear();
        world.aws_clock_ahead = ahead;
        assert_eq!(code(world.run(MANUAL)), RunErrorCode::ClockSkew);
        assert!(world.changes.is_empty());
    }
}

#[test]
fn a_connection_cannot_rotate_its_own_user() {
    let mut world = rotated(0);
    world.changes.clear();
    world.user_id = keywheel_core::aws::IamUserId::from_trusted(world::CONNECTION);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::SelfRotation);
    assert!(world.changes.is_empty());
}

#[test]
fn a_failed_manual_run_leaves_the_schedule_alone_and_a_scheduled_one_comes_back_within_a_minute() {
    let mut world = rotated(0);
    world.foreign_key();
    let next = world.ledger.rotation.as_ref().unwrap().next_attempt_at;
    world.run(MANUAL);
    assert_eq!(world.ledger.rotation.as_ref().unwrap().next_attempt_at, next);
    world.now = world.ledger.user.due_at.unwrap();
    let job = keywheel_core::ids::RunId::new(world.now, &[0; 10]);
    world.run(keywheel_core::run::goal_of_due(
        &world.ledger,
        job,
        world.now,
        &timings(),
    ));
    let rotation = world.ledger.rotation.unwrap();
    assert_eq!(rotation.failures, 1);
    let wait = rotation.next_attempt_at.unwrap() - rotation.last_attempted_at;
    assert!((Millis::ZERO..=Millis::from_secs(60)).contains(&wait), "{wait:?}");
    assert_eq!(rotation.slot_at, next, "the slot that it serves stays");
}

#[test]
fn revoking_takes_every_key_of_ours_and_leaves_foreign_ones() {
    let mut world = rotated(0);
    let foreign = world.foreign_key();
    assert_eq!(
        world.run(Goal::Revoke { delete_secrets: true }),
        Some(Outcome::Revoked)
    );
    assert_eq!(world.keys.keys().collect::<Vec<_>>(), [&foreign]);
    assert!(world.ledger.rotation.is_none() && world.ledger.published().is_none());
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn a_revoke_interrupted_at_any_point_can_be_repeated() {
    let effects = {
        let mut world = rotated(1);
        world.run(Goal::Revoke {
            delete_secrets: false,
        });
        world.effects
    };
    for at in 0..effects {
        for fault in [
            Fault::CrashBefore(at),
            Fault::CrashAfter(at),
            Fault::AnswerLost(at),
        ] {
            let mut world = rotated(1);
            world.fault = fault;
            let outcome = world.run(Goal::Revoke {
                delete_secrets: false,
            });
            world.run_due();
            if world.ledger.rotation.is_some() {
                assert!(outcome.is_none() || matches!(outcome, Some(Outcome::Failed(_) | Outcome::Parked)));
                world.run(Goal::Revoke {
                    delete_secrets: false,
                });
                world.run_due();
            }
            assert!(world.keys.is_empty(), "{fault:?}: {:?}", world.ledger);
            assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
        }
    }
}

#[test]
fn an_interrupted_create_leaves_no_rotation_and_the_next_create_resumes_its_key() {
    let effects = {
        let mut world = World::new();
        world.run(create_goal());
        world.effects
    };
    for at in 0..effects {
        let mut world = World::new();
        world.fault = Fault::CrashAfter(at);
        world.run(create_goal());
        if world.ledger.rotation.is_some() {
            continue;
        }
        world.now = world.now + timings().late_landing + timings().call_timeout;
        assert_eq!(
            world.run(create_goal()),
            Some(Outcome::Published),
            "after effect {at}"
        );
        assert_eq!(world.violations, Vec::<String>::new(), "after effect {at}");
    }
}

#[test]
fn a_key_that_nobody_came_back_for_is_retired_after_a_day() {
    let mut world = World::new();
    world.verify_failures = 1_000;
    assert_eq!(code(world.run(create_goal())), RunErrorCode::VerifyTimeout);
    assert_eq!(world.keys.len(), 1);
    world.run_due();
    assert!(world.keys.is_empty());
    assert_eq!(kinds(&world), ["create", "deactivate", "delete"]);
    assert_eq!(world.ledger.user.due_at, None);
}

/// The number of the first effect of a rotation after which the world looks like this.
fn point_where(rotations: usize, looks: impl Fn(&World) -> bool) -> usize {
    let found = points(rotations).find(|at| {
        let mut world = rotated(rotations);
        world.fault = Fault::CrashAfter(*at);
        world.run(MANUAL);
        looks(&world)
    });
    found.expect("a rotation comes to this point")
}

#[test]
fn a_create_that_may_still_land_is_waited_for() {
    let announced = point_where(0, |world| world.ledger.open_intent.is_some());
    let mut world = rotated(0);
    world.fault = Fault::CrashAfter(announced);
    world.run(MANUAL);
    world.changes.clear();
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::InProgress);
    assert!(
        world.changes.is_empty(),
        "nothing is created while the first create may still land"
    );
    let intent = world.ledger.open_intent.clone().unwrap();
    assert_eq!(
        world.ledger.user.due_at,
        Some(intent.settles_at(timings().late_landing))
    );
    assert_eq!(
        world.ledger.rotation.as_ref().unwrap().status,
        RotationStatus::Success,
        "no state changes"
    );
}

#[test]
fn a_create_without_an_answer_stays_open_until_it_cannot_land_any_more() {
    let sent = point_where(0, |world| world.ours.len() == 2);
    let mut world = rotated(0);
    world.fault = Fault::AnswerLost(sent);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::OutcomeUnknown);
    let intent = world.ledger.open_intent.clone().expect("the intent is open");
    assert!(world.ledger.user.due_at.unwrap() >= intent.settles_at(timings().late_landing));
}

#[test]
fn a_lagging_list_does_not_hide_a_created_key_from_recovery() {
    let sent = point_where(0, |world| world.ours.len() == 2);
    let mut world = rotated(0);
    world.fault = Fault::CrashAfter(sent);
    world.run(MANUAL);
    world.now = world.now + timings().late_landing + timings().call_timeout;
    world.stale_lists = 1;
    world.run(MANUAL);
    let suspects = world
        .ledger
        .keys
        .values()
        .filter(|k| k.state == KeyState::OrphanSuspect)
        .count();
    assert_eq!(
        (suspects, world.creates_sent),
        (1, 2),
        "the key is found, and no create is sent instead"
    );
}

#[test]
fn a_change_without_an_answer_stays_announced_and_a_refused_one_does_not() {
    let deactivated = point_where(1, |world| {
        world.changes.iter().any(|(kind, _)| *kind == "deactivate")
    });
    let mut world = rotated(1);
    world.fault = Fault::AnswerLost(deactivated);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::AwsUnavailable);
    assert!(world.ledger.open_intent.is_some());

    let mut world = rotated(1);
    world.denied = true;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::AwsRefused);
    assert!(world.ledger.open_intent.is_none());
    let marks = world
        .ledger
        .keys
        .values()
        .filter(|k| k.settles_at.is_some())
        .count();
    assert_eq!(marks, 0, "nothing can land any more");
}

#[test]
fn a_refusal_of_a_repeated_change_proves_nothing_about_the_first_one() {
    let announced = point_where(1, |world| world.ledger.open_intent.is_some());
    let mut world = rotated(1);
    world.fault = Fault::CrashAfter(announced);
    world.run(MANUAL);
    world.denied = true;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::AwsRefused);
    assert!(
        world.ledger.open_intent.is_some(),
        "what the dead process sent may still land"
    );
}

#[test]
fn a_verification_that_is_a_minute_old_is_made_again_before_the_publish() {
    let mut world = rotated(0);
    world.verifications = 0;
    world.slow_verified_commit = Millis::from_secs(61);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(world.verifications, 2 * timings().verify_successes);
}
