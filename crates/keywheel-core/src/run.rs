//! One run of the engine over one IAM user, as a state machine without input or output.
//!
//! [`Run::start`] and [`Run::step`] give exactly one [`Effect`] at a time; the driver performs it and feeds
//! the answer back as an [`Event`]. What a run knows beyond the [`Ledger`] dies with it: a run that is dropped
//! between any two effects is continued by a new one from the ledger alone. The protocol is told step by step
//! in `docs/engine.md`.
//!
//! | module | steps |
//! |---|---|
//! | `preflight` | who is it, what is there, what was left open: 0, 1 and recovery |
//! | `clocks` | ours and AWS's: both have to say that a wait is over |
//! | `adopt` | what a new rotation does with the keys that its user has |
//! | `evidence` | who still uses a key |
//! | `retire` | 2: deactivate, then delete, by id |
//! | `issue` | 3 to 6: intent, create, seal, list again |
//! | `verify` | 7: does the new key work |
//! | `publish` | 8: one transaction |
//! | `roll_back`, `revoke` | an earlier key again; no key any more |
//! | `blocked` | no room for a new key: what is in the way, and the ways out |
//! | `finish`, `due` | how a run ends, and when the user is due next |

mod adopt;
mod blocked;
mod clocks;
mod due;
mod errors;
mod evidence;
mod finish;
mod issue;
mod preflight;
mod publish;
mod retire;
mod revoke;
mod roll_back;
mod verify;

use std::collections::BTreeMap;

use crate::aws::{AccessKeyId, Answer, CallerIdentity, Identified, LastUse, ListedKey, Region};
use crate::clock::Moment;
use crate::ids::{IdEntropy, IntentId, RotationId};
use crate::intent::{Intent, IntentKind};
use crate::key::SealedSecret;
use crate::lease::Fence;
use crate::ledger::{Change, Commit, Ledger, ManagedUser, Unfinished};
use crate::rotation::policy::Policy;
use crate::rotation::{MappedSecrets, Place, RotationSettings, Trigger};
use crate::timings::Timings;

pub use adopt::{Adoption, given, hand_over};
use clocks::Clocks;
pub use due::{due_at, goal_of_due};
pub use errors::{RunError, RunErrorCode};
use evidence::Evidence;
pub use evidence::is_own_use;
use issue::IssueProgress;
use preflight::ListPurpose;
pub use preflight::identity_fault;
use retire::Sending;
use verify::Verification;

/// What a run is to reach.
#[derive(Clone, PartialEq, Debug)]
pub enum Goal {
    /// The first key of a new rotation, published together with it.
    Create(Box<NewRotation>),
    /// A new key, published.
    Rotate(Trigger),
    /// All keys of the rotation gone, and the rotation with them.
    Revoke {
        /// Whether the two secrets go too.
        delete_secrets: bool,
    },
    /// An earlier key, published again.
    RollBack {
        /// Which.
        key: AccessKeyId,
    },
    /// A key that is not published gone, by its owner's word and without a wait.
    Retire {
        /// Which.
        key: AccessKeyId,
    },
    /// Nothing new: open ends are tied up.
    Settle,
}

/// A rotation that does not exist yet. Its ids are made outside of the core.
#[derive(Clone, PartialEq, Debug)]
pub struct NewRotation {
    /// Its id.
    pub id: RotationId,
    /// Where it will lie.
    pub place: Place,
    /// What its owner asks for.
    pub settings: RotationSettings,
    /// The ids of the two secrets.
    pub secrets: MappedSecrets,
    /// What its owner says of a key that the user already has.
    pub adoption: Adoption,
}

/// What the driver does next. Always exactly one thing.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Ask AWS who the connection is and who the user is.
    Identify,
    /// Ask AWS for all keys of the user.
    List,
    /// Make changes durable, all or none, if the fence is still ours.
    Commit(Commit),
    /// Create a key. Sent at most once, under an intent that is committed. The secret is sealed before the
    /// answer is given back.
    Issue(IntentId),
    /// Deactivate a key.
    Deactivate(AccessKeyId),
    /// Make an inactive key active again.
    Reactivate(AccessKeyId),
    /// Delete a key.
    Delete(AccessKeyId),
    /// Ask AWS when a key was last used.
    LastUsed(AccessKeyId),
    /// Ask STS who signs with this key.
    Verify {
        /// The key; its secret is [`Run::secret_of`].
        key: AccessKeyId,
        /// Whose STS.
        region: Region,
    },
    /// Do nothing until then.
    Wait(Moment),
    /// The run has ended.
    Finish(Outcome),
}

