//! Where two things meet: a word and an open intent, a crash and another goal, a call and its repeat.

use keywheel_core::aws::{AccessKeyId, KeyStatus};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::intent::IntentKind;
use keywheel_core::key::{KeyState, SealedSecret};
use keywheel_core::ledger::Change;
use keywheel_core::owner::{self, Word};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::run::{Adoption, Goal, Outcome};

use super::MANUAL;
use super::world::{
    Fault, World, create_goal, create_with, grace, lists_are_right, rotated, rotated_under, timings,
};

/// A world in which a goal was cut short by a crash, and that looks like this.
fn crashed(make: impl Fn() -> World, goal: &Goal, looks: impl Fn(&World) -> bool) -> World {
    let faults = (0..60).flat_map(|at| [Fault::CrashBefore(at), Fault::CrashAfter(at)]);
    for fault in faults {
        let mut world = make();
        world.effects = 0;
        world.fault = fault;
        if world.run(goal.clone()).is_none() && looks(&world) {
            world.fault = Fault::None;
            return world;
        }
    }
    panic!("no crash leads there");
}

fn open(world: &World, kind: IntentKind) -> Option<AccessKeyId> {
    let intent = world.ledger.open_intent.as_ref().filter(|i| i.kind == kind)?;
    intent.key.clone()
}

fn changes(world: &World, kind: &str) -> usize {
    world.changes.iter().filter(|(k, _)| *k == kind).count()
}

pub(super) fn take(world: &mut World, key: &AccessKeyId, said: &Word) {
    let commit = owner::take(&world.ledger, key, said, world.now, &timings()).unwrap();
    commit
        .changes
        .iter()
        .for_each(|change| world.ledger.apply(change));
}

/// One displaced key in its quarantine.
fn quarantined() -> (World, AccessKeyId) {
    let mut world = rotated_under(grace(1, 100), 1);
    world.now = world.ledger.user.due_at.unwrap();
    assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
    let key = world.only(KeyState::Deactivated);
    world.changes.clear();
    (world, key)
}

#[test]
fn a_call_that_was_announced_is_not_repeated_on_a_key_that_was_given_back_since() {
    let unsent = |w: &World| open(w, IntentKind::Deactivate).is_some() && changes(w, "deactivate") == 0;
    let mut world = crashed(|| rotated(1), &MANUAL, unsent);
    let key = open(&world, IntentKind::Deactivate).unwrap();
    // The rotation is deleted without its keys.
    let ours: Vec<_> = world
        .ledger
        .keys
        .values()
        .filter(|k| k.is_ours())
        .cloned()
        .collect();
    for mut key in ours {
        key.become_state(KeyState::Unmanaged, world.now).unwrap();
        world.ledger.apply(&Change::Key(key));
    }
    world.ledger.rotation = None;
    world.ledger.user.unfinished = None;
    world.pass(Millis::from_secs(60));
    assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
    assert!(world.ledger.open_intent.is_none() && world.works(&key));
}

#[test]
fn a_repeated_call_is_given_as_much_time_to_land_as_the_first() {
    let announced = |w: &World| open(w, IntentKind::Deactivate).is_some();
    let mut world = crashed(|| rotated(1), &MANUAL, announced);
    let key = open(&world, IntentKind::Deactivate).unwrap();
    world.now = world.ledger.keys[&key].settles_at.unwrap() + Millis::from_secs(60);
    let repeated_at = world.now;
    // The holder dies with the repeat on its way.
    world.effects = 0;
    world.fault = Fault::CrashBefore(2);
    assert_eq!(world.run(Goal::Settle), None);
    let mark = world.ledger.keys[&key].settles_at.unwrap();
    assert!(mark >= repeated_at + timings().call_timeout + timings().late_landing);
}

#[test]
fn a_create_changes_no_key_that_only_an_earlier_create_named() {
    let mut world = World::new();
    let key = world.foreign_key();
    world.given.push(key.clone());
    world.denied = true;
    let hand_over = Adoption::HandOver {
        key: key.clone(),
        at_once: true,
    };
    let refused = world.run(create_with(hand_over, Policy::default()));
    assert!(matches!(refused, Some(Outcome::Failed(_))));
    assert_eq!(world.state(&key), KeyState::Unmanaged, "it is its owner's again");
    assert_eq!(
        world.ledger.user.due_at, None,
        "and nothing goes on behind the refusal"
    );
    world.denied = false;
    let import = Adoption::Import {
        key: key.clone(),
        secret: SealedSecret::from_bytes(vec![1]),
    };
    assert_eq!(
        world.run(create_with(import, Policy::default())),
        Some(Outcome::Published)
    );
    assert!(world.works(&key) && world.changes.is_empty());
}

#[test]
fn retire_now_counts_for_a_key_that_somebody_reactivated_meanwhile() {
    let (mut world, key) = quarantined();
    lists_are_right(&mut world);
    world.keys.get_mut(&key).unwrap().0 = KeyStatus::Active;
    assert_eq!(
        world.run(Goal::Retire { key: key.clone() }),
        Some(Outcome::Settled)
    );
    assert_eq!(world.state(&key), KeyState::Deleted);
    assert_eq!((changes(&world, "deactivate"), changes(&world, "delete")), (1, 1));
}

#[test]
fn a_key_whose_list_line_lags_is_resumed_and_not_made_twice() {
    let recorded = |w: &World| w.ledger.unpublished().is_some();
    let mut world = crashed(|| rotated(0), &MANUAL, recorded);
    let key = world.ledger.unpublished().unwrap().id.clone();
    world.stale_lists = 2;
    world.run_due();
    assert_eq!(world.state(&key), KeyState::Published);
    assert_eq!(world.creates_sent, 2, "one for each rotation");
}

