//! The history of runs.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::Millis;
use keywheel_core::ids::{RotationId, RunId};
use keywheel_core::ledger::Author;
use keywheel_store::StoreError;
use keywheel_store::ledgers::Claim;
use keywheel_store::runs::{RUNS_KEPT, RunEnd, RunRecord, RunStep};

use crate::ledgers::{changes, claimed, terms};
use crate::world::{Shared, at, id, user};

pub fn run(claim: Claim, rotation: RotationId, number: i64) -> RunRecord {
    RunRecord {
        id: RunId::new(at(number), &[0; 10]),
        user: claim.user,
        rotation: Some(rotation),
        fence: claim.fence,
        node: "a".to_owned(),
        goal: "rotate".to_owned(),
        author: Author::Platform,
        started_at: at(number),
        end: None,
        steps: vec![RunStep {
            at: at(number),
            took: Millis::new(5),
            step: "delete".to_owned(),
            key: Some(AccessKeyId::from_trusted("AKIA1")),
            error: Some("Throttling: Rate exceeded".to_owned()),
            times: 2,
        }],
    }
}

pub async fn a_run_reads_back_as_it_stands_and_as_it_ended(store: &Shared) {
    let claim = claimed(store, &user("AIDA1")).await;
    let rotation = id!(RotationId);
    let mut record = run(claim, rotation, 1);
    let nothing = changes(Vec::new());
    store
        .commit(claim, &nothing, None, Some(&record), at(1))
        .await
        .unwrap();
    assert_eq!(store.runs(rotation, None, 9).await.unwrap(), [record.clone()]);
    record.end = Some(RunEnd {
        at: at(7),
        outcome: "failed".to_owned(),
        code: Some("AWS_REFUSED".to_owned()),
        message: Some("no".to_owned()),
    });
    record.steps.clear();
    store.record_run(&record).await.unwrap();
    assert_eq!(store.runs(rotation, None, 9).await.unwrap(), [record]);
}

pub async fn a_refused_commit_leaves_no_history(store: &Shared) {
    let old = claimed(store, &user("AIDA1")).await;
    store
        .claim_user(old.user, terms("b", 60_000))
        .await
        .unwrap()
        .unwrap();
    let rotation = id!(RotationId);
    let nothing = changes(Vec::new());
    let refused = store
        .commit(old, &nothing, None, Some(&run(old, rotation, 1)), at(1))
        .await;
    assert!(matches!(refused, Err(StoreError::Stale)));
    assert_eq!(store.runs(rotation, None, 9).await.unwrap(), []);
}

pub async fn runs_are_read_latest_first_page_by_page_and_the_newest_are_kept(store: &Shared) {
    let claim = claimed(store, &user("AIDA1")).await;
    let (rotation, other) = (id!(RotationId), id!(RotationId));
    let last = i64::from(RUNS_KEPT) + 2;
    for number in 1..=last {
        store.record_run(&run(claim, rotation, number)).await.unwrap();
    }
    let all = store.runs(rotation, None, RUNS_KEPT * 2).await.unwrap();
    let started: Vec<_> = all.iter().map(|run| run.started_at).collect();
    assert_eq!(started, (3..=last).rev().map(at).collect::<Vec<_>>());
    let page = store.runs(rotation, Some(all[1].id), 2).await.unwrap();
    assert_eq!(page, all[2..4]);
    assert_eq!(store.runs(other, None, 9).await.unwrap(), []);
}

pub async fn a_lease_is_shown_while_it_is_held(store: &Shared) {
    let claim = claimed(store, &user("AIDA1")).await;
    let held = store.lease(claim.user).await.unwrap().unwrap();
    assert!(held.fence == claim.fence && held.is_held(at(59_999)) && !held.is_held(at(60_000)));
    store.release(claim).await.unwrap();
    assert!(!store.lease(claim.user).await.unwrap().unwrap().is_held(at(1)));
}

/// A clock that was far ahead when the lease was taken, and has been set back since.
pub async fn a_lease_of_the_far_future_counts_as_over(store: &Shared) {
    let user = user("AIDA1");
    let far = 400 * Millis::DAY.get();
    let ahead = store.reserve_user(&user, terms("a", far)).await.unwrap();
    let keywheel_store::ledgers::Reservation::Claimed(old) = ahead else {
        panic!("not claimed");
    };
    let new = store.claim_user(old.user, terms("b", 0)).await.unwrap().unwrap();
    assert!(new.fence > old.fence);
}