/// What came of an effect.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Of [`Effect::Identify`].
    Identified(Answer<Identified>),
    /// Of [`Effect::List`].
    Listed(Answer<Vec<ListedKey>>),
    /// Of [`Effect::Commit`].
    Committed(Result<(), CommitFault>),
    /// Of [`Effect::Issue`].
    Issued(Answer<Issued>),
    /// Of [`Effect::Deactivate`], [`Effect::Reactivate`] and [`Effect::Delete`].
    Changed(Answer<()>),
    /// Of [`Effect::LastUsed`]; none if AWS knows of no use.
    LastUsed(Answer<Option<LastUse>>),
    /// Of [`Effect::Verify`].
    Verified(Answer<CallerIdentity>),
    /// Of [`Effect::Wait`].
    Woke,
    /// Instead of any other: the lease is gone, or would end before the call could.
    LeaseLost,
}

/// A created key as the driver gives it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// The key.
    pub id: AccessKeyId,
    /// Its sealed secret; none if sealing failed.
    pub secret: Option<SealedSecret>,
    /// When AWS says it was created.
    pub created_at: Option<Moment>,
}

/// Why a commit was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitFault {
    /// A later claim exists: this run must stop.
    Stale,
    /// A name that the commit needs is taken; says which.
    Conflict(String),
    /// Not made, or nobody knows. Repeating the same commit is safe.
    Unavailable,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A key is published: a new one, or an earlier one again.
    Published,
    /// All keys are gone, and the rotation.
    Revoked,
    /// Open ends are tied up.
    Settled,
    /// It ended without reaching its goal; the failure is recorded.
    Failed(RunError),
    /// It stopped where it was: the ledger could not be written, or another holder has the user.
    Parked,
}

/// What comes after a commit.
#[derive(Clone, PartialEq, Debug)]
enum Then {
    Identify,
    Decide,
    List(ListPurpose),
    Issue(IntentId),
    Change,
    Repeat { earlier_may_land: bool },
    Publish,
    Fail(Box<RunError>),
    Finish(Outcome),
}

/// Where a run stands: which answer it waits for.
#[derive(Clone, PartialEq, Debug)]
enum Phase {
    Identifying,
    Listing(ListPurpose),
    WaitingToList(ListPurpose),
    Committing {
        staged: Box<Ledger>,
        commit: Commit,
        then: Then,
    },
    Issuing(IntentId),
    WaitingToRecord {
        staged: Box<Ledger>,
        commit: Commit,
        then: Then,
    },
    Changing {
        intent: Intent,
        sending: Sending,
    },
    LookingUp(AccessKeyId),
    Verifying(Verification),
    WaitingToVerify(Verification),
    Settling {
        verification: Verification,
        until: Moment,
    },
    Ended,
}

/// What a run is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The record as it was read under the lease.
    pub ledger: Ledger,
    /// The claim.
    pub fence: Fence,
    /// What to reach.
    pub goal: Goal,
    /// Waits and bounds.
    pub timings: Timings,
    /// Random bytes for the ids of intents and for the back-off.
    pub entropy: IdEntropy,
}

/// One run over one user.
#[derive(Clone, Debug)]
pub struct Run {
    goal: Goal,
    ledger: Ledger,
    fence: Fence,
    timings: Timings,
    entropy: IdEntropy,
    intents_opened: u8,
    phase: Phase,
    identified: Option<Identified>,
    listed: Vec<ListedKey>,
    clocks: Clocks,
    issue: IssueProgress,
    evidence: BTreeMap<AccessKeyId, Evidence>,
    retirements: u32,
    /// When the call that is to be sent next was announced.
    announced_at: Option<Moment>,
    changed_aws: bool,
    verified_at: Option<Moment>,
    /// What was unfinished when the run began.
    unfinished_before: Option<Unfinished>,
    /// Set when the run is bound to fail, but something has to be put in order first.
    ending: Option<RunError>,
}

impl Run {
    /// A run and its first effect.
    pub fn start(start: Start, now: Moment) -> (Self, Effect) {
        let Start {
            ledger,
            fence,
            goal,
            timings,
            entropy,
        } = start;
        let unfinished_before = ledger.user.unfinished;
        let mut run = Self {
            goal,
            ledger,
            fence,
            timings,
            entropy,
            intents_opened: 0,
            phase: Phase::Ended,
            identified: None,
            listed: Vec::new(),
            clocks: Clocks::default(),
            issue: IssueProgress::default(),
            evidence: BTreeMap::new(),
            retirements: 0,
            announced_at: None,
            changed_aws: false,
            verified_at: None,
            unfinished_before,
            ending: None,
        };
        let effect = run.begin(now);
        (run, effect)
    }

