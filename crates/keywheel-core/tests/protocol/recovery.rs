//! Recovery (C.10, L2, L3): whatever strikes, and whoever asked for the run, nothing stays open and unseen.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RunId;
use keywheel_core::intent::IntentOutcome;
use keywheel_core::key::KeyState;
use keywheel_core::ledger::{Change, Unfinished};
use keywheel_core::rotation::RotationStatus;
use keywheel_core::run::{Adoption, Goal, Outcome, RunErrorCode, goal_of_due};

use super::world::{Fault, World, create_with, grace, rotated, rotated_under, struck, timings};
use super::{MANUAL, code, kinds};

/// Longer than this no intent stays open unseen (`recoveryMinutesMax`).
const RECOVERY: Millis = Millis::from_secs(30 * 60);

fn quarantined() -> (World, AccessKeyId) {
    let mut world = rotated_under(grace(1, 24), 1);
    let key = world.only(KeyState::Displaced);
    world.pass(Millis::from_hours(1));
    world.run(Goal::Settle);
    (world, key)
}

/// A run of each kind, in a world that needs it.
fn runs() -> Vec<(Box<dyn Fn() -> World>, Goal)> {
    let key = quarantined().1;
    let foreign = World::new().foreign_key();
    let handing_over = Adoption::HandOver {
        key: foreign,
        at_once: true,
    };
    let with_two_foreign_keys = || {
        let mut world = World::new();
        let named = world.foreign_key();
        world.given.push(named);
        world.foreign_key();
        world
    };
    vec![
        (Box::new(World::new), create_with(Adoption::None, grace(1, 1))),
        (
            Box::new(with_two_foreign_keys),
            create_with(handing_over, grace(1, 1)),
        ),
        (Box::new(|| rotated(1)), MANUAL),
        (
            Box::new(|| rotated(1)),
            Goal::Revoke {
                delete_secrets: false,
            },
        ),
        (Box::new(|| quarantined().0), Goal::RollBack { key: key.clone() }),
        (Box::new(|| quarantined().0), Goal::Retire { key }),
    ]
}

#[test]
fn an_open_intent_is_looked_at_by_the_scheduler_whoever_opened_it() {
    for (make, goal) in runs() {
        for (fault, world, _) in struck(make, &goal) {
            if world.ledger.open_intent.is_some() {
                let due = world.ledger.user.due_at;
                let soon = world.now + RECOVERY;
                assert!(
                    due.is_some_and(|at| at <= soon),
                    "{goal:?} {fault:?}: due {due:?}"
                );
            }
        }
    }
}

#[test]
fn a_key_that_was_handed_over_at_once_goes_even_if_nobody_comes_back_for_the_create() {
    let (make, goal) = runs().remove(1);
    for (fault, mut world, _) in struck(make, &goal) {
        let begun = world.ledger.keys.values().any(|k| k.state == KeyState::Displaced);
        if begun && world.ledger.rotation.is_none() {
            world.run_due();
            let named = world.given[0].clone();
            assert_eq!(world.state(&named), KeyState::Deleted, "{fault:?}");
            assert_eq!(world.violations, Vec::<String>::new(), "{fault:?}");
        }
    }
}

#[test]
fn nothing_is_in_the_way_of_the_scheduler_after_a_fault_that_passes() {
    for (make, goal) in runs() {
        for (fault, mut world, _) in struck(make, &goal) {
            world.run_due();
            assert!(world.ledger.open_intent.is_none(), "{goal:?} {fault:?}");
            assert_eq!(world.violations, Vec::<String>::new(), "{goal:?} {fault:?}");
            let due = world.ledger.user.due_at;
            assert!(
                due.is_none_or(|at| at > world.now),
                "{goal:?} {fault:?}: still due at {due:?}, now {}",
                world.now
            );
        }
    }
}

/// The number of the first effect of a rotation after which the world looks like this.
fn crash_where(looks: impl Fn(&World) -> bool) -> World {
    let found = struck(|| rotated(0), &MANUAL)
        .into_iter()
        .find(|(fault, world, _)| matches!(fault, Fault::CrashAfter(_)) && looks(world));
    found.expect("a rotation comes to this point").1
}

