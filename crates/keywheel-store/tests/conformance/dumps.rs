//! Everything that a database holds moves to another one, whatever kind each is of.

use std::collections::{BTreeMap, BTreeSet};

use keywheel_store::dump::{Cell, Rows};
use keywheel_store::webhooks::Afterwards;
use keywheel_store::{Dump, Load, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::everything::{everything, new_version};
use crate::world::{Shared, World, at, secret};

/// The counter of a table is told as a table of one row.
const LAST_NUMBER: &str = "webhook_deliveries_last_number";

async fn filled(url: &str) -> World {
    everything(&keywheel_store::open(url).await.unwrap()).await
}

async fn dump_of(url: &str) -> Vec<Rows> {
    rest_of(keywheel_store::open_to_dump(url, false).await.unwrap()).await
}

async fn rest_of(mut dump: Box<dyn Dump>) -> Vec<Rows> {
    let mut all = Vec::new();
    while let Some(rows) = dump.next().await.unwrap() {
        all.push(rows);
    }
    all
}

/// The rows of each table, each as a text, whatever the order of rows and columns is.
fn tables(dump: &[Rows]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut tables: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for rows in dump {
        for row in &rows.rows {
            let named: BTreeMap<_, _> = rows.columns.iter().zip(row).collect();
            tables
                .entry(&rows.table)
                .or_default()
                .insert(format!("{named:?}"));
        }
    }
    tables
}

async fn begin(url: &str) -> Result<Box<dyn Load>, StoreError> {
    let schema = keywheel_store::schema_of(url).await.unwrap().newest();
    keywheel_store::open_to_load(url, schema).await
}

async fn load(url: &str, dump: &[Rows]) {
    let mut load = begin(url).await.unwrap();
    for rows in dump {
        load.add(rows).await.unwrap();
    }
    load.commit().await.unwrap();
}

pub async fn everything_comes_over_and_stays_as_it_was(from: &str, to: &str) {
    let world = filled(from).await;
    let dump = dump_of(from).await;
    assert!(
        dump.len() > tables(&dump).len(),
        "no table was read in several pages"
    );
    load(to, &dump).await;
    let after = dump_of(to).await;
    assert_eq!(tables(&dump), tables(&after));
    let store = keywheel_store::open(to).await.unwrap();
    assert!(store.project(world.project).await.unwrap().is_some());
    // Nobody holds what was held, and whoever does next is told from who did.
    let due = dump.iter().find(|rows| rows.table == "managed_users").unwrap();
    let at_column = |name: &str| due.columns.iter().position(|column| column == name).unwrap();
    assert_eq!(due.rows[0][at_column("lease_node")], Cell::Null);
    assert!(matches!(due.rows[0][at_column("fence")], Cell::Int(1..)));
}

pub async fn a_database_that_is_not_empty_is_refused_and_stays_as_it_was(from: &str, to: &str) {
    filled(from).await;
    let store = keywheel_store::open(to).await.unwrap();
    store.keep_setting("any", b"value").await.unwrap();
    drop(store);
    let before = dump_of(to).await;
    let refused = begin(to).await.map(|_| ());
    assert!(matches!(refused, Err(StoreError::NotEmpty { .. })), "{refused:?}");
    assert_eq!(before, dump_of(to).await);
}

pub async fn a_load_that_fails_in_the_middle_leaves_nothing(from: &str, to: &str) {
    filled(from).await;
    let dump = dump_of(from).await;
    drop(keywheel_store::open(to).await.unwrap());
    let before = dump_of(to).await;
    let middle = dump.iter().position(|rows| rows.table == "rotations").unwrap();
    let mut odd = dump[middle].clone();
    odd.rows[0][0] = Cell::Real(0.5);
    let mut lacking = dump[middle].clone();
    lacking.columns.pop();
    let mut twice = dump[0].clone();
    twice.rows.truncate(1);
    for bad in [odd, lacking, twice] {
        let mut load = begin(to).await.unwrap();
        for rows in &dump[..middle] {
            load.add(rows).await.unwrap();
        }
        assert!(load.store().organization().await.unwrap().is_some());
        load.add(&bad).await.unwrap_err();
        drop(load);
        assert_eq!(before, dump_of(to).await, "{}", bad.table);
    }
    // A part of it is not all of it: secrets without their rotation, a log without its end.
    for missing in ["rotations", "audit_chain"] {
        let mut load = begin(to).await.unwrap();
        for rows in dump.iter().filter(|rows| rows.table != missing) {
            load.add(rows).await.unwrap();
        }
        load.commit().await.unwrap_err();
        assert_eq!(before, dump_of(to).await, "{missing}");
    }
    load(to, &dump).await;
}

pub async fn a_dump_shows_one_state_whoever_writes_meanwhile(from: &str, to: &str) {
    let store = keywheel_store::open(from).await.unwrap();
    let world = everything(&store).await;
    let before = dump_of(from).await;
    let mut dump = keywheel_store::open_to_dump(from, false).await.unwrap();
    let first = dump.next().await.unwrap().unwrap();
    let mut new = secret(world.root, "LATER", "");
    new.version = new_version("later");
    store.create_secret(&new).await.unwrap();
    assert!(dump.store().secret(new.id).await.unwrap().is_none());
    let mut during = rest_of(dump).await;
    during.insert(0, first);
    // The number of the last delivery stands outside of transactions on PostgreSQL: it may be later, not earlier.
    let but_numbers = |dump: &[Rows]| {
        tables(dump)
            .into_iter()
            .filter(|(name, _)| *name != LAST_NUMBER)
            .count()
    };
    assert_eq!(but_numbers(&before), but_numbers(&during));
    let rows = |dump: &[Rows], table| tables(dump).remove(table).map(|rows| rows.len());
    for table in ["secrets", "secret_versions", "webhook_deliveries"] {
        assert_eq!(rows(&before, table), rows(&during, table), "{table}");
    }
    load(to, &during).await;
}

/// The numbers of all deliveries that wait; they are done then.
async fn numbers(store: &Shared) -> Vec<i64> {
    let mut numbers = Vec::new();
    while let Some(delivery) = store.claim_delivery(at(10_000), at(20_000)).await.unwrap() {
        store
            .end_delivery(&delivery, None, &Afterwards::Over)
            .await
            .unwrap();
        numbers.push(delivery.seq);
    }
    numbers
}

pub async fn numbers_that_were_given_once_are_never_given_again(from: &str, to: &str) {
    let store = keywheel_store::open(from).await.unwrap();
    let world = everything(&store).await;
    let given = numbers(&store).await;
    drop(store);
    load(to, &dump_of(from).await).await;
    let store = keywheel_store::open(to).await.unwrap();
    store
        .create_secret(&secret(world.root, "LATER", "x"))
        .await
        .unwrap();
    let next = numbers(&store).await;
    assert!(next.iter().min() > given.iter().max(), "{next:?} after {given:?}");
}

/// What the database itself says: each table with its columns of bytes.
async fn catalogue(url: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (sqlite, postgres) = (
        "SELECT t.name, CASE c.type WHEN 'BLOB' THEN c.name ELSE '' END FROM sqlite_master t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
        "SELECT table_name::text, CASE data_type WHEN 'bytea' THEN column_name::text ELSE '' END \
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let pairs: Vec<(String, String)> = if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(sqlite))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(postgres))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, column) in pairs.into_iter().filter(|(table, _)| table != "_sqlx_migrations") {
        tables.entry(table).or_default().insert(column);
    }
    for columns in tables.values_mut() {
        columns.remove("");
    }
    tables
}

pub async fn a_dump_has_every_table_of_the_database(url: &str) {
    filled(url).await;
    let dump = dump_of(url).await;
    let dumped: BTreeSet<&str> = dump
        .iter()
        .map(|rows| rows.table.as_str())
        .filter(|name| *name != LAST_NUMBER)
        .collect();
    let catalogue = catalogue(url).await;
    assert_eq!(
        dumped,
        catalogue.keys().map(String::as_str).collect(),
        "a table that sql/tables.rs does not name, or that everything.rs leaves empty"
    );
}

/// Columns of bytes that no root key opens: hashes.
const HASHES: [(&str, &str); 5] = [
    ("audit_chain", "head_hash"),
    ("audit_chain", "start_hash"),
    ("audit_chain", "start_proof"),
    ("audit_records", "hash"),
    ("client_secrets", "hash"),
];

pub async fn every_column_of_bytes_is_known_as_sealed_or_as_a_hash(url: &str) {
    filled(url).await;
    let store = keywheel_store::open_to_read(url).await.unwrap();
    let counts = store.sealed_counts().await.unwrap();
    let sealed = counts.iter().map(|count| (count.table, count.column));
    let known: BTreeSet<(&str, &str)> = sealed.chain(HASHES).collect();
    let catalogue = catalogue(url).await;
    let there = catalogue
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(|column| (table.as_str(), column.as_str())));
    assert_eq!(
        known,
        there.collect(),
        "sql/sealed.rs, or the hashes here, do not name a column"
    );
}
