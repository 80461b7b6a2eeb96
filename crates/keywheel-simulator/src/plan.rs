//! A schedule as data: what people ask for and what goes wrong. It follows from a seed, can be kept in a file,
//! and becomes smaller by dropping parts of it.

use keywheel_core::aws::Region;
use keywheel_core::clock::Moment;
use keywheel_core::rotation::policy::{Hours, Policy, Retirement, WhenStillUsed};
use serde::{Deserialize, Serialize};

use crate::aws::REGION_FAR;
use crate::faults::{Call, Fault, Foreign, PlannedFault, Role, When};
use crate::rng::Rng;

mod stories;

/// The start of every schedule, in milliseconds since 1970.
pub const START: i64 = 1_773_135_000_000;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Nodes of a schedule.
pub const NODES: usize = 2;

/// Defects of a driver, switched on to see that they are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Bugs {
    /// Writes under an older fence are made.
    pub ignore_fence: bool,
    /// Changing calls are sent whatever is left of the lease.
    pub ignore_may_send: bool,
    /// A create without an answer is sent once more, as the SDK does by default.
    pub retry_creates: bool,
    /// Secrets are stored as they are.
    pub skip_seal: bool,
}

/// One IAM user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserPlan {
    /// Keys that it has from the start.
    pub foreign_keys: u8,
    /// Days between two rotations.
    pub interval_days: i64,
    /// The policy of its rotation at the start.
    pub policy: Policy,
}

/// What a create says of keys that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Adopt {
    /// Nothing.
    Nothing,
    /// The first one is imported.
    Import,
    /// The first one is handed over.
    HandOver,
    /// The first one is handed over and retired at once.
    HandOverAtOnce,
}

/// What people ask for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "ask")]
#[expect(missing_docs, reason = "the goals of runs, and the edits between them")]
pub enum Command {
    Create { adopt: Adopt },
    Rotate,
    RollBack { to: Role },
    Retire { key: Role },
    Revoke { delete_secrets: bool },
    Forget,
    SetPolicy { policy: Policy },
    Release { key: Role },
    Resolve { key: Role },
    HandOver,
}

/// What is asked for, when, where and of which user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "milliseconds after the start, and two indexes")]
pub struct PlannedCommand {
    pub at: i64,
    pub node: usize,
    pub user: usize,
    pub what: Command,
}

/// A whole schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Decides every length of time and every id.
    pub seed: u64,
    /// The users.
    pub users: Vec<UserPlan>,
    /// How far the wall clock of each node is ahead of AWS's, in milliseconds.
    pub clocks: [i64; NODES],
    /// When a change of a key is seen in the two regions, as toggles in milliseconds after it.
    pub propagation: [Vec<i64>; 2],
    /// How late AWS tells of the use of a key.
    pub last_used_lag_ms: i64,
    /// What people ask for.
    pub commands: Vec<PlannedCommand>,
    /// What goes wrong.
    pub faults: Vec<PlannedFault>,
    /// From then on nothing goes wrong any more.
    pub calm_at: i64,
    /// Defects of the driver.
    pub bugs: Bugs,
}

impl Plan {
    /// The schedule of a seed.
    pub fn of_seed(seed: u64, bugs: Bugs) -> Self {
        // The plan and what happens under it draw from different streams.
        let mut rng = Rng::new(seed ^ 0x5EED_0F7A_91A7_0001);
        let mut users: Vec<UserPlan> = (0..if rng.chance(12) { 2 } else { 1 })
            .map(|_| user(&mut rng))
            .collect();
        let days = users.iter().map(|user| user.interval_days).max().unwrap_or(1);
        let mut calm_at = days * 2 * DAY + rng.millis(0, DAY);
        let mut commands = commands(&mut rng, &users, calm_at);
        let mut faults = faults(&mut rng, &users, calm_at);
        match rng.below(32) {
            0 => calm_at = stories::suspect(&mut rng, &mut users, &mut commands, &mut faults),
            1 => stories::late_deactivation(&mut rng, &mut users, &mut commands, &mut faults),
            3 => stories::late_announcement(&mut rng, &mut users, &mut commands, &mut faults),
            2 => stories::forgotten_meanwhile(&mut rng, &mut users, &mut commands, &mut faults),
            _ => {}
        }
        Self {
            seed,
            clocks: [rng.millis(-20, 20) * SECOND, rng.millis(-20, 20) * SECOND],
            propagation: [toggles(&mut rng), toggles(&mut rng)],
            last_used_lag_ms: rng.pick([0, 15 * MINUTE, 4 * HOUR]),
            users,
            commands,
            faults,
            calm_at,
            bugs,
        }
    }
}

