//! How a thousand rotations drain that are due at the same moment, against the sandbox with a latency on each call
//! and a limit of calls to the account; and whether a second account notices. `docs/benchmarks.md` has the last
//! figures.
//!
//! `cargo bench -p keywheel --bench drain -- [ROTATIONS [CALLS_PER_SECOND [ROTATIONS_MAX]]]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    missing_docs
)] // a bench stops at the first surprise, and counts thousands

mod drain {
    pub(crate) mod figures;
    pub(crate) mod setup;
    pub(crate) mod two_accounts;
}

use std::process::ExitCode;
use std::time::Duration;

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::timings::Timings;
use keywheel_sandbox::faults::{Fault, FaultKind};

use drain::figures::Figures;
use drain::setup::{Account, House};

/// Rotations of the busy account.
const ROTATIONS: u32 = 1_000;
/// Rotations of the quiet account.
const QUIET_ROTATIONS: u32 = 10;
/// The limit, such that the drain takes some two minutes.
const CALLS_PER_SECOND: u32 = 100;
/// Runs at the same time. A run makes some fourteen calls in some fifteen seconds, so the limit needs about as many
/// runs as calls a second; half as many again keep it busy.
const ROTATIONS_MAX: u32 = 160;
/// What each call takes beside the work.
const LATENCY_MS: u32 = 50;
/// How often is asked whether all is done.
const POLL: Duration = Duration::from_millis(200);
/// A drain that takes this many times what the limit alone would take has failed.
const PATIENCE: u32 = 10;

fn main() -> ExitCode {
    let mut given = std::env::args().filter_map(|argument| argument.parse::<u32>().ok());
    let rotations = given.next().unwrap_or(ROTATIONS);
    let calls_per_second = given.next().unwrap_or(CALLS_PER_SECOND);
    let rotations_max = given.next().unwrap_or(ROTATIONS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let good = runtime.block_on(drain(rotations, calls_per_second, rotations_max));
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn drain(rotations: u32, calls_per_second: u32, rotations_max: u32) -> bool {
    let house = House::build().await;
    let busy = Account::seed(&house, &house.provider.busy, "busy", rotations).await;
    let quiet = Account::seed(&house, &house.provider.quiet, "quiet", QUIET_ROTATIONS).await;
    println!(
        "{rotations} rotations of one account and {QUIET_ROTATIONS} of another, {LATENCY_MS} ms a call, \
         aws_calls_per_second = {calls_per_second}, rotations_max = {rotations_max}, all other settings as by default"
    );

    let alone = run(&house, &[&quiet], calls_per_second, rotations_max).await;
    let alone = Figures::gather(&house, &quiet, &alone).await;
    let both = run(&house, &[&busy, &quiet], calls_per_second, rotations_max).await;
    let crowd = Figures::gather(&house, &busy, &both).await;
    let beside = Figures::gather(&house, &quiet, &both).await;

    crowd.print_calls();
    let targets = [
        crowd.report_rate(calls_per_second),
        crowd.report_changes(),
        crowd.report_waits(rotations_max),
        beside.report_beside(&alone),
    ];
    targets.iter().all(|good| *good)
}

/// A drain: from when on, and since which call of each sandbox.
pub(crate) struct Drain {
    pub(crate) due_at: Moment,
    pub(crate) calls_before: [u64; 2],
}

/// Makes all rotations of the accounts due at one moment and lets the schedule work until none is.
async fn run(house: &House, accounts: &[&Account], calls_per_second: u32, rotations_max: u32) -> Drain {
    let app = house.app(Timings::DEFAULT, calls_per_second, rotations_max);
    for account in accounts {
        account.make_due(&app).await;
    }
    for sandbox in house.provider.sandboxes() {
        let latency = Fault {
            action: None,
            forever: true,
            delay_ms: LATENCY_MS,
            ..Fault::next(FaultKind::Latency, "")
        };
        sandbox.with_world(|world, _| world.faults.add(latency));
    }
    let calls_before = house
        .provider
        .sandboxes()
        .map(|sandbox| sandbox.with_world(|world, _| world.calls().last().map_or(0, |call| call.number)));
    let due_at = app.now();
    app.engine().start_schedule().await;
    let calls = accounts
        .iter()
        .map(|account| account.users.len() as u32 * 14)
        .sum::<u32>();
    let patience = Millis::from_secs(i64::from(60 + PATIENCE * calls / calls_per_second));
    while house
        .store
        .next_due()
        .await
        .unwrap()
        .is_some_and(|next| next < due_at + Millis::from_hours(12))
    {
        assert!(app.now() < due_at + patience, "the drain does not end");
        tokio::time::sleep(POLL).await;
    }
    app.engine().shut_down().await;
    for sandbox in house.provider.sandboxes() {
        sandbox.with_world(|world, _| world.faults.clear());
    }
    Drain { due_at, calls_before }
}
