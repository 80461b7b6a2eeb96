//! The driver: claims what is due, performs the effects of runs, and feeds the answers back, as the server does.

use std::fmt::Write as _;

use keywheel_core::aws::{AwsFailure, FailureKind};
use keywheel_core::clock::Moment;
use keywheel_core::ids::RunId;
use keywheel_core::key::{KeyState, ManagedKey, SealedSecret, Terms};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Change as Write, Commit};
use keywheel_core::rotation::Rotation;
use keywheel_core::run::{Adoption, CommitFault, Effect, Event, Goal, Outcome, Run, Start, goal_of_due};
use keywheel_sandbox::model::{Code, Refusal};

use crate::aws;
use crate::events::What;
use crate::exhaustive::Sink;
use crate::faults::{Call, Fault};
use crate::invariants::{self, Fact, promised_grace, rotation_in};
use crate::job::{Change, Job, Seen, Stage};
use crate::store::{Fencing, Mapped};
use crate::truth::{Displaced, LastFailure};
use crate::words::{call_name, came_back, goal_name, in_words, outcome_name};
use crate::world::{Item, World};

/// A renewal comes after this part of the lease.
const RENEWALS_PER_LEASE: i64 = 3;
/// How long nothing is claimed after a run found this node's clock to be wrong.
const SLEEP_AFTER_CLOCK_SKEW_MS: i64 = 60_000;
/// The sleep of the schedule after a failure of the database.
const SLEEP_AFTER_FAILURE_MS: i64 = 2_000;

impl World {
    /// Starts a run for each user that is due and free.
    pub(crate) fn claim_due(&mut self, node: usize) {
        if !self.has_database(node) {
            self.nodes[node].looks_at = self.now + SLEEP_AFTER_FAILURE_MS;
            return;
        }
        self.recall_failed();
        let (wall, lease_time) = (self.wall(node), self.lease_time());
        for row in 0..self.rows.len() {
            let is_due = self.rows[row].user.due_at.is_some_and(|at| at <= wall);
            if !is_due || !self.rows[row].is_free(lease_time) {
                continue;
            }
            let fence = self.rows[row].claim(node, lease_time, self.timings.lease);
            let job = RunId::new(wall, &self.entropy(fence.get()));
            let goal = goal_of_due(&self.rows[row].load(), job, wall, &self.timings);
            self.start(node, row, fence, goal, true);
        }
    }

    /// Starts a run under a claim.
    pub(crate) fn start(&mut self, node: usize, row: usize, fence: Fence, goal: Goal, scheduled: bool) {
        self.coverage.note("goal", goal_name(&goal));
        self.note(Some(node), What::Claim, || {
            format!("user {row}, fence {}: {}", fence.get(), goal_name(&goal))
        });
        let wall = self.wall(node);
        let start = Start {
            ledger: self.rows[row].load(),
            fence,
            goal: goal.clone(),
            timings: self.timings,
            entropy: self.entropy(fence.get()),
        };
        self.truth.users[row].heals |= scheduled && !start.ledger.published_works();
        let trace = if self.instant { digest(0, &start) } else { 0 };
        let (run, effect) = Run::start(start, wall);
        self.jobs.push(Job {
            node,
            row,
            goal,
            scheduled,
            trace,
            run,
            fence,
            wall_start: wall.as_millis(),
            mono_start: self.now,
            renewed_at: self.now,
            renew_at: self.now + self.timings.lease.get() / RENEWALS_PER_LEASE,
            lost: false,
            stage: Stage::Perform(effect),
            at: self.now,
            decided_at: self.now,
            sent_at: self.now,
            flight: None,
            harm: None,
            struck: false,
            seen: Seen::default(),
        });
    }

    /// Takes a job one stage further.
    pub(crate) fn advance(&mut self, number: usize) {
        let stage = std::mem::replace(&mut self.jobs[number].stage, Stage::Answer(Event::Woke));
        match stage {
            Stage::Perform(effect) => self.perform(number, effect),
            Stage::Land(effect) => self.land(number, &effect),
            Stage::Answer(event) => self.answer(number, event),
        }
    }

    /// Renews the lease of a job.
    pub(crate) fn renew(&mut self, number: usize) {
        let (node, row, fence) = {
            let job = &self.jobs[number];
            (job.node, job.row, job.fence)
        };
        self.jobs[number].renew_at = self.now + self.timings.lease.get() / RENEWALS_PER_LEASE;
        if !self.has_database(node) {
            return;
        }
        let until = self.lease_time() + self.timings.lease;
        if self.rows[row].renew(fence, until) {
            self.jobs[number].renewed_at = self.now;
        } else {
            self.jobs[number].lost = true;
            self.jobs[number].renew_at = i64::MAX;
            self.note(Some(node), What::Lease, || {
                format!("fence {} is lost", fence.get())
            });
        }
    }