    /// Takes an answer and says what to do next. An answer that does not fit ends the run without a change.
    pub fn step(&mut self, now: Moment, event: Event) -> Effect {
        self.clocks.note(now, &event);
        match (std::mem::replace(&mut self.phase, Phase::Ended), event) {
            (Phase::Identifying, Event::Identified(answer)) => self.on_identified(now, answer),
            (Phase::Listing(purpose), Event::Listed(answer)) => self.on_listed(now, &purpose, answer),
            (Phase::WaitingToList(purpose), Event::Woke) => self.list(purpose),
            (Phase::Committing { staged, commit, then }, Event::Committed(result)) => {
                self.on_committed(now, staged, commit, then, result)
            }
            (Phase::WaitingToRecord { staged, commit, then }, Event::Woke) => {
                self.phase = Phase::Committing {
                    staged,
                    commit: commit.clone(),
                    then,
                };
                Effect::Commit(commit)
            }
            (Phase::Issuing(intent), Event::Issued(answer)) => self.on_issued(now, intent, answer),
            (Phase::Changing { intent, sending }, Event::Changed(answer)) => {
                self.on_changed(now, &intent, sending, answer)
            }
            (Phase::LookingUp(key), Event::LastUsed(answer)) => self.on_last_used(now, &key, answer),
            (Phase::Verifying(verification), Event::Verified(answer)) => {
                self.on_verified(now, verification, answer)
            }
            (Phase::WaitingToVerify(verification), Event::Woke) => self.verify(verification),
            (Phase::Settling { verification, until }, Event::Woke) => {
                self.on_settled(now, &verification, until)
            }
            // The lease is gone, or the driver gave an answer to a question that was not asked.
            (_, _) => Effect::Finish(Outcome::Parked),
        }
    }

    /// The record as this run has made it so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The key that the run is busy with: the id behind [`Effect::Verify`] and a publish, with its secret.
    pub fn secret_of(&self, key: &AccessKeyId) -> Option<&SealedSecret> {
        let recorded = self.ledger.keys.get(key).and_then(|k| k.secret.as_ref());
        recorded.or_else(|| self.imported_secret(key))
    }

    /// The rotation that a commit under way will leave behind; for the values of its secrets.
    pub fn rotation_after_commit(&self) -> Option<&crate::rotation::Rotation> {
        match &self.phase {
            Phase::Committing { staged, .. } => staged.rotation.as_ref(),
            _ => self.ledger.rotation.as_ref(),
        }
    }

    fn begin(&mut self, now: Moment) -> Effect {
        match self.goal.clone() {
            Goal::Rotate(Trigger::Manual) => self.mark_unfinished(Unfinished::Rotate),
            Goal::Revoke { delete_secrets } => self.begin_revoke(delete_secrets, now),
            Goal::Retire { key } => self.begin_retire(now, &key),
            Goal::Create(_)
            | Goal::Rotate(Trigger::Scheduled { .. })
            | Goal::RollBack { .. }
            | Goal::Settle => self.identify(),
        }
    }

    /// Notes durably that a run was asked for, so that a crash does not forget it.
    fn mark_unfinished(&mut self, unfinished: Unfinished) -> Effect {
        let mut user = self.ledger.user.clone();
        user.unfinished = Some(unfinished);
        user.due_at = Some(Moment::LONG_AGO);
        self.commit(vec![Change::User(user)], Then::Identify)
    }

    /// The user's row, to be looked at by then at the latest: should this run die, the scheduler goes on with it.
    fn user_due_by(&self, at: Moment) -> ManagedUser {
        let mut user = self.ledger.user.clone();
        user.due_at = Some(user.due_at.map_or(at, |due| due.min(at)));
        user
    }

    fn identify(&mut self) -> Effect {
        self.phase = Phase::Identifying;
        Effect::Identify
    }

    fn list(&mut self, purpose: ListPurpose) -> Effect {
        self.phase = Phase::Listing(purpose);
        Effect::List
    }

    fn commit(&mut self, changes: Vec<Change>, then: Then) -> Effect {
        self.commit_all(
            Commit {
                changes,
                ..Commit::default()
            },
            then,
        )
    }

    fn commit_all(&mut self, commit: Commit, then: Then) -> Effect {
        let mut staged = Box::new(self.ledger.clone());
        for change in &commit.changes {
            staged.apply(change);
        }
        self.phase = Phase::Committing {
            staged,
            commit: commit.clone(),
            then,
        };
        Effect::Commit(commit)
    }

