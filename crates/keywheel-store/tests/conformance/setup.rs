//! The instance.

use keywheel_core::ids::TokenId;
use keywheel_store::Conflict;
use keywheel_store::setup::{Bootstrap, setting};

use crate::world::{Shared, bootstrap, conflict, id};

pub async fn the_bootstrap_happens_once(store: &Shared) {
    assert_eq!(store.organization().await.unwrap(), None);
    let first = bootstrap();
    store.bootstrap(&first).await.unwrap();
    assert_eq!(
        conflict(store.bootstrap(&bootstrap()).await),
        Conflict::Bootstrapped
    );

    assert_eq!(store.organization().await.unwrap(), Some(first.organization));
    let account = store.account_by_email("admin@example.com").await.unwrap();
    assert_eq!(account, Some(first.account));
    let machine = first.machine.unwrap();
    let caller = store.caller(machine.token.id).await.unwrap().unwrap();
    assert_eq!(caller.identity, machine.identity);
    assert_eq!(caller.session, None);
    assert_eq!(caller.token.expires_at, None);
    assert_eq!(caller.trusted_ips, []);
}

pub async fn of_parallel_bootstraps_one_wins_and_nothing_of_the_others_stays(store: &Shared) {
    let attempts: Vec<Bootstrap> = (0..8).map(|_| bootstrap()).collect();
    let running: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            let (store, attempt) = (store.clone(), attempt.clone());
            tokio::spawn(async move { store.bootstrap(&attempt).await })
        })
        .collect();
    let mut winners = Vec::new();
    for (attempt, outcome) in attempts.iter().zip(running) {
        match outcome.await.unwrap() {
            Ok(()) => winners.push(attempt),
            refused => assert_eq!(conflict(refused), Conflict::Bootstrapped),
        }
    }
    assert_eq!(winners.len(), 1);
    for attempt in &attempts {
        let there = store.identity(attempt.person.id).await.unwrap().is_some();
        assert_eq!(there, attempt.person.id == winners[0].person.id);
    }
}

pub async fn a_setting_that_was_kept_once_is_never_replaced(store: &Shared) {
    assert_eq!(store.setting(setting::ROOT_KEY_CHECK).await.unwrap(), None);
    let keep = |value: &'static [u8]| store.keep_setting(setting::ROOT_KEY_CHECK, value);
    assert_eq!(keep(b"first").await.unwrap(), b"first");
    assert_eq!(keep(b"second").await.unwrap(), b"first");
    assert_eq!(
        store.setting(setting::ROOT_KEY_CHECK).await.unwrap().unwrap(),
        b"first"
    );
}

pub async fn a_setting_that_is_replaced_has_its_last_value(store: &Shared) {
    for value in [b"first", b"other"] {
        store
            .replace_setting(setting::RETIREMENT_DEFAULT, value)
            .await
            .unwrap();
        let kept = store.setting(setting::RETIREMENT_DEFAULT).await.unwrap();
        assert_eq!(kept.as_deref(), Some(&value[..]));
    }
}

pub async fn the_revision_changes_with_each_write_and_with_no_read(store: &Shared) {
    let Some(start) = store.revision() else { return };
    store.organization().await.unwrap();
    store.caller(id!(TokenId)).await.unwrap();
    assert_eq!(store.revision(), Some(start));
    store.bootstrap(&bootstrap()).await.unwrap();
    let after_bootstrap = store.revision().unwrap();
    assert!(after_bootstrap > start);
    store.keep_setting(setting::INSTANCE_ID, b"x").await.unwrap();
    assert!(store.revision().unwrap() > after_bootstrap);
}
