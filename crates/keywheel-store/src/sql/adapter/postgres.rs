//! PostgreSQL: a pool of connections per process, and bounds for everything that one process may do to the others.
//!
//! A process that is stopped in the middle of a transaction holds its locks; the server ends such a session soon. A
//! network that swallows everything shows as a statement without an answer; its connection is given up, and never waited
//! for again.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Pool, Postgres};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::hints::{Given, Hint, Hints};
use super::rows::{bind, postgres_record};
use super::{ACQUIRE_TIMEOUT, Backend, Dialect, Session};
use crate::error::{Result, StoreError};
use crate::sql::value::{Reader, Record, Value};
use crate::sql::{faults, migrations};

/// Connections per process. Statements are short: more would only wait inside of the server.
const CONNECTIONS: u32 = 16;
/// Prepared statements that each connection keeps: more than there are texts of statements.
const STATEMENTS_KEPT: usize = 512;
/// What every session has. No statement of ours comes near these bounds; who does is stuck, and holds up others: one
/// that waits for a lock, one whose process was stopped or cut off in the middle of a transaction. A commit that was
/// confirmed is on disk, whatever the server's default says: an intent that is lost is a key that nobody knows.
const SESSION_SETTINGS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '8s'; \
    SET idle_in_transaction_session_timeout = '5s'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
/// When an answer is not waited for any longer: after the server would have ended the statement.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that rested longer than this is asked whether it is still there before it is used.
const FRESH: Duration = Duration::from_secs(1);
/// How long it may take to say so, and how long a rollback may take, before the connection is given up.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Rest between two hints to other processes, and after a failure of either side.
const HINT_PAUSE: Duration = Duration::from_millis(100);
const LISTEN_PAUSE: Duration = Duration::from_secs(2);
/// How long nothing is heard before the listener connects anew.
const LISTEN_MAX: Duration = Duration::from_mins(1);
/// Takes the turn of claiming: an arbitrary number, the same in all processes.
const ALONE: &str = "SELECT pg_advisory_xact_lock(4719827331)";
/// What a server's sessions are called, by which others know that there is one; and those of who only reads.
const SERVER: &str = "keywheel";
const READER: &str = "keywheel command";
/// Sessions of servers.
const SERVERS: &str = "SELECT pid FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name = 'keywheel' LIMIT 1";
/// A change of the schema may take its time. One whose process sleeps or was cut off must not keep all others from
/// starting, and one that waits for a long transaction must not keep all others waiting behind it.
const MIGRATION_SETTINGS: &str = "SET lock_timeout = '60s'; SET idle_session_timeout = '60s'; \
    SET idle_in_transaction_session_timeout = '60s'";
/// The parameters of a URL that the driver knows.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// Whether a connection is there.
const THERE: &str = "SELECT 1";
/// Said of a server that only follows another.
const STANDBY: &str = "the database server is a standby, or read-only";
/// A standby answers, and cannot be written.
const WRITABLE: &str =
    "SELECT 1 WHERE NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'";
/// The time of the server, also within a transaction that began earlier.
const NOW_MICROS: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

/// A database that several processes share.
pub(super) struct PostgresBackend {
    pool: Pool<Postgres>,
    hints: Hints,
    /// They end with this value.
    _tasks: JoinSet<()>,
}

