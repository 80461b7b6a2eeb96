//! The schema, version by version. The same numbers and names for both databases.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, Pool, Postgres, Sqlite};

use super::faults;
use crate::error::{Result, StoreError};

const SQLITE: &[(i64, &str, &str)] = &[
    (
        1,
        "initial",
        include_str!("../../migrations/sqlite/0001_initial.sql"),
    ),
    (
        2,
        "owner words",
        include_str!("../../migrations/sqlite/0002_owner_words.sql"),
    ),
    (3, "audit", include_str!("../../migrations/sqlite/0003_audit.sql")),
    (
        4,
        "references",
        include_str!("../../migrations/sqlite/0004_references.sql"),
    ),
    (
        5,
        "imports",
        include_str!("../../migrations/sqlite/0005_imports.sql"),
    ),
    (6, "tags", include_str!("../../migrations/sqlite/0006_tags.sql")),
    (
        7,
        "webhooks",
        include_str!("../../migrations/sqlite/0007_webhooks.sql"),
    ),
    (
        8,
        "version limit",
        include_str!("../../migrations/sqlite/0008_version_limit.sql"),
    ),
    (
        9,
        "collation",
        include_str!("../../migrations/sqlite/0009_collation.sql"),
    ),
    (
        10,
        "cluster",
        include_str!("../../migrations/sqlite/0010_cluster.sql"),
    ),
    (
        12,
        "failed",
        include_str!("../../migrations/sqlite/0012_failed.sql"),
    ),
];
const POSTGRES: &[(i64, &str, &str)] = &[
    (
        1,
        "initial",
        include_str!("../../migrations/postgres/0001_initial.sql"),
    ),
    (
        2,
        "owner words",
        include_str!("../../migrations/postgres/0002_owner_words.sql"),
    ),
    (
        3,
        "audit",
        include_str!("../../migrations/postgres/0003_audit.sql"),
    ),
    (
        4,
        "references",
        include_str!("../../migrations/postgres/0004_references.sql"),
    ),
    (
        5,
        "imports",
        include_str!("../../migrations/postgres/0005_imports.sql"),
    ),
    (6, "tags", include_str!("../../migrations/postgres/0006_tags.sql")),
    (
        7,
        "webhooks",
        include_str!("../../migrations/postgres/0007_webhooks.sql"),
    ),
    (
        8,
        "version limit",
        include_str!("../../migrations/postgres/0008_version_limit.sql"),
    ),
    (
        9,
        "collation",
        include_str!("../../migrations/postgres/0009_collation.sql"),
    ),
    (
        10,
        "cluster",
        include_str!("../../migrations/postgres/0010_cluster.sql"),
    ),
    (
        12,
        "failed",
        include_str!("../../migrations/postgres/0012_failed.sql"),
    ),
];

pub(super) async fn run_sqlite(pool: &Pool<Sqlite>) -> Result<()> {
    migrator(SQLITE)
        .run(pool)
        .await
        .map_err(|fault| refused(fault, SQLITE))
}

/// Of several processes that start at once, one works and the others wait for it: the migrator takes a lock.
pub(super) async fn run_postgres(connection: &mut PgConnection) -> Result<()> {
    migrator(POSTGRES)
        .run(connection)
        .await
        .map_err(|fault| refused(fault, POSTGRES))
}

/// Refuses a database whose schema is not the one of this program. Nothing is changed.
pub(super) async fn require_sqlite(pool: &Pool<Sqlite>) -> Result<()> {
    require(sqlx::query_scalar(NEWEST).fetch_one(pool).await, SQLITE)
}

/// The same for PostgreSQL.
pub(super) async fn require_postgres(pool: &Pool<Postgres>) -> Result<()> {
    require(sqlx::query_scalar(NEWEST).fetch_one(pool).await, POSTGRES)
}

const NEWEST: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";

fn require(newest: sqlx::Result<i64>, known: &[(i64, &str, &str)]) -> Result<()> {
    let found = newest.map_err(faults::from_driver)?;
    let known = known.last().map_or(0, |(version, ..)| *version);
    match found {
        _ if found > known => Err(StoreError::NewerSchema { found, known }),
        _ if found < known => Err(StoreError::Migration(
            "its schema is older than this program; start the server once, which brings it up to date".into(),
        )),
        _ => Ok(()),
    }
}

fn migrator(list: &'static [(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = list.iter().map(|(version, name, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(*sql);
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn refused(fault: MigrateError, known: &[(i64, &str, &str)]) -> StoreError {
    match fault {
        MigrateError::VersionMissing(found) => StoreError::NewerSchema {
            found,
            known: known.last().map_or(0, |(version, ..)| *version),
        },
        MigrateError::Execute(fault) | MigrateError::ExecuteMigration(fault, _) => {
            match faults::from_driver(fault) {
                StoreError::Database(fault) => StoreError::Migration(fault),
                other => other,
            }
        }
        other => StoreError::Migration(other.into()),
    }
}

#[cfg(test)]
mod additions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_versions() {
        let names = |list: &[(i64, &'static str, &str)]| -> Vec<(i64, &'static str)> {
            list.iter().map(|(version, name, _)| (*version, *name)).collect()
        };
        assert_eq!(names(SQLITE), names(POSTGRES));
    }
}