    pub(crate) fn set(&mut self, number: usize, stage: Stage, at: i64) {
        let job = &mut self.jobs[number];
        job.stage = stage;
        job.at = at;
    }

    fn perform(&mut self, number: usize, effect: Effect) {
        let call = Call::of(&effect);
        if !self.jobs[number].struck {
            self.jobs[number].struck = true;
            self.coverage.note("effect", call_name(call));
            match self.harm_of(call) {
                Some(Fault::CrashBefore { down_ms }) => {
                    let node = self.jobs[number].node;
                    return self.crash(node, down_ms);
                }
                Some(Fault::PauseBefore { ms }) => {
                    self.pause(self.jobs[number].node, ms);
                    return self.set(number, Stage::Perform(effect), self.now + ms);
                }
                Some(Fault::Queue { ms }) if call.is_change() && ms > SLOT_WAIT_MAX_MS => {
                    let failure = aws::not_sent();
                    return self.set(number, Stage::Answer(failed(&effect, failure)), self.now + ms);
                }
                Some(Fault::Queue { ms }) => {
                    return self.set(number, Stage::Perform(effect), self.now + ms);
                }
                harm => self.jobs[number].harm = harm,
            }
        }
        self.jobs[number].sent_at = self.now;
        if self.jobs[number].seen.unrecorded.is_some() {
            let broken = invariants::broken(self, &Fact::Performing(&self.jobs[number], &effect));
            self.convict(broken);
        }
        match effect {
            Effect::Finish(outcome) => self.finish(number, &outcome),
            Effect::Wait(until) => self.wait(number, until),
            Effect::Commit(_) => self.send(number, effect),
            _ => self.send_to_aws(number, effect),
        }
    }

    fn wait(&mut self, number: usize, until: Moment) {
        let job = &self.jobs[number];
        let (node, harm) = (job.node, job.harm);
        let wakes_at = self.now + (until - job.now(self.now)).get().max(0);
        match harm {
            Some(Fault::CrashAfter { down_ms }) => {
                self.at(wakes_at, Item::Strike(Fault::Crash { node, down_ms }));
            }
            Some(Fault::PauseAfter { ms }) => self.at(wakes_at, Item::Strike(Fault::Pause { node, ms })),
            _ => {}
        }
        self.set(number, Stage::Answer(Event::Woke), wakes_at);
    }

    /// Sends what takes effect a little later.
    pub(crate) fn send(&mut self, number: usize, effect: Effect) {
        let slow = match self.jobs[number].harm {
            Some(Fault::Slow { ms }) => ms,
            _ => 0,
        };
        let lands_at = self.now + self.latency() + slow;
        self.set(number, Stage::Land(effect), lands_at);
    }

    /// The effect takes place.
    fn land(&mut self, number: usize, effect: &Effect) {
        let (node, harm) = (self.jobs[number].node, self.jobs[number].harm);
        let mut event = match effect {
            Effect::Commit(commit) => Event::Committed(self.commit(number, commit, harm)),
            _ => self.ask_aws(number, effect, harm),
        };
        self.note(Some(node), What::Land, || {
            format!("{}: {}", in_words(effect), came_back(&event))
        });
        if Call::of(effect).is_change() || matches!(effect, Effect::Commit(_)) {
            self.check(&Fact::Changed);
        }
        let mut at = self.now + self.latency();
        match harm {
            Some(Fault::CrashAfter { down_ms }) => {
                self.jobs[number].flight = None;
                return self.crash(node, down_ms);
            }
            Some(Fault::PauseAfter { ms }) => self.pause(node, ms),
            Some(Fault::AnswerLost | Fault::ServiceFailure) => {
                let changing = Call::of(effect).is_change();
                let lost = match harm {
                    Some(Fault::AnswerLost) => aws::silence(changing),
                    _ => aws::failure(
                        &Refusal::new(Code::ServiceFailure, "500"),
                        changing,
                        self.date(harm),
                    ),
                };
                if matches!(effect, Effect::Issue(_)) && self.plan.bugs.retry_creates {
                    event = self.send_again(number, effect);
                } else {
                    event = failed(effect, lost);
                    if self.rng.chance(50) {
                        at = self.now + self.timings.call_timeout.get();
                    }
                }
            }
            Some(Fault::CommitAmbiguous) => event = Event::Committed(Err(CommitFault::Unavailable)),
            _ => {}
        }
        self.look(number, effect, &event);
        self.set(number, Stage::Answer(event), at);
    }

