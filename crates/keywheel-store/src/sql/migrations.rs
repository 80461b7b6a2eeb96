//! The schema, version by version. The same numbers and names for both databases.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, Pool, Sqlite};

use super::adapter::Backend;
use super::value::{Reader, args};
use super::{faults, tables};
use crate::error::{Result, StoreError};
use crate::schema::SchemaVersion;

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
        11,
        "failed",
        include_str!("../../migrations/sqlite/0011_failed.sql"),
    ),
    (
        12,
        "people",
        include_str!("../../migrations/sqlite/0012_people.sql"),
    ),
    (
        13,
        "rotation views",
        include_str!("../../migrations/sqlite/0013_rotation_views.sql"),
    ),
    (
        14,
        "notices",
        include_str!("../../migrations/sqlite/0014_notices.sql"),
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
        11,
        "failed",
        include_str!("../../migrations/postgres/0011_failed.sql"),
    ),
    (
        12,
        "people",
        include_str!("../../migrations/postgres/0012_people.sql"),
    ),
    (
        13,
        "rotation views",
        include_str!("../../migrations/postgres/0013_rotation_views.sql"),
    ),
    (
        14,
        "notices",
        include_str!("../../migrations/postgres/0014_notices.sql"),
    ),
];

/// The same versions without their text.
pub(super) const VERSIONS: &[SchemaVersion] = &versions::<{ SQLITE.len() }>();

const fn versions<const COUNT: usize>() -> [SchemaVersion; COUNT] {
    let mut versions = [SchemaVersion { number: 0, name: "" }; COUNT];
    let mut at = 0;
    while at < COUNT {
        let (number, name, _) = SQLITE[at];
        versions[at] = SchemaVersion { number, name };
        at += 1;
    }
    versions
}

/// The version that this program needs.
pub(super) fn newest() -> i64 {
    VERSIONS.last().map_or(0, |version| version.number)
}

/// Brings the schema up to a version.
pub(super) async fn run_sqlite(pool: &Pool<Sqlite>, up_to: i64) -> Result<()> {
    let done = migrator(SQLITE, up_to).run(pool).await;
    done.map_err(|fault| refused(fault, up_to))
}

/// The same for PostgreSQL. Of several processes that start at once, one works and the others wait for it: the migrator
/// takes a lock.
pub(super) async fn run_postgres(connection: &mut PgConnection, up_to: i64) -> Result<()> {
    let done = migrator(POSTGRES, up_to).run(connection).await;
    done.map_err(|fault| refused(fault, up_to))
}

/// The version that the database has; 0 if it is empty.
pub(super) async fn found(backend: &dyn Backend) -> Result<i64> {
    if !tables::names(backend).await?.iter().any(|name| name == BOOKS) {
        return Ok(0);
    }
    let sql = format!("SELECT COALESCE(MAX(version), 0) FROM {BOOKS} WHERE success");
    let found = tables::read(backend, &sql, args![], Reader::int).await?;
    Ok(found.first().copied().unwrap_or_default())
}

/// Refuses a database whose schema is not the one of this program. Nothing is changed.
pub(super) async fn require_newest(backend: &dyn Backend) -> Result<()> {
    let (found, known) = (found(backend).await?, newest());
    match found {
        _ if found > known => Err(StoreError::NewerSchema { found, known }),
        _ if found < known => Err(StoreError::Migration(
            "its schema is older than this program; run keywheel migrate up, or start the server, which brings it \
             up to date"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Where the driver keeps which versions a database has.
const BOOKS: &str = "_sqlx_migrations";

fn migrator(list: &'static [(i64, &'static str, &'static str)], up_to: i64) -> Migrator {
    let wanted = list.iter().filter(|(version, ..)| *version <= up_to);
    let migrations = wanted.map(|(version, name, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(*sql);
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn refused(fault: MigrateError, known: i64) -> StoreError {
    match fault {
        MigrateError::VersionMissing(found) => StoreError::NewerSchema { found, known },
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
