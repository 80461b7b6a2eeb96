//! Everything that a database holds, row by row: what backups are made of, and what moves from one database to
//! another.
//!
//! A [`Dump`] reads one state, whoever writes meanwhile. A [`Load`] fills an empty database in one transaction.
//! Both go table by table in an order in which what is pointed at comes first, and know neither which database
//! they talk to nor what the rows mean.

use async_trait::async_trait;

use crate::Store;
use crate::error::Result;

/// One value. Both databases give the same one: what is true or false is 1 or 0.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number, or 1 for true and 0 for false.
    Int(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
    /// Sealed bytes and hashes.
    Bytes(Vec<u8>),
}

/// Some rows of one table.
#[derive(Clone, PartialEq, Debug)]
pub struct Rows {
    /// The table.
    pub table: String,
    /// What its columns are called.
    pub columns: Vec<String>,
    /// The values, in the order of the columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// One state of a database.
#[async_trait]
pub trait Dump: Send {
    /// The version of its schema.
    fn schema(&self) -> i64;

    /// Answers questions about the same state.
    fn store(&self) -> &dyn Store;

    /// The next rows; none after the last. Leases are left out: they belong to who works with that database.
    async fn next(&mut self) -> Result<Option<Rows>>;
}

/// A database that is being filled. Dropped, it is empty again.
#[async_trait]
pub trait Load: Send {
    /// Answers questions about what is there so far.
    fn store(&self) -> &dyn Store;

    /// Writes rows as a dump gave them, in the order in which it did.
    async fn add(&mut self, rows: &Rows) -> Result<()>;

    /// Counts the rows of every table, and makes them durable. The schema stays what it is until the database is opened.
    async fn commit(self: Box<Self>) -> Result<()>;
}