fn user(rng: &mut Rng) -> UserPlan {
    let interval_days = rng.pick([1, 1, 1, 2, 3]);
    UserPlan {
        foreign_keys: rng.pick([0, 0, 0, 0, 1, 1, 2]),
        interval_days,
        policy: policy(rng, interval_days),
    }
}

fn policy(rng: &mut Rng, interval_days: i64) -> Policy {
    let hours = |n| Hours::new(n).unwrap_or(Hours::A_DAY);
    let all = interval_days * 24 - 2;
    let grace = rng.millis(1, all / 2);
    let retirement = if rng.chance(50) {
        Retirement::NextRotation
    } else {
        Retirement::Grace {
            grace_hours: hours(grace),
            quarantine_hours: hours(rng.millis(1, all - grace)),
        }
    };
    let when_still_used = if rng.chance(75) {
        WhenStillUsed::Warn
    } else {
        WhenStillUsed::Hold {
            hours_max: hours(rng.millis(1, 12)),
        }
    };
    Policy {
        retirement,
        when_still_used,
        verify_regions: if rng.chance(30) {
            vec![Region::from_trusted(REGION_FAR)]
        } else {
            Vec::new()
        },
        exclusive_since: rng.chance(20).then_some(Moment::from_millis(START)),
    }
}

fn toggles(rng: &mut Rng) -> Vec<i64> {
    let first = rng.millis(0, 15) * SECOND;
    match rng.below(10) {
        0..5 => Vec::new(),
        5..8 => vec![first],
        8 => vec![first, first + 3 * SECOND, first + 8 * SECOND],
        _ => {
            let back = first + rng.millis(2, 60) * SECOND;
            vec![first, back, back + rng.millis(1, 90) * SECOND]
        }
    }
}

fn commands(rng: &mut Rng, users: &[UserPlan], calm_at: i64) -> Vec<PlannedCommand> {
    let mut all = Vec::new();
    for (user, plan) in users.iter().enumerate() {
        let adopt = match plan.foreign_keys {
            0 => Adopt::Nothing,
            1 => rng.pick([Adopt::Nothing, Adopt::Import, Adopt::HandOver, Adopt::HandOver]),
            _ => rng.pick([
                Adopt::Nothing,
                Adopt::Import,
                Adopt::HandOver,
                Adopt::HandOverAtOnce,
                Adopt::HandOverAtOnce,
            ]),
        };
        // Repeated as a client would that got no answer; once it is made, the repeats are refused.
        let at = rng.millis(0, 2 * MINUTE);
        for after in [0, 8 * MINUTE, 2 * HOUR] {
            all.push(PlannedCommand {
                at: at + after,
                node: rng.index(NODES),
                user,
                what: Command::Create { adopt },
            });
        }
        for _ in 0..rng.below(5) {
            let at = moment(rng, calm_at).max(10 * MINUTE);
            extra(rng, user, plan, at, &mut all);
        }
    }
    all.sort_by_key(|command| command.at);
    all
}

