//! Runs many schedules on several threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::coverage::Coverage;
use crate::events::Violation;
use crate::liveness;
use crate::plan::{Bugs, Plan};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// On so many threads.
    pub threads: usize,
    /// Whether to stop at the first broken promise.
    pub stop_at_first: bool,
    /// Defects of the driver.
    pub bugs: Bugs,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Schedules that were run.
    pub schedules: u64,
    /// Events in them.
    pub events: u64,
    /// What occurred.
    pub coverage: Coverage,
    /// The broken promises, by seed.
    pub violations: BTreeMap<u64, Violation>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.events += other.events;
        self.coverage.add(&other.coverage);
        self.violations.extend(other.violations);
    }
}

/// Runs all seeds of a range. What is found depends on the seeds alone, unless it stops at the first.
pub fn explore(range: Range) -> Report {
    let next = AtomicU64::new(0);
    let found = AtomicBool::new(false);
    let work = || {
        let mut report = Report::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= range.seeds || (range.stop_at_first && found.load(Ordering::Relaxed)) {
                return report;
            }
            let seed = range.from.wrapping_add(number);
            let world = liveness::run(&Arc::new(Plan::of_seed(seed, range.bugs)), false);
            report.schedules += 1;
            report.events += world.steps;
            report.coverage.add(&world.coverage);
            if let Some(violation) = world.violation {
                found.store(true, Ordering::Relaxed);
                report.violations.insert(seed, violation);
            }
        }
    };
    let mut all = Report::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..range.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            // A thread that panicked has said why on its own.
            all.add(thread.join().unwrap_or_default());
        }
    });
    all
}
