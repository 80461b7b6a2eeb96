//! The two drivers behind one face: the only place that names sqlx.
//!
//! SQLite: one connection that writes and several that read, in WAL mode, because SQLite has one writer; and a
//! lock on the file, because the revision counts the writes of this process only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Connection, Database, Pool, Postgres, Row, Sqlite, Transaction,
    TypeInfo, ValueRef,
};

use tokio::sync::Notify;

use super::faults;
use super::migrations;
use super::value::{Record, Value};
use crate::error::{Result, StoreError};

/// Reading connections to SQLite. Reads are short; two cores do not use more.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL per node.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a statement of SQLite waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for a free connection before it counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A database.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// The rows of one statement that only reads.
    async fn fetch(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>>;
    /// A transaction that reads one state.
    async fn snapshot(&self) -> Result<Box<dyn Session>>;
    /// A transaction that writes.
    async fn write(&self) -> Result<Box<dyn Session>>;
    /// A transaction that writes without a new revision.
    async fn write_aside(&self) -> Result<Box<dyn Session>>;
    /// How a claim passes over rows that another node is claiming.
    fn skip_locked(&self) -> &'static str;
    /// See [`crate::Store::revision`].
    fn revision(&self) -> Option<u64>;
    /// See [`crate::Webhooks::delivery_hint`].
    fn delivery_hint(&self) -> Arc<Notify>;
}

/// A transaction. Dropped, it is rolled back.
#[async_trait]
pub(crate) trait Session: Send {
    /// Changes rows; how many.
    async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64>;
    /// Reads rows, or changes them and reads what they became.
    async fn fetch(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>>;
    /// Gives the hint that there is something to deliver, once that is durable.
    fn wake_deliverer(&mut self);
    /// Makes the changes durable.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens the database of a URL and brings its schema up to date.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Backend>> {
    if is_postgres(url) {
        return Ok(Arc::new(PostgresBackend::open(url).await?));
    }
    Ok(Arc::new(SqliteBackend::open(sqlite_file(url)?).await?))
}

/// Opens the database of a URL as it is, to be read beside the server.
pub(crate) async fn open_to_read(url: &str) -> Result<Arc<dyn Backend>> {
    if is_postgres(url) {
        return Ok(Arc::new(PostgresBackend::open_to_read(url).await?));
    }
    Ok(Arc::new(SqliteBackend::open_to_read(sqlite_file(url)?).await?))
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The rest is a path as it is: a folder may have any name, with `?` and `%` too.
fn sqlite_file(url: &str) -> Result<&Path> {
    url.strip_prefix("sqlite://").map(Path::new).ok_or_else(|| {
        let wrong = "a database URL begins with sqlite:// or postgres://";
        StoreError::Unavailable(wrong.into())
    })
}

struct SqliteBackend {
    writer: Pool<Sqlite>,
    readers: Pool<Sqlite>,
    revision: Arc<AtomicU64>,
    hint: Arc<Notify>,
    /// Held as long as the database is open to be written.
    _lock: Option<File>,
}

impl SqliteBackend {
    async fn open(file: &Path) -> Result<Self> {
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
        migrations::run_sqlite(&writer).await?;
        let readers = sqlite_pool(SQLITE_READERS).connect_lazy_with(options.read_only(true));
        // It starts at 1, so that nothing that was kept before counts.
        Ok(Self {
            writer,
            readers,
            revision: Arc::new(AtomicU64::new(1)),
            hint: Arc::default(),
            _lock: Some(lock),
        })
    }

    /// Without the lock, since nothing is written: a connection that only reads refuses it.
    async fn open_to_read(file: &Path) -> Result<Self> {
        let readers = sqlite_pool(1)
            .connect_with(sqlite_options(file).read_only(true))
            .await
            .map_err(faults::from_driver)?;
        migrations::require_sqlite(&readers).await?;
        Ok(Self {
            writer: readers.clone(),
            readers,
            revision: Arc::new(AtomicU64::new(1)),
            hint: Arc::default(),
            _lock: None,
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
            hint: Hint::new(&self.hint),
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

struct PostgresBackend {
    pool: Pool<Postgres>,
    hint: Arc<Notify>,
}

impl PostgresBackend {
    async fn open(url: &str) -> Result<Self> {
        let pool = postgres_pool(url).await?;
        migrations::run_postgres(&pool).await?;
        Ok(Self::over(pool))
    }

    async fn open_to_read(url: &str) -> Result<Self> {
        let pool = postgres_pool(url).await?;
        migrations::require_postgres(&pool).await?;
        Ok(Self::over(pool))
    }

    fn over(pool: Pool<Postgres>) -> Self {
        let hint = Arc::default();
        Self { pool, hint }
    }
}

async fn postgres_pool(url: &str) -> Result<Pool<Postgres>> {
    PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect(url)
        .await
        .map_err(faults::from_driver)
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
            hint: Hint::new(&self.hint),
        }))
    }

    async fn write(&self) -> Result<Box<dyn Session>> {
        self.begin_write(Some(Arc::clone(&self.revision))).await
    }

    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        self.begin_write(None).await
    }

    fn skip_locked(&self) -> &'static str {
        ""
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision.load(Ordering::Acquire))
    }

    fn delivery_hint(&self) -> Arc<Notify> {
        Arc::clone(&self.hint)
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    async fn fetch(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let rows = query.fetch_all(&self.pool).await.map_err(faults::from_driver)?;
        rows.iter().map(postgres_record).collect()
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let transaction = self.pool.begin_with(begin).await.map_err(faults::from_driver)?;
        let hint = Hint::new(&self.hint);
        Ok(Box::new(PostgresSession { transaction, hint }))
    }

    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        self.write().await
    }

    async fn write(&self) -> Result<Box<dyn Session>> {
        let transaction = self.pool.begin().await.map_err(faults::from_driver)?;
        let hint = Hint::new(&self.hint);
        Ok(Box::new(PostgresSession { transaction, hint }))
    }

    fn skip_locked(&self) -> &'static str {
        "FOR UPDATE SKIP LOCKED"
    }

    fn revision(&self) -> Option<u64> {
        None
    }

    fn delivery_hint(&self) -> Arc<Notify> {
        Arc::clone(&self.hint)
    }
}

