//! All interleavings in small scope: everything that two nodes, crashes, lost answers, a pause and
//! somebody else can do to a user whose rotation is created and then due three times.
//!
//! It drives the same world and asks the same judges as the random search. Coarser is only time: calls take none, so
//! that it moves only where something waits. Where several things can happen at the same moment, every order is
//! tried; at every effect, every fault that is left. Two states are the same if the record, the account and the runs
//! under way are the same, and all that is waited for lies as many minutes ahead.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::rotation::policy::{Hours, Policy, Retirement};

use crate::faults::{Call, Fault, Foreign, Role};
use crate::job::{Job, Stage};
use crate::plan::{Adopt, Bugs, Command, Plan, PlannedCommand, START, UserPlan};
use crate::world::{Next, World};

const MINUTE: i64 = 60_000;
/// A short day, as in a trial: fewer retries lie between two rotations that are due.
const DAY: i64 = 60 * MINUTE;

/// What may go wrong on one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Crashes of a node.
    pub crashes: u8,
    /// Answers that do not come.
    pub lost: u8,
    /// Acts of somebody else.
    pub foreign: u8,
    /// Nodes that stand still for the length of a lease.
    pub pauses: u8,
    /// Rotations after the creation.
    pub rotations: u32,
    /// States after which the search gives up.
    pub states_max: usize,
}

impl Bounds {
    /// Two crashes, one lost answer, one act of somebody else, three rotations.
    pub const FULL: Self = Self {
        crashes: 2,
        lost: 1,
        foreign: 1,
        pauses: 0,
        rotations: 3,
        states_max: 20_000_000,
    };
    /// A scope for a test.
    pub const SMALL: Self = Self {
        crashes: 1,
        lost: 1,
        foreign: 0,
        pauses: 0,
        rotations: 2,
        states_max: 2_000_000,
    };
}

/// Where a search begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beginning {
    /// In words.
    pub name: &'static str,
    /// Keys of somebody else on the user.
    pub foreign_keys: u8,
    /// What the create says of them.
    pub adopt: Adopt,
    /// Whether a displaced key is retired by time.
    pub grace: bool,
}

/// The places to begin at: without keys, with keys of others in each way of adoption, and both retirements.
pub const BEGINNINGS: [Beginning; 7] = [
    begin("no key", 0, Adopt::Nothing, false),
    begin("no key, grace", 0, Adopt::Nothing, true),
    begin("one foreign key, left alone", 1, Adopt::Nothing, false),
    begin("one key, imported", 1, Adopt::Import, false),
    begin("one key, handed over, grace", 1, Adopt::HandOver, true),
    begin("two foreign keys", 2, Adopt::Nothing, false),
    begin(
        "two keys, one handed over at once",
        2,
        Adopt::HandOverAtOnce,
        false,
    ),
];

const fn begin(name: &'static str, foreign_keys: u8, adopt: Adopt, grace: bool) -> Beginning {
    Beginning {
        name,
        foreign_keys,
        adopt,
        grace,
    }
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Different states.
    pub states: usize,
    /// Most steps on a shortest path.
    pub depth: u32,
    /// Whether everything within the bounds was seen.
    pub complete: bool,
    /// The first broken promise, with the way to it.
    pub violation: Option<(String, Vec<String>)>,
}

#[derive(Clone)]
struct State {
    world: World,
    left: Bounds,
    depth: u32,
    /// When something happens next.
    next_at: i64,
    path: Option<Arc<Link>>,
}

/// The way to a state, shared with its neighbours.
struct Link {
    before: Option<Arc<Self>>,
    text: String,
}

fn plan(beginning: &Beginning, bugs: Bugs) -> Plan {
    let third_of_a_day = Hours::new(8).unwrap_or(Hours::A_DAY);
    let retirement = if beginning.grace {
        Retirement::Grace {
            grace_hours: third_of_a_day,
            quarantine_hours: third_of_a_day,
        }
    } else {
        Retirement::NextRotation
    };
    // A client that gets no answer asks again.
    let create = |at| PlannedCommand {
        at,
        node: 0,
        user: 0,
        what: Command::Create {
            adopt: beginning.adopt,
        },
    };
    Plan {
        seed: 1,
        users: vec![UserPlan {
            foreign_keys: beginning.foreign_keys,
            interval_days: 1,
            policy: Policy {
                retirement,
                ..Policy::default()
            },
        }],
        clocks: [0, 0],
        propagation: [Vec::new(), Vec::new()],
        last_used_lag_ms: 0,
        commands: vec![create(0), create(20 * MINUTE)],
        faults: Vec::new(),
        calm_at: DAY,
        bugs,
    }
}