impl PostgresBackend {
    /// Connects, brings the schema up to a version, and begins to listen to the other processes.
    pub(super) async fn open(url: &str, schema: i64) -> Result<Self> {
        let options = connect_options(url, SERVER)?;
        let mut connection = PgConnection::connect_with(&options)
            .await
            .map_err(faults::from_driver)?;
        let settings = connection.execute(sqlx::raw_sql(MIGRATION_SETTINGS)).await;
        settings.map_err(faults::from_driver)?;
        migrations::run_postgres(&mut connection, schema).await?;
        // It has done its work, however it ends.
        let _ = connection.close().await;
        let (pool, hints) = (pool(options, WRITABLE), Hints::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(tell_others(pool.clone(), hints.clone()));
        tasks.spawn(hear_others(url.to_owned(), hints.clone()));
        Ok(Self {
            pool,
            hints,
            _tasks: tasks,
        })
    }

    /// The database as it is; if `alone`, only while no server has it.
    pub(super) async fn open_to_read(url: &str, alone: bool) -> Result<Self> {
        let options = connect_options(url, READER)?;
        let name = options.get_database().unwrap_or_default().to_owned();
        // A pool would try again and again, and tell of its own patience instead of the cause.
        let probe = PgConnection::connect_with(&options).await;
        let _ = probe.map_err(faults::from_driver)?.close().await;
        let backend = Self {
            pool: pool(options, THERE),
            hints: Hints::default(),
            _tasks: JoinSet::new(),
        };
        if alone && !backend.fetch(SERVERS, Vec::new()).await?.is_empty() {
            return Err(StoreError::InUse { path: name });
        }
        Ok(backend)
    }

    /// A transaction on a connection that is there: the first may have been cut while nobody used it.
    async fn begin(&self, begin: &'static str) -> Result<Box<dyn Session>> {
        let session = match self.try_begin(begin).await {
            Err(error) if faults::is_connection_lost(&error) => self.try_begin(begin).await,
            other => other,
        };
        Ok(Box::new(session.map_err(faults::from_driver)?))
    }

    async fn try_begin(&self, begin: &'static str) -> sqlx::Result<PostgresSession> {
        let mut session = PostgresSession {
            connection: Some(self.pool.acquire().await?),
            answer_timeout: Some(ANSWER_TIMEOUT),
            is_stuck: false,
            given: Given::new(&self.hints),
        };
        session.run(begin).await?;
        Ok(session)
    }

    async fn try_fetch(&self, sql: &str, args: Vec<Value>) -> Result<sqlx::Result<Vec<Record>>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let mut lent = match self.pool.acquire().await {
            Ok(connection) => Lent(Some(connection)),
            Err(error) => return Ok(Err(error)),
        };
        let answer = timeout(ANSWER_TIMEOUT, query.fetch_all(lent.connection()?)).await;
        let Ok(answer) = answer else {
            return Err(no_answer());
        };
        lent.0 = None;
        match answer {
            Ok(rows) => rows.iter().map(postgres_record).collect::<Result<_>>().map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }
}

fn connect_options(url: &str, program: &str) -> Result<PgConnectOptions> {
    require_known_parameters(url)?;
    let options = PgConnectOptions::from_str(url).map_err(faults::from_driver)?;
    Ok(options
        .application_name(program)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging())
}

/// Refuses a misspelt parameter of a URL: the driver would pass over it, and TLS that was asked for would not be there.
fn require_known_parameters(url: &str) -> Result<()> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let names = parameters.split('&').filter_map(|pair| pair.split('=').next());
    let mut unknown =
        names.filter(|name| !name.is_empty() && !PARAMETERS.contains(name) && !name.starts_with("options["));
    unknown.next().map_or(Ok(()), |name| {
        let text = format!("the database URL has a parameter that is not known: {name}");
        Err(StoreError::Unavailable(text.into()))
    })
}

/// A pool of connections that answer a question with a row.
fn pool(options: PgConnectOptions, question: &'static str) -> Pool<Postgres> {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(SESSION_SETTINGS)).await?;
                match connection.fetch_optional(question).await? {
                    Some(_) => Ok(()),
                    None => Err(sqlx::Error::Io(std::io::Error::other(STANDBY))),
                }
            })
        })
        // Asking each time would double the statements.
        .test_before_acquire(false)
        .before_acquire(move |connection, state| {
            Box::pin(async move {
                let is_fresh = state.idle_for < FRESH;
                Ok(is_fresh
                    || matches!(
                        timeout(CHECK_TIMEOUT, connection.fetch_optional(question)).await,
                        Ok(Ok(Some(_)))
                    ))
            })
        })
        .connect_lazy_with(options)
}

fn no_answer() -> StoreError {
    StoreError::Unavailable("the database did not answer in time".into())
}

/// Tells the other processes of hints that were given here.
async fn tell_others(pool: Pool<Postgres>, hints: Hints) {
    loop {
        for hint in hints.untold().await {
            let notify = sqlx::query("SELECT pg_notify($1, '')").bind(hint.channel());
            if let Ok(Err(error)) = timeout(ANSWER_TIMEOUT, notify.execute(&pool)).await {
                tracing::debug!(%error, "other nodes were not told; they look by themselves");
            }
        }
        tokio::time::sleep(HINT_PAUSE).await;
    }
}

/// Passes on what the other processes tell.
async fn hear_others(url: String, hints: Hints) {
    loop {
        if let Err(error) = listen(&url, &hints).await {
            tracing::debug!(%error, "other nodes are not heard at the moment");
        }
        tokio::time::sleep(LISTEN_PAUSE).await;
        // Something may have been missed.
        for hint in Hint::ALL {
            hints.wake_here(hint);
        }
    }
}

async fn listen(url: &str, hints: &Hints) -> sqlx::Result<()> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen_all(Hint::ALL.map(Hint::channel)).await?;
    // One that hears nothing for long may have been cut off without a word.
    while let Ok(told) = timeout(LISTEN_MAX, listener.try_recv()).await {
        let Some(told) = told? else { break };
        Hint::ALL
            .into_iter()
            .filter(|hint| hint.channel() == told.channel())
            .for_each(|hint| hints.wake_here(hint));
    }
    Ok(())
}

