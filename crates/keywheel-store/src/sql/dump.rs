//! Reads one state of a database, page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;

use super::adapter::{self, Backend, Dialect};
use super::tables::{self, Column, LAST_NUMBER, NUMBERED, Table};
use super::value::{Reader, Record, Value, args};
use super::within::Within;
use super::{SqlStore, migrations};
use crate::Store;
use crate::dump::{Cell, Dump, Rows};
use crate::error::{Result, StoreError};

/// What a page should weigh: large enough that its statement costs little, small enough for any memory.
const PAGE_BYTES: usize = 1 << 20;
/// Rows of the first page of a table, of which nothing is known yet.
const FIRST_ROWS: usize = 64;
/// Most rows of a page, however small they are: their values all go into one statement again.
const ROWS_MAX: usize = 500;

struct SqlDump {
    within: Arc<Within>,
    store: SqlStore,
    schema: i64,
    /// Still to be begun.
    tables: VecDeque<&'static Table>,
    /// Begun.
    table: Option<Begun>,
    is_over: bool,
}

/// A table that is being read.
struct Begun {
    table: &'static Table,
    columns: Vec<Column>,
    /// The key of the last row that was read.
    after: Option<Vec<Value>>,
    rows: usize,
}

/// Begins to read the database of a URL.
pub(super) async fn open(url: &str, alone: bool) -> Result<Box<dyn Dump>> {
    let backend = adapter::open_to_read(url, alone).await?;
    let mut session = backend.snapshot().await?;
    session.without_limits().await?;
    let within = Within::new(session, backend);
    // The first question is what fixes the state that all others are answered from.
    let schema = migrations::found(within.as_ref()).await?;
    if schema > migrations::newest() {
        return Err(StoreError::NewerSchema {
            found: schema,
            known: migrations::newest(),
        });
    }
    Ok(Box::new(SqlDump {
        store: within.store(),
        tables: tables::present(within.as_ref()).await?.into(),
        within,
        schema,
        table: None,
        is_over: false,
    }))
}

#[async_trait]
impl Dump for SqlDump {
    fn schema(&self) -> i64 {
        self.schema
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn next(&mut self) -> Result<Option<Rows>> {
        loop {
            if let Some(begun) = &mut self.table {
                let rows = begun.page(&self.within).await?;
                if !rows.is_empty() {
                    return Ok(Some(rows));
                }
                self.table = None;
            }
            if let Some(table) = self.tables.pop_front() {
                self.table = Some(Begun::new(&self.within, table).await?);
            } else if self.is_over {
                return Ok(None);
            } else {
                self.is_over = true;
                return last_number(&self.within).await;
            }
        }
    }
}

impl Begun {
    async fn new(within: &Within, table: &'static Table) -> Result<Self> {
        Ok(Self {
            table,
            columns: tables::columns(within, table.name).await?,
            after: None,
            rows: FIRST_ROWS,
        })
    }

    async fn page(&mut self, within: &Within) -> Result<Rows> {
        let Table { name, key, .. } = self.table;
        let columns: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut args = self.after.clone().unwrap_or_default();
        let behind = match args.len() {
            0 => String::new(),
            count => format!(
                "WHERE {} > {}",
                tables::tuple(key),
                tables::tuple_of_places(1, count)
            ),
        };
        let sql = format!(
            "SELECT {} FROM {name} {behind} ORDER BY {} LIMIT ${}",
            columns.join(", "),
            key.join(", "),
            args.len() + 1
        );
        args.push(Value::Int(i64::try_from(self.rows).ok()));
        let records = within.fetch(&sql, args).await?;
        if let Some(last) = records.last() {
            self.after = Some(self.key_of(last));
        }
        let rows: Vec<Vec<Cell>> = records.into_iter().map(|record| self.cells(record)).collect();
        self.learn(&rows);
        Ok(Rows {
            table: (*name).to_owned(),
            columns,
            rows,
        })
    }

    fn key_of(&self, record: &Record) -> Vec<Value> {
        let value = |key: &&str| {
            let place = self.columns.iter().position(|column| column.name == **key);
            place.and_then(|place| record.get(place)).cloned()
        };
        self.table.key.iter().filter_map(value).collect()
    }

    fn cells(&self, record: Record) -> Vec<Cell> {
        let cell = |(column, value): (&Column, Value)| {
            if self.table.leases.contains(&column.name.as_str()) {
                Cell::Null
            } else {
                Cell::from(value)
            }
        };
        self.columns.iter().zip(record).map(cell).collect()
    }

    /// How many rows the next page has, by what the rows of this one weigh.
    fn learn(&mut self, rows: &[Vec<Cell>]) {
        let bytes: usize = rows.iter().flatten().map(Cell::bytes).sum();
        let fitting = rows.len() * PAGE_BYTES / bytes.max(1);
        // Twice as many at most: the next ones may weigh more.
        self.rows = fitting.clamp(1, ROWS_MAX.min(2 * self.rows));
    }
}

/// The last number that a row of the counting table had, of rows that are gone too. The counter of PostgreSQL stands
/// outside of transactions, so it may be later than the rows: never earlier, which is what counts.
async fn last_number(within: &Within) -> Result<Option<Rows>> {
    let sql = match within.dialect() {
        _ if !tables::names(within).await?.iter().any(|name| name == NUMBERED) => return Ok(None),
        Dialect::Sqlite => {
            "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'webhook_deliveries'"
        }
        Dialect::Postgres => {
            "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM webhook_deliveries_seq_seq"
        }
    };
    let numbers = tables::read(within, sql, args![], Reader::int).await?;
    Ok(Some(Rows {
        table: LAST_NUMBER.to_owned(),
        columns: vec!["seq".to_owned()],
        rows: numbers
            .into_iter()
            .map(|number| vec![Cell::Int(number)])
            .collect(),
    }))
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Int(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        let cell = match value {
            Value::Int(value) => value.map(Self::Int),
            Value::Real(value) => value.map(Self::Real),
            Value::Bool(value) => value.map(|flag| Self::Int(flag.into())),
            Value::Text(value) => value.map(Self::Text),
            Value::Bytes(value) => value.map(Self::Bytes),
        };
        cell.unwrap_or(Self::Null)
    }
}
