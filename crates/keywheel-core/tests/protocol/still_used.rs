//! Evidence of use (C.7, C.9): who still uses a displaced key, and how long that holds it back.

use keywheel_core::aws::{AccessKeyId, LastUse};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::key::KeyState;
use keywheel_core::ledger::Alarm;
use keywheel_core::owner::Word;
use keywheel_core::rotation::policy::{Hours, Policy, WhenStillUsed};
use keywheel_core::run::{Effect, Event, Goal, Outcome, RunErrorCode};

use super::interplay::take;
use super::machine::run_to;
use super::retirement::{MOMENT, displaced_under, settle_at};
use super::world::{World, grace, timings};
use super::{MANUAL, code, kinds};

/// How long before its retirement AWS is asked about a key.
pub(super) const AHEAD: Millis = Millis::from_hours(25);

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

/// How often people were told that the key is still used.
fn times_told(world: &World, id: &AccessKeyId) -> usize {
    let tells = |alarm: &&Alarm| matches!(alarm, Alarm::StillUsed { key, .. } if key == id);
    world.alarms.iter().filter(tells).count()
}

#[test]
fn a_key_that_is_still_used_goes_all_the_same_and_people_are_told() {
    let (mut world, key) = displaced_under(grace(3, 5));
    let until = world.displaced[&key] + Millis::from_hours(3);
    use_at(&mut world, &key, until - Millis::from_hours(1));
    settle_at(&mut world, until);
    assert_eq!(kinds(&world), ["deactivate"]);
    assert_eq!(times_told(&world, &key), 1);
    let known = world.ledger.keys[&key].last_used.as_ref().unwrap();
    assert_eq!(known.service, "s3");
    assert_eq!(world.ledger.keys[&key].use_checked_at, Some(until));
}

#[test]
fn a_day_before_a_key_retires_people_hear_that_it_is_still_used() {
    for policy in [grace(72, 5), holding(grace(72, 5), 24), Policy::default()] {
        let (mut world, key) = displaced_under(policy);
        let retires_at = match world.ledger.keys[&key].retires_at(timings().pending_max) {
            Some(until) => until,
            None => world.slot(),
        };
        let ahead = retires_at - AHEAD;
        work_until(&mut world, ahead - MOMENT);
        assert_eq!(times_told(&world, &key), 0, "not sooner");
        use_at(&mut world, &key, ahead - Millis::from_hours(1));
        work_until(&mut world, ahead);
        assert_eq!(times_told(&world, &key), 1);
        assert!(
            world.works(&key) && world.changes.is_empty(),
            "a look changes nothing"
        );
        assert_eq!(
            world.ledger.keys[&key].use_waits_since, None,
            "and holds nothing back"
        );
        assert_eq!(world.ledger.user.due_at, Some(retires_at), "one look is enough");
    }
}

#[test]
fn nobody_looks_ahead_where_the_use_may_be_from_before_the_key_was_displaced() {
    let quiet = timings().last_used_quiet;
    for (hours, looks) in [(6, false), (7, true)] {
        let (world, key) = displaced_under(grace(hours, 5));
        let displaced = world.displaced[&key];
        let expected = if looks { quiet } else { Millis::from_hours(6) };
        assert_eq!(world.ledger.user.due_at, Some(displaced + expected), "{hours} h");
    }
}

#[test]
fn a_look_ahead_that_aws_does_not_answer_is_not_repeated() {
    let (mut world, key) = displaced_under(grace(72, 5));
    let until = world.displaced[&key] + Millis::from_hours(72);
    world.uses_unreadable = true;
    work_until(&mut world, until - AHEAD);
    assert_eq!(world.ledger.user.due_at, Some(until));
    assert!(world.alarms.is_empty());
}

#[test]
fn a_look_ahead_is_no_look_at_the_retirement() {
    let (mut world, key) = displaced_under(holding(grace(24, 5), 48));
    let until = world.displaced[&key] + Millis::from_hours(24);
    use_at(&mut world, &key, until - Millis::from_hours(1));
    // By AWS's clock it is time already, and by ours once the look is recorded.
    world.aws_clock_ahead = Millis::from_secs(10);
    world.now = until - MOMENT;
    let (mut run, mut effect) = world.begin(Goal::Settle);
    let (mut looked, mut jumped) = (false, false);
    for at in 0..100 {
        if matches!(effect, Effect::Finish(_)) {
            break;
        }
        if looked && !jumped {
            world.pass(Millis::from_secs(20));
            jumped = true;
        }
        looked |= matches!(effect, Effect::LastUsed(_));
        let event = world.perform(&effect, at);
        effect = run.step(world.now, event);
    }
    assert!(jumped);
    assert!(world.works(&key), "its use holds it back");
}