#[async_trait]
impl Backend for PostgresBackend {
    async fn fetch(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let fetched = match self.try_fetch(sql, args.clone()).await? {
            Err(error) if faults::is_connection_lost(&error) => self.try_fetch(sql, args).await?,
            other => other,
        };
        fetched.map_err(faults::from_driver)
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        self.write().await
    }

    async fn write(&self) -> Result<Box<dyn Session>> {
        // Whatever the server's default is: the statements count on seeing what was committed before each of them.
        self.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await
    }

    fn alone(&self) -> Option<&'static str> {
        Some(ALONE)
    }

    fn skip_locked(&self, table: &str) -> String {
        format!("FOR UPDATE OF {table} SKIP LOCKED")
    }

    fn now_micros(&self) -> &'static str {
        NOW_MICROS
    }

    async fn ready(&self) -> Result<()> {
        let rows = self.fetch(WRITABLE, Vec::new()).await?;
        match rows.first() {
            Some(_) => Ok(()),
            None => Err(StoreError::Full(STANDBY.into())),
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn revision(&self) -> Option<u64> {
        None
    }

    async fn shared_time(&self, _local: Moment) -> Result<Moment> {
        let rows = self
            .fetch(&format!("SELECT {NOW_MICROS} / 1000"), Vec::new())
            .await?;
        Reader::new(rows.into_iter().next().unwrap_or_default()).moment()
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }
}

struct PostgresSession {
    /// There until the transaction has ended.
    connection: Option<PoolConnection<Postgres>>,
    /// None: as long as it takes.
    answer_timeout: Option<Duration>,
    /// A statement had no answer: nothing more is asked on this connection.
    is_stuck: bool,
    given: Given,
}

impl PostgresSession {
    fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    async fn run(&mut self, statement: &'static str) -> sqlx::Result<()> {
        let limit = self.answer_timeout;
        let connection = self.connection()?;
        let Some(outcome) = in_time(limit, connection.execute(statement)).await else {
            self.is_stuck = true;
            return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        };
        self.looked_at(outcome).map(|_| ())
    }

    /// A connection to a server that became a standby is of no more use.
    fn looked_at<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        self.is_stuck |= outcome.as_ref().is_err_and(faults::is_standby);
        outcome
    }
}

async fn in_time<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let limit = self.answer_timeout;
        let connection = self.connection().map_err(faults::from_driver)?;
        let Some(outcome) = in_time(limit, query.execute(connection)).await else {
            self.is_stuck = true;
            return Err(no_answer());
        };
        let done = self.looked_at(outcome).map_err(faults::from_driver)?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::<Postgres>(args)?);
        let limit = self.answer_timeout;
        let connection = self.connection().map_err(faults::from_driver)?;
        let Some(outcome) = in_time(limit, query.fetch_all(connection)).await else {
            self.is_stuck = true;
            return Err(no_answer());
        };
        let rows = self.looked_at(outcome).map_err(faults::from_driver)?;
        rows.iter().map(postgres_record).collect()
    }

    async fn without_limits(&mut self) -> Result<()> {
        self.answer_timeout = None;
        let settings = "SET LOCAL statement_timeout = 0";
        self.run(settings).await.map_err(faults::from_driver)?;
        let settings = "SET LOCAL idle_in_transaction_session_timeout = 0";
        self.run(settings).await.map_err(faults::from_driver)
    }

    fn no_later_than_now(&self, place: &str) -> String {
        format!("LEAST({place}, {NOW_MICROS} / 1000)")
    }

    fn wake(&mut self, hint: Hint) {
        self.given.note(hint);
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let outcome = self.run("COMMIT").await;
        if outcome.is_ok() {
            self.connection = None;
        }
        let given = std::mem::replace(&mut self.given, Given::new(&Hints::default()));
        // Also after a failure: whether anything was written is not known then.
        given.give();
        outcome.map_err(faults::from_driver)
    }
}

impl Drop for PostgresSession {
    /// Rolls back at once, so that no lock is held until the connection is used again.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.is_stuck {
            connection.close_on_drop();
        } else {
            give_back(connection, "ROLLBACK");
        }
    }
}

/// A connection that a question is asked on; none once it is answered.
struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    fn connection(&mut self) -> Result<&mut PgConnection> {
        let connection = self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed);
        connection.map_err(faults::from_driver)
    }
}

impl Drop for Lent {
    /// Whoever asked has gone. The pool itself would wait for the answer for ever.
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            give_back(connection, THERE);
        }
    }
}

/// Gives a connection back to its pool, after a last statement that has to be answered soon.
fn give_back(mut connection: PoolConnection<Postgres>, last: &'static str) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        connection.close_on_drop();
        return;
    };
    runtime.spawn(async move {
        if !matches!(timeout(CHECK_TIMEOUT, connection.execute(last)).await, Ok(Ok(_))) {
            connection.close_on_drop();
        }
    });
}