/// Searches from all beginnings, on several threads; in the order of [`BEGINNINGS`].
pub fn search_all(bounds: Bounds, bugs: Bugs, threads: usize) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut all = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            match BEGINNINGS.get(number) {
                Some(beginning) => all.push((number, search(beginning, bounds, bugs))),
                None => return all,
            }
        }
    };
    let mut all: Vec<(usize, Found)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        // A thread that panicked has said why on its own.
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default());
        joined.flatten().collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, found)| found).collect()
}

/// Searches everything within the bounds from one beginning.
pub fn search(beginning: &Beginning, bounds: Bounds, bugs: Bugs) -> Found {
    let mut world = World::new(Arc::new(plan(beginning, bugs)));
    world.instant = true;
    // In a row, and no more often than that takes; and a key that never works is given up soon.
    world.timings.verify_deadline = Millis::from_secs(8);
    world.timings.verify_successes = 2;
    world.timings.day_length = Millis::new(DAY);
    let mut found = Found {
        complete: true,
        ..Found::default()
    };
    let mut known = HashSet::new();
    let mut queue = vec![State {
        world,
        left: bounds,
        depth: 0,
        next_at: START,
        path: None,
    }];
    while let Some(state) = queue.pop() {
        found.depth = found.depth.max(state.depth);
        if known.len() >= bounds.states_max {
            found.complete = false;
            break;
        }
        for next in state.followers() {
            if let Some(violation) = &next.world.violation {
                found.violation = Some((format!("{}: {}", violation.invariant, violation.text), next.way()));
                found.states = known.len();
                return found;
            }
            if known.insert(next.fingerprint()) && !next.is_over(bounds) {
                queue.push(next);
            }
        }
    }
    found.states = known.len();
    found
}

impl State {
    /// Whether nothing more is to be seen on this path.
    fn is_over(&self, bounds: Bounds) -> bool {
        let publishes: u32 = self.world.truth.users.iter().map(|user| user.publishes).sum();
        let horizon = START + DAY * (i64::from(bounds.rotations) + 3);
        (publishes > bounds.rotations && self.world.jobs.is_empty()) || self.world.now > horizon
    }

    fn way(&self) -> Vec<String> {
        let mut way = Vec::new();
        let mut link = self.path.as_ref();
        while let Some(here) = link {
            way.push(here.text.clone());
            link = here.before.as_ref();
        }
        way.reverse();
        way
    }

    /// Every state that can come next.
    fn followers(&self) -> Vec<Self> {
        let mut soonest = i64::MAX;
        let mut candidates: Vec<Next> = Vec::new();
        self.world.each_next(|at, next| {
            let at = at.max(self.world.now);
            if at < soonest {
                soonest = at;
                candidates.clear();
            }
            if at == soonest {
                candidates.push(next);
            }
        });
        candidates.dedup();
        // A renewal commutes with everything else.
        if let Some(renewal) = candidates
            .iter()
            .copied()
            .find(|next| matches!(next, Next::Renew(_)))
        {
            candidates = vec![renewal];
        }
        // Idle nodes are alike.
        let all_idle = self.world.jobs.is_empty() && self.world.nodes.iter().all(|node| node.alive);
        if all_idle && candidates.contains(&Next::Claim(0)) {
            candidates.retain(|next| *next != Next::Claim(1));
        }
        candidates
            .into_iter()
            .flat_map(|next| self.after(soonest, next))
            .collect()
    }

    fn after(&self, at: i64, next: Next) -> Vec<Self> {
        let call = match next {
            Next::Job(number) => match &self.world.jobs[number].stage {
                Stage::Perform(effect) => Some(Call::of(effect)),
                _ => None,
            },
            _ => None,
        };
        let mut all = vec![self.step(at, next, None)];
        if let Some(call) = call {
            all.extend(
                self.harms(call)
                    .into_iter()
                    .map(|harm| self.step(at, next, Some(harm))),
            );
        }
        all
    }