#[test]
fn an_announced_create_that_was_never_sent_is_closed_and_made_again() {
    let mut world = crash_where(|world| world.ledger.open_intent.is_some());
    let lands_until = world.ledger.user.settles_at.unwrap();
    world.now = lands_until;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
    assert_eq!(kinds(&world), ["create", "create"]);
    let outcomes: Vec<_> = world.ledger.creates.iter().map(|i| i.outcome).collect();
    let (done, no_effect) = (Some(IntentOutcome::Done), Some(IntentOutcome::NoEffect));
    assert_eq!(outcomes, [done, no_effect, done]);
    assert_eq!(world.ledger.user.settles_at, None);
}

#[test]
fn a_create_that_may_still_land_is_waited_for_to_the_last_moment() {
    let mut world = crash_where(|world| world.ledger.open_intent.is_some());
    let lands_until = world.ledger.user.settles_at.unwrap();
    world.now = lands_until + Millis::new(-1);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::InProgress);
    assert_eq!(kinds(&world), ["create"]);
}

#[test]
fn a_run_that_found_a_call_under_way_is_taken_up_again_if_it_was_before() {
    let mut world = crash_where(|world| world.ledger.open_intent.is_some());
    let job = RunId::new(world.now, &[1; 10]);
    let goal = goal_of_due(&world.ledger, job, world.now, &timings());
    assert_eq!(goal, MANUAL, "a crash does not forget what was asked for");
    assert_eq!(code(world.run(goal)), RunErrorCode::InProgress);
    assert!(world.ledger.user.unfinished.is_some(), "neither does a wait");
    world.run_due();
    assert_eq!(world.ledger.user.unfinished, None);
    assert_eq!(kinds(&world), ["create", "create"]);
}

#[test]
fn the_values_of_a_key_that_is_gone_are_erased_whoever_deleted_it() {
    let mut world = rotated(1);
    let displaced = world.only(KeyState::Displaced);
    world.keys.remove(&displaced);
    world.run(Goal::Settle);
    assert_eq!(world.state(&displaced), KeyState::Lost);
    assert!(world.erased.contains(&displaced), "lost");

    let mut world = rotated(1);
    let displaced = world.only(KeyState::Displaced);
    world.run(Goal::Retire {
        key: displaced.clone(),
    });
    assert!(world.erased.contains(&displaced), "deleted");

    // What applications read is not taken from them, but it goes with its successor's publish.
    let mut world = rotated(0);
    let published = world.published().unwrap();
    crate::world::lists_are_right(&mut world);
    world.keys.clear();
    world.run(Goal::Settle);
    world.erased.clear();
    world.run_due();
    assert!(world.erased.contains(&published), "lost while it was published");
}

#[test]
fn every_way_to_fail_leaves_the_rotation_in_its_schedule() {
    let faults: [fn(&mut World); 6] = [
        |world| world.denied = true,
        |world| world.verify_failures = 1_000,
        |world| world.seals = false,
        |world| world.dated = false,
        |world| world.user_id = keywheel_core::aws::IamUserId::from_trusted("AIDAOTHER"),
        |world| {
            world.foreign_key();
        },
    ];
    for (number, strike) in faults.iter().enumerate() {
        let mut world = rotated(1);
        strike(&mut world);
        if number == 5 {
            let displaced = world.only(KeyState::Displaced);
            world.keys.remove(&displaced);
        }
        world.now = world.slot();
        let mut last: Option<Moment> = None;
        for _ in 0..12 {
            let job = RunId::new(world.now, &[1; 10]);
            let goal = goal_of_due(&world.ledger, job, world.now, &timings());
            let outcome = world.run(goal);
            assert!(
                matches!(outcome, Some(Outcome::Failed(_))),
                "{number}: {outcome:?}"
            );
            let rotation = world.ledger.rotation.as_ref().unwrap();
            assert_eq!(rotation.status, RotationStatus::Failed, "{number}");
            let due = world.ledger.user.due_at.expect("it stays in the schedule");
            assert!(due <= world.now + timings().retry_cap, "{number}");
            assert!(last.is_none_or(|last| due >= last), "{number}");
            last = Some(due);
            world.now = world.now.max(due);
        }
    }
}

