//! Leases, fences and the record of keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use keywheel_core::aws::{AccessKeyId, AwsAccount, KeyStatus, LastUse};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IntentId, ManagedUserId};
use keywheel_core::intent::{Intent, IntentKind, IntentOutcome};
use keywheel_core::key::{KeyState, ManagedKey, Proof, SealedSecret, Terms};
use keywheel_core::ledger::{Change, Commit, ENDED_KEYS_LOADED, Ledger, ManagedUser, Unfinished};
use keywheel_store::ledgers::{Claim, DueClaim, LeaseTerms, Reservation};
use keywheel_store::{Conflict, Ledgers, StoreError};

use crate::world::{Shared, World, at, conflict, id, user};

/// More than are ever held here.
const MANY: u32 = 99;

pub const fn terms(node: &str, now: i64) -> LeaseTerms<'_> {
    LeaseTerms {
        node,
        now: at(now),
        until: at(now + 60_000),
    }
}

pub fn changes(changes: Vec<Change>) -> Commit {
    Commit {
        changes,
        ..Commit::default()
    }
}

pub fn key(id: &str) -> ManagedKey {
    let secret = SealedSecret::from_bytes(vec![1, 2, 3]);
    ManagedKey::created(AccessKeyId::from_trusted(id), secret, Some(at(4)), at(5))
}

/// A recorded user that is claimed at moment 0.
pub async fn claimed<L: Ledgers + ?Sized>(store: &Arc<L>, user: &ManagedUser) -> Claim {
    match store.reserve_user(user, terms("a", 0)).await.unwrap() {
        Reservation::Claimed(claim) => claim,
        other => panic!("not claimed: {other:?}"),
    }
}

/// A user that nobody holds and that is due at the given moment.
async fn due<L: Ledgers + ?Sized>(store: &Arc<L>, user_id: &str, due_at: Option<Moment>) -> ManagedUserId {
    let user = user(user_id);
    let claim = claimed(store, &user).await;
    let user = ManagedUser { due_at, ..user };
    store
        .commit(claim, &changes(vec![Change::User(user)]), None, None, at(1))
        .await
        .unwrap();
    store.release(claim).await.unwrap();
    claim.user
}

pub fn intent(claim: Claim, kind: IntentKind, opened_at: i64) -> Intent {
    Intent {
        id: id!(IntentId),
        fence: claim.fence,
        kind,
        key: None,
        snapshot: vec![
            AccessKeyId::from_trusted("AKIA0"),
            AccessKeyId::from_trusted("AKIA1"),
        ],
        opened_at: at(opened_at),
        call_deadline: at(opened_at + 10_000),
        outcome: None,
        closed_at: None,
    }
}

async fn ledger<L: Ledgers + ?Sized>(store: &Arc<L>, claim: Claim) -> Ledger {
    store.load(claim.user).await.unwrap().unwrap()
}

pub async fn due_users_are_claimed_once_and_earliest_first<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    assert_eq!(store.next_due().await.unwrap(), None);
    let late = due(store, "AIDA1", Some(at(200))).await;
    let early = due(store, "AIDA2", Some(at(100))).await;
    due(store, "AIDA3", None).await;
    due(store, "AIDA4", Some(at(90_000))).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(100)));
    let claim = |limit| store.claim_due(terms("a", 1_000), at(1_000), limit, &[], MANY);
    let users = |claims: Vec<DueClaim>| claims.iter().map(|due| due.claim.user).collect::<Vec<_>>();
    assert_eq!(users(claim(1).await.unwrap()), [early]);
    assert_eq!(users(claim(9).await.unwrap()), [late]);
    assert_eq!(users(claim(9).await.unwrap()), []);
    assert_eq!(
        store.claim_user(late, terms("b", 2_000)).await.unwrap(),
        None,
        "it is held"
    );
}

/// PostgreSQL plans by what it knows of a table, and of one that was small it knows little.
pub async fn a_claim_takes_no_more_than_its_limit_however_small_the_table_was(store: &Shared) {
    due(store, "AIDA0", Some(at(1))).await;
    store.analyze().await.unwrap();
    for n in 1..30 {
        due(store, &format!("AIDA{n}"), Some(at(n))).await;
    }
    let claims = store.claim_due(terms("a", 1_000), at(1_000), 1, &[], MANY).await;
    assert_eq!(claims.unwrap().len(), 1);
}

