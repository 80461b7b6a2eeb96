//! When the next call to an AWS account may be sent. AWS throttles IAM per account, so the limit holds for all processes
//! that share a database: they take turns there, as many at once as calls wait here. A process that is alone counts in
//! memory.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use keywheel_core::aws::AwsAccount;
use keywheel_core::clock::Millis;
use keywheel_store::{Pace, StoreError};

use crate::ambient::Clock;

/// A turn that nobody used for this long is over: many old ones at once would be too many calls in one second.
const TURN_AGE_MAX: Millis = Millis::from_secs(1);

/// What is taken at once at least is this part of a second's turns: small enough that no process notices what another
/// one left unused.
const PARTS_OF_A_SECOND: u32 = 20;

/// The pace of calls to each account.
pub(super) struct Pacer {
    per_second: NonZeroU32,
    /// Whether other processes call the same accounts.
    is_shared: bool,
    alone: DefaultKeyedRateLimiter<AwsAccount>,
    lanes: Mutex<BTreeMap<AwsAccount, Arc<Lane>>>,
}

/// The turns of one account that this process has taken and not used.
#[derive(Default)]
struct Lane {
    /// Moments of the monotonic clock, earliest first. Whoever has the lock is the next to get one.
    turns: tokio::sync::Mutex<VecDeque<Millis>>,
    waiting: AtomicU32,
}

/// One that waits, for as long as this value lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pacer {
    /// So many calls a second to each account, and at least one.
    pub(super) fn new(per_second: u32, is_shared: bool) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            per_second,
            is_shared,
            alone: RateLimiter::keyed(Quota::per_second(per_second)),
            lanes: Mutex::default(),
        }
    }

    /// Waits for the account's turn.
    pub(super) async fn turn(
        &self,
        store: &dyn Pace,
        clock: &dyn Clock,
        account: &AwsAccount,
    ) -> Result<(), StoreError> {
        if !self.is_shared {
            self.alone.until_key_ready(account).await;
            return Ok(());
        }
        let at = self.shared_turn(store, clock, account).await?;
        clock.sleep(at - clock.monotonic()).await;
        Ok(())
    }

    async fn shared_turn(
        &self,
        store: &dyn Pace,
        clock: &dyn Clock,
        account: &AwsAccount,
    ) -> Result<Millis, StoreError> {
        let lane = self.lane(account);
        let _waiting = Waiting::new(&lane.waiting);
        let mut turns = lane.turns.lock().await;
        loop {
            let oldest = clock.monotonic() - TURN_AGE_MAX;
            turns.retain(|at| *at >= oldest);
            if let Some(at) = turns.pop_front() {
                return Ok(at);
            }
            // For all that wait here, and of no more than a second: they may give up. Where a second has many, a few more
            // than that: what is not used is lost for others, and each question is a transaction.
            let least = self.per_second.get().div_ceil(PARTS_OF_A_SECOND);
            let count = lane
                .waiting
                .load(Ordering::Acquire)
                .clamp(least, self.per_second.get());
            let take = || store.take_turns(account, count, self.per_second);
            // A connection that broke is replaced. Turns that were taken and not heard of are lost, which only delays.
            let taken = match take().await {
                Err(StoreError::Unavailable(_)) => take().await?,
                taken => taken?,
            };
            // The turns were counted before now, so that each is late rather than early.
            let now = clock.monotonic();
            turns.extend((0..count).map(|nth| now + millis(taken.wait + taken.interval * nth)));
        }
    }

    fn lane(&self, account: &AwsAccount) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(account.clone()).or_default())
    }

    /// Forgets accounts that nobody calls, once the turns that were taken for them are over.
    pub(super) fn forget_idle(&self, now: Millis) {
        self.alone.retain_recent();
        let oldest = now - TURN_AGE_MAX;
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| {
            let turns = lane.turns.try_lock();
            let is_left = |turns: &VecDeque<Millis>| turns.back().is_some_and(|at| *at >= oldest);
            Arc::strong_count(lane) > 1 || turns.is_ok_and(|turns| is_left(&turns))
        });
    }
}