#[test]
fn a_rotation_that_a_grace_time_refuses_does_not_start_the_bound_of_the_use() {
    let (mut world, key) = displaced_under(holding(grace(48, 5), 24));
    let until = world.displaced[&key] + Millis::from_hours(48);
    world.pass(Millis::from_hours(1));
    let now = world.now;
    use_at(&mut world, &key, now);
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::GraceHoldsSlot);
    use_at(&mut world, &key, until - MOMENT);
    work_until(&mut world, until + Millis::from_hours(5));
    assert!(world.works(&key), "the bound counts from the retirement on");
}

#[test]
fn a_rotation_that_a_grace_time_refuses_takes_no_earlier_use_for_one_that_is_left() {
    let (mut world, key) = displaced_under(grace(24, 5));
    let displaced = world.displaced[&key];
    use_at(&mut world, &key, displaced - Millis::from_secs(300));
    world.pass(Millis::from_secs(600));
    assert_eq!(code(world.run(MANUAL)), RunErrorCode::GraceHoldsSlot);
    assert_eq!(
        times_told(&world, &key),
        0,
        "it is from before the key was displaced"
    );
    let look = displaced + timings().last_used_quiet;
    use_at(&mut world, &key, look - MOMENT);
    work_until(&mut world, look);
    assert_eq!(
        times_told(&world, &key),
        1,
        "and so the look that is due is not spent"
    );
}

#[test]
fn of_a_key_that_its_owner_holds_no_retirement_is_told_and_no_bound_runs_until_it_is_released() {
    let (mut world, key) = displaced_under(holding(Policy::default(), 10));
    let reason = "x".to_owned();
    take(&mut world, &key, &Word::Hold { reason });
    for day in 0..3 {
        world.now = world.slot() + Millis::DAY.times(day);
        let now = world.now;
        use_at(&mut world, &key, now);
        assert_eq!(code(world.run(MANUAL)), RunErrorCode::KeyHeld);
    }
    assert_eq!(times_told(&world, &key), 0);
    assert_eq!(world.ledger.keys[&key].use_waits_since, None);
    take(&mut world, &key, &Word::Release);
    let now = world.now;
    assert_eq!(
        code(world.run(MANUAL)),
        RunErrorCode::KeyHeld,
        "its use holds it now"
    );
    assert_eq!(times_told(&world, &key), 1);
    assert_eq!(world.ledger.keys[&key].use_waits_since, Some(now));
}

#[test]
fn that_a_key_is_used_is_no_news_to_who_publishes_it_again() {
    let (mut world, key) = displaced_under(grace(72, 5));
    world.now = world.displaced[&key] + Millis::from_hours(72) - AHEAD;
    let now = world.now;
    use_at(&mut world, &key, now);
    let goal = Goal::RollBack { key: key.clone() };
    assert_eq!(world.run(goal), Some(Outcome::Published));
    assert_eq!(times_told(&world, &key), 0);
}

#[test]
fn that_use_keeps_a_key_is_told_with_the_bound_and_not_when_it_is_over() {
    let kept = |world: &World| match world.alarms.last() {
        Some(Alarm::StillUsed { kept_until, .. }) => *kept_until,
        other => panic!("{other:?}"),
    };
    let (mut world, key) = displaced_under(holding(grace(24, 5), 12));
    let until = world.displaced[&key] + Millis::from_hours(24);
    let bound = until + Millis::from_hours(12);
    for hour in [-18, 0, 5, 10] {
        let at = until + Millis::from_hours(hour);
        work_until(&mut world, at - MOMENT);
        use_at(&mut world, &key, at - MOMENT);
        settle_at(&mut world, at);
        let told = kept(&world);
        assert!(
            told.is_some_and(|told| told >= bound && told < bound + Millis::from_secs(60)),
            "{hour}: {told:?}"
        );
    }
    settle_at(&mut world, bound + Millis::from_secs(60));
    assert_eq!(kept(&world), None);
}

#[test]
fn a_look_ahead_that_fails_delays_no_rotation_and_does_not_spin() {
    for silent in [false, true] {
        let (mut world, _) = displaced_under(Policy::default());
        let slot = world.slot();
        world.now = slot - AHEAD;
        world.denied = !silent;
        world.dated = !silent;
        let mut looks = 0;
        while world.ledger.user.due_at.unwrap() < slot {
            world.now = world.ledger.user.due_at.unwrap().max(world.now);
            world.run(Goal::Settle);
            looks += 1;
            assert!(looks < 100, "it spins");
        }
        assert_eq!(world.ledger.user.due_at, Some(slot));
        assert_eq!(world.ledger.rotation.as_ref().unwrap().failures, 0);
    }
}

#[test]
fn a_key_whose_owner_spoke_needs_no_look_ahead() {
    let (mut world, key) = displaced_under(grace(72, 5));
    let reason = "x".to_owned();
    take(&mut world, &key, &Word::Hold { reason });
    assert_eq!(world.ledger.user.due_at, Some(world.slot()));
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
    assert!(world.works(&key) && times_told(&world, &key) > 0);
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
