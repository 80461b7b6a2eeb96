//! A small world for the machine: an IAM user that obeys the rules of AWS, a ledger that keeps what is
//! committed, and a crash that can strike before or after any effect.

mod aws;
mod fixtures;

use std::collections::BTreeMap;

use keywheel_core::aws::{
    AccessKeyId, Arn, AwsAccount, AwsFailure, CallerIdentity, FailureKind, IamUserId, IamUserName, KeyStatus,
    LastUse, Observed, Partition, Region,
};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IdEntropy, IntentId, ManagedUserId, RunId};
use keywheel_core::key::KeyState;
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Alarm, Change, Commit, Ledger, ManagedUser, UserIdentity};
use keywheel_core::run::{Effect, Event, Goal, Outcome, Run, Start, goal_of_due};
use keywheel_core::timings::Timings;

pub(crate) use fixtures::{
    create_goal, create_with, grace, lists_are_right, rotated, rotated_under, settings, struck,
};

pub(crate) const USER: &str = "AIDAUSER";
pub(crate) const CONNECTION: &str = "AIDACONNECTION";
/// The sealed secret that the owner of a foreign key gives.
pub(crate) const IMPORTED: &[u8] = b"sealed by its owner";
const ACCOUNT: &str = "111122223333";

/// What strikes, and where: the number counts the effects of the whole story from zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The process dies before it performs the effect.
    CrashBefore(usize),
    /// The process dies after the effect, before it hears of it.
    CrashAfter(usize),
    /// The effect takes place and its answer is lost on the way.
    AnswerLost(usize),
    /// AWS answers 500 without having done anything. It does not say so.
    ErrorWithoutEffect(usize),
    /// A foreign actor makes a key just before the effect.
    ForeignKeyBefore(usize),
    /// Before this effect, the user is deleted and made again under the same name.
    UserReplacedBefore(usize),
    /// Before this effect, somebody deletes the published key.
    PublishedDeletedBefore(usize),
    /// Before this effect, or while it waits, this server's clock jumps by so much; AWS's goes on.
    ClockJumpsBefore(usize, Millis),
    /// Before this effect, somebody deletes every key that is displaced or inactive.
    OthersDeletedBefore(usize),
    None,
}

#[allow(clippy::struct_excessive_bools)] // each is a switch of its own
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) keys: BTreeMap<AccessKeyId, (KeyStatus, Moment)>,
    pub(crate) user_id: IamUserId,
    pub(crate) ledger: Ledger,
    pub(crate) fence: i64,
    /// Every changing call that took effect: kind and key.
    pub(crate) changes: Vec<(&'static str, AccessKeyId)>,
    /// The keys that were created by Keywheel, as AWS knows.
    pub(crate) ours: Vec<AccessKeyId>,
    pub(crate) violations: Vec<String>,
    pub(crate) fault: Fault,
    pub(crate) effects: usize,
    /// Extra refusals: how many verifications fail first.
    pub(crate) verify_failures: u32,
    pub(crate) verify_code: &'static str,
    /// Which verification, counted from one, is refused as well.
    pub(crate) refused_verification: Option<u32>,
    pub(crate) verifications: u32,
    /// How many lists still show the keys as they were before the last create.
    pub(crate) stale_lists: u32,
    /// The next commit that records a verified key takes that long.
    pub(crate) slow_verified_commit: Millis,
    /// Creates that were sent, refused ones included.
    pub(crate) creates_sent: u32,
    /// AWS refuses every change.
    pub(crate) denied: bool,
    pub(crate) verified_in_run: BTreeMap<(AccessKeyId, Region), u32>,
    pub(crate) aws_clock_ahead: Millis,
    /// Whether answers of AWS carry a `Date`.
    pub(crate) dated: bool,
    /// What AWS knows of the use of keys.
    pub(crate) uses: BTreeMap<AccessKeyId, LastUse>,
    /// Whether AWS refuses to tell.
    pub(crate) uses_unreadable: bool,
    /// Where a new key does not work yet.
    pub(crate) dead_region: Option<Region>,
    /// Everything that people should hear of.
    pub(crate) alarms: Vec<Alarm>,
    /// Foreign keys that their owner named.
    pub(crate) given: Vec<AccessKeyId>,
    /// Keys whose values were erased from the history of secrets.
    pub(crate) erased: Vec<AccessKeyId>,
    /// Whom STS calls the signer, if that is not the user.
    pub(crate) verified_as: Option<CallerIdentity>,
    /// Keys that every list shows and that no call finds.
    pub(crate) ghosts: Vec<AccessKeyId>,
    /// Whether somebody makes a key before each list.
    pub(crate) growing: bool,
    /// AWS's refusal of a create.
    pub(crate) create_refused: Option<AwsFailure>,
    /// How many commits that record a created key fail first.
    pub(crate) unrecorded: u32,
    /// How often AWS was asked for the use of a key.
    pub(crate) lookups: u32,
    /// Every intent that was ever opened.
    intents: Vec<IntentId>,
    /// Whether the secret of a created key can be sealed.
    pub(crate) seals: bool,
    /// When, by AWS's clock, a published key was displaced.
    pub(crate) displaced: BTreeMap<AccessKeyId, Moment>,
    /// When, by AWS's clock, each of `changes` took effect.
    pub(crate) changed_at: Vec<Moment>,
    serial: u32,
}

