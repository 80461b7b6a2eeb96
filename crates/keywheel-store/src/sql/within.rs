//! A transaction as a database: whatever is asked is asked of the state that it sees.

use std::sync::Arc;

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use tokio::sync::Mutex;

use super::SqlStore;
use super::adapter::{Backend, Dialect, Hints, Session};
use super::value::{Record, Value};
use crate::error::{Result, StoreError};

/// One transaction. Dropped, it is rolled back.
pub(super) struct Within {
    session: Mutex<Option<Box<dyn Session>>>,
    /// Open as long as the transaction is.
    database: Arc<dyn Backend>,
}

impl Within {
    /// What a transaction of a database sees.
    pub(super) fn new(session: Box<dyn Session>, database: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self {
            session: Mutex::new(Some(session)),
            database,
        })
    }

    /// A store that answers from there.
    pub(super) fn store(self: &Arc<Self>) -> SqlStore {
        SqlStore {
            backend: Arc::clone(self) as _,
        }
    }

    pub(super) async fn execute(&self, sql: &str, args: Vec<Value>) -> Result<u64> {
        match self.session.lock().await.as_mut() {
            Some(session) => session.execute(sql, args).await,
            None => Err(over()),
        }
    }

    /// Makes the changes durable. Nothing can be asked afterwards.
    pub(super) async fn commit(&self) -> Result<()> {
        match self.session.lock().await.take() {
            Some(session) => session.commit().await,
            None => Err(over()),
        }
    }
}

fn over() -> StoreError {
    StoreError::Database("the transaction is over".into())
}

fn alone() -> StoreError {
    StoreError::Database("a transaction has no other one inside of it".into())
}

#[async_trait]
impl Backend for Within {
    async fn fetch(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Record>> {
        match self.session.lock().await.as_mut() {
            Some(session) => session.fetch(sql, args).await,
            None => Err(over()),
        }
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>> {
        Err(alone())
    }

    async fn write(&self) -> Result<Box<dyn Session>> {
        Err(alone())
    }

    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        Err(alone())
    }

    fn alone(&self) -> Option<&'static str> {
        self.database.alone()
    }

    fn skip_locked(&self, table: &str) -> String {
        self.database.skip_locked(table)
    }

    fn now_micros(&self) -> &'static str {
        self.database.now_micros()
    }

    async fn ready(&self) -> Result<()> {
        self.fetch("SELECT 1", Vec::new()).await.map(|_| ())
    }

    fn dialect(&self) -> Dialect {
        self.database.dialect()
    }

    fn revision(&self) -> Option<u64> {
        None
    }

    async fn shared_time(&self, local: Moment) -> Result<Moment> {
        self.database.shared_time(local).await
    }

    fn hints(&self) -> &Hints {
        self.database.hints()
    }
}
