//! Each switch does what it says, and nothing when it is off.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "helpers of tests fail by panicking"
)]

use keywheel_sandbox::clock::Moment;
use keywheel_sandbox::faults::{Fault, FaultKind};
use keywheel_sandbox::foreign::{ForeignAct, Planned, Side};
use keywheel_sandbox::model::{Account, Answer, Call, Page, ROOT_ACCESS_KEY_ID, Signer};
use keywheel_sandbox::world::{Handling, Next, Reply, Request, World};

const START: Moment = Moment::from_millis(1_773_135_000_000);

fn world() -> World {
    let mut account = Account::new("111122223333", 1);
    account.create_user(START, "demo", None).unwrap();
    World::new(account)
}

fn request(call: Call) -> Request {
    Request {
        caller_key_id: ROOT_ACCESS_KEY_ID.to_owned(),
        signer: Signer::Root,
        region: "us-east-1".to_owned(),
        user_agent: "test".to_owned(),
        call,
    }
}

fn create() -> Request {
    request(Call::CreateAccessKey {
        user_name: Some("demo".to_owned()),
    })
}

fn handle(world: &mut World, request: &Request) -> Handling {
    world.call(START, request)
}

fn keys(world: &World) -> usize {
    world.account.keys_of_user("demo").len()
}

/// What the client saw: `ok`, an error code, `closed` or `held`; and whether the record says that it had an effect.
fn record(world: &World) -> (String, bool) {
    let last = world.calls().last().unwrap();
    (last.outcome.clone(), last.effect)
}

fn listed(world: &mut World) -> Vec<String> {
    let list = request(Call::ListAccessKeys {
        user_name: Some("demo".to_owned()),
        page: Page::default(),
    });
    match handle(world, &list).next {
        Next::Send(Reply::Answer(Ok(Answer::Keys { page, .. }))) => {
            page.items.into_iter().map(|key| key.access_key_id).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_befalls_the_calls_it_fits_as_often_as_it_says_and_no_other() {
    for (kind, outcome, effect) in [
        (FaultKind::Throttle, "Throttling", false),
        (FaultKind::Unavailable, "ServiceUnavailable", false),
        (FaultKind::AccessDenied, "AccessDenied", false),
        (FaultKind::SignatureMismatch, "SignatureDoesNotMatch", false),
        (FaultKind::RequestLost, "closed", false),
        (FaultKind::AnswerLost, "closed", true),
        (FaultKind::ServiceFailure, "ServiceFailure", true),
    ] {
        let mut world = world();
        world.faults.add(Fault::next(kind, "CreateAccessKey"));
        listed(&mut world);
        assert_eq!(
            record(&world),
            ("ok".to_owned(), false),
            "{kind:?} on another action"
        );
        handle(&mut world, &create());
        assert_eq!(record(&world), (outcome.to_owned(), effect), "{kind:?}");
        assert_eq!(keys(&world), usize::from(effect), "{kind:?}");
        handle(&mut world, &create());
        assert_eq!(record(&world), ("ok".to_owned(), true), "{kind:?} is spent");
    }
}

#[test]
fn skipped_calls_pass_and_clearing_ends_a_lasting_fault() {
    let mut world = world();
    world.faults.add(Fault {
        skip: 1,
        forever: true,
        ..Fault::next(FaultKind::Throttle, "CreateAccessKey")
    });
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        handle(&mut world, &create());
        outcomes.push(record(&world).0);
    }
    assert_eq!(outcomes, ["ok", "Throttling", "Throttling"]);
    world.faults.clear();
    handle(&mut world, &create());
    assert_eq!(record(&world).0, "ok");
}

#[test]
fn a_late_request_lands_when_its_time_has_come_and_not_before() {
    let mut world = world();
    world.faults.add(Fault {
        delay_ms: 300_000,
        ..Fault::next(FaultKind::LateLanding, "CreateAccessKey")
    });
    assert_eq!(handle(&mut world, &create()).next, Next::Send(Reply::Closed));
    world.settle(START.plus(299_999));
    assert_eq!((keys(&world), record(&world).1), (0, false));
    world.settle(START.plus(300_000));
    assert_eq!((keys(&world), record(&world)), (1, ("closed".to_owned(), true)));
}

#[test]
fn a_held_request_has_no_effect_until_it_is_let_go_and_a_held_answer_has_one_at_once() {
    let mut world = world();
    world
        .faults
        .add(Fault::next(FaultKind::HoldRequest, "CreateAccessKey"));
    let handling = handle(&mut world, &create());
    assert_eq!((handling.next, keys(&world)), (Next::HoldThenResume, 0));
    assert_eq!(record(&world).0, "held");
    world.resume(START, &create(), handling.number);
    assert_eq!((keys(&world), record(&world)), (1, ("ok".to_owned(), true)));

    world
        .faults
        .add(Fault::next(FaultKind::HoldAnswer, "CreateAccessKey"));
    let handling = handle(&mut world, &create());
    assert!(matches!(handling.next, Next::HoldThenSend(Reply::Answer(Ok(_)))));
    assert_eq!((keys(&world), record(&world)), (2, ("held".to_owned(), true)));
}

#[test]
fn a_stale_list_misses_the_new_key_and_still_shows_the_deleted_one() {
    let mut world = world();
    handle(&mut world, &create());
    let old = listed(&mut world);
    handle(&mut world, &create());
    let both = listed(&mut world);
    world
        .faults
        .add(Fault::next(FaultKind::StaleList, "ListAccessKeys"));
    assert_eq!(listed(&mut world), old);
    let delete = Call::DeleteAccessKey {
        user_name: Some("demo".to_owned()),
        access_key_id: old[0].clone(),
    };
    handle(&mut world, &request(delete));
    world
        .faults
        .add(Fault::next(FaultKind::StaleList, "ListAccessKeys"));
    assert_eq!(listed(&mut world), both);
    assert_eq!(listed(&mut world), both[1..]);
}

#[test]
fn the_race_beats_the_quota_once() {
    let mut world = world();
    world.faults.add(Fault {
        skip: 2,
        ..Fault::next(FaultKind::QuotaRace, "CreateAccessKey")
    });
    for _ in 0..4 {
        handle(&mut world, &create());
    }
    assert_eq!((keys(&world), record(&world).0.as_str()), (3, "LimitExceeded"));
}

#[test]
fn latencies_add_up_and_leave_room_for_another_fault() {
    let mut world = world();
    for delay_ms in [20, 30] {
        world.faults.add(Fault {
            delay_ms,
            ..Fault::next(FaultKind::Latency, "CreateAccessKey")
        });
    }
    world
        .faults
        .add(Fault::next(FaultKind::Throttle, "CreateAccessKey"));
    assert_eq!(handle(&mut world, &create()).latency_ms, 50);
    assert_eq!(record(&world).0, "Throttling");
}

#[test]
fn the_foreign_actor_acts_on_the_planned_side_of_the_planned_call() {
    for (side, own_key_is_made) in [(Side::Before, false), (Side::After, true)] {
        let mut world = world();
        handle(&mut world, &create());
        world.plan.push(Planned {
            side,
            action: "CreateAccessKey".to_owned(),
            skip: 0,
            act: ForeignAct::CreateKey {
                user_name: "demo".to_owned(),
                past_quota: false,
            },
        });
        listed(&mut world);
        assert_eq!(keys(&world), 1, "waits for its call");
        handle(&mut world, &create());
        assert_eq!((keys(&world), record(&world).1), (2, own_key_is_made), "{side:?}");
    }
}
