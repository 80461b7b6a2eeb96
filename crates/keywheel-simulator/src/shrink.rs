//! Makes a failing schedule smaller: parts are dropped one at a time while it still breaks the same promise.

use std::sync::Arc;

use keywheel_core::rotation::policy::Policy;

use crate::liveness;
use crate::plan::Plan;

/// The smallest schedule found, and what is left of it breaks the same promise.
pub fn shrink(plan: &Plan, invariant: &str) -> Plan {
    let mut best = plan.clone();
    loop {
        let smaller = candidates(&best).into_iter().find(|plan| breaks(plan, invariant));
        match smaller {
            Some(plan) => best = plan,
            None => return best,
        }
    }
}

fn breaks(plan: &Plan, invariant: &str) -> bool {
    let world = liveness::run(&Arc::new(plan.clone()), false);
    world
        .violation
        .is_some_and(|violation| violation.invariant == invariant)
}

/// Schedules with one part less.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut smaller = plan.clone();
        change(&mut smaller);
        if smaller != *plan {
            all.push(smaller);
        }
    };
    for number in 0..plan.faults.len() {
        with(&|plan| {
            plan.faults.remove(number);
        });
    }
    for number in 0..plan.commands.len() {
        with(&|plan| {
            plan.commands.remove(number);
        });
    }
    with(&|plan| plan.clocks = Default::default());
    with(&|plan| plan.propagation = Default::default());
    with(&|plan| plan.last_used_lag_ms = 0);
    for number in 0..plan.users.len() {
        with(&|plan| plan.users[number].foreign_keys = 0);
        with(&|plan| plan.users[number].policy = Policy::default());
    }
    all
}
