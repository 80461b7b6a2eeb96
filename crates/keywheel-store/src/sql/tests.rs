//! What only the inside of the store can try: a full disk, plans of statements, a commit that nobody waits for.

use std::task::Poll;

use keywheel_core::clock::Moment;
use keywheel_core::ids::{AuditEntryId, RotationId};
use tempfile::TempDir;

use super::value::{Reader, args};
use super::{SqlStore, audit, folders, ledgers, notices, outbox, pages, rotations, secrets};
use crate::audit::{AuditFilter, AuditPart, NewAuditRecord};
use crate::{AuditLog, Page, Setup, Store, StoreError};

async fn store(folder: &TempDir) -> SqlStore {
    let url = format!("sqlite://{}/keywheel.db", folder.path().display());
    SqlStore::open(&url).await.unwrap()
}

/// How SQLite would go about a statement, line by line.
async fn plan(store: &SqlStore, sql: &str) -> String {
    let detail = |r: &mut Reader| {
        for _ in 0..3 {
            r.int()?;
        }
        r.text()
    };
    let values = args![0_i64, 0_i64, 0_i64, 0_i64, 0_i64, "", 0_i64, 0_i64];
    let lines = store
        .all(&format!("EXPLAIN QUERY PLAN {sql}"), values, detail)
        .await
        .unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn the_claim_reads_what_is_due_by_its_index_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&store(&folder).await, &ledgers::claim_due_sql("")).await;
    assert!(plan.contains("INDEX managed_users_due (due_at<?)"), "{plan}");
    // What was found is looked through, and no table is.
    assert!(!plan.replace("SCAN due", "").contains("SCAN"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE FOR ORDER"), "{plan}");
}

#[tokio::test]
async fn what_failed_is_recalled_without_a_look_at_what_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&store(&folder).await, ledgers::RECALL_FAILED).await;
    assert!(plan.contains("INDEX managed_users_failed (due_at>?)"), "{plan}");
}

#[tokio::test]
async fn what_is_to_be_told_is_claimed_by_indexes_only() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&store(&folder).await, &outbox::next_sql("")).await;
    assert!(plan.contains("INDEX webhook_deliveries_due (due_at<?)"), "{plan}");
    assert!(plan.contains("INDEX webhook_deliveries_leased"), "{plan}");
    assert!(
        !plan.contains("SCAN") && !plan.contains("TEMP B-TREE FOR ORDER"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_secret_is_read_by_indexes_only() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&store(&folder).await, &secrets::secret_at_sql()).await;
    assert!(!plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
}

#[tokio::test]
async fn a_page_is_read_by_the_index_of_its_order_and_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let page = Page {
        size: Some(9),
        after: Some(String::new()),
    };
    let (below, in_folder) = (folders::below_sql(), secrets::in_folder_sql());
    for (select, order, fixed, index) in [
        (
            &below,
            folders::ORDER,
            args!["", ""],
            "(environment_id=? AND path>? AND path<?)",
        ),
        (&in_folder, secrets::ORDER, args![""], "(folder_id=? AND name>?)"),
    ] {
        let sql = pages::statement(select, order, &mut fixed.clone(), &page);
        let plan = plan(&store, &sql).await;
        assert!(plan.contains(index) && !plan.contains("SCAN"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER"), "{plan}");
    }
}

#[tokio::test]
async fn a_page_of_rotations_looks_at_those_of_its_project_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let page = Page {
        size: Some(9),
        after: Some((
            String::new(),
            "00000000-0000-0000-0000-000000000000"
                .parse::<RotationId>()
                .unwrap(),
        )),
    };
    let sql = rotations::in_project_sql(&mut args![""], &page);
    let plan = plan(&store, &sql).await;
    assert!(!plan.contains("SCAN"), "{plan}");
}

#[tokio::test]
async fn rotations_that_are_overdue_are_found_by_their_dates() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&store(&folder).await, &notices::overdue_sql()).await;
    assert!(plan.contains("rotations_by_next_attempt"), "{plan}");
    assert!(!plan.contains("SCAN"), "{plan}");
}

#[tokio::test]
async fn a_full_disk_refuses_the_write_and_the_store_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    // Never less than what is used already: nothing more fits.
    let mut session = store.write().await.unwrap();
    session.fetch("PRAGMA max_page_count = 1", args![]).await.unwrap();
    session.commit().await.unwrap();
    let large = vec![0_u8; 1_000_000];
    let refused = store.keep_setting("large", &large).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(store.setting("large").await.unwrap(), None);
    // The next write gets another connection, which has no limit: there is room again.
    assert_eq!(store.keep_setting("large", &large).await.unwrap(), large);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_waits_for_still_counts_the_revision() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let before = store.revision().unwrap();
    let mut session = store.write().await.unwrap();
    let insert = "INSERT INTO instance_settings (name, value) VALUES ($1, $2)";
    session
        .execute(insert, args!["name", "value".as_bytes()])
        .await
        .unwrap();
    // Polled once, then dropped: as when a client hangs up.
    let mut commit = session.commit();
    std::future::poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_ready())).await;
    drop(commit);
    // The next write waits for the only writing connection, that is, for the end of that commit.
    store.write().await.unwrap();
    assert_eq!(
        store.setting("name").await.unwrap().as_deref(),
        Some("value".as_bytes())
    );
    // Its task counts right after that; a task is given its turn long before this ends.
    let mut turns = 0;
    while store.revision().unwrap() == before && turns < 1_000_000 {
        turns += 1;
        tokio::task::yield_now().await;
    }
    assert!(store.revision().unwrap() > before);
}

#[tokio::test]
async fn a_reading_connection_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let insert = "INSERT INTO instance_settings (name, value) VALUES ('a', x'00') RETURNING name";
    let refused = store.all(insert, args![], Reader::text).await;
    assert!(
        matches!(refused, Err(StoreError::Full(_))),
        "read-only: {refused:?}"
    );
}

/// The plan of an audit filter.
async fn audit_plan(change: impl FnOnce(&mut AuditFilter)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut filter = AuditFilter::of_time(Moment::from_millis(0), Moment::from_millis(1), 20);
    change(&mut filter);
    plan(&store(&folder).await, &audit::entries_sql(&filter).0).await
}

#[tokio::test]
async fn the_usual_filters_of_the_audit_log_read_an_index_from_its_end() {
    let text = || Some("x".to_owned());
    for (index, plan) in [
        ("audit_records_by_time", audit_plan(|_| {}).await),
        (
            "audit_records_by_project",
            audit_plan(|f| f.project = "00000000-0000-0000-0000-000000000000".parse().ok()).await,
        ),
        ("audit_records_by_actor", audit_plan(|f| f.actor = text()).await),
        (
            "audit_records_by_event",
            audit_plan(|f| f.events = vec!["x".to_owned()]).await,
        ),
    ] {
        assert!(plan.contains(index) && !plan.contains("SCAN"), "{index}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{index}: {plan}");
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_an_audit_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let record = NewAuditRecord {
        entry: AuditEntryId::new(Moment::from_millis(1), &[1; 10]),
        part: AuditPart::Whole,
        at: Moment::from_millis(1),
        body: "{}".to_owned(),
        marks: None,
    };
    store.append_audit(&[record], &|_, _, _| [1; 32]).await.unwrap();
    for sql in ["UPDATE audit_records SET body = 'x'", "DELETE FROM audit_records"] {
        let refused = store.change(sql, args![]).await;
        assert!(
            matches!(refused, Err(StoreError::Database(_))),
            "{sql}: {refused:?}"
        );
    }
    assert_eq!(store.audit_records(0, 9, 9).await.unwrap().len(), 1);
}