/// An answer with a `Date` of whole seconds.
pub(crate) fn observed<T>(value: T, now: Moment) -> Observed<T> {
    Observed {
        value,
        aws_date: Some(Moment::from_millis(now.as_secs() * 1_000)),
    }
}

pub(crate) fn refused(code: &str) -> AwsFailure {
    AwsFailure {
        kind: FailureKind::Refused,
        code: Some(code.to_owned()),
        message: "refused".to_owned(),
        aws_date: None,
    }
}

fn arn(name: &str) -> Arn {
    Arn::from_trusted(format!("arn:aws:iam::{ACCOUNT}:user/{name}"))
}

/// An IAM user of another account.
pub(crate) fn stranger() -> CallerIdentity {
    CallerIdentity {
        account: AwsAccount::from_trusted("444455556666"),
        user_id: IamUserId::from_trusted("AIDASTRANGER"),
        arn: arn("stranger"),
    }
}

pub(crate) fn timings() -> Timings {
    Timings::DEFAULT
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Moment::from_millis(1_773_135_000_000);
        let user = ManagedUser {
            id: ManagedUserId::new(now, &[0; 10]),
            identity: UserIdentity {
                partition: Partition::from_trusted("aws"),
                account: AwsAccount::from_trusted(ACCOUNT),
                user_id: IamUserId::from_trusted(USER),
            },
            name: IamUserName::from_trusted("app"),
            arn: arn("app"),
            region: Region::default(),
            connection: Some(settings().connection),
            rotation: None,
            settles_at: None,
            unfinished: None,
            failures: 0,
            due_at: None,
        };
        Self {
            now,
            keys: BTreeMap::new(),
            user_id: IamUserId::from_trusted(USER),
            ledger: Ledger::new(user),
            fence: 0,
            changes: Vec::new(),
            ours: Vec::new(),
            violations: Vec::new(),
            fault: Fault::None,
            effects: 0,
            verify_failures: 0,
            verify_code: "InvalidClientTokenId",
            refused_verification: None,
            verifications: 0,
            stale_lists: 0,
            slow_verified_commit: Millis::ZERO,
            creates_sent: 0,
            denied: false,
            verified_in_run: BTreeMap::new(),
            aws_clock_ahead: Millis::ZERO,
            dated: true,
            uses: BTreeMap::new(),
            uses_unreadable: false,
            dead_region: None,
            alarms: Vec::new(),
            given: Vec::new(),
            erased: Vec::new(),
            verified_as: None,
            ghosts: Vec::new(),
            growing: false,
            create_refused: None,
            unrecorded: 0,
            lookups: 0,
            intents: Vec::new(),
            seals: true,
            displaced: BTreeMap::new(),
            changed_at: Vec::new(),
            serial: 0,
        }
    }

    pub(crate) fn foreign_key(&mut self) -> AccessKeyId {
        self.serial += 1;
        let id = AccessKeyId::from_trusted(format!("AKIAFOREIGN{:03}", self.serial));
        // An hour old unless a test says otherwise: no create of ours explains it.
        self.keys.insert(
            id.clone(),
            (KeyStatus::Active, self.now - Millis::from_secs(3_600)),
        );
        id
    }

    pub(crate) fn published(&self) -> Option<AccessKeyId> {
        self.ledger.published().map(|k| k.id.clone())
    }

    pub(crate) fn state(&self, id: &AccessKeyId) -> KeyState {
        self.ledger.keys[id].state
    }

    pub(crate) fn status(&self, id: &AccessKeyId) -> Option<KeyStatus> {
        self.keys.get(id).map(|(status, _)| *status)
    }

    /// When the schedule starts the next rotation.
    pub(crate) fn slot(&self) -> Moment {
        let rotation = self.ledger.rotation.as_ref().unwrap();
        rotation.starts_at(timings().day_length).unwrap()
    }

    /// The only key in this state.
    pub(crate) fn only(&self, state: KeyState) -> AccessKeyId {
        let found: Vec<_> = self.ledger.keys.values().filter(|k| k.state == state).collect();
        assert_eq!(found.len(), 1, "{state:?}: {:?}", self.ledger.keys);
        found[0].id.clone()
    }

    pub(crate) fn pass(&mut self, time: Millis) {
        self.now = self.now + time;
    }

    pub(crate) fn works(&self, id: &AccessKeyId) -> bool {
        self.keys
            .get(id)
            .is_some_and(|(status, _)| *status == KeyStatus::Active)
    }

    /// Claims the user for a run.
    pub(crate) fn begin(&mut self, goal: Goal) -> (Run, Effect) {
        self.fence += 1;
        self.verified_in_run.clear();
        let fence = Fence::from_stored(self.fence);
        let seed = u8::try_from(self.fence % 251).unwrap();
        let entropy: IdEntropy = [seed; 10];
        let start = Start {
            ledger: self.ledger.clone(),
            fence,
            goal,
            timings: timings(),
            entropy,
        };
        Run::start(start, self.now)
    }

    /// Runs one goal to its end. None if the process died on the way.
    pub(crate) fn run(&mut self, goal: Goal) -> Option<Outcome> {
        let (mut run, mut effect) = self.begin(goal);
        for _ in 0..500 {
            if let Effect::Finish(outcome) = effect {
                return Some(outcome);
            }
            self.check(&run, &effect);
            self.strike(&effect);
            let at = self.effects;
            self.effects += 1;
            if self.fault == Fault::CrashBefore(at) {
                return None;
            }
            let event = self.perform(&effect, at);
            if self.fault == Fault::CrashAfter(at) {
                return None;
            }
            effect = run.step(self.now, event);
        }
        panic!("the run does not end: {run:?}");
    }

    /// Lets the scheduler look at the user until nothing is due within a day, at most a few times.
    pub(crate) fn run_due(&mut self) -> Vec<Option<Outcome>> {
        let mut outcomes = Vec::new();
        for _ in 0..12 {
            let Some(due) = self.ledger.user.due_at else { break };
            if due > self.now + Millis::DAY {
                break;
            }
            self.now = self.now.max(due);
            let job = RunId::new(self.now, &[1; 10]);
            let goal = goal_of_due(&self.ledger, job, self.now, &timings());
            outcomes.push(self.run(goal));
        }
        outcomes
    }

    fn strike(&mut self, effect: &Effect) {
        match self.fault {
            Fault::ForeignKeyBefore(at) if at == self.effects => {
                self.foreign_key();
            }
            Fault::UserReplacedBefore(at) if at == self.effects => {
                self.keys.clear();
                self.user_id = IamUserId::from_trusted("AIDAOTHER");
                self.foreign_key();
            }
            Fault::PublishedDeletedBefore(at) if at == self.effects => {
                if let Some(id) = self.published() {
                    self.keys.remove(&id);
                }
            }
            Fault::OthersDeletedBefore(at) if at == self.effects => {
                let published = self.published();
                let old = self.ledger.keys.values().filter(|k| k.displaced_at.is_some());
                for key in old.filter(|k| Some(&k.id) != published.as_ref()) {
                    self.keys.remove(&key.id);
                }
            }
            Fault::ClockJumpsBefore(at, by) if at == self.effects && !matches!(effect, Effect::Wait(_)) => {
                self.jump(by);
            }
            _ => {}
        }
    }

    /// What the driver needs of a run to perform an effect.
    fn check(&mut self, run: &Run, effect: &Effect) {
        let secret = |id: &AccessKeyId| run.secret_of(id).map(|s| s.as_bytes().to_vec());
        let right = |id: &AccessKeyId| {
            let imported = !self.ours.contains(id);
            let expected = if imported {
                IMPORTED
            } else {
                id.as_str().as_bytes()
            };
            secret(id).as_deref() == Some(expected)
        };
        let holds = match effect {
            Effect::Verify { key, .. } => right(key),
            Effect::Commit(Commit {
                publish: Some(id), ..
            }) => {
                let rotation = run.rotation_after_commit();
                right(id) && rotation.is_some_and(|r| r.slots.active_key() == Some(id))
            }
            _ => true,
        };
        self.must(holds, "I2: the secret of another key, or none");
    }

    pub(crate) fn perform(&mut self, effect: &Effect, at: usize) -> Event {
        let lost = self.fault == Fault::AnswerLost(at);
        let dead = self.fault == Fault::ErrorWithoutEffect(at);
        let unknown = || AwsFailure {
            kind: FailureKind::OutcomeUnknown,
            code: None,
            message: "connection closed".to_owned(),
            aws_date: None,
        };
        let unavailable = || AwsFailure {
            kind: FailureKind::Unavailable,
            ..unknown()
        };
        match effect {
            Effect::Identify if lost || dead => Event::Identified(Err(unavailable())),
            Effect::List if lost || dead => Event::Listed(Err(unavailable())),
            Effect::Verify { .. } if lost || dead => Event::Verified(Err(unavailable())),
            Effect::Issue(_) if dead => Event::Issued(Err(unknown())),
            Effect::LastUsed(_) if lost || dead => Event::LastUsed(Err(unavailable())),
            Effect::Deactivate(_) | Effect::Reactivate(_) | Effect::Delete(_) if dead => {
                Event::Changed(Err(unknown()))
            }
            Effect::Identify => Event::Identified(Ok(self.identify())),
            Effect::List => Event::Listed(Ok(self.list())),
            Effect::Commit(commit) if self.unrecorded > 0 && records_created(commit) => {
                self.unrecorded -= 1;
                Event::Committed(Err(keywheel_core::run::CommitFault::Unavailable))
            }
            Effect::Commit(commit) => {
                self.commit(commit);
                Event::Committed(if lost {
                    Err(keywheel_core::run::CommitFault::Unavailable)
                } else {
                    Ok(())
                })
            }
            Effect::Issue(_) => {
                let answer = self.issue();
                Event::Issued(if lost { Err(unknown()) } else { answer })
            }
            Effect::Deactivate(id) => {
                let answer = self.change("deactivate", id);
                Event::Changed(if lost { Err(unknown()) } else { answer })
            }
            Effect::Reactivate(id) => {
                let answer = self.change("reactivate", id);
                Event::Changed(if lost { Err(unknown()) } else { answer })
            }
            Effect::Delete(id) => {
                let answer = self.change("delete", id);
                Event::Changed(if lost { Err(unknown()) } else { answer })
            }
            Effect::LastUsed(_) if self.uses_unreadable => Event::LastUsed(Err(refused("AccessDenied"))),
            Effect::LastUsed(id) => {
                self.lookups += 1;
                Event::LastUsed(Ok(self.dated(self.uses.get(id).cloned())))
            }
            Effect::Verify { key, region } => Event::Verified(self.verify(key, region)),
            Effect::Wait(until) => {
                assert!(*until > self.now, "a wait for the past");
                self.now = *until;
                if let Fault::ClockJumpsBefore(jumps_at, by) = self.fault
                    && jumps_at == at
                {
                    self.jump(by);
                }
                Event::Woke
            }
            Effect::Finish(_) => unreachable!("handled by the loop"),
        }
    }

    /// This server's clock jumps, and AWS's does not.
    fn jump(&mut self, by: Millis) {
        self.now = self.now + by;
        self.aws_clock_ahead = self.aws_clock_ahead + by.times(-1);
    }

    pub(crate) fn aws_now(&self) -> Moment {
        self.now + self.aws_clock_ahead
    }

    fn dated<T>(&self, value: T) -> Observed<T> {
        let mut answer = observed(value, self.aws_now());
        answer.aws_date = answer.aws_date.filter(|_| self.dated);
        answer
    }

    fn commit(&mut self, commit: &Commit) {
        let published = self.published();
        for change in &commit.changes {
            if let Change::Key(key) = change
                && key.state == KeyState::Displaced
                && published.as_ref() == Some(&key.id)
            {
                self.displaced.insert(key.id.clone(), self.aws_now());
            }
            if let Change::OpenIntent(intent) = change {
                self.must(
                    !self.intents.contains(&intent.id),
                    "an intent has the id of another",
                );
                self.intents.push(intent.id);
                let patience = intent.call_deadline - intent.opened_at;
                self.must(patience == timings().call_timeout, "a call has another deadline");
            }
            if let Change::EraseValues(id) = change {
                self.erased.push(id.clone());
            }
            self.ledger.apply(change);
        }
        self.alarms.extend(commit.alarms.iter().cloned());
        let verified =
            |change: &Change| matches!(change, Change::Key(key) if key.state == KeyState::Verified);
        if commit.changes.iter().any(verified) {
            self.now = self.now + std::mem::take(&mut self.slow_verified_commit);
        }
        if let Some(id) = &commit.publish {
            let settings = &self.ledger.rotation.as_ref().unwrap().settings;
            let regions = [&settings.region]
                .into_iter()
                .chain(&settings.policy.verify_regions);
            let proven = regions.cloned().all(|region| {
                let rounds = self.verified_in_run.get(&(id.clone(), region));
                rounds.is_some_and(|rounds| *rounds >= timings().verify_successes)
            });
            self.must(proven, "I2: published without verification");
            // Nobody can help a user that is deleted between the last check and the publish.
            let replaced = self.user_id.as_str() != USER;
            self.must(replaced || self.works(id), "published a key that does not work");
        }
        let live = self.ledger.keys.values();
        let published = live.filter(|k| k.state == KeyState::Published).count();
        self.must(published <= 1, "two published keys");
    }

    fn must(&mut self, holds: bool, promise: &str) {
        if !holds {
            self.violations.push(promise.to_owned());
        }
    }
}

fn records_created(commit: &Commit) -> bool {
    let is_pending = |change: &Change| matches!(change, Change::Key(key) if key.state == KeyState::Pending);
    commit.changes.iter().any(is_pending)
}