    /// The faults that are left and fit.
    fn harms(&self, call: Call) -> Vec<Fault> {
        let mut all = Vec::new();
        // A process that dies after a change, or before or after a question, leaves what one leaves that dies before
        // the next change, the next commit or the end.
        let leaves = call.is_change() || matches!(call, Call::Commit | Call::Wait | Call::Finish);
        if self.left.crashes > 0 && leaves {
            all.push(Fault::CrashBefore { down_ms: 0 });
        }
        if self.left.lost > 0 {
            let late = Fault::LateLanding { ms: 290_000 };
            let of_answers = [
                Fault::AnswerLost,
                Fault::RequestLost,
                late,
                Fault::CommitAmbiguous,
                Fault::CommitUnavailable,
            ];
            // Of a question, a lost answer and a lost request are the same.
            let matters = |fault: &Fault| call.is_change() || !matches!(fault, Fault::RequestLost);
            all.extend(
                of_answers
                    .into_iter()
                    .filter(|fault| fault.fits(call) && matters(fault)),
            );
        }
        if self.left.pauses > 0 && (call.is_change() || call == Call::Commit) {
            all.push(Fault::PauseBefore { ms: 60_000 });
            all.push(Fault::PauseAfter { ms: 60_000 });
        }
        // What somebody else does is seen by the next list, check or change, and by nothing before.
        let sees = call.is_change() || matches!(call, Call::List | Call::Verify);
        if self.left.foreign > 0 && (sees || call == Call::Identify) {
            let replaced = Fault::Foreign {
                user: 0,
                what: Foreign::RecreateUser,
            };
            all.push(replaced);
        }
        if self.left.foreign > 0 && sees {
            let acts = [
                Foreign::Create,
                Foreign::Delete(Role::Published),
                Foreign::Delete(Role::Displaced),
                Foreign::Delete(Role::Unpublished),
                Foreign::Deactivate(Role::Published),
                Foreign::Deactivate(Role::Displaced),
                Foreign::Reactivate(Role::Deactivated),
            ];
            all.extend(acts.map(|what| Fault::Foreign { user: 0, what }));
        }
        all
    }

    /// One step: an effect with its answer, or whatever else is next.
    fn step(&self, at: i64, next: Next, harm: Option<Fault>) -> Self {
        let mut after = self.clone();
        after.depth += 1;
        let world = &mut after.world;
        world.now = at;
        if !matches!(next, Next::Renew(_)) {
            after.path = Some(Arc::new(Link {
                before: self.path.clone(),
                text: words(self, at, next, harm),
            }));
        }
        match harm {
            None => {}
            Some(Fault::Foreign { user, what }) => {
                after.left.foreign -= 1;
                world.foreign(user, what);
            }
            Some(fault) => {
                match fault {
                    Fault::CrashBefore { .. } | Fault::CrashAfter { .. } => after.left.crashes -= 1,
                    Fault::PauseBefore { .. } | Fault::PauseAfter { .. } => after.left.pauses -= 1,
                    _ => after.left.lost -= 1,
                }
                world.forced = Some(fault);
            }
        }
        let number = match next {
            Next::Job(number) => Some(number),
            _ => None,
        };
        let jobs = world.jobs.len();
        world.take(next);
        // The effect takes place and its answer comes at once, unless a fault decided otherwise.
        while let Some(number) = number.filter(|_| world.jobs.len() == jobs)
            && !matches!(world.jobs[number].stage, Stage::Perform(_))
            && world.jobs[number].at == at
            && world.nodes[world.jobs[number].node].paused_until <= at
        {
            world.take(Next::Job(number));
        }
        world.forced = None;
        let mut next_at = i64::MAX;
        world.each_next(|at, _| next_at = next_at.min(at));
        after.next_at = next_at.max(at);
        after
    }

    /// Equal for states between which no future can tell.
    fn fingerprint(&self) -> u64 {
        let mut sink = Sink::new();
        // Writing to a hasher cannot fail.
        let _ = self.describe(&mut sink);
        sink.finish()
    }