fn extra(rng: &mut Rng, user: usize, plan: &UserPlan, at: i64, all: &mut Vec<PlannedCommand>) {
    let what = match rng.below(20) {
        0..6 => Command::Rotate,
        6..11 => Command::RollBack {
            to: rng.pick([Role::Displaced, Role::Displaced, Role::Deactivated]),
        },
        11..14 => Command::Retire {
            key: rng.pick([Role::Displaced, Role::Deactivated, Role::Suspect]),
        },
        14 | 15 => Command::SetPolicy {
            policy: policy(rng, plan.interval_days),
        },
        16 => Command::Release { key: Role::Displaced },
        17 if rng.chance(50) => Command::Resolve { key: Role::Suspect },
        17 => Command::HandOver,
        18 => Command::Revoke {
            delete_secrets: rng.chance(50),
        },
        _ => Command::Forget,
    };
    // Two nodes at once, or the same again a little later: jobs are delivered twice.
    let repeats = rng.below(3);
    let mut when = at;
    for _ in 0..=repeats {
        all.push(PlannedCommand {
            at: when,
            node: rng.index(NODES),
            user,
            what: what.clone(),
        });
        when += rng.pick([0, 50, 30 * SECOND, 6 * MINUTE]);
    }
    if matches!(what, Command::Revoke { .. } | Command::Forget) {
        all.push(PlannedCommand {
            at: when + rng.millis(1, 60) * MINUTE,
            node: rng.index(NODES),
            user,
            what: Command::Create {
                adopt: rng.pick([Adopt::Nothing, Adopt::HandOver, Adopt::HandOverAtOnce]),
            },
        });
    }
}

fn faults(rng: &mut Rng, users: &[UserPlan], calm_at: i64) -> Vec<PlannedFault> {
    let number = match rng.below(10) {
        0 => 0,
        1..4 => rng.below(3),
        4..9 => 1 + rng.below(6),
        _ => 4 + rng.below(12),
    };
    let mut all = Vec::new();
    for _ in 0..number {
        if rng.chance(60) {
            at_effect(rng, users, &mut all);
        } else {
            all.push(at_moment(rng, users, calm_at));
        }
    }
    all
}

/// Half of all moments lie around those at which rotations are due.
fn moment(rng: &mut Rng, calm_at: i64) -> i64 {
    if rng.chance(50) {
        let day = rng.millis(0, calm_at / DAY) * DAY;
        let midnight = (START / DAY + 1) * DAY - START;
        (midnight + day + rng.millis(-2 * MINUTE, 12 * MINUTE)).max(0)
    } else {
        rng.millis(0, calm_at)
    }
}

/// A fault at an effect; sometimes its repeats are struck too.
fn at_effect(rng: &mut Rng, users: &[UserPlan], all: &mut Vec<PlannedFault>) {
    let call = rng.pick([
        Call::Identify,
        Call::List,
        Call::List,
        Call::Commit,
        Call::Commit,
        Call::Commit,
        Call::Issue,
        Call::Issue,
        Call::Issue,
        Call::Deactivate,
        Call::Deactivate,
        Call::Deactivate,
        Call::Delete,
        Call::Delete,
        Call::Reactivate,
        Call::LastUsed,
        Call::Verify,
        Call::Wait,
    ]);
    let nth_max = match call {
        Call::Commit => 60,
        Call::Verify | Call::List | Call::Identify => 16,
        Call::Wait => 24,
        _ => 5,
    };
    let mut nth = u32::try_from(rng.below(nth_max)).unwrap_or(0);
    loop {
        let what = loop {
            let fault = effect_fault(rng, users.len());
            if fault.fits(call) {
                break fault;
            }
        };
        all.push(PlannedFault {
            when: When::Effect { call, nth },
            what,
        });
        if !rng.chance(30) {
            return;
        }
        nth += 1;
    }
}

