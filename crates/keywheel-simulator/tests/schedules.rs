//! Random schedules: the promises hold, every fault strikes, defects are found, and everything can be repeated.

use std::io::BufReader;
use std::sync::Arc;

use keywheel_simulator::exhaustive::{BEGINNINGS, Bounds, search};
use keywheel_simulator::explore::{Range, Report, explore};
use keywheel_simulator::liveness;
use keywheel_simulator::plan::{Bugs, Plan};
use keywheel_simulator::replay::{Recording, record};
use keywheel_simulator::shrink::shrink;

fn run(seeds: u64, stop_at_first: bool, bugs: Bugs) -> Report {
    explore(Range {
        from: 0,
        seeds,
        threads: 2,
        stop_at_first,
        bugs,
    })
}

/// Every name in the table of faults.
const FAULTS: &[&str] = &[
    "F1 crash before an effect",
    "F1 crash after an effect",
    "F1 crash at a moment",
    "F2 answer lost",
    "F3 500 after the effect",
    "F4 no effect, no answer",
    "F5 late landing",
    "F6 throttled call",
    "F6 throttled for a while",
    "F6 503",
    "F8 pause before an effect",
    "F8 pause between signing and sending",
    "F8 pause after an effect",
    "F8 pause at a moment",
    "F8 call waits for its turn",
    "F8 slow answer",
    "F9 foreign create",
    "F10 foreign delete",
    "F11 foreign deactivate",
    "F12 foreign reactivate",
    "F13 user deleted",
    "F13 user made again",
    "F14 stale list",
    "F15 foreign create past the quota",
    "F17 SignatureDoesNotMatch",
    "F18 use of a key",
    "F19 clock jump",
    "F19 answer without Date",
    "F20 ambiguous commit",
    "F21 commit not made",
    "F21 database down",
    "F21 sealing fails",
    "F22 node cut off from the database",
    "F23 call denied",
    "F23 permission removed",
];

#[test]
fn no_schedule_breaks_a_promise_and_every_fault_strikes() {
    let report = run(4_000, false, Bugs::default());
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    for fault in FAULTS {
        assert!(report.coverage.count("fault", fault) > 0, "{fault} never struck");
    }
    for (kind, name) in [
        ("effect", "reactivate"),
        ("goal", "retire"),
        ("goal", "revoke"),
        ("outcome", "parked"),
        ("outcome", "revoked"),
        ("error", "ORPHAN_SUSPECT"),
        ("error", "OUTCOME_UNKNOWN"),
        ("error", "NO_FREE_SLOT"),
    ] {
        assert!(
            report.coverage.count(kind, name) > 0,
            "{kind} {name} never occurred"
        );
    }
}

#[test]
fn a_defect_of_the_driver_is_found_within_a_thousand_schedules() {
    let good = Bugs::default();
    let defects = [
        Bugs {
            ignore_fence: true,
            ..good
        },
        Bugs {
            ignore_may_send: true,
            ..good
        },
        Bugs {
            retry_creates: true,
            ..good
        },
        Bugs {
            skip_seal: true,
            ..good
        },
    ];
    for bugs in defects {
        assert!(!run(1_000, true, bugs).violations.is_empty(), "{bugs:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in 0..20 {
        let plan = Plan::of_seed(seed, Bugs::default());
        assert_eq!(plan, Plan::of_seed(seed, Bugs::default()));
        assert_eq!(record(plan.clone()), record(plan));
    }
}

#[test]
fn keeping_the_events_changes_nothing() {
    for seed in 0..50 {
        let plan = Arc::new(Plan::of_seed(seed, Bugs::default()));
        let (silent, told) = (liveness::run(&plan, false), liveness::run(&plan, true));
        assert_eq!((silent.steps, silent.now), (told.steps, told.now), "seed {seed}");
    }
}

#[test]
fn a_failing_schedule_becomes_smaller_and_fails_again_from_its_file() {
    let bugs = Bugs {
        retry_creates: true,
        ..Bugs::default()
    };
    let report = run(1_000, true, bugs);
    let (seed, violation) = report.violations.first_key_value().unwrap();
    let plan = Plan::of_seed(*seed, bugs);
    let small = shrink(&plan, &violation.invariant);
    assert!(small.faults.len() <= plan.faults.len() && small.commands.len() < plan.commands.len());

    let kept = record(small);
    let file = tempfile::NamedTempFile::new().unwrap();
    kept.write(file.reopen().unwrap()).unwrap();
    let read = Recording::read(BufReader::new(file.reopen().unwrap())).unwrap();
    assert_eq!(read, kept);
    assert_eq!(record(read.plan), kept);
    assert_eq!(kept.violation.unwrap().invariant, violation.invariant);
}

#[test]
fn no_interleaving_in_a_small_scope_breaks_a_promise() {
    for beginning in &BEGINNINGS {
        let found = search(beginning, Bounds::SMALL, Bugs::default());
        assert!(
            found.violation.is_none(),
            "{}: {:#?}",
            beginning.name,
            found.violation
        );
        assert!(
            found.complete && found.states > 100,
            "{}: {}",
            beginning.name,
            found.states
        );
    }
}

#[test]
fn the_exhaustive_search_finds_a_create_that_is_sent_twice() {
    let bugs = Bugs {
        retry_creates: true,
        ..Bugs::default()
    };
    let found = search(&BEGINNINGS[0], Bounds::SMALL, bugs);
    assert!(found.violation.is_some_and(|(text, _)| text.starts_with("I6")));
}