    fn on_committed(
        &mut self,
        now: Moment,
        staged: Box<Ledger>,
        commit: Commit,
        then: Then,
        result: Result<(), CommitFault>,
    ) -> Effect {
        match result {
            Ok(()) => {
                self.ledger = *staged;
                self.proceed(now, then)
            }
            // No call to AWS follows a failed or ambiguous write. Only the record of a created key is worth
            // insisting on: its secret exists nowhere else.
            Err(CommitFault::Unavailable) => match self.may_record_again(now, &then) {
                Some(again_at) => {
                    self.phase = Phase::WaitingToRecord { staged, commit, then };
                    Effect::Wait(again_at)
                }
                None => Effect::Finish(Outcome::Parked),
            },
            Err(CommitFault::Stale) => Effect::Finish(Outcome::Parked),
            Err(CommitFault::Conflict(text)) => self.fail(now, RunError::new(RunErrorCode::Conflict, text)),
        }
    }

    fn proceed(&mut self, now: Moment, then: Then) -> Effect {
        let sends = matches!(then, Then::Issue(_) | Then::Change | Then::Repeat { .. });
        if sends && self.is_announced_too_long_ago(now) {
            return self.withdraw(now, &then);
        }
        match then {
            Then::Identify => self.identify(),
            Then::Decide => self.decide(now),
            Then::List(purpose) => self.list(purpose),
            Then::Issue(intent) => {
                self.changed_aws = true;
                self.phase = Phase::Issuing(intent);
                Effect::Issue(intent)
            }
            Then::Change => self.send_change(Sending::FIRST),
            Then::Repeat { earlier_may_land } => self.send_change(Sending {
                repeated: true,
                earlier_may_land,
            }),
            Then::Publish => self.publish(now),
            Then::Fail(error) => self.fail(now, *error),
            Then::Finish(outcome) => Effect::Finish(outcome),
        }
    }

    /// What is still to be done, judged from the record and the last list alone.
    fn decide(&mut self, now: Moment) -> Effect {
        let to_look_up = self
            .suspect_to_look_up()
            .or_else(|| self.held_to_look_up(now))
            .or_else(|| self.retiring_to_look_up(now));
        if let Some(key) = to_look_up {
            return self.look_up_use(key);
        }
        if let Some(key) = self.due_for_retirement(now) {
            return self.retire(now, &key);
        }
        if let Some(error) = self.ending.take() {
            return self.fail(now, error);
        }
        match self.goal.clone() {
            Goal::Create(draft) => self.decide_create(now, &draft.adoption),
            Goal::Rotate(trigger) if self.is_healed(&trigger) => self.settle_healed(now),
            Goal::Rotate(_) => self.decide_new_key(now),
            Goal::Revoke { delete_secrets } => self.decide_revoke(delete_secrets, now),
            Goal::RollBack { key } => self.decide_roll_back(now, &key),
            Goal::Retire { key } => self.decide_retire(now, &key),
            Goal::Settle => self.settle(now),
        }
    }

    fn decide_new_key(&mut self, now: Moment) -> Effect {
        if let Some(key) = self.ledger.unpublished() {
            let key = key.id.clone();
            return self.begin_verification(now, key);
        }
        if self.listed.len() < SLOTS {
            return self.open_create(now);
        }
        let stays = |line: &&ListedKey| {
            !self
                .ledger
                .keys
                .get(&line.id)
                .is_some_and(|k| self.is_retirable(now, k))
        };
        let room_after_retiring = self.listed.iter().filter(stays).count() < SLOTS;
        match self.retirable(now) {
            Some(key) if room_after_retiring => self.retire(now, &key),
            _ => self.fail_blocked(now),
        }
    }

    /// Whether AWS lists the key.
    fn is_listed(&self, id: &AccessKeyId) -> bool {
        self.listed.iter().any(|line| line.id == *id)
    }

    /// What the owner asked for: of a rotation that exists, or of the one to be made.
    fn settings(&self) -> Option<&RotationSettings> {
        match &self.goal {
            Goal::Create(draft) => Some(&draft.settings),
            _ => self.ledger.rotation.as_ref().map(|rotation| &rotation.settings),
        }
    }

    fn policy(&self) -> Policy {
        self.settings()
            .map(|settings| settings.policy.clone())
            .unwrap_or_default()
    }

    /// Opens an intent for a changing call, with the next id.
    fn new_intent(&mut self, kind: IntentKind, key: Option<AccessKeyId>, now: Moment) -> Intent {
        let mut entropy = self.entropy;
        entropy[0] = entropy[0].wrapping_add(self.intents_opened);
        self.intents_opened = self.intents_opened.wrapping_add(1);
        Intent {
            id: IntentId::new(now, &entropy),
            fence: self.fence,
            kind,
            key,
            snapshot: Vec::new(),
            opened_at: now,
            call_deadline: now + self.timings.call_timeout,
            outcome: None,
            closed_at: None,
        }
    }
}

/// AWS lets a user have two access keys, inactive ones included (AWS: IAM quotas).
const SLOTS: usize = 2;