/// Rounded up: a turn is never early.
fn millis(length: std::time::Duration) -> Millis {
    Millis::new(i64::try_from(length.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::time::Duration;

    use async_trait::async_trait;
    use keywheel_core::clock::Moment;
    use keywheel_store::pace::Turns;

    use super::*;

    /// Turns follow each other; notes how many were taken at once, and when somebody slept until.
    #[derive(Default)]
    struct Tape {
        taken: Mutex<Vec<u32>>,
        slept: Mutex<Vec<i64>>,
        now: Mutex<i64>,
    }

    #[async_trait]
    impl Pace for Tape {
        async fn take_turns(
            &self,
            _account: &AwsAccount,
            count: u32,
            per_second: NonZeroU32,
        ) -> Result<Turns, StoreError> {
            // Others get to wait, as while a database answers.
            tokio::task::yield_now().await;
            let mut taken = self.taken.lock().unwrap();
            let before: u32 = taken.iter().sum();
            taken.push(count);
            let interval = Duration::from_secs(1) / per_second.get();
            Ok(Turns {
                wait: interval * before,
                interval,
            })
        }
    }

    impl Clock for Tape {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn monotonic(&self) -> Millis {
            Millis::new(*self.now.lock().unwrap())
        }

        fn sleep(&self, length: Millis) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            self.slept.lock().unwrap().push(length.get());
            Box::pin(std::future::ready(()))
        }
    }

    fn account() -> AwsAccount {
        AwsAccount::from_trusted("111122223333")
    }

    #[tokio::test]
    async fn calls_that_wait_together_take_their_turns_together_and_use_each_once() {
        let (pacer, tape, account) = (Pacer::new(10, true), Tape::default(), account());
        let turn = || pacer.turn(&tape, &tape, &account);
        let all = tokio::join!(turn(), turn(), turn(), turn(), turn());
        assert!([all.0, all.1, all.2, all.3, all.4].iter().all(Result::is_ok));
        assert_eq!(tape.taken.lock().unwrap().iter().sum::<u32>(), 5);
        assert!(tape.taken.lock().unwrap().len() <= 2, "{:?}", tape.taken);
        assert_eq!(*tape.slept.lock().unwrap(), [0, 100, 200, 300, 400]);
    }

    #[tokio::test]
    async fn where_a_second_has_many_turns_some_are_taken_ahead() {
        let (pacer, tape, account) = (Pacer::new(1_000, true), Tape::default(), account());
        for _ in 0..50 {
            pacer.turn(&tape, &tape, &account).await.unwrap();
        }
        assert_eq!(*tape.taken.lock().unwrap(), [50]);
        pacer.turn(&tape, &tape, &account).await.unwrap();
        assert_eq!(*tape.taken.lock().unwrap(), [50, 50]);
    }

    #[tokio::test]
    async fn turns_that_are_left_are_kept_until_they_are_over() {
        let (pacer, tape, account) = (Pacer::new(1_000, true), Tape::default(), account());
        pacer.turn(&tape, &tape, &account).await.unwrap();
        pacer.forget_idle(Millis::new(0));
        pacer.turn(&tape, &tape, &account).await.unwrap();
        assert_eq!(*tape.taken.lock().unwrap(), [50]);
        pacer.forget_idle(Millis::new(5_000));
        assert!(pacer.lanes.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_nobody_used_in_time_is_not_used_later() {
        let (pacer, tape, account) = (Pacer::new(10, true), Tape::default(), account());
        let lane = pacer.lane(&account);
        lane.turns.lock().await.extend([0, 100].map(Millis::new));
        *tape.now.lock().unwrap() = 5_000;
        pacer.turn(&tape, &tape, &account).await.unwrap();
        assert_eq!(*tape.taken.lock().unwrap(), [1]);
    }

    #[tokio::test]
    async fn who_is_alone_asks_nobody() {
        let (pacer, tape) = (Pacer::new(10, false), Tape::default());
        pacer.turn(&tape, &tape, &account()).await.unwrap();
        assert!(tape.taken.lock().unwrap().is_empty());
    }
}
