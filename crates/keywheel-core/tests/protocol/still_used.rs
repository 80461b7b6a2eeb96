//! Evidence of use (C.7, C.9): who still uses a displaced key, and how long that holds it back.

use keywheel_core::aws::{AccessKeyId, LastUse};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::key::KeyState;
use keywheel_core::ledger::Alarm;
use keywheel_core::rotation::policy::{Hours, Policy, WhenStillUsed};
use keywheel_core::run::{Effect, Event, Goal, Outcome, RunErrorCode};

use super::machine::run_to;
use super::retirement::{MOMENT, displaced_under, settle_at};
use super::world::{World, grace, timings};
use super::{MANUAL, code, kinds};

pub(super) fn holding(policy: Policy, hours: i64) -> Policy {
    Policy {
        when_still_used: WhenStillUsed::Hold {
            hours_max: Hours::new(hours).unwrap(),
        },
        ..policy
    }
}

/// Somebody uses the key with S3 at this moment.
pub(super) fn use_at(world: &mut World, key: &AccessKeyId, at: Moment) {
    use_with(world, key, at, "s3");
}

fn use_with(world: &mut World, key: &AccessKeyId, at: Moment, service: &str) {
    let used = LastUse {
        at,
        service: service.to_owned(),
        region: "us-east-1".to_owned(),
    };
    world.uses.insert(key.clone(), used);
}

/// Lets the scheduler work until this moment.
fn work_until(world: &mut World, end: Moment) {
    let mut runs = 0;
    while let Some(due) = world.ledger.user.due_at.filter(|due| *due <= end) {
        world.now = world.now.max(due);
        assert_eq!(world.run(Goal::Settle), Some(Outcome::Settled));
        runs += 1;
        assert!(runs < 1_000, "the scheduler runs in circles");
    }
    world.now = world.now.max(end);
}

#[test]
fn a_key_that_is_still_used_goes_all_the_same_and_people_are_told() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let until = world.displaced[&key] + Millis::from_hours(3);
    use_at(&mut world, &key, until - Millis::from_hours(1));
    settle_at(&mut world, until);
    assert_eq!(kinds(&world), ["deactivate"]);
    assert_eq!(world.alarms, [Alarm::StillUsed(key.clone())]);
    let known = world.ledger.keys[&key].last_used.as_ref().unwrap();
    assert_eq!(known.service, "s3");
    assert_eq!(world.ledger.keys[&key].use_checked_at, Some(until));
}

#[test]
fn use_is_recent_within_the_quiet_time_and_not_a_moment_longer() {
    let quiet = timings().last_used_quiet;
    for (ago, recent) in [(quiet + MOMENT.times(-1), true), (quiet, false)] {
        let (mut world, key) = displaced_under(grace(24, 5));
        let until = world.displaced[&key] + Millis::from_hours(24);
        use_at(&mut world, &key, until - ago);
        settle_at(&mut world, until);
        assert_eq!(!world.alarms.is_empty(), recent, "{ago:?}");
    }
}

#[test]
fn checks_of_our_own_are_not_taken_for_use() {
    let span = Millis::from_secs(15 * 60);
    for (service, after, ours) in [
        ("sts", span, true),
        ("iam", span, true),
        ("sts", span + MOMENT, false),
        ("sts", span.times(-1), true),
        ("sts", (span + MOMENT).times(-1), false),
        ("s3", Millis::ZERO, false),
    ] {
        let (mut world, key) = displaced_under(grace(1, 5));
        let verified = world.ledger.keys[&key].verified_at.unwrap();
        use_with(&mut world, &key, verified + after, service);
        let until = world.displaced[&key] + Millis::from_hours(1);
        settle_at(&mut world, until);
        assert_eq!(world.alarms.is_empty(), ours, "{service} {after:?}");
    }
}

#[test]
fn a_key_that_is_still_used_is_held_until_it_is_quiet() {
    let (mut world, key) = displaced_under(holding(grace(3, 5), 168));
    let until = world.displaced[&key] + Millis::from_hours(3);
    let last_use = until + Millis::from_hours(2);
    use_at(&mut world, &key, until - MOMENT);
    work_until(&mut world, last_use);
    assert!(world.works(&key) && world.alarms.contains(&Alarm::StillUsed(key.clone())));
    use_at(&mut world, &key, last_use);
    let quiet_at = last_use + timings().last_used_quiet;
    work_until(&mut world, quiet_at - MOMENT);
    assert!(world.works(&key), "it is still used");
    work_until(&mut world, quiet_at + Millis::from_hours(1));
    assert_eq!(
        world.state(&key),
        KeyState::Deactivated,
        "nobody uses it any more"
    );
    assert_eq!(world.ledger.keys[&key].use_waits_since, None);
}

#[test]
fn people_are_not_told_of_a_held_key_more_than_once_an_hour() {
    let (mut world, key) = displaced_under(holding(grace(3, 5), 24));
    let until = world.displaced[&key] + Millis::from_hours(3);
    for hour in 0..24 {
        use_at(&mut world, &key, until + Millis::from_hours(hour));
        work_until(&mut world, until + Millis::from_hours(hour) + MOMENT);
    }
    let told = world.alarms.len();
    assert!((12..=24).contains(&told), "{told}");
}

