//! The engine: where the rules of `keywheel-core` meet the world.
//!
//! Every run holds the lease of one user, is driven by one task, and can be dropped between any two effects:
//! the next run goes on from the ledger. Handlers wait for runs that they ask for, but do not carry them: a
//! client that goes away stops nothing.
//!
//! | module | what it holds |
//! |---|---|
//! | [`driver`] | performs the effects of one run and feeds the answers back |
//! | [`preview`] | runs in imagination: what would happen, without a change |
//! | `entry` | what the audit log tells of a scheduled rotation |
//! | `history` | takes down what a run does |
//! | `identity` | which IAM user a connection reaches |
//! | `fault_point` | where tests stop a process to kill it |
//! | [`lease`] | keeps a lease alive, and knows when a call may still be sent |
//! | `pace` | when the next call to an AWS account may be sent |
//! | [`scheduler`] | claims what is due |
//! | `turns` | how many runs an AWS account has under way |

pub mod driver;
mod entry;
mod fault_point;
mod history;
mod identity;
pub mod lease;
mod pace;
pub mod preview;
pub mod scheduler;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keywheel_core::aws::{AccessKeyId, Answer, AwsAccount, AwsFailure, CallerIdentity};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ConnectionId, ManagedUserId, RotationId, RunId};
use keywheel_core::ledger::{Author, Change, Commit, Ledger, ManagedUser};
use keywheel_core::run::{Goal, NewRotation, Outcome, RunError, RunErrorCode};
use keywheel_core::timings::Timings;
use keywheel_providers::IamUsers;
use keywheel_providers::connection::ConnectionCredentials;
use keywheel_store::ledgers::{Claim, LeaseTerms, Reservation};
use keywheel_store::{Store, StoreError};
use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::ambient::{Clock, Entropy};
use crate::audit::Audit;
use crate::observe::metrics::Metrics;
use crate::vault::Vault;

/// How long nothing is claimed after this server's clock was found to be wrong: what it calls due may not be.
const REST_AFTER_CLOCK_SKEW: Millis = Millis::from_secs(60);
/// How long nothing is claimed after a run stopped where it was: its claim was taken over, or the database cannot be
/// written. Two nodes that take each other's claims would otherwise go on for ever.
const REST_AFTER_PARKED: Millis = Millis::from_secs(5);
/// AWS's `Date` has whole seconds.
const DATE_RESOLUTION: Millis = Millis::from_secs(1);
/// Runs that the schedule has under way at the same time for all accounts together. A run mostly waits; the bound is
/// for the memory that it takes.
const RUNS_MAX: usize = 1_024;

/// What an engine is made of.
pub struct EngineParts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// AWS.
    pub provider: Arc<dyn IamUsers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Seals and opens.
    pub vault: Vault,
    /// Where scheduled rotations are told of.
    pub audit: Audit,
    /// Waits and bounds.
    pub timings: Timings,
    /// Runs that the schedule may have under way at the same time for one AWS account.
    pub runs_max: u32,
    /// Calls a second to one AWS account.
    pub calls_per_second: u32,
    /// Where runs are counted.
    pub metrics: Metrics,
    /// The name of this node in leases.
    pub node: String,
}

/// A handle to the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    parts: EngineParts,
    /// One pace per account: a busy account delays no other (liveness rule L4).
    pace: pace::Pacer,
    /// For all accounts together.
    permits: Arc<Semaphore>,
    turns: Arc<turns::Turns>,
    /// The wall clock when the monotonic one began.
    began_at: Moment,
    /// Monotonic milliseconds until which the schedule claims nothing.
    rests_until: AtomicI64,
    wake: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another run holds the user.
    #[error("another run holds the user")]
    InProgress,
    /// Another rotation has the IAM user.
    #[error("rotation {0} has this IAM user")]
    Taken(RotationId),
    /// The rotation is being deleted.
    #[error("the rotation is being deleted")]
    Revoking,
    /// It is not there any more.
    #[error("the rotation is gone")]
    Gone,
    /// The connection is not there any more.
    #[error("the connection is gone")]
    ConnectionGone,
    /// The run ended without reaching its goal.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run stopped where it was and will be taken up again.
    #[error("the run stopped where it was and will be taken up again")]
    Parked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed value could not be made or opened.
    #[error(transparent)]
    Envelope(#[from] keywheel_envelope::Error),
}

/// A claim, and when it was asked for on the monotonic clock: from then on the lease runs.
#[derive(Clone, Copy)]
struct Held {
    claim: Claim,
    asked_at: Millis,
}

