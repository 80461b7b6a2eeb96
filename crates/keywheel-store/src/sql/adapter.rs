//! The two drivers behind one face: the only place that names sqlx.
//!
//! | module | what it holds |
//! |---|---|
//! | `sqlite` | a file that one process has |
//! | `postgres` | a server that several processes share |
//! | `hints` | how whoever waits learns that there may be something to do |
//! | `rows` | values in the types of each driver |

mod hints;
mod postgres;
mod rows;
mod sqlite;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keywheel_core::clock::Moment;

pub(crate) use hints::{Hint, Hints};

use self::postgres::PostgresBackend;
use self::sqlite::SqliteBackend;
use super::value::{Record, Value};
use crate::error::{Result, StoreError};

/// How long a call waits for a free connection before it counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose SQL it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

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
    /// What only one transaction of all processes may do at a time: a statement that waits for its turn and keeps it
    /// until the end of the transaction. None where there is one writer anyway.
    fn alone(&self) -> Option<&'static str>;
    /// The end of a query that locks the rows of a table, and passes over those that others have locked.
    fn skip_locked(&self, table: &str) -> String;
    /// The database's time in a statement: microseconds since 1970.
    fn now_micros(&self) -> &'static str;
    /// Whether the database can be read and written.
    async fn ready(&self) -> Result<()>;
    /// Which words it takes, where the two differ.
    fn dialect(&self) -> Dialect;
    /// See [`crate::Store::revision`].
    fn revision(&self) -> Option<u64>;
    /// See [`crate::Ledgers::shared_time`].
    async fn shared_time(&self, local: Moment) -> Result<Moment>;
    /// Whom to tell that there may be something to do.
    fn hints(&self) -> &Hints;
}

/// A transaction. Dropped, it is rolled back.
#[async_trait]
pub(crate) trait Session: Send {
    /// Changes rows; how many.
    async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64>;
    /// Reads rows, or changes them and reads what they became.
    async fn fetch(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>>;
    /// Lets each statement of this transaction take as long as it takes: for work on whole tables.
    async fn without_limits(&mut self) -> Result<()>;
    /// A moment at a place of a statement, or the database's own where nodes share it, if that is earlier: what one node
    /// writes with a clock that is ahead must not wait in the others.
    fn no_later_than_now(&self, place: &str) -> String;
    /// Gives a hint, once the changes are durable.
    fn wake(&mut self, hint: Hint);
    /// Makes the changes durable.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens the database of a URL and brings its schema up to a version.
pub(crate) async fn open(url: &str, schema: i64) -> Result<Arc<dyn Backend>> {
    if is_postgres(url) {
        return Ok(Arc::new(PostgresBackend::open(url, schema).await?));
    }
    Ok(Arc::new(SqliteBackend::open(sqlite_file(url)?, schema).await?))
}

/// Opens the database of a URL as it is, to be read beside the server; or with no server beside.
pub(crate) async fn open_to_read(url: &str, alone: bool) -> Result<Arc<dyn Backend>> {
    if is_postgres(url) {
        return Ok(Arc::new(PostgresBackend::open_to_read(url, alone).await?));
    }
    Ok(Arc::new(
        SqliteBackend::open_to_read(sqlite_file(url)?, alone).await?,
    ))
}

/// Refuses a URL of a SQLite file that is not there.
pub(crate) fn require_file(url: &str) -> Result<()> {
    if is_postgres(url) || sqlite_file(url)?.exists() {
        return Ok(());
    }
    Err(StoreError::Missing("the file does not exist".into()))
}

pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The rest is a path as it is: a folder may have any name, with `?` and `%` too.
fn sqlite_file(url: &str) -> Result<&Path> {
    url.strip_prefix("sqlite://").map(Path::new).ok_or_else(|| {
        let wrong = "a database URL begins with sqlite:// or postgres://";
        StoreError::Unavailable(wrong.into())
    })
}
