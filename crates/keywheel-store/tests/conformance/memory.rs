//! The simulator's store, asked as the others are: what it proves of rotations counts only if it keeps the same promises.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keywheel_core::aws::AwsAccount;
use keywheel_core::clock::Moment;
use keywheel_core::ids::ManagedUserId;
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Commit, Ledger, ManagedUser, PublishedValues, UserIdentity};
use keywheel_core::run::CommitFault;
use keywheel_simulator::store::{Fencing, Row};
use keywheel_store::error::Result;
use keywheel_store::ledgers::{Claim, DueClaim, LeaseState, LeaseTerms, Reservation};
use keywheel_store::runs::RunRecord;
use keywheel_store::{Conflict, Ledgers, StoreError};
use tokio::sync::Notify;

use crate::world::SharedLedgers;

/// A store in memory, for each test.
pub async fn memory(test: impl AsyncFnOnce(SharedLedgers)) {
    test(Arc::new(Memory::default())).await;
}

/// Rows of the simulator, found as a database finds them.
#[derive(Default)]
struct Memory {
    rows: Mutex<BTreeMap<ManagedUserId, Row>>,
    hint: Arc<Notify>,
}

/// The simulator counts its nodes.
fn number(node: &str) -> usize {
    node.bytes().map(usize::from).sum()
}

impl Memory {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<ManagedUserId, Row>> {
        self.rows.lock().unwrap()
    }

    fn claim(row: &mut Row, terms: LeaseTerms<'_>) -> Option<Claim> {
        row.is_free(terms.now).then(|| Claim {
            user: row.user.id,
            fence: row.claim(number(terms.node), terms.now, terms.until - terms.now),
        })
    }
}

#[async_trait]
impl Ledgers for Memory {
    async fn shared_time(&self, local: Moment) -> Result<Moment> {
        Ok(local)
    }

    async fn claim_due(
        &self,
        terms: LeaseTerms<'_>,
        due_by: Moment,
        limit: u32,
        _except: &[AwsAccount],
        _per_account: u32,
    ) -> Result<Vec<DueClaim>> {
        let mut rows = self.rows();
        let mut due: Vec<&mut Row> = rows.values_mut().collect();
        due.retain(|row| row.user.due_at.is_some_and(|at| at <= due_by));
        due.sort_by_key(|row| row.user.due_at);
        let claimed = due.into_iter().filter_map(|row| {
            let account = row.user.identity.account.clone();
            Self::claim(row, terms).map(|claim| DueClaim { claim, account })
        });
        Ok(claimed.take(limit as usize).collect())
    }

    async fn claim_user(&self, user: ManagedUserId, terms: LeaseTerms<'_>) -> Result<Option<Claim>> {
        Ok(self.rows().get_mut(&user).and_then(|row| Self::claim(row, terms)))
    }

    async fn reserve_user(&self, user: &ManagedUser, terms: LeaseTerms<'_>) -> Result<Reservation> {
        let known = self.user_by_identity(&user.identity).await?;
        let mut rows = self.rows();
        let row = rows
            .entry(known.unwrap_or(user.id))
            .or_insert_with(|| Row::new(user.clone()));
        if let Some(rotation) = &row.rotation {
            return Ok(Reservation::Taken(rotation.id));
        }
        Ok(Self::claim(row, terms).map_or(Reservation::Held, Reservation::Claimed))
    }

    async fn renew(&self, claim: Claim, until: Moment) -> Result<()> {
        let mut rows = self.rows();
        let renewed = rows.get_mut(&claim.user).map(|row| row.renew(claim.fence, until));
        renewed
            .filter(|renewed| *renewed)
            .map(|_| ())
            .ok_or(StoreError::Stale)
    }

    async fn release(&self, claim: Claim) -> Result<()> {
        if let Some(row) = self.rows().get_mut(&claim.user) {
            row.release(claim.fence);
        }
        Ok(())
    }

    async fn release_all(&self, node: &str) -> Result<u64> {
        let mut count = 0;
        for row in self.rows().values_mut() {
            let held = row.lease.is_some();
            row.release_all(number(node));
            count += u64::from(held && row.lease.is_none());
        }
        Ok(count)
    }

    async fn lease(&self, user: ManagedUserId) -> Result<Option<LeaseState>> {
        Ok(self.rows().get(&user).map(|row| LeaseState {
            fence: Fence::from_stored(row.fence),
            until: row.lease.map(|lease| lease.until),
        }))
    }

    async fn load(&self, user: ManagedUserId) -> Result<Option<Ledger>> {
        Ok(self.rows().get(&user).map(Row::load))
    }

    async fn user_by_identity(&self, identity: &UserIdentity) -> Result<Option<ManagedUserId>> {
        let rows = self.rows();
        let found = rows.values().find(|row| row.user.identity == *identity);
        Ok(found.map(|row| row.user.id))
    }

    async fn recall_failed(&self, now: Moment, latest: Moment) -> Result<u64> {
        let mut count = 0;
        for row in self.rows().values_mut() {
            if row.user.failures > 0 && row.user.due_at.is_some_and(|at| at > latest) {
                row.user.due_at = Some(now);
                count += 1;
            }
        }
        Ok(count)
    }

    fn due_hint(&self) -> Arc<Notify> {
        Arc::clone(&self.hint)
    }

    async fn next_due(&self) -> Result<Option<Moment>> {
        Ok(self.rows().values().filter_map(|row| row.user.due_at).min())
    }

    async fn commit(
        &self,
        claim: Claim,
        commit: &Commit,
        _values: Option<&PublishedValues>,
        _run: Option<&RunRecord>,
        _now: Moment,
    ) -> Result<()> {
        let mut rows = self.rows();
        let row = rows.get_mut(&claim.user).ok_or(StoreError::Stale)?;
        match row.admits(claim.fence, commit, Fencing::Kept) {
            Ok(()) => {
                row.make(commit, None);
                Ok(())
            }
            Err(CommitFault::Stale) => Err(StoreError::Stale),
            Err(_) => Err(StoreError::Conflict(Conflict::OpenIntent)),
        }
    }
}
