//! What AWS refuses, contradicts or takes away: it ends a run with a reason, and loses nothing.

use keywheel_core::aws::{AwsAccount, AwsFailure, FailureKind, IamUserId, KeyStatus};
use keywheel_core::clock::Millis;
use keywheel_core::intent::IntentOutcome;
use keywheel_core::key::KeyState;
use keywheel_core::run::{Goal, Outcome, RunErrorCode};

use super::machine::{REVOKE, effects};
use super::world::{Fault, World, refused, rotated, stranger, struck, timings};
use super::{MANUAL, code, kinds};

#[test]
fn a_create_that_aws_refuses_is_closed_and_can_be_tried_again_at_once() {
    let unavailable = AwsFailure {
        kind: FailureKind::Unavailable,
        ..refused("Throttling")
    };
    for (failure, expected) in [
        (refused("AccessDenied"), RunErrorCode::AwsRefused),
        (unavailable, RunErrorCode::AwsUnavailable),
    ] {
        let mut world = rotated(0);
        world.create_refused = Some(failure.clone());
        let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
            panic!("it was created")
        };
        assert_eq!(error.code, expected);
        assert!(
            !error.before_change && error.text.contains(&failure.to_string()),
            "{error}"
        );
        assert!(error.text.contains("IAM user app"), "{error}");
        assert!(world.ledger.open_intent.is_none() && world.ledger.user.settles_at.is_none());
        let last = world.ledger.creates.last().unwrap();
        assert_eq!(last.outcome, Some(IntentOutcome::NoEffect));
        world.create_refused = None;
        assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    }
}

#[test]
fn a_create_without_an_answer_is_told_apart_from_a_refused_one() {
    let mut world = rotated(0);
    world.create_refused = Some(AwsFailure {
        kind: FailureKind::OutcomeUnknown,
        ..refused("InternalFailure")
    });
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::OutcomeUnknown);
    assert!(world.ledger.open_intent.is_some() && world.ledger.user.settles_at.is_some());
    assert_eq!(world.creates_sent, 2);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::InProgress);
    assert_eq!(world.creates_sent, 2, "none while the first may land");
}

#[test]
fn a_slot_that_somebody_takes_in_the_last_moment_is_left_to_them() {
    let mut refusals = 0;
    for at in effects() {
        let mut world = rotated(0);
        world.fault = Fault::ForeignKeyBefore(at);
        let outcome = world.run(MANUAL);
        if world.creates_sent == 2 && world.ours.len() == 1 {
            let Some(Outcome::Failed(error)) = outcome else {
                panic!("it rotated")
            };
            assert_eq!(error.code, RunErrorCode::NoFreeSlot);
            assert!(!error.before_change, "{error}");
            assert_eq!(kinds(&world), ["create"], "nothing is deleted because of it");
            assert_eq!(world.ledger.keys.len(), 2, "their key is recorded");
            refusals += 1;
        }
    }
    assert_eq!(refusals, 2, "before the intent and before the call");
}

#[test]
fn more_keys_than_two_are_not_thinned_out_in_vain() {
    let mut world = rotated(1);
    world.pass(Millis::DAY);
    let foreign = world.foreign_key();
    world.changes.clear();
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::PreflightUnmanaged);
    assert!(error.text.contains("(displaced, Active"), "{error}");
    assert!(world.changes.is_empty(), "retiring one key would make no room");
    world.keys.remove(&foreign);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
}

#[test]
fn lists_that_never_agree_are_not_read_for_ever() {
    let announced = struck(|| rotated(0), &MANUAL).into_iter();
    let (_, mut world, _) = announced
        .into_iter()
        .find(|(_, world, _)| world.ledger.open_intent.is_some())
        .unwrap();
    world.now = world.ledger.user.settles_at.unwrap();
    let began = world.now;
    world.growing = true;
    let (keys, sent) = (world.keys.len(), world.changes.len());
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it ran")
    };
    assert_eq!(error.code, RunErrorCode::AwsUnavailable);
    assert!(
        error.before_change && error.text.contains("do not agree"),
        "{error}"
    );
    assert_eq!(world.keys.len() - keys, 5, "five lists");
    assert_eq!(world.now - began, timings().list_gap.times(4));
    assert_eq!(world.changes.len(), sent);
    assert!(world.ledger.open_intent.is_some(), "still to be recovered");
}

#[test]
fn a_key_that_every_list_shows_and_no_call_finds_ends_the_run_and_not_the_patience() {
    let mut world = rotated(1);
    let key = world.only(KeyState::Displaced);
    world.ghosts.push(key.clone());
    world.changes.clear();
    let Some(Outcome::Failed(error)) = world.run(Goal::Retire { key: key.clone() }) else {
        panic!("it went")
    };
    assert_eq!(error.code, RunErrorCode::AwsUnavailable);
    assert!(error.text.contains("contradict each other"), "{error}");
    assert_eq!(kinds(&world), ["deactivate"; 8]);
    assert!(world.ledger.open_intent.is_none());
    world.ghosts.clear();
    world.run_due();
    assert_eq!(world.state(&key), KeyState::Deleted);
}

