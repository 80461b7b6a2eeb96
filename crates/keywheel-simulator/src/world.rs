//! The world of one schedule: AWS, the store, the nodes and their clocks, and what is about to happen.
//!
//! True time is AWS's. Each node has a wall clock that may be wrong; monotonic clocks run with true time.

use std::collections::BTreeMap;
use std::sync::Arc;

use keywheel_core::clock::Moment;
use keywheel_core::ids::ConnectionId;
use keywheel_core::key::KeyState;
use keywheel_core::timings::Timings;
use keywheel_sandbox::model::PropagationRule;

use crate::aws::{Aws, REGION_FAR, REGION_HOME};
use crate::coverage::Coverage;
use crate::events::{Event, Log, Violation, What};
use crate::faults::{Call, Fault, When};
use crate::invariants::{self, Fact};
use crate::job::{Flight, Job};
use crate::plan::{NODES, Plan, START};
use crate::rng::Rng;
use crate::store::Row;
use crate::truth::{Truth, UserTruth};

/// A claim comes at the next look of the schedule, which looks this often.
const LOOK_EVERY_MS: i64 = 200;

/// Dates that a wrong clock set are looked for this often (the engine's `RECALL_EVERY`).
const RECALL_EVERY_MS: i64 = 300_000;

/// A wall clock that falls this far behind the monotonic one was set back.
const SET_BACK_MIN_MS: i64 = 60_000;

/// A process with its own wall clock.
#[derive(Clone, Debug)]
pub struct Node {
    /// How far its wall clock is ahead of AWS's.
    pub ahead_ms: i64,
    /// Whether the process runs.
    pub alive: bool,
    /// It stands still until then.
    pub paused_until: i64,
    /// Its schedule rests until then: its clock was found to be wrong, or a run stopped where it was.
    pub mistrusted_until: i64,
    /// Its schedule does not look before that.
    pub looks_at: i64,
    /// It cannot reach the database until then.
    pub cut_off_until: i64,
}

/// What happens at a moment that is known beforehand.
#[derive(Clone, Debug)]
pub enum Item {
    /// A command of the plan, by its number.
    Ask(usize),
    /// A fault of the plan.
    Strike(Fault),
    /// A node starts again.
    Restart(usize),
    /// The clock of a node is set right.
    SetClock(usize),
    /// A request takes effect whose sender is not waiting for it any more.
    Land(Flight),
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    /// The schedule.
    pub plan: Arc<Plan>,
    /// True time, in milliseconds since 1970.
    pub now: i64,
    /// Latencies, ids.
    pub rng: Rng,
    /// Waits and bounds of the engine.
    pub timings: Timings,
    /// IAM.
    pub aws: Aws,
    /// The store: a row for each managed user.
    pub rows: Vec<Row>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Runs under way.
    pub jobs: Vec<Job>,
    /// What is known to happen, in order.
    pub agenda: BTreeMap<(i64, u64), Item>,
    /// How many items were ever put on the agenda.
    pub items: u64,
    /// Effects so far, by kind.
    pub effects: [u32; Call::COUNT],
    /// Events so far.
    pub steps: u64,
    /// AWS refuses everything until then.
    pub denied_until: i64,
    /// AWS is busy until then.
    pub throttled_until: i64,
    /// The database is down until then.
    pub down_until: i64,
    /// So many checks of keys are still refused.
    pub wrong_signatures: u8,
    /// Nothing goes wrong any more.
    pub calm: bool,
    /// What really happened.
    pub truth: Truth,
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// Events, if somebody will read them.
    pub log: Log,
    /// What occurred.
    pub coverage: Coverage,
    /// Nothing takes time, and ids follow from claims: so that the same state is reached in several ways. For the
    /// exhaustive search.
    pub instant: bool,
    /// What befalls the next effect, chosen by the exhaustive search.
    pub forced: Option<Fault>,
    /// The one connection.
    pub connection: ConnectionId,
}

/// The name of the IAM user of this number.
pub fn user_name(user: usize) -> String {
    format!("app-{user}")
}

fn rules(plan: &Plan) -> Vec<PropagationRule> {
    let rule = |region: &str, toggles: &Vec<i64>| PropagationRule {
        region: Some(region.to_owned()),
        toggles_ms: toggles.clone(),
        ..PropagationRule::default()
    };
    vec![
        rule(REGION_HOME, &plan.propagation[0]),
        rule(REGION_FAR, &plan.propagation[1]),
    ]
}