pub async fn work_that_is_due_later_than_asked_for_waits(store: &Shared) {
    due(store, "AIDA1", Some(at(500))).await;
    let claim = |due_by| store.claim_due(terms("a", 1_000), due_by, 1, &[], MANY);
    assert_eq!(claim(at(499)).await.unwrap(), []);
    assert_eq!(claim(at(500)).await.unwrap().len(), 1);
}

pub async fn due_users_of_accounts_that_are_passed_over_wait(store: &Shared) {
    let waits = due(store, "AIDA1", Some(at(100))).await;
    let own = store.load(waits).await.unwrap().unwrap().user.identity.account;
    let other = AwsAccount::from_trusted("999999999999");
    let claim = |except: Vec<AwsAccount>| async move {
        store
            .claim_due(terms("a", 1_000), at(1_000), 9, &except, MANY)
            .await
    };
    assert_eq!(claim(vec![other.clone(), own.clone()]).await.unwrap(), []);
    let claimed = claim(vec![other]).await.unwrap();
    assert_eq!((claimed[0].claim.user, &claimed[0].account), (waits, &own));
}

pub async fn an_account_has_so_many_users_held_at_a_time_and_no_more(store: &Shared) {
    for n in 0..6 {
        due(store, &format!("AIDA{n}"), Some(at(n))).await;
    }
    let claims = (0..6).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let node = format!("node-{n}");
            store
                .claim_due(terms(&node, 1_000), at(1_000), 1, &[], 2)
                .await
                .unwrap()
        })
    });
    let mut held = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        held.extend(claim.await.unwrap());
    }
    assert_eq!(held.len(), 2);
    store.release(held[0].claim).await.unwrap();
    assert_eq!(
        store
            .claim_due(terms("c", 1_000), at(1_000), 1, &[], 2)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .claim_due(terms("d", 1_000), at(1_000), 1, &[], 2)
            .await
            .unwrap(),
        []
    );
    let later = store
        .claim_due(terms("d", 61_000), at(61_000), 1, &[], 2)
        .await
        .unwrap();
    assert_eq!(later.len(), 1, "leases that ended count no more");
}