#[test]
fn use_holds_a_key_no_longer_than_its_bound() {
    let (mut world, key) = displaced_under(holding(grace(3, 5), 10));
    let until = world.displaced[&key] + Millis::from_hours(3);
    let bound = until + Millis::from_hours(10);
    use_at(&mut world, &key, bound);
    settle_at(&mut world, until);
    assert_eq!(world.ledger.keys[&key].use_waits_since, Some(until));
    work_until(&mut world, bound - MOMENT);
    assert!(world.works(&key), "held to the last moment");
    work_until(&mut world, bound);
    assert_eq!(world.state(&key), KeyState::Deactivated);
}

#[test]
fn a_use_that_cannot_be_read_holds_a_key_to_the_bound_or_not_at_all() {
    let (mut world, key) = displaced_under(holding(grace(3, 5), 10));
    world.uses_unreadable = true;
    let until = world.displaced[&key] + Millis::from_hours(3);
    work_until(&mut world, until + Millis::from_hours(10) - MOMENT);
    assert!(world.works(&key) && world.alarms.is_empty());
    work_until(&mut world, until + Millis::from_hours(10));
    assert_eq!(world.state(&key), KeyState::Deactivated);

    let (mut world, key) = displaced_under(grace(3, 5));
    world.uses_unreadable = true;
    settle_at(&mut world, until);
    assert_eq!(world.state(&key), KeyState::Deactivated);
}

#[test]
fn a_rotation_does_not_take_the_slot_of_a_key_that_its_use_holds() {
    let (mut world, key) = displaced_under(holding(Policy::default(), 10));
    let now = world.now;
    use_at(&mut world, &key, now);
    let Some(Outcome::Failed(error)) = world.run(MANUAL) else {
        panic!("it rotated")
    };
    assert_eq!(error.code, RunErrorCode::KeyHeld);
    assert!(
        error.before_change && error.text.contains("displaced, still used"),
        "{error}"
    );
    assert!(error.text.contains("Nothing was changed at AWS"), "{error}");
    world.now = now + timings().last_used_quiet - MOMENT;
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::KeyHeld);
    assert!(world.changes.is_empty());
    world.now = now + timings().last_used_quiet;
    assert_eq!(world.run(MANUAL), Some(Outcome::Published));

    let (mut world, key) = displaced_under(holding(Policy::default(), 10));
    use_at(&mut world, &key, now + Millis::DAY);
    world.run(MANUAL);
    world.now = now + Millis::from_hours(10) + Millis::from_secs(60);
    assert_eq!(world.run(MANUAL), Some(Outcome::Published), "the bound is over");
}

#[test]
fn nobody_is_asked_for_the_use_of_a_key_that_does_not_wait_for_it() {
    let (mut world, key) = displaced_under(holding(Policy::default(), 168));
    let now = world.now;
    use_at(&mut world, &key, now);
    world.run(MANUAL);
    world.lookups = 0;
    for _ in 0..5 {
        world.pass(Millis::from_hours(2));
        world.run(Goal::Settle);
    }
    assert_eq!(world.lookups, 0, "it waits for a rotation");

    let (mut world, key) = displaced_under(holding(grace(3, 50), 168));
    let until = world.displaced[&key] + Millis::from_hours(3);
    settle_at(&mut world, until + MOMENT.times(-1));
    assert_eq!(world.lookups, 0, "its grace time is not over");
    settle_at(&mut world, until);
    assert_eq!(world.lookups, 1);
    for hour in 1..40 {
        settle_at(&mut world, until + Millis::from_hours(hour));
    }
    assert_eq!(world.lookups, 1, "it is inactive");
}

#[test]
fn a_rotation_that_is_deleted_takes_a_held_and_a_used_key_with_it() {
    let (mut world, key) = displaced_under(holding(grace(3, 5), 168));
    let until = world.displaced[&key] + Millis::from_hours(3);
    use_at(&mut world, &key, until);
    settle_at(&mut world, until);
    let revoke = Goal::Revoke {
        delete_secrets: false,
    };
    assert_eq!(world.run(revoke), Some(Outcome::Revoked));
    assert!(world.keys.is_empty());
}

#[test]
fn the_bound_of_a_hold_counts_from_the_later_clock() {
    let asks = |effect: &Effect| matches!(effect, Effect::LastUsed(_));
    let (mut world, key) = displaced_under(holding(grace(3, 5), 10));
    world.now = world.displaced[&key] + Millis::from_hours(3);
    let now = world.now;
    use_at(&mut world, &key, now);
    let (mut run, effect) = run_to(&mut world, Goal::Settle, asks);
    let Event::LastUsed(Ok(mut answer)) = world.perform(&effect, usize::MAX) else {
        panic!("it answers")
    };
    let by_aws = world.now + Millis::from_secs(5);
    answer.aws_date = Some(by_aws);
    let effect = run.step(world.now, Event::LastUsed(Ok(answer)));
    world.perform(&effect, usize::MAX);
    assert_eq!(world.ledger.keys[&key].use_waits_since, Some(by_aws));
}

#[test]
fn a_held_key_is_asked_for_once_an_hour_however_often_its_user_is_looked_at() {
    let (mut world, key) = displaced_under(holding(grace(3, 50), 168));
    let until = world.displaced[&key] + Millis::from_hours(3);
    use_at(&mut world, &key, until + Millis::DAY);
    for (minutes, asked) in [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2), (120, 3)] {
        settle_at(&mut world, until + Millis::from_secs(minutes * 60));
        assert_eq!(world.lookups, asked, "after {minutes} minutes");
    }
}
