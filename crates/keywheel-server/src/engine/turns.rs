//! How many runs of the schedule are under way for each AWS account. The bound is per account, as AWS's own limits
//! are: a busy account delays no other (liveness rule L4).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keywheel_core::aws::AwsAccount;
use tokio::sync::Notify;

/// Who has a turn.
pub(super) struct Turns {
    per_account: usize,
    taken: Mutex<BTreeMap<AwsAccount, usize>>,
    freed: Notify,
}

impl Turns {
    /// None is taken; each account has as many, and at least one.
    pub(super) fn new(per_account: u32) -> Arc<Self> {
        Arc::new(Self {
            per_account: usize::try_from(per_account).unwrap_or(usize::MAX).max(1),
            taken: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// The accounts that have no turn left.
    pub(super) fn full(&self) -> Vec<AwsAccount> {
        let taken = self.taken();
        let full = taken.iter().filter(|(_, count)| **count >= self.per_account);
        full.map(|(account, _)| account.clone()).collect()
    }

    /// Waits for a turn.
    pub(super) async fn wait(self: &Arc<Self>, account: &AwsAccount) -> Turn {
        loop {
            let freed = self.freed.notified();
            if !self.full().contains(account) {
                return self.take(account.clone());
            }
            freed.await;
        }
    }

    /// Takes a turn; it ends when the value is dropped.
    pub(super) fn take(self: &Arc<Self>, account: AwsAccount) -> Turn {
        *self.taken().entry(account.clone()).or_default() += 1;
        Turn {
            turns: Arc::clone(self),
            account,
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<AwsAccount, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of one run.
pub(super) struct Turn {
    turns: Arc<Turns>,
    account: AwsAccount,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        let left = taken
            .get(&self.account)
            .map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.account);
        } else {
            taken.insert(self.account.clone(), left);
        }
        drop(taken);
        self.turns.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_full_until_one_of_its_turns_ends_and_no_other_account_is() {
        let turns = Turns::new(2);
        let [busy, quiet] = ["111122223333", "444455556666"].map(AwsAccount::from_trusted);
        let first = turns.take(busy.clone());
        assert_eq!(turns.full(), []);
        let _second = turns.take(busy.clone());
        let _other = turns.take(quiet);
        assert_eq!(turns.full(), [busy]);
        drop(first);
        assert_eq!(turns.full(), []);
    }

    #[tokio::test]
    async fn who_asks_for_a_turn_of_a_full_account_gets_the_next_one() {
        let turns = Turns::new(1);
        let account = AwsAccount::from_trusted("111122223333");
        let first = turns.take(account.clone());
        let (second, ()) = tokio::join!(turns.wait(&account), async { drop(first) });
        assert_eq!(turns.full(), [account]);
        drop(second);
    }
}
