//! Fills an empty database with what a dump gave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::adapter::{self, Backend, Dialect};
use super::tables::{self, AUDIT_CHAIN, Column, Kind, LAST_NUMBER, NUMBERED};
use super::value::{Reader, Value, args};
use super::within::Within;
use super::{SqlStore, migrations};
use crate::Store;
use crate::dump::{Cell, Load, Rows};
use crate::error::{Result, StoreError};

/// Values of one statement: SQLite takes 32,766 (its "limits", number 9), PostgreSQL 65,535.
const VALUES_MAX: usize = 32_766;

struct SqlLoad {
    within: Arc<Within>,
    store: SqlStore,
    tables: BTreeMap<&'static str, Vec<Column>>,
    added: BTreeMap<&'static str, u64>,
}

/// Brings an empty database to a version of the schema, and begins to fill it.
pub(super) async fn open(url: &str, schema: i64) -> Result<Box<dyn Load>> {
    let newest = migrations::newest();
    if schema > newest {
        return Err(StoreError::NewerSchema {
            found: schema,
            known: newest,
        });
    }
    let backend = match adapter::open(url, schema).await {
        Err(StoreError::NewerSchema { found, .. }) if found <= newest => {
            return Err(not_empty(&format!(
                "it has schema version {found}, and what is to be loaded has {schema}"
            )));
        }
        opened => opened?,
    };
    let dialect = backend.dialect();
    let mut session = backend.write().await?;
    session.without_limits().await?;
    let within = Within::new(session, backend);
    if dialect == Dialect::Postgres {
        // A server that starts now waits at its first write, and finds what was loaded.
        let alone = "LOCK TABLE instance_settings IN EXCLUSIVE MODE";
        within.execute(alone, args![]).await?;
    }
    let tables = empty_tables(&within).await?;
    if tables.contains_key(AUDIT_CHAIN) {
        within.execute("DELETE FROM audit_chain", args![]).await?;
    }
    Ok(Box::new(SqlLoad {
        store: within.store(),
        within,
        tables,
        added: BTreeMap::new(),
    }))
}

/// The tables with their columns. Refuses if any has a row, but for the one that a migration made.
async fn empty_tables(within: &Within) -> Result<BTreeMap<&'static str, Vec<Column>>> {
    let mut empty = BTreeMap::new();
    for table in tables::present(within).await? {
        let untouched = if table.name == AUDIT_CHAIN {
            "WHERE head_seq <> 0"
        } else {
            ""
        };
        let sql = format!("SELECT 1 FROM {} {untouched} LIMIT 1", table.name);
        if !within.fetch(&sql, args![]).await?.is_empty() {
            return Err(not_empty(&format!("its table {} has rows", table.name)));
        }
        empty.insert(table.name, tables::columns(within, table.name).await?);
    }
    Ok(empty)
}

fn not_empty(why: &str) -> StoreError {
    StoreError::NotEmpty { why: why.to_owned() }
}

#[async_trait]
impl Load for SqlLoad {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn add(&mut self, rows: &Rows) -> Result<()> {
        if rows.table == LAST_NUMBER {
            return self.go_on_after(rows).await;
        }
        let known = self.tables.get_key_value(rows.table.as_str());
        let (name, columns) = known.ok_or_else(|| unfit(&rows.table))?;
        let kinds = kinds(columns, rows)?;
        let head = match self.within.dialect() {
            Dialect::Sqlite => format!("INSERT INTO {name} ({})", rows.columns.join(", ")),
            // Numbers that the database would give by itself are given too.
            Dialect::Postgres => {
                format!(
                    "INSERT INTO {name} ({}) OVERRIDING SYSTEM VALUE",
                    rows.columns.join(", ")
                )
            }
        };
        for part in rows.rows.chunks((VALUES_MAX / kinds.len().max(1)).max(1)) {
            let places = (0..part.len()).map(|row| tuple_of_row(self.within.dialect(), row, kinds.len()));
            let sql = format!("{head} VALUES {}", places.collect::<Vec<_>>().join(", "));
            let mut args = Vec::with_capacity(part.len() * kinds.len());
            for row in part {
                if row.len() != kinds.len() {
                    return Err(unfit(name));
                }
                for (cell, kind) in row.iter().zip(&kinds) {
                    args.push(value(cell, *kind).ok_or_else(|| unfit(name))?);
                }
            }
            self.within.execute(&sql, args).await?;
        }
        *self.added.entry(name).or_default() += rows.len();
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        for name in self.tables.keys() {
            let sql = format!("SELECT COUNT(*) FROM {name}");
            let counted = tables::read(self.within.as_ref(), &sql, args![], Reader::int).await?;
            let added = self.added.get(name).copied().unwrap_or_default();
            if counted.first().map(|count| u64::try_from(*count)) != Some(Ok(added)) {
                return Err(StoreError::corrupt(format!(
                    "{name}: not the rows that were loaded"
                )));
            }
        }
        if self.tables.contains_key(AUDIT_CHAIN) && self.added.get(AUDIT_CHAIN) != Some(&1) {
            return Err(StoreError::corrupt("no end of the audit log's chain"));
        }
        self.within.commit().await
    }
}