/// What the engine ends in.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl Engine {
    /// An engine that does nothing by itself until [`Engine::start_schedule`].
    pub fn new(parts: EngineParts) -> Self {
        Self(Arc::new(Inner {
            pace: pace::Pacer::new(parts.calls_per_second, parts.store.revision().is_none()),
            permits: Arc::new(Semaphore::new(RUNS_MAX)),
            turns: turns::Turns::new(parts.runs_max),
            began_at: parts.clock.now() + parts.clock.monotonic().times(-1),
            rests_until: AtomicI64::new(i64::MIN),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            parts,
        }))
    }

    /// Takes over what an earlier process left, then starts to work on what is due, now and from now on.
    pub async fn start_schedule(&self) {
        // This node has just started: a lease in its name belongs to a process that is dead. This comes before
        // the first claim, so that no lease of our own is among them.
        match self.parts().store.release_all(&self.parts().node).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(
                    count,
                    "took over the work of a process that ended without finishing it"
                );
            }
            Err(error) => tracing::warn!(%error, "leases of an earlier process end by themselves"),
        }
        let engine = self.clone();
        self.0.tasks.spawn(async move { scheduler::run(&engine).await });
    }

    /// Lets the schedule look again at once, because something may be due earlier than it thought.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Claims nothing more; what people ask for still runs.
    pub fn stop_schedule(&self) {
        self.0.rests_until.store(i64::MAX, Ordering::Release);
    }

    /// Stops: no new run starts, and those under way end at their next step. Whatever is left is taken up at
    /// the next start.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Creates the first key of a rotation and publishes it together with the rotation.
    pub async fn create(&self, draft: NewRotation, author: Author) -> Result<RotationId> {
        self.detached(async move |engine| {
            let (id, connection) = (draft.id, draft.settings.connection);
            let user = engine.identify(&draft).await?;
            // Runs that people ask for wait here and not between an intent and its call.
            let _turn = engine.0.turns.wait(&user.identity.account).await;
            let asked_at = engine.parts().clock.monotonic();
            let claim = match engine
                .parts()
                .store
                .reserve_user(&user, engine.lease_terms().await?)
                .await?
            {
                Reservation::Claimed(claim) => claim,
                Reservation::Held => return Err(EngineError::InProgress),
                Reservation::Taken(rotation) => return Err(EngineError::Taken(rotation)),
            };
            let goal = Goal::Create(Box::new(draft));
            engine
                .run(Held { claim, asked_at }, Some(connection), author, |_| Ok(goal))
                .await?;
            Ok(id)
        })
        .await
    }

    /// Runs to a goal of a rotation that exists, and waits for the end. Once a rotation is being revoked,
    /// revoking it is the only goal left.
    pub async fn reach(
        &self,
        user: ManagedUserId,
        rotation: RotationId,
        goal: Goal,
        author: Author,
    ) -> Result<()> {
        self.detached(async move |engine| {
            let known = engine.parts().store.load(user).await?.ok_or(EngineError::Gone)?;
            let _turn = engine.0.turns.wait(&known.user.identity.account).await;
            let held = engine.claim(user).await?;
            let goal = |ledger: &Ledger| match ledger.rotation.as_ref().filter(|r| r.id == rotation) {
                None => Err(EngineError::Gone),
                Some(r) if r.revoking && !matches!(goal, Goal::Revoke { .. }) => Err(EngineError::Revoking),
                Some(_) => Ok(goal),
            };
            engine.run(held, None, author, goal).await
        })
        .await
    }

    /// Changes the record without a call to AWS, under the lease that runs need too: so that a change never
    /// meets a run.
    pub async fn edit(
        &self,
        user: ManagedUserId,
        change: impl FnOnce(&Ledger) -> Result<Commit> + Send + 'static,
    ) -> Result<()> {
        self.detached(async move |engine| {
            let held = engine.claim(user).await?;
            let result = engine.edit_claimed(held.claim, change).await;
            engine.release(held.claim).await;
            engine.wake();
            result
        })
        .await
    }

    async fn edit_claimed(
        &self,
        claim: Claim,
        change: impl FnOnce(&Ledger) -> Result<Commit> + Send,
    ) -> Result<()> {
        let store = &self.parts().store;
        let ledger = store.load(claim.user).await?.ok_or(EngineError::Gone)?;
        let commit = change(&ledger)?;
        store
            .commit(claim, &commit, None, None, self.parts().clock.now())
            .await?;
        Ok(())
    }

    /// Asks AWS who signs with a key of a user.
    pub async fn verify(
        &self,
        user: &ManagedUser,
        key: &AccessKeyId,
        secret: &SecretString,
    ) -> Answer<CallerIdentity> {
        self.turn(&user.identity.account).await?;
        self.parts().provider.verify(&user.region, key, secret).await
    }

    /// Refuses with `CLOCK_SKEW` if this server's clock is not AWS's: for a moment that is recorded without a run.
    pub async fn require_clock(&self, user: ManagedUserId) -> Result<()> {
        let ledger = self.parts().store.load(user).await?.ok_or(EngineError::Gone)?;
        let connection = ledger.user.connection.ok_or(EngineError::ConnectionGone)?;
        let credentials = self.credentials(connection).await?;
        let session = format!("keywheel-{}", ledger.user.id);
        let provider = &self.parts().provider;
        let caller = provider.caller(&credentials, &ledger.user.region, &session).await;
        let now = self.parts().clock.now();
        let date = match &caller {
            Ok(answer) => answer.aws_date,
            Err(failure) => failure.aws_date,
        };
        let skew = date.map(|date| (now - date).abs());
        let allowed = self.parts().timings.clock_skew_max + DATE_RESOLUTION;
        if skew.is_some_and(|skew| skew <= allowed) {
            return Ok(());
        }
        let text = "the clock of this server could not be confirmed by AWS's, and this needs the right time; nothing \
                    was changed. Synchronize this server's clock and look whether AWS can be reached.";
        Err(RunError::new(RunErrorCode::ClockSkew, text).into())
    }

    /// Notes that Keywheel itself has just signed with a key, so that the use that AWS records is not taken for
    /// somebody's. Left out if the user is held: the note is worth no wait.
    pub async fn note_own_use(&self, user: ManagedUserId, key: &AccessKeyId) {
        let (key, now) = (key.clone(), self.parts().clock.now());
        let noted = self.edit(user, move |ledger| {
            let mut key = ledger.keys.get(&key).cloned().ok_or(EngineError::Gone)?;
            key.verified_at = Some(now);
            Ok(Commit {
                changes: vec![Change::Key(key)],
                ..Commit::default()
            })
        });
        if let Err(error) = noted.await {
            tracing::debug!(%user, %error, "a use of our own was not noted");
        }
    }

    /// Lets the schedule rest: it claims nothing for a while.
    fn rest(&self, length: Millis) {
        let until = self.parts().clock.monotonic() + length;
        self.0.rests_until.fetch_max(until.get(), Ordering::AcqRel);
    }

    /// Waits and bounds.
    pub fn timings(&self) -> &Timings {
        &self.parts().timings
    }

    fn parts(&self) -> &EngineParts {
        &self.0.parts
    }

    /// Works in a task of its own and waits for it: a client that goes away stops nothing half-way.
    async fn detached<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.0
            .tasks
            .spawn(work(self.clone()).in_current_span())
            .await
            .unwrap_or(Err(EngineError::Parked))
    }

    async fn claim(&self, user: ManagedUserId) -> Result<Held> {
        let asked_at = self.parts().clock.monotonic();
        let claim = self
            .parts()
            .store
            .claim_user(user, self.lease_terms().await?)
            .await?;
        claim
            .map(|claim| Held { claim, asked_at })
            .ok_or(EngineError::InProgress)
    }

    /// The terms of a claim that is made right away. What the holder counts from has to be asked before.
    async fn lease_terms(&self) -> Result<LeaseTerms<'_>, StoreError> {
        let now = self.lease_time().await?;
        Ok(LeaseTerms {
            node: &self.parts().node,
            now,
            until: now + self.parts().timings.lease,
        })
    }

    /// The time that leases count in. It is steady: where this process alone claims, no jump of its wall clock ends the
    /// lease of a run that is under way.
    pub async fn lease_time(&self) -> Result<Moment, StoreError> {
        let EngineParts { store, clock, .. } = self.parts();
        store.shared_time(self.0.began_at + clock.monotonic()).await
    }

    /// Whether somebody works on a user just now.
    pub async fn is_held(&self, user: ManagedUserId) -> Result<bool, StoreError> {
        let lease = self.parts().store.lease(user).await?;
        let now = self.lease_time().await?;
        Ok(lease.is_some_and(|lease| lease.is_held(now)))
    }

    /// What is due by this moment may be claimed. A run finds it due by this server's clock, so that a clock that is
    /// behind the shared one claims nothing in vain.
    async fn due_by(&self) -> Result<Moment, StoreError> {
        let EngineParts { store, clock, .. } = self.parts();
        let now = clock.now();
        Ok(store.shared_time(now).await?.min(now))
    }

    /// Waits for the account's turn to be called.
    async fn turn(&self, account: &AwsAccount) -> Result<(), AwsFailure> {
        let EngineParts { store, clock, .. } = self.parts();
        let turn = self.0.pace.turn(store.as_ref(), clock.as_ref(), account).await;
        turn.map_err(|error| {
            tracing::warn!(%error, "an AWS account was not called, as its limit could not be looked up");
            AwsFailure::not_sent("its limit could not be looked up")
        })
    }

    /// Ends a lease early. A failure is tolerated: the lease ends by itself.
    async fn release(&self, claim: Claim) {
        if let Err(error) = self.parts().store.release(claim).await {
            tracing::warn!(user = %claim.user, %error, "a lease could not be released; it ends by itself");
        }
    }

    /// Runs to the goal, or says why not.
    async fn run(
        &self,
        held: Held,
        connection: Option<ConnectionId>,
        author: Author,
        goal: impl FnOnce(&Ledger) -> Result<Goal> + Send,
    ) -> Result<()> {
        match self.run_claimed(held, connection, author, goal).await? {
            Outcome::Failed(error) => Err(error.into()),
            Outcome::Parked => Err(EngineError::Parked),
            Outcome::Published | Outcome::Revoked | Outcome::Settled => Ok(()),
        }
    }

    /// Loads the record, decides what to do with it, and does it. The lease is released at the end, except
    /// where what stopped the run may need time to pass: the user is then due again when the lease has ended.
    async fn run_claimed(
        &self,
        held: Held,
        connection: Option<ConnectionId>,
        author: Author,
        goal: impl FnOnce(&Ledger) -> Result<Goal> + Send,
    ) -> Result<Outcome> {
        let outcome = self.load_and_drive(held, connection, author, goal).await;
        let ended = match &outcome {
            Ok(Outcome::Parked) => false,
            Ok(_) | Err(EngineError::Gone | EngineError::Revoking) => true,
            Err(_) => false,
        };
        if ended || self.0.stop.is_cancelled() {
            self.release(held.claim).await;
        }
        self.wake();
        outcome
    }

    async fn load_and_drive(
        &self,
        held: Held,
        connection: Option<ConnectionId>,
        author: Author,
        goal: impl FnOnce(&Ledger) -> Result<Goal> + Send,
    ) -> Result<Outcome> {
        let ledger = self
            .parts()
            .store
            .load(held.claim.user)
            .await?
            .ok_or(EngineError::Gone)?;
        let goal = goal(&ledger)?;
        let Some(connection) = connection.or(ledger.user.connection) else {
            return self.postpone(held.claim, ledger.user).await;
        };
        let credentials = self.credentials(connection).await?;
        let run: RunId = self.new_id(RunId::new);
        let entry = entry::begin(self, author, &ledger, &goal).await?;
        let assignment = driver::Assignment {
            held,
            ledger,
            goal,
            credentials,
            author,
            run,
        };
        let span = tracing::info_span!("run", run = %run, goal = history::goal_name(&assignment.goal));
        let outcome = driver::drive(self, assignment).instrument(span).await;
        if let Some(entry) = entry {
            entry::end(self, entry, &outcome).await;
        }
        Ok(outcome)
    }

    /// Puts a user off whom no connection reaches any more: nothing can be done until somebody makes a rotation of
    /// it again, so it is looked at rarely.
    async fn postpone(&self, claim: Claim, mut user: ManagedUser) -> Result<Outcome> {
        let now = self.parts().clock.now();
        user.due_at = user.due_at.map(|_| now + self.parts().timings.retry_cap);
        let commit = Commit {
            changes: vec![Change::User(user)],
            ..Commit::default()
        };
        let store = &self.parts().store;
        store.commit(claim, &commit, None, None, now).await?;
        self.release(claim).await;
        Err(EngineError::ConnectionGone)
    }

    /// The opened credentials of a connection.
    async fn credentials(&self, id: ConnectionId) -> Result<ConnectionCredentials> {
        let connection = self
            .parts()
            .store
            .connection(id)
            .await?
            .ok_or(EngineError::ConnectionGone)?;
        let external_id = crate::actions::connections::external_id_of(&connection);
        Ok(self
            .parts()
            .vault
            .open_credentials(id, &connection.credentials.sealed, external_id)?)
    }

    fn new_id<T>(&self, make: impl FnOnce(Moment, &[u8; 10]) -> T) -> T {
        make(self.parts().clock.now(), &self.parts().entropy.bytes())
    }
}