    /// What the SDK does unless it is told not to.
    fn send_again(&mut self, number: usize, effect: &Effect) -> Event {
        if let Some(change) = Change::of(effect) {
            self.sign(number, change);
        }
        self.ask_aws(number, effect, None)
    }

    /// What the invariants need to know of what this run was shown.
    fn look(&mut self, number: usize, effect: &Effect, event: &Event) {
        let job = &mut self.jobs[number];
        match (effect, event) {
            (_, Event::Identified(Ok(found))) => {
                job.seen.identified = self.rows[job.row].user.identity.user_id == found.value.user_id;
            }
            (_, Event::Listed(Ok(listed))) => job.seen.listed = Some(listed.value.clone()),
            (_, Event::Issued(Ok(issued))) => job.seen.unrecorded = Some(issued.value.id.clone()),
            (Effect::Verify { key, region }, Event::Verified(Ok(found))) => {
                let is_target = found.value.user_id == self.rows[job.row].user.identity.user_id;
                if is_target {
                    let success = (key.clone(), region.as_str().to_owned(), self.now);
                    job.seen.successes.push(success);
                }
            }
            (Effect::Verify { key, .. }, Event::Verified(Err(failure)))
                if failure.kind == FailureKind::Refused =>
            {
                job.seen.successes.retain(|(id, _, _)| id != key);
            }
            _ => {}
        }
    }

    fn answer(&mut self, number: usize, event: Event) {
        let job = &mut self.jobs[number];
        if self.instant {
            job.trace = digest(job.trace, &event);
        }
        let now = job.now(self.now);
        let effect = job.run.step(now, event);
        job.stage = Stage::Perform(effect);
        job.at = self.now;
        job.decided_at = self.now;
        job.struck = false;
        job.harm = None;
    }

    fn finish(&mut self, number: usize, outcome: &Outcome) {
        let job = self.jobs.swap_remove(number);
        self.coverage.note("outcome", outcome_name(outcome));
        self.note(Some(job.node), What::Finish, || match outcome {
            Outcome::Failed(error) => format!("{}: {error}", error.code.as_str()),
            other => format!("{other:?}"),
        });
        self.check(&Fact::Finished(&job, outcome));
        if let Outcome::Failed(error) = outcome {
            self.coverage.note("error", error.code.as_str());
            let user = &mut self.truth.users[job.row];
            user.failure = Some(LastFailure {
                at: self.now,
                code: error.code,
            });
            user.failures_in_calm += u32::from(self.calm);
        }
        if job.run.is_clock_wrong() {
            self.rest(job.node, SLEEP_AFTER_CLOCK_SKEW_MS);
        }
        if *outcome == Outcome::Parked {
            self.rest(job.node, REST_AFTER_PARKED_MS);
        }
        // Whatever stopped a parked run may need time to pass.
        if *outcome != Outcome::Parked && self.has_database(job.node) {
            self.rows[job.row].release(job.fence);
        }
    }

    /// The schedule of a node claims nothing for a while.
    fn rest(&mut self, node: usize, length_ms: i64) {
        let until = &mut self.nodes[node].mistrusted_until;
        *until = (*until).max(self.now + length_ms);
    }

    /// Makes a commit in the store, if the store takes it.
    pub(crate) fn commit(
        &mut self,
        number: usize,
        commit: &Commit,
        harm: Option<Fault>,
    ) -> Result<(), CommitFault> {
        let job = &self.jobs[number];
        let row = job.row;
        if !self.has_database(job.node) || matches!(harm, Some(Fault::CommitUnavailable)) {
            return Err(CommitFault::Unavailable);
        }
        if commit.publish.is_some() && !self.keeps_time(job) {
            return Err(CommitFault::Stale);
        }
        let fencing = if self.plan.bugs.ignore_fence {
            Fencing::Ignored
        } else {
            Fencing::Kept
        };
        self.rows[row].admits(job.fence, commit, fencing)?;
        let values = commit.publish.as_ref().map(|key| {
            let sealed = job.run.secret_of(key);
            Mapped {
                access_key_id: key.as_str().to_owned(),
                secret_access_key: sealed
                    .and_then(|sealed| self.open(key.as_str(), sealed))
                    .unwrap_or_default(),
            }
        });
        let broken = invariants::broken(self, &Fact::Committing(job, commit, values.as_ref()));
        self.convict(broken);
        self.note_commit(number, commit);
        self.rows[row].make(commit, values);
        Ok(())
    }

