//! Performs the effects of one run and feeds the answers back: the only place where rules and world meet.

use keywheel_core::aws::{
    AccessKeyId, Answer, AwsFailure, CallerIdentity, Identified, KeyStatus, LastUse, ListedKey, Observed,
    Region,
};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IntentId, RunId, SecretVersionId};
use keywheel_core::key::SealedSecret;
use keywheel_core::ledger::{Alarm, Author, Change, Commit, Ledger, PublishedValues, SealedVersion};
use keywheel_core::run::{CommitFault, Effect, Event, Goal, Issued, Outcome, Run, RunErrorCode, Start};
use keywheel_providers::Target;
use keywheel_providers::connection::ConnectionCredentials;
use keywheel_store::runs::RunRecord;
use keywheel_store::{Conflict, StoreError};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

use super::history::{self, History};
use super::lease::HeldLease;
use super::{Engine, Held, REST_AFTER_CLOCK_SKEW, fault_point};
use crate::ambient::Clock;

/// What one run is about.
pub(super) struct Assignment {
    pub(super) held: Held,
    pub(super) ledger: Ledger,
    pub(super) goal: Goal,
    pub(super) credentials: ConnectionCredentials,
    pub(super) author: Author,
    pub(super) run: RunId,
}

/// Drives a run to its end, or to the next step after a shutdown.
pub(super) async fn drive(engine: &Engine, assignment: Assignment) -> Outcome {
    let Assignment {
        held,
        ledger,
        goal,
        credentials,
        author,
        run: id,
    } = assignment;
    let parts = engine.parts();
    let lease = HeldLease::keep(engine, held);
    let clock = RunClock::start(parts.clock.as_ref());
    let record = RunRecord {
        id,
        user: ledger.user.id,
        rotation: match &goal {
            Goal::Create(draft) => Some(draft.id),
            _ => ledger.user.rotation,
        },
        fence: held.claim.fence,
        node: parts.node.clone(),
        goal: history::goal_name(&goal).to_owned(),
        author,
        started_at: clock.now(parts.clock.as_ref()),
        end: None,
        steps: Vec::new(),
    };
    let history = History::new(record, &goal);
    let (name, trigger) = (history::goal_name(&goal), history::trigger_name(&goal));
    let _lease_counts = parts.metrics.holds_lease();
    let start = Start {
        ledger,
        fence: held.claim.fence,
        goal,
        timings: parts.timings,
        entropy: parts.entropy.bytes(),
    };
    let (run, effect) = Run::start(start, clock.now(parts.clock.as_ref()));
    let mut driver = Driver {
        engine,
        run,
        lease,
        credentials,
        author,
        id,
        clock,
        history,
    };
    let outcome = driver.drive(effect).await;
    driver.record_end(&outcome).await;
    driver.tell_end(&outcome, name, trigger);
    if driver.run.is_clock_wrong() {
        engine.rest(REST_AFTER_CLOCK_SKEW);
    }
    outcome
}

/// The time of one run: the wall clock at its start, and from then on the monotonic one. A clock that is set
/// while the run waits shortens no wait; one that was wrong from the start is found against AWS's.
#[derive(Clone, Copy)]
struct RunClock {
    wall: Moment,
    monotonic: Millis,
}

impl RunClock {
    fn start(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    fn now(self, clock: &dyn Clock) -> Moment {
        Moment::from_millis(self.wall.as_millis() + clock.monotonic().get() - self.monotonic.get())
    }
}

struct Driver<'a> {
    engine: &'a Engine,
    run: Run,
    lease: HeldLease,
    credentials: ConnectionCredentials,
    author: Author,
    id: RunId,
    clock: RunClock,
    history: History,
}