fn effect_fault(rng: &mut Rng, users: usize) -> Fault {
    let down_ms = rng.pick([100, 2 * SECOND, 30 * SECOND, 5 * MINUTE, 15 * MINUTE]);
    let pause_ms = rng.pick([
        SECOND,
        15 * SECOND,
        55 * SECOND,
        70 * SECOND,
        6 * MINUTE,
        20 * MINUTE,
    ]);
    match rng.below(24) {
        0 => Fault::CrashBefore { down_ms },
        1 | 2 => Fault::CrashAfter { down_ms },
        3 => Fault::PauseBefore { ms: pause_ms },
        4 => Fault::PauseSent { ms: pause_ms },
        5 => Fault::PauseAfter { ms: pause_ms },
        6 | 7 => Fault::AnswerLost,
        8 => Fault::ServiceFailure,
        9 => Fault::RequestLost,
        10..13 => Fault::LateLanding {
            ms: rng.millis(0, 300) * SECOND,
        },
        13 => Fault::Throttle,
        14 => Fault::Unavailable,
        15 => Fault::AccessDenied,
        16 => Fault::WrongSignature {
            count: rng.pick([1, 2, 3, 3]),
        },
        17 => Fault::StaleList,
        18 => rng.pick([Fault::SealingFails, Fault::NoDate]),
        19 => Fault::CommitAmbiguous,
        20 => Fault::CommitUnavailable,
        21 => Fault::Slow {
            ms: rng.pick([500, 5 * SECOND, 9 * SECOND]),
        },
        22 => Fault::Queue {
            ms: rng.pick([SECOND, 8 * SECOND, 30 * SECOND, 5 * MINUTE]),
        },
        _ => Fault::Foreign {
            user: rng.index(users),
            what: foreign(rng),
        },
    }
}

fn at_moment(rng: &mut Rng, users: &[UserPlan], calm_at: i64) -> PlannedFault {
    let ms = moment(rng, calm_at);
    let node = rng.index(NODES);
    let what = match rng.below(16) {
        0 => Fault::Crash {
            node,
            down_ms: rng.pick([SECOND, MINUTE, 20 * MINUTE, 2 * HOUR]),
        },
        1 => Fault::Pause {
            node,
            ms: rng.pick([20 * SECOND, 90 * SECOND, 10 * MINUTE, HOUR]),
        },
        2..5 => Fault::ClockJump {
            node,
            ms: rng.pick([1, -1])
                * rng.pick([20 * SECOND, 2 * MINUTE, 10 * MINUTE, 2 * HOUR, DAY, 400 * DAY]),
            for_ms: rng.pick([20 * SECOND, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE]),
        },
        5 => Fault::Denied {
            ms: rng.pick([MINUTE, 30 * MINUTE, 5 * HOUR]),
        },
        6 => Fault::Throttled {
            ms: rng.pick([30 * SECOND, 10 * MINUTE, 3 * HOUR]),
        },
        7 => Fault::DatabaseDown {
            ms: rng.pick([SECOND, 20 * SECOND, 5 * MINUTE]),
        },
        8 => Fault::CutOff {
            node,
            ms: rng.pick([5 * SECOND, 50 * SECOND, 10 * MINUTE]),
        },
        _ => Fault::Foreign {
            user: rng.index(users.len()),
            what: foreign(rng),
        },
    };
    PlannedFault {
        when: When::At { ms },
        what,
    }
}

fn foreign(rng: &mut Rng) -> Foreign {
    let role = rng.pick([
        Role::Published,
        Role::Displaced,
        Role::Deactivated,
        Role::Unpublished,
        Role::Suspect,
        Role::Foreign,
    ]);
    match rng.below(20) {
        0..4 => Foreign::Create,
        4 => Foreign::CreatePastQuota,
        5..8 => Foreign::Delete(role),
        8..11 => Foreign::Deactivate(role),
        11..14 => Foreign::Reactivate(rng.pick([Role::Deactivated, Role::Deactivated, role])),
        14..18 => Foreign::Use(rng.pick([Role::Displaced, Role::Displaced, Role::Suspect, role])),
        18 => Foreign::DeleteUser,
        _ => Foreign::RecreateUser,
    }
}
