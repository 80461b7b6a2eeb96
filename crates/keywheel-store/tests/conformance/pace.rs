//! Turns to call AWS.

use std::num::NonZeroU32;
use std::time::Duration;

use keywheel_core::aws::AwsAccount;

use crate::world::Shared;

/// So slow that the time that a test takes is nothing.
const ONE: NonZeroU32 = NonZeroU32::MIN;
const HOUR: u32 = 3_000;

pub async fn turns_of_an_account_follow_each_other_whoever_takes_them(store: &Shared) {
    let account = AwsAccount::from_trusted("111122223333");
    let first = store.take_turns(&account, HOUR, ONE).await.unwrap();
    assert_eq!(
        (first.wait, first.interval),
        (Duration::ZERO, Duration::from_secs(1))
    );
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (store, account) = (store.clone(), account.clone());
            tokio::spawn(async move { store.take_turns(&account, 100, ONE).await.unwrap().wait })
        })
        .collect();
    let mut waits = Vec::new();
    for taker in takers {
        waits.push(taker.await.unwrap().as_secs());
    }
    waits.sort_unstable();
    for (wait, expected) in waits.iter().zip([3_000, 3_100, 3_200, 3_300]) {
        assert!((expected - 60..=expected).contains(wait), "{waits:?}");
    }
    let other = AwsAccount::from_trusted("444455556666");
    let turns = store.take_turns(&other, 1, ONE).await.unwrap();
    assert_eq!(turns.wait, Duration::ZERO, "each account has turns of its own");
}

pub async fn the_turns_of_one_second_may_come_at_once(store: &Shared) {
    let account = AwsAccount::from_trusted("111122223333");
    let ten = NonZeroU32::new(10).unwrap();
    for _ in 0..10 {
        assert_eq!(
            store.take_turns(&account, 1, ten).await.unwrap().wait,
            Duration::ZERO
        );
    }
    let far = store.take_turns(&account, 1_000, ten).await.unwrap();
    assert_eq!(far.interval, Duration::from_millis(100));
    let behind = store.take_turns(&account, 1, ten).await.unwrap().wait;
    assert!((40..=100).contains(&behind.as_secs()), "{behind:?}");
}