    fn describe(&self, to: &mut Sink) -> fmt::Result {
        let (world, left) = (&self.world, &self.left);
        write!(
            to,
            "{} {} {} {};",
            left.crashes, left.lost, left.foreign, left.pauses
        )?;
        for node in &world.nodes {
            write!(
                to,
                "{} {};",
                node.alive,
                self.ahead(Some(Moment::from_millis(node.paused_until)))
            )?;
        }
        for ((at, _), item) in &world.agenda {
            write!(to, "{} {item:?};", self.ahead(Some(Moment::from_millis(*at))))?;
        }
        for (id, key) in world.truth.keys.iter().filter(|(_, key)| key.alive) {
            let maker = key.made_by.is_some();
            write!(
                to,
                "{id} {} {} {maker} {} {};",
                key.active, key.harmed, key.given, key.word
            )?;
        }
        for (number, user) in world.truth.users.iter().enumerate() {
            write!(
                to,
                "{} {} {};",
                user.publishes, user.creates_in_flight, user.heals
            )?;
            self.describe_row(number, to)?;
        }
        for job in &world.jobs {
            describe_job(job, world.now, to)?;
        }
        Ok(())
    }

    fn describe_row(&self, number: usize, to: &mut Sink) -> fmt::Result {
        let row = &self.world.rows[number];
        let user = &row.user;
        write!(
            to,
            "user {} {:?} {} {};",
            self.ahead(user.settles_at),
            user.unfinished,
            user.failures.min(7),
            self.ahead(user.due_at)
        )?;
        let lease = row.lease.map(|lease| (lease.node, self.ahead(Some(lease.until))));
        write!(to, "{lease:?};")?;
        for key in row.keys.values().filter(|key| !key.state.is_end()) {
            write!(
                to,
                "{} {:?} {:?} {:?} {:?} {} {:?} {} {} {} {};",
                key.id,
                key.state,
                key.origin,
                key.proof,
                key.aws_status,
                key.secret.is_some(),
                key.held,
                self.ahead(key.settles_at),
                self.ahead(key.retires_at(self.world.timings.pending_max)),
                self.ahead(key.yields_at()),
                key.displaced_at.is_some(),
            )?;
        }
        let late = self.world.timings.late_landing;
        for intent in row.intents.iter().rev().take(3) {
            let open = intent.outcome.is_none();
            let ahead = self.ahead(Some(intent.settles_at(late)));
            if open || ahead > 0 {
                write!(to, "{:?} {:?} {open} {ahead};", intent.kind, intent.key)?;
            }
        }
        match &row.rotation {
            None => write!(to, "none;"),
            Some(rotation) => write!(
                to,
                "{:?} {:?} {} {} {} {};",
                rotation.slots,
                rotation.status,
                self.ahead(rotation.slot_at),
                self.ahead(rotation.next_attempt_at),
                rotation.failures.min(7),
                rotation.revoking
            ),
        }
    }

    /// Minutes from what is next until then; 0 if it has been.
    fn ahead(&self, at: Option<Moment>) -> i64 {
        let wait = at.map_or(0, |at| (at.as_millis() - self.next_at).max(0));
        (wait + MINUTE - 1) / MINUTE + i64::from(at.is_some())
    }
}

fn describe_job(job: &Job, now: i64, to: &mut Sink) -> fmt::Result {
    write!(
        to,
        "job {} {} {} {} {:?} {} {};",
        job.node,
        job.row,
        job.at - now,
        job.trace,
        Call::of_stage(&job.stage),
        job.seen.successes.len(),
        job.lost
    )
}

fn words(state: &State, at: i64, next: Next, harm: Option<Fault>) -> String {
    let what = match next {
        Next::Job(number) => {
            let job = &state.world.jobs[number];
            match &job.stage {
                Stage::Perform(effect) => format!("node {} {:?}", job.node, Call::of(effect)),
                _ => format!("node {} goes on", job.node),
            }
        }
        other => format!("{other:?}"),
    };
    let harm = harm.map_or_else(String::new, |harm| format!("  <- {harm:?}"));
    let seconds = (at - START) / 1_000;
    format!("{seconds:>7} s  {what}{harm}  | {}", state.world.keys_in_words())
}

/// Hashes what is written to it.
pub(crate) struct Sink(DefaultHasher);

impl Sink {
    pub(crate) fn new() -> Self {
        Self(DefaultHasher::new())
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