pub async fn parallel_claims_share_the_due_users_without_overlap<L: Ledgers + ?Sized + 'static>(
    store: &Arc<L>,
) {
    let mut all = BTreeSet::new();
    for n in 0..10 {
        all.insert(due(store, &format!("AIDA{n}"), Some(at(n))).await);
    }
    let running: Vec<_> = (0..8)
        .map(|n| {
            let store = store.clone();
            let node = format!("node-{n}");
            tokio::spawn(async move {
                store
                    .claim_due(terms(&node, 1_000), at(1_000), 2, &[], MANY)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut claims = Vec::new();
    for outcome in running {
        claims.extend(outcome.await.unwrap());
    }
    let different: BTreeSet<_> = claims.iter().map(|due| due.claim.user).collect();
    assert_eq!(claims.len(), 10);
    assert_eq!(different, all);
}

pub async fn a_lease_that_ended_can_be_claimed_by_another_with_a_higher_fence<
    L: Ledgers + ?Sized + 'static,
>(
    store: &Arc<L>,
) {
    let user = due(store, "AIDA1", Some(at(10))).await;
    let first = store
        .claim_due(terms("a", 1_000), at(1_000), 1, &[], MANY)
        .await
        .unwrap()[0]
        .claim;
    assert_eq!(
        store
            .claim_due(terms("b", 60_999), at(60_999), 1, &[], MANY)
            .await
            .unwrap(),
        []
    );
    let second = store
        .claim_due(terms("b", 61_000), at(61_000), 1, &[], MANY)
        .await
        .unwrap()[0]
        .claim;
    assert_eq!(second.user, user);
    assert!(second.fence > first.fence);
    assert!(matches!(
        store.renew(first, at(200_000)).await,
        Err(StoreError::Stale)
    ));
    store.renew(second, at(200_000)).await.unwrap();
    assert_eq!(store.claim_user(user, terms("a", 199_999)).await.unwrap(), None);
    assert!(
        store
            .claim_user(user, terms("a", 200_000))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store.claim_user(id!(ManagedUserId), terms("a", 0)).await.unwrap(),
        None
    );
}

pub async fn a_write_with_an_old_fence_changes_nothing<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    let user = user("AIDA1");
    let old = claimed(store, &user).await;
    let new = store
        .claim_user(old.user, terms("b", 60_000))
        .await
        .unwrap()
        .unwrap();
    let write = changes(vec![Change::Key(key("AKIA1"))]);
    assert!(matches!(
        store.commit(old, &write, None, None, at(1)).await,
        Err(StoreError::Stale)
    ));
    assert!(ledger(store, new).await.keys.is_empty());
    store.commit(new, &write, None, None, at(1)).await.unwrap();
    assert_eq!(ledger(store, new).await.keys.len(), 1);
    store.release(new).await.unwrap();
    let after_release = store.commit(new, &write, None, None, at(1)).await;
    assert!(
        matches!(after_release, Err(StoreError::Stale)),
        "a released claim is none"
    );
}

pub async fn a_released_lease_is_free_at_once<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    let first = claimed(store, &user("AIDA1")).await;
    store.release(first).await.unwrap();
    let second = store
        .claim_user(first.user, terms("b", 1))
        .await
        .unwrap()
        .unwrap();
    // A release that comes too late takes nothing from the next holder.
    store.release(first).await.unwrap();
    store.renew(second, at(90_000)).await.unwrap();
    assert_eq!(store.claim_user(first.user, terms("c", 2)).await.unwrap(), None);
}

pub async fn the_leases_of_a_restarted_node_are_void<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    let own = claimed(store, &user("AIDA1")).await;
    let other_user = due(store, "AIDA2", None).await;
    let other = store
        .claim_user(other_user, terms("b", 0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.release_all("a").await.unwrap(), 1);
    let write = changes(vec![Change::Key(key("AKIA1"))]);
    assert!(matches!(
        store.commit(own, &write, None, None, at(1)).await,
        Err(StoreError::Stale)
    ));
    assert!(store.claim_user(own.user, terms("a", 1)).await.unwrap().is_some());
    store.commit(other, &write, None, None, at(1)).await.unwrap();
}

pub async fn a_user_is_recorded_once_by_its_identity<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    let first = user("AIDA1");
    let claim = claimed(store, &first).await;
    let again = user("AIDA1");
    assert_eq!(
        store.reserve_user(&again, terms("b", 1)).await.unwrap(),
        Reservation::Held
    );
    store.release(claim).await.unwrap();
    let second = claimed(store, &again).await;
    assert_eq!(second.user, first.id, "the known id counts");
    assert_eq!(
        store.user_by_identity(&first.identity).await.unwrap(),
        Some(first.id)
    );
    assert_eq!(
        store.user_by_identity(&user("AIDA2").identity).await.unwrap(),
        None
    );
}

pub async fn a_ledger_reads_back_as_it_was_written(store: &Shared) {
    let world = World::new(store).await;
    let mut user = user("AIDA1");
    let claim = claimed(store, &user).await;
    user.connection = Some(world.connection);
    user.settles_at = Some(at(77));
    user.unfinished = Some(Unfinished::Revoke { delete_secrets: true });
    user.failures = 3;
    user.due_at = Some(at(88));
    let mut displaced = key("AKIA1");
    for state in [KeyState::Verified, KeyState::Published, KeyState::Displaced] {
        displaced.become_state(state, at(9)).unwrap();
    }
    displaced.held = Some("somebody reactivated it".to_owned());
    displaced.settles_at = Some(at(10));
    displaced.terms = Some(Terms::Grace {
        until: at(11),
        quarantine: Millis::from_hours(24),
    });
    displaced.last_used = Some(LastUse {
        at: at(8),
        service: "s3".to_owned(),
        region: "eu-central-1".to_owned(),
    });
    displaced.use_checked_at = Some(at(12));
    displaced.use_waits_since = Some(at(13));
    let create = intent(claim, IntentKind::Create, 20);
    let mut suspect = ManagedKey::suspected(
        AccessKeyId::from_trusted("AKIA2"),
        KeyStatus::Inactive,
        None,
        create.id,
        at(6),
    );
    suspect.proof = Some(Proof::CloudTrail);
    let write = changes(vec![
        Change::User(user.clone()),
        Change::Key(displaced.clone()),
        Change::OpenIntent(create.clone()),
        Change::Key(suspect.clone()),
    ]);
    store.commit(claim, &write, None, None, at(1)).await.unwrap();

    let mut expected = Ledger::new(user);
    expected.keys = [displaced, suspect]
        .into_iter()
        .map(|k| (k.id.clone(), k))
        .collect();
    expected.open_intent = Some(create.clone());
    expected.creates = vec![create.clone()];
    assert_eq!(ledger(store, claim).await, expected);

    let close = Change::CloseIntent {
        id: create.id,
        outcome: IntentOutcome::Suspect,
        at: at(30),
    };
    expected.apply(&close);
    store
        .commit(claim, &changes(vec![close]), None, None, at(1))
        .await
        .unwrap();
    assert_eq!(ledger(store, claim).await, expected);
    assert_eq!(store.load(id!(ManagedUserId)).await.unwrap(), None);

    assert!(store.delete_connection(world.connection).await.unwrap());
    assert_eq!(
        ledger(store, claim).await.user.connection,
        None,
        "the record outlives its connection"
    );
}

pub async fn a_user_has_one_open_intent<L: Ledgers + ?Sized + 'static>(store: &Arc<L>) {
    let claim = claimed(store, &user("AIDA1")).await;
    let other = claimed(store, &user("AIDA2")).await;
    let first = changes(vec![Change::OpenIntent(intent(claim, IntentKind::Create, 1))]);
    let second = changes(vec![Change::OpenIntent(intent(claim, IntentKind::Delete, 2))]);
    store.commit(claim, &first, None, None, at(1)).await.unwrap();
    assert_eq!(
        conflict(store.commit(claim, &second, None, None, at(1)).await),
        Conflict::OpenIntent
    );
    // The same again is no second one: the answer to the first may have been lost.
    store.commit(claim, &first, None, None, at(1)).await.unwrap();
    store.commit(other, &second, None, None, at(1)).await.unwrap();
}