#[test]
fn a_run_that_is_asked_for_nothing_new_forgets_its_failures() {
    let mut world = rotated_under(grace(1, 1), 1);
    world.now = world.now + Millis::from_hours(2);
    world.user_id = keywheel_core::aws::IamUserId::from_trusted("AIDAOTHER");
    assert_eq!(code(world.run(Goal::Settle)), RunErrorCode::IdentityChanged);
    assert_eq!(world.ledger.user.failures, 1);
    world.user_id = keywheel_core::aws::IamUserId::from_trusted(super::world::USER);
    world.run(Goal::Settle);
    assert_eq!(world.ledger.user.failures, 0);
}

#[test]
fn what_is_not_tried_again_counts_no_failure_and_keeps_its_date_however_far_off() {
    let mut world = rotated(0);
    let slot = world.ledger.user.due_at;
    world.user_id = keywheel_core::aws::IamUserId::from_trusted("AIDAOTHER");
    for goal in [MANUAL, Goal::Settle] {
        assert_eq!(code(world.run(goal)), RunErrorCode::IdentityChanged);
        let user = &world.ledger.user;
        assert_eq!((user.failures, user.due_at), (0, slot));
    }
}

#[test]
fn a_change_of_the_record_is_what_its_name_says() {
    let mut ledger = rotated(0).ledger;
    let before = ledger.clone();
    let key = ledger.published().unwrap().id.clone();
    ledger.apply(&Change::EraseValues(key));
    assert_eq!(ledger, before, "values lie elsewhere");
}

#[test]
fn a_rotation_that_is_being_deleted_is_not_rotated_any_more() {
    let mut world = rotated(0);
    world.ledger.user.unfinished = Some(Unfinished::Rotate);
    world.ledger.rotation.as_mut().unwrap().revoking = true;
    let job = RunId::new(world.now, &[1; 10]);
    let late = world.now + Millis::DAY.times(100);
    assert_eq!(goal_of_due(&world.ledger, job, late, &timings()), Goal::Settle);
}

#[test]
fn a_wait_that_only_aws_does_not_call_over_ends_by_both_clocks_when_it_is_looked_at_again() {
    let mut world = crash_where(|world| world.ledger.open_intent.is_some());
    let lands_until = world.ledger.user.settles_at.unwrap();
    world.now = lands_until;
    world.aws_clock_ahead = Millis::from_secs(-20);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::InProgress);
    let due = world.ledger.user.due_at.unwrap();
    let wait = due - lands_until;
    assert!(
        (Millis::from_secs(20)..=Millis::from_secs(22)).contains(&wait),
        "{wait:?}"
    );
    world.now = due;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));
}

#[test]
fn a_slot_is_spread_and_a_retry_comes_when_it_says() {
    let mut world = rotated(1);
    let rotation = world.ledger.rotation.clone().unwrap();
    let spread = keywheel_core::rotation::schedule::spread(rotation.id, timings().day_length);
    assert!(spread > Millis::ZERO);
    world.now = world.ledger.user.due_at.unwrap();
    assert_eq!(
        world.run(Goal::Settle),
        Some(Outcome::Settled),
        "a look at who uses the displaced key"
    );
    let due = world.ledger.user.due_at.unwrap();
    assert_eq!(due - rotation.next_attempt_at.unwrap(), spread);
    world.now = due;
    world.denied = true;
    let job = RunId::new(world.now, &[1; 10]);
    world.run(goal_of_due(&world.ledger, job, world.now, &timings()));
    let rotation = world.ledger.rotation.unwrap();
    assert_eq!(rotation.failures, 1);
    assert_eq!(rotation.starts_at(timings().day_length), rotation.next_attempt_at);
}

#[test]
fn the_patience_of_a_schedule_counts_its_own_failures() {
    let waits = (0..20).map(|n| {
        let mut world = rotated(1);
        world.fence = n * 7;
        world.denied = true;
        world.now = world.slot();
        world.ledger.rotation.as_mut().unwrap().failures = 6;
        let job = RunId::new(world.now, &[1; 10]);
        world.run(goal_of_due(&world.ledger, job, world.now, &timings()));
        world.ledger.user.due_at.unwrap() - world.now
    });
    let longest = waits.max().unwrap();
    assert!(longest > timings().retry_first, "{longest:?}");
    assert!(longest <= timings().retry_cap, "{longest:?}");
}