#[test]
fn a_key_that_somebody_deletes_first_is_as_gone_as_by_our_hand() {
    let key = rotated(1).only(KeyState::Displaced);
    for goal in [MANUAL, REVOKE, Goal::Retire { key: key.clone() }] {
        let mut calm = rotated(1);
        calm.run(goal.clone());
        for at in 0..calm.effects {
            let mut world = rotated(1);
            world.fault = Fault::OthersDeletedBefore(at);
            let outcome = world.run(goal.clone());
            world.run_due();
            let story = format!("{goal:?} before effect {at}: {outcome:?}");
            assert!(world.ledger.keys[&key].state.is_end(), "{story}");
            assert!(!matches!(outcome, None | Some(Outcome::Parked)), "{story}");
            assert!(world.ledger.open_intent.is_none(), "{story}");
            assert_eq!(world.violations, Vec::<String>::new(), "{story}");
            assert_eq!(world.ledger.rotation.is_none(), goal == REVOKE, "{story}");
        }
    }
}

#[test]
fn a_key_that_is_deleted_before_it_could_be_reactivated_is_not_published() {
    let make = || {
        let mut world = super::world::rotated_under(super::world::grace(1, 24), 1);
        world.pass(Millis::from_hours(1));
        world.run(Goal::Settle);
        world.effects = 0;
        world
    };
    let key = make().only(KeyState::Deactivated);
    for at in 0..5 {
        let mut world = make();
        let published = world.published();
        world.fault = Fault::OthersDeletedBefore(at);
        let outcome = world.run(Goal::RollBack { key: key.clone() });
        let expected = [RunErrorCode::KeyNotEligible, RunErrorCode::VerifyTimeout];
        assert!(expected.contains(&code(outcome)), "{at}");
        assert_eq!(world.published(), published);
        world.run(Goal::Settle);
        assert_eq!(world.state(&key), KeyState::Lost);
    }
}

#[test]
fn a_refused_change_says_what_was_tried() {
    let mut world = rotated(1);
    let key = world.only(KeyState::Displaced);
    world.denied = true;
    let Some(Outcome::Failed(error)) = world.run(Goal::Retire { key }) else {
        panic!("it went")
    };
    assert!(error.text.starts_with("retiring access key"), "{error}");
    assert!(!error.before_change);

    let mut world = super::world::rotated_under(super::world::grace(1, 24), 1);
    world.pass(Millis::from_hours(1));
    world.run(Goal::Settle);
    world.denied = true;
    let key = world.only(KeyState::Deactivated);
    let Some(Outcome::Failed(error)) = world.run(Goal::RollBack { key }) else {
        panic!("it came back")
    };
    assert!(error.text.starts_with("reactivating access key"), "{error}");
}

#[test]
fn a_new_key_that_belongs_to_somebody_else_is_never_published() {
    let user = {
        let mut user = stranger();
        user.account = AwsAccount::from_trusted("111122223333");
        user.user_id = IamUserId::from_trusted(super::world::USER);
        user.arn = keywheel_core::aws::Arn::from_trusted("arn:aws:iam::111122223333:user/app");
        user
    };
    let other = stranger();
    for (number, found) in [
        keywheel_core::aws::CallerIdentity {
            account: other.account.clone(),
            ..user.clone()
        },
        keywheel_core::aws::CallerIdentity {
            user_id: other.user_id.clone(),
            ..user.clone()
        },
        keywheel_core::aws::CallerIdentity {
            arn: other.arn.clone(),
            ..user.clone()
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = rotated(0);
        let published = world.published();
        world.verified_as = Some(found);
        assert_eq!(code(world.run(MANUAL)), RunErrorCode::IdentityChanged, "{number}");
        assert_eq!(world.published(), published, "{number}");
        assert!(world.ledger.unpublished().is_some(), "{number}");
    }
}

#[test]
fn a_deletion_goes_on_after_somebody_brought_a_key_back() {
    let is_half_way = |world: &World| {
        world
            .ledger
            .keys
            .values()
            .any(|k| k.state == KeyState::Deactivated)
    };
    let (_, mut world, _) = struck(|| rotated(1), &REVOKE)
        .into_iter()
        .find(|(fault, world, _)| matches!(fault, Fault::CrashAfter(_)) && is_half_way(world))
        .unwrap();
    for (status, _) in world.keys.values_mut() {
        *status = KeyStatus::Active;
    }
    let Some(Outcome::Failed(error)) = world.run(REVOKE) else {
        panic!("it is held")
    };
    assert!(error.text.contains("contradict each other"), "{error}");
    assert_eq!(world.run(REVOKE), Some(Outcome::Revoked), "said twice, it counts");
    assert_eq!(world.violations, Vec::<String>::new());
}
