//! Every table, as dumps go through them; and the database's own word on tables and columns.

use super::adapter::{Backend, Dialect};
use super::value::{Reader, Value, args};
use crate::error::{Result, StoreError};

/// A table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Columns that no two rows have the same values in, by which it is read.
    pub(super) key: &'static [&'static str],
    /// Columns that mean nothing in another database.
    pub(super) leases: &'static [&'static str],
}

const fn table(name: &'static str) -> Table {
    keyed(name, &["id"])
}

const fn keyed(name: &'static str, key: &'static [&'static str]) -> Table {
    Table {
        name,
        key,
        leases: &[],
    }
}

/// What is pointed at comes first. Secrets and rotations point at each other, and those of secrets are checked at
/// the end of a transaction; a folder comes after the one that it is in, which has the shorter path.
pub(super) const TABLES: &[Table] = &[
    keyed("instance_settings", &["name"]),
    table("organizations"),
    table("identities"),
    table("accounts"),
    table("universal_auths"),
    table("client_secrets"),
    table("tokens"),
    table("sessions"),
    table("projects"),
    table("memberships"),
    table("environments"),
    keyed("folders", &["environment_id", "path"]),
    table("connections"),
    Table {
        leases: &["lease_node", "lease_until"],
        ..table("managed_users")
    },
    table("intents"),
    keyed("managed_keys", &["user_id", "access_key_id"]),
    table("secrets"),
    table("secret_versions"),
    table("rotations"),
    table("runs"),
    table("tags"),
    keyed("secret_tags", &["secret_id", "tag_id"]),
    table("secret_imports"),
    table("webhooks"),
    Table {
        leases: &["lease_until"],
        ..keyed("webhook_deliveries", &["seq"])
    },
    table("deliveries"),
    keyed("notices", &["event", "subject"]),
    table(AUDIT_CHAIN),
    keyed("audit_records", &["seq"]),
    keyed("aws_pace", &["account"]),
];

/// The table whose one row a migration makes.
pub(super) const AUDIT_CHAIN: &str = "audit_chain";
/// The table that counts its rows itself, and never uses a number again.
pub(super) const NUMBERED: &str = "webhook_deliveries";
/// How the last number of that table is called in a dump: a table with one row.
pub(super) const LAST_NUMBER: &str = "webhook_deliveries_last_number";

/// Of which type a column is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Int,
    Real,
    Bool,
    Text,
    Bytes,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// The tables that the database has, whoever made them.
pub(super) async fn names(backend: &dyn Backend) -> Result<Vec<String>> {
    let sql = match backend.dialect() {
        Dialect::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        Dialect::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
    };
    read(backend, sql, args![], Reader::text).await
}

/// Those of our tables that the database has: all of them, unless its schema is older.
pub(super) async fn present(backend: &dyn Backend) -> Result<Vec<&'static Table>> {
    let names = names(backend).await?;
    let is_there = |table: &&Table| names.iter().any(|name| name == table.name);
    Ok(TABLES.iter().filter(is_there).collect())
}

/// The columns of a table.
pub(super) async fn columns(backend: &dyn Backend, table: &str) -> Result<Vec<Column>> {
    let sql = match backend.dialect() {
        Dialect::Sqlite => "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
        Dialect::Postgres => {
            "SELECT column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
        }
    };
    read(backend, sql, args![table], column).await
}

fn column(r: &mut Reader) -> Result<Column> {
    let name = r.text()?;
    let kind = r.word(|word| match word {
        "INTEGER" | "bigint" => Some(Kind::Int),
        "REAL" | "double precision" => Some(Kind::Real),
        "boolean" => Some(Kind::Bool),
        "TEXT" | "text" => Some(Kind::Text),
        "BLOB" | "bytea" => Some(Kind::Bytes),
        _ => None,
    });
    let kind = kind.map_err(|_| StoreError::corrupt(format!("the column {name} of an unknown type")))?;
    Ok(Column { name, kind })
}

/// All rows of a statement.
pub(super) async fn read<T>(
    backend: &dyn Backend,
    sql: &str,
    args: Vec<Value>,
    read: fn(&mut Reader) -> Result<T>,
) -> Result<Vec<T>> {
    let records = backend.fetch(sql, args).await?;
    records
        .into_iter()
        .map(|record| read(&mut Reader::new(record)))
        .collect()
}

/// `column` or `(one, other)`: what rows are compared by. Behind `>` or `<=` stand the places of as many values.
pub(super) fn tuple<T: AsRef<str>>(parts: &[T]) -> String {
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("({})", several.join(", ")),
    }
}

/// The places of a statement from one number on: `$3`, or `($3, $4)`.
pub(super) fn tuple_of_places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count)
        .map(|number| format!("${number}"))
        .collect();
    tuple(&places)
}
