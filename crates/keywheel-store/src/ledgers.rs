//! The record of IAM users and their keys, and who may write it: what the engine works on.

use std::sync::Arc;

use async_trait::async_trait;
use keywheel_core::aws::AwsAccount;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ManagedUserId, RotationId};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Commit, Ledger, ManagedUser, PublishedValues, UserIdentity};

use tokio::sync::Notify;

use crate::error::Result;
use crate::runs::RunRecord;

/// A lease that ends later than this was made by a clock that has been set back since: where one process writes, it
/// counts as over. The longest
/// lease that can be configured is an hour.
pub const LEASE_AHEAD_MAX: Millis = Millis::from_hours(3);

/// A user that this node may work on until the lease ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The user.
    pub user: ManagedUserId,
    /// Goes with every write under this claim.
    pub fence: Fence,
}

/// Who claims, and for how long, in the time that leases count in. The holder itself counts on its monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseTerms<'a> {
    /// The node; for people who look at the database.
    pub node: &'a str,
    /// Now.
    pub now: Moment,
    /// When the lease ends unless it is renewed.
    pub until: Moment,
}

/// A claim of a user that was due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueClaim {
    /// The claim.
    pub claim: Claim,
    /// The account of the user.
    pub account: AwsAccount,
}

/// The latest claim of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseState {
    /// Its fence.
    pub fence: Fence,
    /// When it ends unless it is renewed; none if it was released.
    pub until: Option<Moment>,
}

impl LeaseState {
    /// Whether somebody works on the user.
    pub fn is_held(&self, now: Moment) -> bool {
        self.until
            .is_some_and(|until| now < until && until <= now + LEASE_AHEAD_MAX)
    }
}

/// What came of an attempt to take a user for a new rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reservation {
    /// The user is recorded and claimed.
    Claimed(Claim),
    /// Somebody else works on it.
    Held,
    /// A rotation has it.
    Taken(RotationId),
}

/// The engine's record.
#[async_trait]
pub trait Ledgers: Send + Sync {
    /// The time that all who claim share. Where several processes do, it is the database's, since their clocks may differ
    /// by anything; where one does, its own: `local`. To be asked right before terms are made of it.
    async fn shared_time(&self, local: Moment) -> Result<Moment>;

    /// Claims users that are due by a moment and that nobody holds, earliest first, at most `limit`, and none of the accounts
    /// in `except` nor of those of which `per_account` users or more are held by anybody. The cost grows with what is
    /// due and what is held, not with what exists.
    async fn claim_due(
        &self,
        terms: LeaseTerms<'_>,
        due_by: Moment,
        limit: u32,
        except: &[AwsAccount],
        per_account: u32,
    ) -> Result<Vec<DueClaim>>;

    /// Claims one user; none if somebody holds it or it does not exist.
    async fn claim_user(&self, user: ManagedUserId, terms: LeaseTerms<'_>) -> Result<Option<Claim>>;

    /// Records a user unless it is known by its identity, and claims it unless a rotation has it. An id, if
    /// the user is known, is the known one.
    async fn reserve_user(&self, user: &ManagedUser, terms: LeaseTerms<'_>) -> Result<Reservation>;

    /// Moves the end of a lease. `StoreError::Stale` if the user was claimed again since, or the lease was
    /// released.
    async fn renew(&self, claim: Claim, until: Moment) -> Result<()>;

    /// Ends a lease early. Nothing happens if the user was claimed again since.
    async fn release(&self, claim: Claim) -> Result<()>;

    /// Ends all leases of a node, which has just started and holds none; how many there were.
    async fn release_all(&self, node: &str) -> Result<u64>;

    /// Who may write the record of a user, and until when; none if the user is not known.
    async fn lease(&self, user: ManagedUserId) -> Result<Option<LeaseState>>;

    /// The record of a user.
    async fn load(&self, user: ManagedUserId) -> Result<Option<Ledger>>;

    /// The id of a user by its identity at AWS.
    async fn user_by_identity(&self, identity: &UserIdentity) -> Result<Option<ManagedUserId>>;

    /// Makes users due now whose work failed and that are due later than `latest` only: under a clock that was wrong,
    /// a retry may have been set far into the future. How many there were.
    async fn recall_failed(&self, now: Moment, latest: Moment) -> Result<u64>;

    /// Notified when a lease has ended early, here or by another process: somebody may be due, or an account may have
    /// room. A hint: whoever waits for it also looks by itself.
    fn due_hint(&self) -> Arc<Notify>;

    /// The earliest moment from which some user is due, leases aside; none if none ever is.
    async fn next_due(&self) -> Result<Option<Moment>>;

    /// Makes all changes of a commit in one transaction. `StoreError::Stale` if the fence is not the
    /// current one; nothing is changed then. `Conflict::RotationName`, `RotationUser`, `SecretName`,
    /// `OpenIntent`, `Changed` or `Reference` where the changes do not fit what exists. `values` are the sealed values
    /// of a commit that publishes; without them a publish is refused. `run` is the history so far.
    ///
    /// The same commit may be repeated when the answer of the database was lost.
    async fn commit(
        &self,
        claim: Claim,
        commit: &Commit,
        values: Option<&PublishedValues>,
        run: Option<&RunRecord>,
        now: Moment,
    ) -> Result<()>;
}
