//! What is true of the SQLite file only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests say what they expect by failing, and are described by their names"
)]

use std::sync::Arc;

use keywheel_store::setup::setting;
use keywheel_store::{Store, StoreError};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/keywheel.db", folder.path().display())
}

async fn refused(folder: &TempDir) -> StoreError {
    keywheel_store::open(&url(folder)).await.map(|_| ()).unwrap_err()
}

/// Drops the last handle, as the end of a process does.
fn close(store: Arc<dyn Store>) {
    assert_eq!(Arc::strong_count(&store), 1);
    drop(store);
}

#[tokio::test]
async fn what_was_written_is_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&url(&folder)).await.unwrap();
    store.ready().await.unwrap();
    store.keep_setting(setting::INSTANCE_ID, b"mine").await.unwrap();
    close(store);
    let store = keywheel_store::open(&url(&folder)).await.unwrap();
    assert_eq!(
        store.setting(setting::INSTANCE_ID).await.unwrap().unwrap(),
        b"mine"
    );
}

#[tokio::test]
async fn a_second_process_is_told_that_the_database_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let first = keywheel_store::open(&url(&folder)).await.unwrap();
    let error = refused(&folder).await;
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("keywheel.db"), "{error}");
    close(first);
    keywheel_store::open(&url(&folder)).await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused_by_number() {
    let folder = tempfile::tempdir().unwrap();
    close(keywheel_store::open(&url(&folder)).await.unwrap());
    let mut raw = sqlx::SqliteConnection::connect(&url(&folder)).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', TRUE, x'00', 0)";
    sqlx::query(AssertSqlSafe(later)).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let error = refused(&folder).await;
    assert!(
        matches!(error, StoreError::NewerSchema { found: 99, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("99"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keywheel.db");
    let words = "These are notes, and not a database. ".repeat(40);
    std::fs::write(&file, &words).unwrap();
    let error = refused(&folder).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), words);
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/nowhere/keywheel.db", folder.path().display());
    let error = keywheel_store::open(&url).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("100%20 sure? #1");
    std::fs::create_dir(&odd).unwrap();
    let file = odd.join("keywheel.db");
    keywheel_store::open(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    assert!(file.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&url(&folder)).await.unwrap();
    store.keep_setting(setting::INSTANCE_ID, b"mine").await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(files.len() >= 3, "database, log and lock: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn the_database_can_be_read_while_another_process_has_it_and_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let missing = keywheel_store::open_to_read(&url(&folder)).await.map(|_| ());
    assert!(matches!(missing, Err(StoreError::Unavailable(_))), "{missing:?}");
    let server = keywheel_store::open(&url(&folder)).await.unwrap();
    server.keep_setting(setting::INSTANCE_ID, b"mine").await.unwrap();
    let reader = keywheel_store::open_to_read(&url(&folder)).await.unwrap();
    let read = reader.setting(setting::INSTANCE_ID).await.unwrap();
    assert_eq!(read.unwrap(), b"mine");
    let refused = reader.keep_setting("other", b"x").await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    close(server);
    assert_eq!(reader.audit_chain().await.unwrap().head.seq, 0);
}