    /// What a commit promises to those who use keys.
    fn note_commit(&mut self, number: usize, commit: &Commit) {
        let job = &mut self.jobs[number];
        let row = &self.rows[job.row];
        let policy_of = |rotation: &Rotation| promised_grace(rotation, self.timings.day_length);
        let grace = rotation_in(commit).or(row.rotation.as_ref()).and_then(policy_of);
        if commit.publish.is_some() {
            let user = &mut self.truth.users[job.row];
            user.published_at = Some(self.now);
            user.publishes += 1;
            user.heals = false;
        }
        for write in &commit.changes {
            let Write::Key(key) = write else { continue };
            job.seen.unrecorded.take_if(|id| *id == key.id);
            let before = row.keys.get(&key.id).map(|known| known.state);
            let Some(truth) = self.truth.keys.get_mut(&key.id) else {
                continue;
            };
            match (before, key.state) {
                (Some(KeyState::Published | KeyState::Unmanaged), KeyState::Displaced) => {
                    truth.displaced = Some(Displaced {
                        at: job.decided_at,
                        grace,
                    });
                }
                (_, KeyState::Published) => {
                    truth.displaced = None;
                    truth.word = false;
                    truth.needed = false;
                }
                _ => {}
            }
            let named = names(&job.goal, key);
            truth.word |= named && key.terms == Some(Terms::AtOnce);
            truth.given |= named;
        }
    }

    /// Seals a secret. Not safe, but not the secret either.
    pub(crate) fn seal(&self, id: &str, secret: &str) -> SealedSecret {
        if self.plan.bugs.skip_seal {
            return SealedSecret::from_bytes(secret.as_bytes().to_vec());
        }
        let bytes = id.bytes().chain([0]).chain(secret.bytes());
        SealedSecret::from_bytes(bytes.map(|byte| byte ^ SEAL).collect())
    }

    /// Opens a sealed secret of this key.
    pub(crate) fn open(&self, id: &str, sealed: &SealedSecret) -> Option<String> {
        if self.plan.bugs.skip_seal {
            return String::from_utf8(sealed.as_bytes().to_vec()).ok();
        }
        let opened: Vec<u8> = sealed.as_bytes().iter().map(|byte| byte ^ SEAL).collect();
        let text = String::from_utf8(opened).ok()?;
        let (bound_to, secret) = text.split_once('\0')?;
        (bound_to == id).then(|| secret.to_owned())
    }
}

/// Whether the owner, by what was asked for, spoke of this key.
fn names(goal: &Goal, key: &ManagedKey) -> bool {
    match goal {
        Goal::Revoke { .. } => true,
        Goal::Retire { key: named } => *named == key.id,
        Goal::Create(draft) => {
            matches!(&draft.adoption, Adoption::HandOver { key: named, at_once: true } if *named == key.id)
        }
        _ => false,
    }
}

/// Adds something to a digest.
fn digest(before: u64, what: &impl std::fmt::Debug) -> u64 {
    let mut sink = Sink::new();
    // Writing to a digest cannot fail.
    let _ = write!(sink, "{before} {what:?}");
    sink.finish()
}

/// How long a node claims nothing after a run stopped where it was (the engine's `REST_AFTER_PARKED`).
const REST_AFTER_PARKED_MS: i64 = 5_000;

/// A changing call that waits longer for its turn is not sent any more (the driver's `SLOT_WAIT_MAX`).
const SLOT_WAIT_MAX_MS: i64 = 5_000;

/// Turns a sealed secret into something else than itself.
const SEAL: u8 = 0x5A;

/// The event of an effect that failed.
pub(crate) fn failed(effect: &Effect, failure: AwsFailure) -> Event {
    match effect {
        Effect::Identify => Event::Identified(Err(failure)),
        Effect::List => Event::Listed(Err(failure)),
        Effect::Issue(_) => Event::Issued(Err(failure)),
        Effect::LastUsed(_) => Event::LastUsed(Err(failure)),
        Effect::Verify { .. } => Event::Verified(Err(failure)),
        Effect::Deactivate(_) | Effect::Reactivate(_) | Effect::Delete(_) => Event::Changed(Err(failure)),
        Effect::Commit(_) => Event::Committed(Err(CommitFault::Unavailable)),
        Effect::Wait(_) | Effect::Finish(_) => Event::Woke,
    }
}
