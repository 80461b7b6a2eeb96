//! The machine by itself: answers that do not fit, writes that fail, calls that AWS refuses, bounds.

use keywheel_core::aws::{AwsAccount, AwsFailure, FailureKind, IamUserId, KeyStatus};
use keywheel_core::clock::Millis;
use keywheel_core::ids::RunId;
use keywheel_core::intent::IntentOutcome;
use keywheel_core::key::KeyState;
use keywheel_core::run::{CommitFault, Effect, Event, Goal, Outcome, Run, RunErrorCode, goal_of_due};

use super::world::{Fault, World, create_goal, refused, rotated, stranger, struck, timings};
use super::{MANUAL, code, kinds};

/// A run that waits for the answer to the first effect that looks like this.
fn run_to(world: &mut World, goal: Goal, looks: impl Fn(&Effect) -> bool) -> (Run, Effect) {
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

const REVOKE: Goal = Goal::Revoke { delete_secrets: true };

/// The numbers of the effects of a rotation.
fn effects() -> std::ops::Range<usize> {
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
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::PreflightUnmanaged);
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
