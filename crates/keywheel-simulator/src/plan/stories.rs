//! Schedules that chance would rarely make: what goes wrong only when several things come one after the other. What
//! else was drawn for the seed stays.

use keywheel_core::rotation::policy::{Hours, Policy, Retirement};

use super::{
    Adopt, Command, DAY, Fault, Foreign, HOUR, MINUTE, Moment, NODES, PlannedCommand, PlannedFault, Rng,
    Role, SECOND, START, UserPlan, When,
};
use crate::faults::Call;

fn ask(rng: &mut Rng, at: i64, what: Command) -> PlannedCommand {
    PlannedCommand {
        at,
        node: rng.index(NODES),
        user: 0,
        what,
    }
}

const fn at_effect(call: Call, nth: u32, what: Fault) -> PlannedFault {
    PlannedFault {
        when: When::Effect { call, nth },
        what,
    }
}

const fn at(ms: i64, what: Foreign) -> PlannedFault {
    PlannedFault {
        when: When::At { ms },
        what: Fault::Foreign { user: 0, what },
    }
}

/// A create goes unanswered while somebody else makes a key: one of the two is a suspect, its owner promises that
/// nobody else makes keys, before or after, and somebody may use it. Days pass. When calm begins.
pub(super) fn suspect(
    rng: &mut Rng,
    users: &mut Vec<UserPlan>,
    commands: &mut Vec<PlannedCommand>,
    faults: &mut Vec<PlannedFault>,
) -> i64 {
    let promise = Policy {
        exclusive_since: Some(Moment::from_millis(START)),
        ..Policy::default()
    };
    let is_early = rng.chance(60);
    users.truncate(1);
    users[0] = UserPlan {
        foreign_keys: 0,
        interval_days: 3,
        policy: if is_early {
            promise.clone()
        } else {
            Policy::default()
        },
    };
    commands.clear();
    commands.push(ask(
        rng,
        0,
        Command::Create {
            adopt: Adopt::Nothing,
        },
    ));
    commands.push(ask(rng, 10 * MINUTE, Command::Rotate));
    if !is_early {
        let at = 30 * MINUTE + rng.millis(0, 3) * HOUR;
        commands.push(ask(rng, at, Command::SetPolicy { policy: promise }));
    }
    faults.truncate(2);
    let lost = if rng.chance(50) {
        Fault::AnswerLost
    } else {
        Fault::RequestLost
    };
    faults.push(at_effect(Call::Issue, 1, lost));
    if lost == Fault::RequestLost || rng.chance(20) {
        let what = Foreign::Create;
        faults.push(at_effect(Call::Issue, 1, Fault::Foreign { user: 0, what }));
    }
    if rng.chance(50) {
        faults.push(at(
            HOUR + rng.millis(0, 23 * 60) * MINUTE,
            Foreign::Use(Role::Suspect),
        ));
    }
    5 * DAY + rng.millis(0, DAY)
}

/// The deactivation at the end of a grace time lands minutes after it was given up, and its owner rolls back meanwhile.
pub(super) fn late_deactivation(
    rng: &mut Rng,
    users: &mut Vec<UserPlan>,
    commands: &mut Vec<PlannedCommand>,
    faults: &mut Vec<PlannedFault>,
) {
    let grace_ends = grace_of_an_hour(rng, users, commands);
    for _ in 0..6 {
        let at = grace_ends + rng.millis(20, 240) * SECOND;
        commands.push(ask(
            rng,
            at,
            Command::RollBack {
                to: Role::Deactivated,
            },
        ));
    }
    commands.sort_by_key(|command| command.at);
    faults.truncate(1);
    let ms = rng.millis(60, 300) * SECOND;
    faults.push(at_effect(Call::Deactivate, 0, Fault::LateLanding { ms }));
    if rng.chance(30) {
        let ms = rng.millis(60, 300) * SECOND;
        faults.push(at_effect(Call::Deactivate, 1, Fault::LateLanding { ms }));
    }
}

/// The deactivation at the end of a grace time goes unanswered, and the rotation is deleted without its keys before
/// anybody repeats it.
pub(super) fn forgotten_meanwhile(
    rng: &mut Rng,
    users: &mut Vec<UserPlan>,
    commands: &mut Vec<PlannedCommand>,
    faults: &mut Vec<PlannedFault>,
) {
    let grace_ends = grace_of_an_hour(rng, users, commands);
    for _ in 0..6 {
        let at = grace_ends + rng.millis(20, 120) * SECOND;
        commands.push(ask(rng, at, Command::Forget));
    }
    commands.sort_by_key(|command| command.at);
    faults.truncate(1);
    faults.push(at_effect(Call::Deactivate, 0, Fault::RequestLost));
}

/// The process stands still between the announcement of the first create and the create, whose answer is lost.
pub(super) fn late_announcement(
    rng: &mut Rng,
    users: &mut Vec<UserPlan>,
    commands: &mut Vec<PlannedCommand>,
    faults: &mut Vec<PlannedFault>,
) {
    users.truncate(1);
    users[0].foreign_keys = 0;
    commands.clear();
    for at in [0, 30 * MINUTE, 2 * HOUR] {
        commands.push(ask(
            rng,
            at,
            Command::Create {
                adopt: Adopt::Nothing,
            },
        ));
    }
    faults.truncate(1);
    let ms = rng.millis(5, 20) * MINUTE;
    faults.push(at_effect(Call::Commit, 0, Fault::PauseBefore { ms }));
    faults.push(at_effect(Call::Issue, 0, Fault::AnswerLost));
}

/// A rotation by hand displaces a key that has an hour of grace. When that ends.
fn grace_of_an_hour(rng: &mut Rng, users: &mut Vec<UserPlan>, commands: &mut Vec<PlannedCommand>) -> i64 {
    users.truncate(1);
    users[0] = UserPlan {
        foreign_keys: 0,
        interval_days: 2,
        policy: Policy {
            retirement: Retirement::Grace {
                grace_hours: Hours::new(1).unwrap_or(Hours::A_DAY),
                quarantine_hours: Hours::new(24).unwrap_or(Hours::A_DAY),
            },
            ..Policy::default()
        },
    };
    commands.clear();
    commands.push(ask(
        rng,
        0,
        Command::Create {
            adopt: Adopt::Nothing,
        },
    ));
    commands.push(ask(rng, 10 * MINUTE, Command::Rotate));
    10 * MINUTE + HOUR
}