impl World {
    /// The world at the start of a schedule.
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut rng = Rng::new(plan.seed);
        let node = |node: usize| Node {
            ahead_ms: plan.clocks[node],
            alive: true,
            paused_until: 0,
            mistrusted_until: 0,
            looks_at: START,
            cut_off_until: 0,
        };
        let mut world = Self {
            now: START,
            timings: Timings::DEFAULT,
            aws: Aws::new(rng.next(), plan.last_used_lag_ms, rules(&plan)),
            rows: Vec::new(),
            nodes: (0..NODES).map(node).collect(),
            jobs: Vec::new(),
            agenda: BTreeMap::new(),
            items: 0,
            effects: [0; Call::COUNT],
            steps: 0,
            denied_until: 0,
            throttled_until: 0,
            down_until: 0,
            wrong_signatures: 0,
            calm: false,
            truth: Truth::default(),
            violation: None,
            log: Log::default(),
            coverage: Coverage::default(),
            instant: false,
            forced: None,
            connection: ConnectionId::new(Moment::from_millis(START), &rng.bytes()),
            rng,
            plan,
        };
        world.set_up();
        world
    }

    fn set_up(&mut self) {
        let plan = Arc::clone(&self.plan);
        // Keys of others are old: no create of ours explains them.
        let long_before = self.now - 90 * 86_400_000;
        for (user, wanted) in plan.users.iter().enumerate() {
            let name = user_name(user);
            self.aws.create_user(long_before, &name);
            for _ in 0..wanted.foreign_keys {
                self.foreign_key(user, long_before, false);
            }
        }
        for (number, command) in plan.commands.iter().enumerate() {
            self.at(START + command.at, Item::Ask(number));
        }
        for fault in &plan.faults {
            if let When::At { ms } = fault.when {
                self.at(START + ms, Item::Strike(fault.what));
            }
        }
    }

    /// Puts something on the agenda.
    pub fn at(&mut self, at: i64, item: Item) {
        self.items += 1;
        self.agenda.insert((at, self.items), item);
    }

    /// The wall clock of a node.
    pub fn wall(&self, node: usize) -> Moment {
        Moment::from_millis(self.now + self.nodes[node].ahead_ms)
    }

    /// The time that leases count in: the store's own, which all nodes share and which does not jump.
    pub const fn lease_time(&self) -> Moment {
        Moment::from_millis(self.now)
    }

    /// Whether the time of a run is still its node's: not if the clock was set meanwhile.
    pub fn keeps_time(&self, job: &Job) -> bool {
        (self.wall(job.node) - job.now(self.now)).abs() <= self.timings.clock_skew_max
    }

    /// Whether a node can reach the database.
    pub fn has_database(&self, node: usize) -> bool {
        self.now >= self.down_until && self.now >= self.nodes[node].cut_off_until
    }

    /// Some milliseconds on the way.
    pub fn latency(&mut self) -> i64 {
        if self.instant { 0 } else { self.rng.millis(1, 60) }
    }

    /// Ten bytes for ids of a claim.
    pub fn entropy(&mut self, fence: i64) -> [u8; 10] {
        if !self.instant {
            return self.rng.bytes();
        }
        // The rest of the bytes decides how long a run waits that failed: neither no time nor always the same.
        let mut bytes = [0x5A; 10];
        bytes[6..].copy_from_slice(&fence.to_be_bytes()[4..]);
        bytes
    }

    /// A new row of the store.
    pub fn add_row(&mut self, row: Row) -> usize {
        self.rows.push(row);
        self.truth.users.push(UserTruth::default());
        self.rows.len() - 1
    }

    /// Whether somebody works on a user of this node already.
    pub fn is_worked_on(&self, node: usize, row: usize) -> bool {
        self.jobs.iter().any(|job| job.node == node && job.row == row)
    }

    /// Judges what is about to happen or has happened. The first broken promise ends the schedule.
    pub fn check(&mut self, fact: &Fact<'_>) {
        let broken = invariants::broken(self, fact);
        self.convict(broken);
    }

    /// Notes what a judgement found.
    pub fn convict(&mut self, broken: Option<(&'static str, String)>) {
        if let (Some((invariant, text)), None) = (broken, &self.violation) {
            self.violate(invariant, text);
        }
    }

    /// Notes a broken promise.
    pub fn violate(&mut self, invariant: &str, text: String) {
        self.note(None, What::Violation, || format!("{invariant}: {text}"));
        self.violation = Some(Violation {
            invariant: invariant.to_owned(),
            text,
            at: self.now - START,
        });
    }

    /// Takes down an event, if somebody will read it.
    pub fn note(&mut self, node: Option<usize>, what: What, text: impl FnOnce() -> String) {
        self.steps += 1;
        if self.log.enabled {
            let event = Event {
                at: self.now - START,
                node,
                what,
                text: text(),
                keys: self.keys_in_words(),
            };
            self.log.events.push(event);
        }
    }

    /// The keys as a line: the end of the id, its state in the ledger, its status at AWS.
    pub fn keys_in_words(&self) -> String {
        let words: Vec<String> = self
            .truth
            .keys
            .iter()
            .filter_map(|(id, truth)| {
                let state = self
                    .rows
                    .iter()
                    .find_map(|row| row.keys.get(id))
                    .map(|key| key.state);
                let is_over = state.is_some_and(KeyState::is_end) && !truth.alive;
                let status = match (truth.alive, truth.active) {
                    (false, _) => "gone",
                    (true, true) => "active",
                    (true, false) => "inactive",
                };
                let maker = if truth.made_by.is_some() { "" } else { "foreign " };
                (!is_over).then(|| format!("{} {maker}{} {status}", short(id.as_str()), named(state)))
            })
            .collect();
        words.join(", ")
    }

    /// What happens next: when, and what it is.
    fn next(&self) -> Option<(i64, Next)> {
        let mut best: Option<(i64, Next)> = None;
        self.each_next(|at, next| {
            if best.as_ref().is_none_or(|(known, _)| at < *known) {
                best = Some((at, next));
            }
        });
        best.map(|(at, next)| (at.max(self.now), next))
    }

    /// Everything that could be next.
    pub(crate) fn each_next(&self, mut consider: impl FnMut(i64, Next)) {
        if let Some(((at, _), _)) = self.agenda.first_key_value() {
            consider(*at, Next::Agenda);
        }
        for (number, job) in self.jobs.iter().enumerate() {
            let paused_until = self.nodes[job.node].paused_until;
            let at = if job.is_out() {
                job.at
            } else {
                job.at.max(paused_until)
            };
            consider(at, Next::Job(number));
            consider(job.renew_at.max(paused_until), Next::Renew(number));
        }
        for node in 0..self.nodes.len() {
            for row in 0..self.rows.len() {
                if let Some(at) = self.claimable_at(node, row) {
                    consider(at, Next::Claim(node));
                }
            }
        }
    }

    /// When the schedule of a node finds a user that is due and free.
    fn claimable_at(&self, node: usize, row: usize) -> Option<i64> {
        let node = self.nodes.get(node).filter(|node| node.alive)?;
        let row = &self.rows[row];
        let due_at = row.user.due_at?.as_millis().saturating_sub(node.ahead_ms);
        let due_at = if self.is_far(row) {
            due_at.min(self.now - self.now.rem_euclid(RECALL_EVERY_MS) + RECALL_EVERY_MS)
        } else {
            due_at
        };
        let free_at = match row.lease {
            Some(lease) if !row.is_free(self.lease_time()) => lease.until.as_millis(),
            _ => self.now,
        };
        let at = due_at
            .max(free_at)
            .max(node.looks_at)
            .max(node.mistrusted_until)
            .max(node.paused_until);
        Some(at)
    }

    /// Lets the next thing happen; `false` if nothing will before `until`.
    pub fn step(&mut self, until: i64) -> bool {
        let Some((at, next)) = self.next().filter(|(at, _)| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = at;
        self.take(next);
        true
    }

    /// Lets one thing happen now.
    pub(crate) fn take(&mut self, next: Next) {
        match next {
            Next::Agenda => {
                if let Some((_, item)) = self.agenda.pop_first() {
                    self.happen(item);
                }
            }
            Next::Job(job) => self.advance(job),
            Next::Renew(job) => self.renew(job),
            Next::Claim(node) => {
                self.nodes[node].looks_at = self.now + LOOK_EVERY_MS;
                self.claim_due(node);
            }
        }
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Ask(number) => self.ask(number),
            Item::Strike(fault) => self.strike_now(fault),
            Item::Restart(node) => self.restart(node),
            Item::SetClock(node) => self.set_clock(node),
            Item::Land(flight) => self.land_late(&flight),
        }
    }

    /// Everything that was wrong is set right; what is on its way still arrives.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.denied_until = 0;
        self.throttled_until = 0;
        self.down_until = 0;
        self.wrong_signatures = 0;
        let waiting = std::mem::take(&mut self.agenda);
        for ((at, number), item) in waiting {
            match item {
                Item::Restart(node) => self.restart(node),
                Item::SetClock(node) => self.set_clock(node),
                Item::Strike(_) => {}
                item => {
                    self.agenda.insert((at, number), item);
                }
            }
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].paused_until = self.now;
            self.nodes[node].cut_off_until = 0;
            self.set_clock(node);
        }
        self.note(None, What::Calm, || "nothing goes wrong any more".to_owned());
    }

    fn set_clock(&mut self, node: usize) {
        let ahead_before = std::mem::replace(&mut self.nodes[node].ahead_ms, self.plan.clocks[node]);
        self.note(Some(node), What::Clock, || "the clock is set right".to_owned());
        if ahead_before > self.nodes[node].ahead_ms + SET_BACK_MIN_MS && self.nodes[node].alive {
            self.recall_failed();
        }
    }

    /// Whether a row failed and is due so late that a wrong clock must have set the date.
    fn is_far(&self, row: &Row) -> bool {
        let latest = self.lease_time() + self.timings.retry_cap;
        row.user.failures > 0 && row.user.due_at.is_some_and(|at| at > latest)
    }

    /// After a start, after its clock was set back, and now and then, a node looks again at what failed under another clock.
    pub(crate) fn recall_failed(&mut self) {
        let now = self.lease_time();
        for row in 0..self.rows.len() {
            if self.is_far(&self.rows[row]) {
                self.rows[row].user.due_at = Some(now);
            }
        }
    }
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Agenda,
    Job(usize),
    Renew(usize),
    Claim(usize),
}

/// The end of a key id, enough to tell keys apart.
pub fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(5)..).unwrap_or(id)
}

fn named(state: Option<KeyState>) -> &'static str {
    state.map_or("unknown", KeyState::as_str)
}