/// The hint that a transaction gives once it is committed, if it left something to deliver.
struct Hint {
    to: Arc<Notify>,
    is_due: bool,
}

impl Hint {
    fn new(to: &Arc<Notify>) -> Self {
        Self {
            to: Arc::clone(to),
            is_due: false,
        }
    }

    fn give(self) {
        if self.is_due {
            self.to.notify_one();
        }
    }
}

struct SqliteSession {
    transaction: Transaction<'static, Sqlite>,
    /// Counted up by a commit; none in a transaction that only reads, or that writes aside.
    revision: Option<Arc<AtomicU64>>,
    hint: Hint,
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

    fn wake_deliverer(&mut self) {
        self.hint.is_due = true;
    }

    /// In a task of its own: a request that is given up while its commit is under way must not keep the
    /// revision from being counted.
    async fn commit(self: Box<Self>) -> Result<()> {
        let Self {
            transaction,
            revision,
            hint,
        } = *self;
        let committing = tokio::spawn(async move {
            let outcome = transaction.commit().await;
            // Also after a failure: whether anything was written is not known then.
            if let Some(revision) = revision {
                revision.fetch_add(1, Ordering::Release);
            }
            hint.give();
            outcome
        });
        let outcome = committing
            .await
            .map_err(|fault| StoreError::Unavailable(fault.into()))?;
        outcome.map_err(faults::from_driver)
    }
}

struct PostgresSession {
    transaction: Transaction<'static, Postgres>,
    hint: Hint,
}

#[async_trait]
impl Session for PostgresSession {
    async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let done = query
            .execute(&mut *self.transaction)
            .await
            .map_err(faults::from_driver)?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let rows = query
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(faults::from_driver)?;
        rows.iter().map(postgres_record).collect()
    }

    fn wake_deliverer(&mut self) {
        self.hint.is_due = true;
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { transaction, hint } = *self;
        let outcome = transaction.commit().await;
        hint.give();
        outcome.map_err(faults::from_driver)
    }
}

/// A type of value that a driver takes.
trait Bound<DB: Database>: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB> {}
impl<DB: Database, T: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>> Bound<DB> for T {}

/// The arguments of a statement. Statements are made of constants only; whatever comes from outside is here.
fn bind<DB: Database>(values: Vec<Value>) -> Result<DB::Arguments>
where
    Option<i64>: Bound<DB>,
    Option<f64>: Bound<DB>,
    Option<bool>: Bound<DB>,
    Option<String>: Bound<DB>,
    Option<Vec<u8>>: Bound<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        };
        added.map_err(StoreError::Database)?;
    }
    Ok(arguments)
}

fn sqlite_record(row: &SqliteRow) -> Result<Record> {
    let column = |index| {
        let raw = row.try_get_raw(index).map_err(faults::from_driver)?;
        let kind = raw.type_info().into_owned();
        match kind.name() {
            "NULL" => Ok(Value::Text(None)),
            "INTEGER" | "BOOLEAN" => row
                .try_get_unchecked(index)
                .map(Value::Int)
                .map_err(faults::from_driver),
            "REAL" => row
                .try_get_unchecked(index)
                .map(Value::Real)
                .map_err(faults::from_driver),
            "TEXT" => row
                .try_get_unchecked(index)
                .map(Value::Text)
                .map_err(faults::from_driver),
            "BLOB" => row
                .try_get_unchecked(index)
                .map(Value::Bytes)
                .map_err(faults::from_driver),
            other => Err(StoreError::corrupt(format!("a column of type {other}"))),
        }
    };
    (0..row.len()).map(column).collect()
}

fn postgres_record(row: &PgRow) -> Result<Record> {
    let column = |index| {
        let raw = row.try_get_raw(index).map_err(faults::from_driver)?;
        let kind = raw.type_info().into_owned();
        match kind.name() {
            "INT8" => row.try_get(index).map(Value::Int).map_err(faults::from_driver),
            "INT4" => {
                let small: Option<i32> = row.try_get(index).map_err(faults::from_driver)?;
                Ok(Value::Int(small.map(i64::from)))
            }
            "FLOAT8" => row.try_get(index).map(Value::Real).map_err(faults::from_driver),
            "BOOL" => row.try_get(index).map(Value::Bool).map_err(faults::from_driver),
            "TEXT" | "VARCHAR" => row.try_get(index).map(Value::Text).map_err(faults::from_driver),
            "BYTEA" => row.try_get(index).map(Value::Bytes).map_err(faults::from_driver),
            other => Err(StoreError::corrupt(format!("a column of type {other}"))),
        }
    };
    (0..row.len()).map(column).collect()
}
