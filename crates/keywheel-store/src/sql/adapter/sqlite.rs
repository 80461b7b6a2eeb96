//! SQLite: one connection that writes and several that read, in WAL mode, because SQLite has one writer; and a lock on
//! the file, because the revision counts the writes of this process only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Pool, Sqlite, Transaction};

use super::hints::{Given, Hint, Hints};
use super::rows::{bind, sqlite_record};
use super::{ACQUIRE_TIMEOUT, Backend, Dialect, Session};
use keywheel_core::clock::Moment;

use crate::error::{Result, StoreError};
use crate::sql::value::{Record, Value};
use crate::sql::{faults, migrations};

/// Reading connections to SQLite. Reads are short; two cores do not use more.
const READERS: u32 = 4;
/// How long a statement of SQLite waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A database in a file.
pub(super) struct SqliteBackend {
    writer: Pool<Sqlite>,
    readers: Pool<Sqlite>,
    revision: Arc<AtomicU64>,
    hints: Hints,
    /// Held as long as the database is open to be written.
    _lock: Option<File>,
}

impl SqliteBackend {
    /// Opens the file, makes it if it is missing, and brings its schema up to a version.
    pub(super) async fn open(file: &Path, schema: i64) -> Result<Self> {
        let lock = lock(file)?;
        open_for_us(file).map_err(unavailable)?;
        let options = sqlite_options(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = sqlite_pool(1)
            .connect_with(options.clone())
            .await
            .map_err(faults::from_driver)?;
        migrations::run_sqlite(&writer, schema).await?;
        let readers = sqlite_pool(READERS).connect_lazy_with(options.read_only(true));
        // It starts at 1, so that nothing that was kept before counts.
        Ok(Self {
            writer,
            readers,
            revision: Arc::new(AtomicU64::new(1)),
            hints: Hints::default(),
            _lock: Some(lock),
        })
    }

    /// Needs no lock, since nothing is written: a connection that only reads refuses it.
    pub(super) async fn open_to_read(file: &Path, alone: bool) -> Result<Self> {
        let lock = if alone { Some(lock(file)?) } else { None };
        let readers = sqlite_pool(1)
            .connect_with(sqlite_options(file).read_only(true))
            .await
            .map_err(faults::from_driver)?;
        Ok(Self {
            writer: readers.clone(),
            readers,
            revision: Arc::new(AtomicU64::new(1)),
            hints: Hints::default(),
            _lock: lock,
        })
    }
}

impl SqliteBackend {
    async fn begin_write(&self, revision: Option<Arc<AtomicU64>>) -> Result<Box<dyn Session>> {
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        let transaction = begun.map_err(faults::from_driver)?;
        Ok(Box::new(SqliteSession {
            transaction,
            revision,
            given: Given::new(&self.hints),
        }))
    }
}

fn sqlite_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // After some faults, a full disk among them, SQLite rolls back by itself. The driver then
        // still counts a transaction that is none, and such a connection is of no more use.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
}

/// Takes the lock beside the database file.
fn lock(database: &Path) -> Result<File> {
    let mut path = PathBuf::from(database).into_os_string();
    path.push(".lock");
    let file = open_for_us(Path::new(&path)).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse {
            path: database.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(fault)) => Err(unavailable(fault)),
    }
}

/// Opens a file, and makes it if it is missing: for nobody else to read. SQLite gives the files beside the
/// database the mode of the database.
fn open_for_us(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unavailable(fault: std::io::Error) -> StoreError {
    StoreError::Unavailable(fault.into())
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn fetch(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Sqlite>(args)?);
        let rows = query
            .fetch_all(&self.readers)
            .await
            .map_err(faults::from_driver)?;
        rows.iter().map(sqlite_record).collect()
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>> {
        let transaction = self.readers.begin().await.map_err(faults::from_driver)?;
        Ok(Box::new(SqliteSession {
            transaction,
            revision: None,
            given: Given::new(&self.hints),
        }))
    }

    async fn write(&self) -> Result<Box<dyn Session>> {
        self.begin_write(Some(Arc::clone(&self.revision))).await
    }

    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        self.begin_write(None).await
    }

    fn alone(&self) -> Option<&'static str> {
        None
    }

    fn skip_locked(&self, _table: &str) -> String {
        String::new()
    }

    fn now_micros(&self) -> &'static str {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    }

    async fn ready(&self) -> Result<()> {
        self.fetch("SELECT 1", Vec::new()).await.map(|_| ())
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision.load(Ordering::Acquire))
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    async fn shared_time(&self, local: Moment) -> Result<Moment> {
        Ok(local)
    }
}

struct SqliteSession {
    transaction: Transaction<'static, Sqlite>,
    /// Counted up by a commit; none in a transaction that only reads, or that writes aside.
    revision: Option<Arc<AtomicU64>>,
    given: Given,
}

#[async_trait]
impl Session for SqliteSession {
    async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Sqlite>(args)?);
        let done = query
            .execute(&mut *self.transaction)
            .await
            .map_err(faults::from_driver)?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Sqlite>(args)?);
        let rows = query
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(faults::from_driver)?;
        rows.iter().map(sqlite_record).collect()
    }

    async fn without_limits(&mut self) -> Result<()> {
        Ok(())
    }

    fn no_later_than_now(&self, place: &str) -> String {
        place.to_owned()
    }

    fn wake(&mut self, hint: Hint) {
        self.given.note(hint);
    }

    /// In a task of its own: a request that is given up while its commit is under way must not keep the
    /// revision from being counted.
    async fn commit(self: Box<Self>) -> Result<()> {
        let Self {
            transaction,
            revision,
            given,
        } = *self;
        let committing = tokio::spawn(async move {
            let outcome = transaction.commit().await;
            // Also after a failure: whether anything was written is not known then.
            if let Some(revision) = revision {
                revision.fetch_add(1, Ordering::Release);
            }
            given.give();
            outcome
        });
        let outcome = committing
            .await
            .map_err(|fault| StoreError::Unavailable(fault.into()))?;
        outcome.map_err(faults::from_driver)
    }
}