impl Driver<'_> {
    /// From effect to effect, to the end or to the next step after a shutdown.
    async fn drive(&mut self, mut effect: Effect) -> Outcome {
        loop {
            if let Effect::Finish(outcome) = effect {
                return outcome;
            }
            if self.engine.0.stop.is_cancelled() && !is_record(&effect) {
                return Outcome::Parked;
            }
            let began_at = self.now();
            self.history.foresee(&effect);
            let span = tracing::info_span!("step", step = history::name(&effect));
            let performed = fault_point::around(&effect, self.perform(effect.clone()));
            let event = performed.instrument(span).await;
            self.history.note(&effect, &event, began_at, self.now());
            let metrics = &self.engine.parts().metrics;
            metrics.stepped(history::name(&effect), self.now() - began_at);
            effect = self.run.step(self.now(), event);
        }
    }

    fn now(&self) -> Moment {
        self.clock.now(self.engine.parts().clock.as_ref())
    }

    /// Completes the history. A failure is tolerated: the run then shows as interrupted.
    async fn record_end(&mut self, outcome: &Outcome) {
        let now = self.now();
        let store = &self.engine.parts().store;
        if let Some(record) = self.history.ended(outcome, now)
            && let Err(error) = store.record_run(record).await
        {
            tracing::warn!(run = %self.id, %error, "the end of a run could not be recorded");
        }
    }

    /// Tells and counts how a run ended. A look that finds nothing to do is the bulk of all runs.
    fn tell_end(&self, outcome: &Outcome, goal: &'static str, trigger: Option<&'static str>) {
        let word = history::outcome_name(outcome);
        let took = self.now() - self.clock.wall;
        let metrics = &self.engine.parts().metrics;
        match trigger {
            Some(trigger) => metrics.rotated(trigger, word, took),
            // Until a call cannot take effect any more, that is no failure.
            None if is_waiting(outcome) => metrics.ran(goal, "waiting"),
            None => metrics.ran(goal, word),
        }
        if goal == history::LOOK && *outcome == Outcome::Settled {
            tracing::debug!(
                outcome = word,
                ms = took.get(),
                "a look at the keys of a user ended"
            );
        } else {
            tracing::info!(outcome = word, ms = took.get(), "a run ended");
        }
    }

    async fn perform(&self, effect: Effect) -> Event {
        tracing::debug!("step");
        match effect {
            Effect::Identify => Event::Identified(self.identify().await),
            Effect::List => Event::Listed(self.list().await),
            Effect::Issue(intent) => self.issue(intent).await,
            Effect::Deactivate(key) => self.change(&key, Some(KeyStatus::Inactive)).await,
            Effect::Reactivate(key) => self.change(&key, Some(KeyStatus::Active)).await,
            Effect::Delete(key) => self.change(&key, None).await,
            Effect::LastUsed(key) => Event::LastUsed(self.last_used(&key).await),
            Effect::Verify { key, region } => Event::Verified(self.verify(&key, &region).await),
            Effect::Commit(commit) => Event::Committed(self.commit(&commit).await),
            Effect::Wait(until) => {
                self.wait(until).await;
                Event::Woke
            }
            Effect::Finish(_) => Event::Woke,
        }
    }

    /// Waits for the account's turn.
    async fn slot(&self) -> Result<(), AwsFailure> {
        self.engine.turn(&self.run.ledger().user.identity.account).await
    }

    /// Waits for the account's turn, unless that takes so long that the deadline of the announced call would not
    /// hold: what is sent later than announced could land later than anybody waits for.
    async fn slot_in_time(&self) -> Result<(), AwsFailure> {
        let clock = &self.engine.parts().clock;
        let asked_at = clock.monotonic();
        self.slot().await?;
        if clock.monotonic() > asked_at + SLOT_WAIT_MAX {
            return Err(AwsFailure::not_sent("too many calls wait for this account"));
        }
        Ok(())
    }

    /// Waits, or less if the engine is shut down: the run then ends before its next effect.
    async fn wait(&self, until: Moment) {
        let clock = &self.engine.parts().clock;
        let length = until - self.now();
        tokio::select! {
            () = self.engine.0.stop.cancelled() => {}
            () = clock.sleep(length) => {}
        }
    }

    fn target<'a>(&'a self, session: &'a str) -> Target<'a> {
        let user = &self.run.ledger().user;
        Target {
            connection: &self.credentials,
            region: &user.region,
            user_name: &user.name,
            session,
        }
    }

    /// Whether a changing call may be sent: its answer has to be in before the lease can end.
    fn may_send(&self) -> bool {
        let parts = self.engine.parts();
        let in_time = self
            .lease
            .may_send(parts.clock.monotonic(), parts.timings.call_timeout);
        in_time && self.keeps_time()
    }

    /// Whether the time of this run is still this machine's. It is not after the machine was halted, which its monotonic
    /// clock may not know of, nor after its clock was set: waits would begin at the wrong moment.
    fn keeps_time(&self) -> bool {
        let parts = self.engine.parts();
        let off = parts.clock.now() - self.now();
        let keeps = off.abs() <= parts.timings.clock_skew_max;
        if !keeps {
            tracing::warn!(
                run = %self.id,
                seconds = off.get() / 1_000,
                "this machine was halted, or its clock was set, while a run was under way; the run begins anew"
            );
        }
        keeps
    }

    /// Creates a key, in one attempt. What sealing its secret needs is made before the call is sent.
    async fn issue(&self, intent: IntentId) -> Event {
        let parts = self.engine.parts();
        let data_key = match parts.vault.data_key() {
            Ok(data_key) => data_key,
            Err(error) => return Event::Issued(Err(nothing_happened(&error))),
        };
        if let Err(failure) = self.slot_in_time().await {
            return Event::Issued(Err(failure));
        }
        if !self.may_send() {
            return Event::LeaseLost;
        }
        let session = session(intent);
        let answer = parts.provider.issue(self.target(&session)).await;
        Event::Issued(answer.map(|observed| {
            let key = observed.value;
            let sealed = parts.vault.seal_access_key(data_key, &key.id, &key.secret);
            if let Err(error) = &sealed {
                tracing::error!(key = %key.id, %error, "the secret of a new access key could not be sealed");
            }
            let secret = sealed.ok().map(SealedSecret::from_bytes);
            Observed {
                value: Issued {
                    id: key.id,
                    secret,
                    created_at: key.created_at,
                },
                aws_date: observed.aws_date,
            }
        }))
    }

    /// Deactivates a key, or deletes it where no status is given.
    async fn change(&self, key: &AccessKeyId, status: Option<KeyStatus>) -> Event {
        let parts = self.engine.parts();
        if let Err(failure) = self.slot_in_time().await {
            return Event::Changed(Err(failure));
        }
        if !self.may_send() {
            return Event::LeaseLost;
        }
        let intent = self.run.ledger().open_intent.as_ref().map(|i| i.id.to_string());
        let session = session(intent.unwrap_or_else(|| self.id.to_string()));
        let target = self.target(&session);
        Event::Changed(match status {
            Some(status) => parts.provider.set_status(target, key, status).await,
            None => parts.provider.delete(target, key).await,
        })
    }

    /// Two calls: who the connection is, and the user.
    async fn identify(&self) -> Answer<Identified> {
        self.slot().await?;
        self.slot().await?;
        let session = session(self.id);
        self.engine.parts().provider.identify(self.target(&session)).await
    }

    async fn list(&self) -> Answer<Vec<ListedKey>> {
        self.slot().await?;
        let session = session(self.id);
        self.engine.parts().provider.list(self.target(&session)).await
    }

    async fn last_used(&self, key: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.slot().await?;
        let session = session(self.id);
        let provider = &self.engine.parts().provider;
        provider.last_used(self.target(&session), key).await
    }

    async fn verify(&self, key: &AccessKeyId, region: &Region) -> Answer<CallerIdentity> {
        let parts = self.engine.parts();
        let secret = self.secret(key).map_err(|error| nothing_happened(&error))?;
        self.slot().await?;
        parts.provider.verify(region, key, &secret).await
    }

    fn secret(&self, key: &AccessKeyId) -> Result<SecretString, keywheel_envelope::Error> {
        let sealed = self
            .run
            .secret_of(key)
            .ok_or(keywheel_envelope::Error::Malformed { length: 0 })?;
        self.engine.parts().vault.open_access_key(key, sealed.as_bytes())
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitFault> {
        let parts = self.engine.parts();
        if commit.publish.is_some() && !self.keeps_time() {
            return Err(CommitFault::Stale);
        }
        let values = match &commit.publish {
            None => None,
            Some(key) => Some(self.values(key).map_err(|error| {
                tracing::error!(run = %self.id, %key, %error, "the values of a publish could not be sealed");
                CommitFault::Unavailable
            })?),
        };
        let made = parts
            .store
            .commit(
                self.lease.claim(),
                commit,
                values.as_ref(),
                self.history.along(commit),
                self.now(),
            )
            .await;
        match made {
            Ok(()) => {
                commit.alarms.iter().for_each(|alarm| self.raise(alarm));
                Ok(())
            }
            Err(StoreError::Stale) => Err(CommitFault::Stale),
            Err(StoreError::Conflict(conflict @ (Conflict::RotationName | Conflict::SecretName))) => {
                Err(CommitFault::Conflict(format!(
                    "{conflict}; it was made while the access key was checked"
                )))
            }
            Err(error) => {
                tracing::error!(run = %self.id, %error, cause = ?error, "the ledger could not be written");
                Err(CommitFault::Unavailable)
            }
        }
    }

    /// The two values of a publish, sealed for the versions that they become.
    fn values(&self, key: &AccessKeyId) -> Result<PublishedValues, keywheel_envelope::Error> {
        let secret = self.secret(key)?;
        Ok(PublishedValues {
            key: key.clone(),
            access_key_id: self.version(key.as_str())?,
            secret_access_key: self.version(secret.expose_secret())?,
            author: self.author,
        })
    }

    fn version(&self, value: &str) -> Result<SealedVersion, keywheel_envelope::Error> {
        let id = self.engine.new_id(SecretVersionId::new);
        let sealed = self.engine.parts().vault.seal_secret_value(id, value)?;
        Ok(SealedVersion { id, sealed })
    }

    /// Tells people. The log is the first place; others come to it.
    fn raise(&self, alarm: &Alarm) {
        let user = &self.run.ledger().user;
        let (key, text) = match alarm {
            Alarm::PublishedLost(key) => (key, "the published access key is gone at AWS; a new one is made"),
            Alarm::PublishedInactive(key) => (key, "somebody deactivated the published access key"),
            Alarm::KeyLost(key) => (key, "an access key is gone at AWS, without Keywheel's doing"),
            Alarm::OrphanSuspected(key) => (
                key,
                "an access key may be Keywheel's, its secret is lost; its owner has to decide",
            ),
            Alarm::Reactivated(key) => (key, "somebody reactivated an access key; it is held back"),
            Alarm::Returned(key) => (
                key,
                "an access key that had ended is listed again; it is left alone",
            ),
            Alarm::StillUsed { key, .. } => (
                key,
                "a displaced access key was used lately; somebody has not moved over",
            ),
            Alarm::Contradiction(key) => (
                key,
                "an access key is proven to be Keywheel's and yet was used; its owner has to decide",
            ),
        };
        tracing::warn!(run = %self.id, user = %user.name, %key, "{text}");
    }
}

fn is_waiting(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(error) if error.code == RunErrorCode::InProgress)
}

/// Whether an effect writes down what has happened and announces nothing: the answer to a call must not be lost because
/// the server is told to stop just then.
fn is_record(effect: &Effect) -> bool {
    let Effect::Commit(commit) = effect else {
        return false;
    };
    !commit
        .changes
        .iter()
        .any(|change| matches!(change, Change::OpenIntent(_)))
}

/// Names who acts, in CloudTrail too.
fn session(id: impl std::fmt::Display) -> String {
    format!("keywheel-{id}")
}

/// Longest wait for the account's turn between an intent and its call. What is sent that much later still lands
/// within the margin of `late_landing` for clocks that differ.
const SLOT_WAIT_MAX: Millis = Millis::from_secs(5);

/// A failure on our side of the wire, before anything was sent.
fn nothing_happened(error: &keywheel_envelope::Error) -> AwsFailure {
    AwsFailure::not_sent(&error.to_string())
}