impl SqlLoad {
    /// Numbers are given from this one on.
    async fn go_on_after(&self, rows: &Rows) -> Result<()> {
        let [row] = rows.rows.as_slice() else {
            return Err(unfit(LAST_NUMBER));
        };
        let [Cell::Int(last)] = row.as_slice() else {
            return Err(unfit(LAST_NUMBER));
        };
        if *last == 0 {
            return Ok(());
        }
        match self.within.dialect() {
            Dialect::Sqlite => {
                let forget = "DELETE FROM sqlite_sequence WHERE name = $1";
                self.within.execute(forget, args![NUMBERED]).await?;
                let set = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
                self.within.execute(set, args![NUMBERED, *last]).await?;
            }
            Dialect::Postgres => {
                // Unlike `setval`, it goes with the transaction.
                let set = format!(
                    "ALTER SEQUENCE webhook_deliveries_seq_seq RESTART WITH {}",
                    last.saturating_add(1)
                );
                self.within.execute(&set, args![]).await?;
            }
        }
        Ok(())
    }
}

/// The types of the columns, which have to be the columns that the table has.
fn kinds(columns: &[Column], rows: &Rows) -> Result<Vec<Kind>> {
    let given: BTreeSet<&String> = rows.columns.iter().collect();
    let there = columns.iter().map(|column| &column.name).collect();
    if given != there || given.len() != rows.columns.len() {
        return Err(unfit(&rows.table));
    }
    let kind = |name: &String| {
        columns
            .iter()
            .find(|column| column.name == *name)
            .map(|column| column.kind)
    };
    Ok(rows.columns.iter().filter_map(kind).collect())
}

/// The places of a row's values. SQLite looks a numbered one up in a list of all of them, each time, so that of
/// thousands most of the time would go there; it numbers bare ones itself.
fn tuple_of_row(dialect: Dialect, row: usize, columns: usize) -> String {
    let place = |number| match dialect {
        Dialect::Sqlite => "?".to_owned(),
        Dialect::Postgres => format!("${number}"),
    };
    let places: Vec<String> = (row * columns + 1..=(row + 1) * columns).map(place).collect();
    format!("({})", places.join(", "))
}

/// A value as a column takes it.
fn value(cell: &Cell, kind: Kind) -> Option<Value> {
    Some(match (kind, cell) {
        (Kind::Int, Cell::Null) => Value::Int(None),
        (Kind::Real, Cell::Null) => Value::Real(None),
        (Kind::Bool, Cell::Null) => Value::Bool(None),
        (Kind::Text, Cell::Null) => Value::Text(None),
        (Kind::Bytes, Cell::Null) => Value::Bytes(None),
        (Kind::Int, Cell::Int(number)) => Value::from(*number),
        (Kind::Bool, Cell::Int(flag @ (0 | 1))) => Value::from(*flag == 1),
        (Kind::Real, Cell::Real(number)) => Value::from(*number),
        (Kind::Text, Cell::Text(text)) => Value::from(text),
        (Kind::Bytes, Cell::Bytes(bytes)) => Value::from(bytes),
        _ => return None,
    })
}

fn unfit(table: &str) -> StoreError {
    StoreError::corrupt(format!("rows for {table} that do not fit its columns"))
}