#[test]
fn a_repeated_call_that_aws_refuses_for_good_blocks_no_rotation() {
    let unsent = |w: &World| open(w, IntentKind::Reactivate).is_some() && changes(w, "reactivate") == 0;
    let (_, key) = quarantined();
    let mut world = crashed(|| quarantined().0, &Goal::RollBack { key }, unsent);
    world.denied = true;
    world.pass(Millis::from_hours(1));
    world.run(Goal::Settle);
    assert!(world.ledger.open_intent.is_none(), "nothing can land any more");
}

#[test]
fn a_key_that_its_owner_wants_gone_is_not_brought_back_first() {
    let unsent = |w: &World| open(w, IntentKind::Reactivate).is_some() && changes(w, "reactivate") == 0;
    let (_, key) = quarantined();
    let mut world = crashed(|| quarantined().0, &Goal::RollBack { key: key.clone() }, unsent);
    world.run(Goal::Retire { key: key.clone() });
    assert_eq!(changes(&world, "reactivate"), 0);
    assert_eq!(world.state(&key), KeyState::Deleted);
}

#[test]
fn a_suspect_that_is_handed_over_has_the_grace_that_its_owner_was_promised() {
    let unclear = (0..60).map(|at| {
        let mut world = World::new();
        world.fault = Fault::ErrorWithoutEffect(at);
        world.run(create_goal());
        world
    });
    let mut world = unclear
        .into_iter()
        .find(|w| w.ledger.open_intent.is_some())
        .unwrap();
    world.fault = Fault::None;
    // Somebody makes a key by hand while the create could land.
    let key = world.foreign_key();
    world.given.push(key.clone());
    world.keys.get_mut(&key).unwrap().1 = world.now;
    world.pass(Millis::from_secs(400));
    world.run(Goal::Settle);
    assert_eq!(world.state(&key), KeyState::OrphanSuspect);
    let hand_over = Adoption::HandOver {
        key: key.clone(),
        at_once: false,
    };
    assert_eq!(
        world.run(create_with(hand_over, grace(24, 24))),
        Some(Outcome::Published)
    );
    let until = world.ledger.keys[&key].retires_at(timings().pending_max).unwrap();
    assert!(until >= world.now + Millis::from_hours(23));
    world.run(Goal::Settle);
    assert!(world.works(&key));
}

#[test]
fn a_word_about_a_key_does_not_forget_the_run_that_is_to_be_finished() {
    let unfinished = |w: &World| w.ledger.user.unfinished.is_some();
    let mut world = crashed(|| rotated(1), &MANUAL, unfinished);
    world.ledger.rotation.as_mut().unwrap().next_attempt_at = None;
    let key = world.only(KeyState::Displaced);
    let reason = "x".to_owned();
    take(&mut world, &key, &Word::Hold { reason });
    assert_eq!(world.ledger.user.due_at, Some(world.now));
}

#[test]
fn what_a_key_waited_for_ends_with_the_rotation_that_made_it_wait() {
    let mut world = rotated_under(grace(24, 24), 1);
    let id = world.only(KeyState::Displaced);
    let mut key = world.ledger.keys[&id].clone();
    key.held = Some("old".to_owned());
    key.use_waits_since = Some(Moment::LONG_AGO);
    key.become_state(KeyState::Unmanaged, world.now).unwrap();
    world.ledger.apply(&Change::Key(key));
    take(&mut world, &id, &Word::HandOver);
    let key = &world.ledger.keys[&id];
    assert!(key.held.is_none() && key.use_waits_since.is_none());
    assert_eq!(
        key.retires_at(Millis::ZERO),
        Some(world.now + Millis::from_hours(24))
    );
}

#[test]
fn a_create_that_imports_a_key_does_not_go_on_with_an_earlier_hand_over_of_it() {
    let hand_over = |key: &AccessKeyId| {
        let adoption = Adoption::HandOver {
            key: key.clone(),
            at_once: true,
        };
        create_with(adoption, Policy::default())
    };
    let make = || {
        let mut world = World::new();
        let key = world.foreign_key();
        world.given.push(key);
        world
    };
    let key = make().keys.keys().next().unwrap().clone();
    let half_way = |w: &World| w.ledger.keys.values().any(|k| k.state == KeyState::Deactivated);
    let mut world = crashed(make, &hand_over(&key), half_way);
    world.changes.clear();
    let import = Adoption::Import {
        key: key.clone(),
        secret: SealedSecret::from_bytes(vec![1]),
    };
    let refused = world.run(create_with(import, Policy::default()));
    assert!(matches!(refused, Some(Outcome::Failed(_))), "{refused:?}");
    assert!(world.changes.is_empty() && world.keys.contains_key(&key));
    assert_eq!(
        world.run(hand_over(&key)),
        Some(Outcome::Published),
        "said again, it goes"
    );
    assert!(!world.keys.contains_key(&key));
}

#[test]
fn a_key_that_is_half_retired_by_its_owners_word_is_not_given_back_by_a_refusal() {
    let make = || {
        let mut world = World::new();
        let key = world.foreign_key();
        world.given.push(key);
        world
    };
    let key = make().keys.keys().next().unwrap().clone();
    let hand_over = Adoption::HandOver {
        key: key.clone(),
        at_once: true,
    };
    let goal = create_with(hand_over, Policy::default());
    let half_way = |w: &World| {
        w.ledger
            .keys
            .get(&key)
            .is_some_and(|k| k.state == KeyState::Deactivated)
    };
    let mut world = crashed(make, &goal, half_way);
    world.denied = true;
    assert!(matches!(world.run(goal.clone()), Some(Outcome::Failed(_))));
    assert_eq!(world.state(&key), KeyState::Deactivated);
    world.denied = false;
    assert_eq!(world.run(goal), Some(Outcome::Published));
}