pub async fn a_commit_that_fails_in_the_middle_changes_nothing<L: Ledgers + ?Sized + 'static>(
    store: &Arc<L>,
) {
    let claim = claimed(store, &user("AIDA1")).await;
    let open = |kind| Change::OpenIntent(intent(claim, kind, 1));
    let write = changes(vec![
        Change::Key(key("AKIA1")),
        open(IntentKind::Create),
        open(IntentKind::Delete),
    ]);
    let before = ledger(store, claim).await;
    assert_eq!(
        conflict(store.commit(claim, &write, None, None, at(1)).await),
        Conflict::OpenIntent
    );
    assert_eq!(ledger(store, claim).await, before);
}

pub async fn only_the_latest_ended_keys_and_creates_are_loaded(store: &Shared) {
    let claim = claimed(store, &user("AIDA1")).await;
    let many = i64::from(ENDED_KEYS_LOADED) + 5;
    for n in 0..many {
        let mut ended = key(&format!("AKIA{n:04}"));
        ended.become_state(KeyState::Lost, at(n)).unwrap();
        let create = intent(claim, IntentKind::Create, n);
        let close = Change::CloseIntent {
            id: create.id,
            outcome: IntentOutcome::Done,
            at: at(n),
        };
        let write = changes(vec![Change::Key(ended), Change::OpenIntent(create), close]);
        store.commit(claim, &write, None, None, at(n)).await.unwrap();
    }
    store
        .commit(
            claim,
            &changes(vec![Change::Key(key("AKIALIVE"))]),
            None,
            None,
            at(1),
        )
        .await
        .unwrap();
    let loaded = ledger(store, claim).await;
    assert_eq!(loaded.keys.len(), 21);
    assert!(loaded.keys.contains_key(&AccessKeyId::from_trusted("AKIALIVE")));
    assert!(!loaded.keys.contains_key(&AccessKeyId::from_trusted("AKIA0004")));
    assert!(loaded.keys.contains_key(&AccessKeyId::from_trusted("AKIA0005")));
    let opened: Vec<_> = loaded.creates.iter().map(|i| i.opened_at).collect();
    assert_eq!((opened.len(), opened.iter().min()), (20, Some(&at(5))));
}

pub async fn what_failed_under_a_wrong_clock_is_recalled_and_nothing_else<L: Ledgers + ?Sized + 'static>(
    store: &Arc<L>,
) {
    let far = at(400 * Millis::DAY.get());
    let failed = due(store, "AIDA1", Some(far)).await;
    let planned = due(store, "AIDA2", Some(far)).await;
    let claim = store.claim_user(failed, terms("a", 1)).await.unwrap().unwrap();
    let mut user = ledger(store, claim).await.user;
    user.failures = 1;
    store
        .commit(claim, &changes(vec![Change::User(user)]), None, None, at(1))
        .await
        .unwrap();
    store.release(claim).await.unwrap();
    assert_eq!(store.recall_failed(at(5), at(3_600_000)).await.unwrap(), 1);
    assert_eq!(
        store.load(failed).await.unwrap().unwrap().user.due_at,
        Some(at(5))
    );
    assert_eq!(store.load(planned).await.unwrap().unwrap().user.due_at, Some(far));
}
