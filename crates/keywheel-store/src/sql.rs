//! The store over SQL: one text for SQLite and PostgreSQL.
//!
//! Only `adapter` names the drivers. Everything else sees values and records, so that the statements of a
//! noun are written once and read like SQL.
//!
//! | module | what it holds |
//! |---|---|
//! | `adapter` | the two drivers behind one face: pools, transactions |
//! | `value` | what goes into a statement and comes out of it |
//! | `faults` | which rule of the schema an error of a driver means |
//! | `pages` | statements that read a part of a list |
//! | `tables` | every table, for those that go through all of them |
//! | `dump`, `load` | one state of everything, and an empty database that is filled with it |
//! | `within` | a transaction as a database |
//! | `sealed` | every sealed column |
//! | `outbox` | what is to be told to webhooks: a row for each change of secrets |
//! | `notices` | what is told once |
//! | `deliveries` | how webhooks were told |
//! | one per noun | its statements |

mod accounts;
pub(crate) mod adapter;
mod audit;
mod connections;
mod deliveries;
mod dump;
mod environments;
mod faults;
mod folders;
mod identities;
mod imports;
mod ledger_changes;
mod ledgers;
mod load;
mod memberships;
mod migrations;
mod notices;
mod outbox;
mod pace;
mod pages;
mod projects;
mod references;
mod rotation_views;
mod rotations;
mod runs;
mod sealed;
mod secret_versions;
mod secret_writes;
mod secrets;
mod setup;
mod snapshot;
mod tables;
mod tags;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod universal_auth;
pub(crate) mod value;
mod webhooks;
mod within;

use std::sync::Arc;

use adapter::{Backend, Session};
pub(crate) use sealed::sealed_values;
use value::{Reader, Value};

use crate::error::{Result, StoreError};
use crate::{Dump, Load, Schema, Store};

/// The store over a database.
#[derive(Clone)]
pub struct SqlStore {
    backend: Arc<dyn Backend>,
}

impl std::fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqlStore")
    }
}

/// Opens the database that a URL names, and brings its schema up to date.
///
/// `sqlite://FILE` opens a file, which is made if it is missing, and locks it against other processes of
/// Keywheel. Fails with [`crate::StoreError::InUse`], [`crate::StoreError::NewerSchema`] or what the database says.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqlStore::open(url).await?))
}

/// Opens a database that exists, for reading only, also while a server has it. Its schema has to be current.
pub async fn open_to_read(url: &str) -> Result<Arc<dyn Store>> {
    let backend = adapter::open_to_read(url, false).await?;
    migrations::require_newest(backend.as_ref()).await?;
    Ok(Arc::new(SqlStore { backend }))
}

/// Begins to read everything that a database holds at this moment, also one of an older schema. A SQLite file is
/// refused while a server has it, if it has to be `alone`.
pub async fn open_to_dump(url: &str, alone: bool) -> Result<Box<dyn Dump>> {
    dump::open(url, alone).await
}

/// Begins to fill the database of a URL, which has to be empty, with what a dump of this version of the schema gave.
pub async fn open_to_load(url: &str, schema: i64) -> Result<Box<dyn Load>> {
    load::open(url, schema).await
}

/// Whether a URL is one of PostgreSQL, where a database has to be made by its operator.
pub fn is_postgres(url: &str) -> bool {
    adapter::is_postgres(url)
}

/// Where the database of a URL stands. Nothing is written.
pub async fn schema_of(url: &str) -> Result<Schema> {
    let found = async {
        adapter::require_file(url)?;
        migrations::found(adapter::open_to_read(url, false).await?.as_ref()).await
    };
    let found = match found.await {
        Err(StoreError::Missing(_)) => None,
        found => Some(found?),
    };
    let known = migrations::VERSIONS;
    Ok(Schema { found, known })
}

impl Store for SqlStore {
    fn revision(&self) -> Option<u64> {
        self.backend.revision()
    }
}

impl SqlStore {
    async fn open(url: &str) -> Result<Self> {
        let backend = adapter::open(url, migrations::newest()).await?;
        Ok(Self { backend })
    }

    /// All rows of one statement, read outside of a transaction.
    async fn all<T>(
        &self,
        sql: &str,
        args: Vec<Value>,
        read: fn(&mut Reader) -> Result<T>,
    ) -> Result<Vec<T>> {
        let records = self.backend.fetch(sql, args).await?;
        records
            .into_iter()
            .map(|record| read(&mut Reader::new(record)))
            .collect()
    }

    /// The row of one statement that has at most one.
    async fn one<T>(
        &self,
        sql: &str,
        args: Vec<Value>,
        read: fn(&mut Reader) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.all(sql, args, read).await?.into_iter().next())
    }

    /// One changing statement in a transaction of its own; how many rows it touched.
    async fn change(&self, sql: &str, args: Vec<Value>) -> Result<u64> {
        let mut session = self.write().await?;
        let touched = session.execute(sql, args).await?;
        session.commit().await?;
        Ok(touched)
    }

    /// A transaction that writes.
    async fn write(&self) -> Result<Box<dyn Session>> {
        self.backend.write().await
    }

    /// A transaction that writes what nobody keeps a copy of: it does not change the revision.
    async fn write_aside(&self) -> Result<Box<dyn Session>> {
        self.backend.write_aside().await
    }

    /// A transaction that reads one state of everything.
    async fn begin_snapshot(&self) -> Result<Box<dyn Session>> {
        self.backend.snapshot().await
    }
}

/// Locks a row until the end of the transaction, so that nobody changes it between a question and the write that is made
/// from the answer.
async fn lock_row(session: &mut Box<dyn Session>, table: &'static str, id: impl Into<Value>) -> Result<()> {
    let sql = format!("UPDATE {table} SET updated_at = updated_at WHERE id = $1");
    session.execute(&sql, vec![id.into()]).await.map(|_| ())
}

/// The row of a statement within a transaction.
async fn one_in<T>(
    session: &mut Box<dyn Session>,
    sql: &str,
    args: Vec<Value>,
    read: fn(&mut Reader) -> Result<T>,
) -> Result<Option<T>> {
    Ok(all_in(session, sql, args, read).await?.into_iter().next())
}

/// All rows of a statement within a transaction.
async fn all_in<T>(
    session: &mut Box<dyn Session>,
    sql: &str,
    args: Vec<Value>,
    read: fn(&mut Reader) -> Result<T>,
) -> Result<Vec<T>> {
    let records = session.fetch(sql, args).await?;
    records
        .into_iter()
        .map(|record| read(&mut Reader::new(record)))
        .collect()
}
