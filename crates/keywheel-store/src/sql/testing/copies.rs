//! Databases of any size, for benchmarks: what is there is copied as often as wanted, by the database itself. The copies
//! have ids and names of their own and point at each other as the originals do. Their sealed values cannot be opened,
//! since a value is bound to its id.

use std::fmt::Display;

use keywheel_core::ids::{FolderId, ProjectId, RotationId};

use super::super::value::{Reader, args};
use super::super::{SqlStore, adapter, migrations};
use crate::error::{Result, StoreError};

/// Where an id begins that is no copy: its first eight digits are of the time, and those of a copy its number.
const ORIGINALS_FROM: &str = "01";
const NUMBER_DIGITS: usize = 8;
/// Copies that are written in one transaction.
const AT_ONCE: u32 = 50;

/// A table, the column that tells originals from copies, and the columns in which a copy differs.
type Table = (&'static str, &'static str, &'static [(&'static str, Differs)]);

/// How a copy differs in a column.
#[derive(Clone, Copy)]
enum Differs {
    /// An id of something that is copied along.
    Id,
    /// A name that must be unique.
    Name,
    /// A moment: copies follow each other.
    Moment,
}
use Differs::{Id, Moment, Name};

/// In an order in which what is pointed at comes first. Organizations, identities, connections and the audit log stay
/// as they are.
const TABLES: &[Table] = &[
    ("projects", "id", &[("id", Id), ("slug", Name)]),
    ("memberships", "id", &[("id", Id), ("project_id", Id)]),
    ("environments", "id", &[("id", Id), ("project_id", Id)]),
    (
        "folders",
        "id",
        &[("id", Id), ("environment_id", Id), ("parent_id", Id)],
    ),
    (
        "managed_users",
        "id",
        &[("id", Id), ("user_id", Name), ("due_at", Moment)],
    ),
    (
        "intents",
        "id",
        &[("id", Id), ("user_id", Id), ("access_key_id", Name)],
    ),
    (
        "managed_keys",
        "user_id",
        &[("user_id", Id), ("access_key_id", Name), ("explained_by", Id)],
    ),
    (
        "secrets",
        "id",
        &[("id", Id), ("folder_id", Id), ("rotation_id", Id)],
    ),
    (
        "secret_versions",
        "id",
        &[("id", Id), ("secret_id", Id), ("access_key_id", Name)],
    ),
    (
        "rotations",
        "id",
        &[
            ("id", Id),
            ("folder_id", Id),
            ("user_id", Id),
            ("access_key_id_secret_id", Id),
            ("secret_access_key_secret_id", Id),
            ("slot_0", Name),
            ("slot_1", Name),
        ],
    ),
    ("runs", "id", &[("id", Id), ("user_id", Id), ("rotation_id", Id)]),
];

/// Copies all projects with what is in them, `copies` times. Nobody else may have the database open.
pub async fn copy_projects(url: &str, copies: u32) -> Result<()> {
    let backend = adapter::open(url, migrations::newest()).await?;
    let store = SqlStore { backend };
    let is_postgres = store.backend.revision().is_none();
    let mut statements = Vec::new();
    for table in TABLES {
        statements.push(statement(&store, table, is_postgres).await?);
    }
    let mut first = 1;
    while first <= copies {
        let last = copies.min(first + AT_ONCE - 1);
        let mut session = store.write().await?;
        if is_postgres {
            // What a copy points at is there, and need not be looked up for each of millions of rows.
            session
                .execute("SET LOCAL session_replication_role = replica", args![])
                .await?;
        }
        for sql in &statements {
            session.execute(sql, args![first, last, ORIGINALS_FROM]).await?;
        }
        session.commit().await?;
        first = last + 1;
    }
    if is_postgres {
        // It would do so by itself, some minutes later.
        store.backend.fetch("VACUUM (ANALYZE)", args![]).await?;
    }
    Ok(())
}

/// How large a database is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rows.
    pub rotations: i64,
    /// Rows.
    pub secrets: i64,
    /// All of it on disk, without the log.
    pub bytes: i64,
}

/// How large a database is.
pub async fn size(url: &str) -> Result<Size> {
    let store = to_read(url).await?;
    let bytes = match store.backend.revision() {
        None => "pg_database_size(current_database())",
        Some(_) => "page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    };
    let sql = format!("SELECT (SELECT COUNT(*) FROM rotations), (SELECT COUNT(*) FROM secrets), {bytes}");
    let size = |r: &mut Reader| {
        Ok(Size {
            rotations: r.int()?,
            secrets: r.int()?,
            bytes: r.int()?,
        })
    };
    let found = store.one(&sql, args![], size).await?;
    found.ok_or_else(|| StoreError::corrupt("a database without a size"))
}

/// The rotations that are no copies, each with its project and its folder.
pub async fn originals(url: &str) -> Result<Vec<(ProjectId, RotationId, FolderId)>> {
    let sql = "SELECT e.project_id, r.id, f.id FROM rotations r JOIN folders f ON f.id = r.folder_id \
               JOIN environments e ON e.id = f.environment_id WHERE r.id >= $1 ORDER BY r.id";
    let original = |r: &mut Reader| Ok((r.id()?, r.id()?, r.id()?));
    to_read(url)
        .await?
        .all(sql, args![ORIGINALS_FROM], original)
        .await
}

/// The id of a copy, by that of its original.
pub fn copy_of(original: impl Display, number: u32) -> String {
    format!("{number:08x}{}", &original.to_string()[NUMBER_DIGITS..])
}

async fn to_read(url: &str) -> Result<SqlStore> {
    let backend = adapter::open_to_read(url, false).await?;
    Ok(SqlStore { backend })
}

async fn statement(store: &SqlStore, table: &Table, is_postgres: bool) -> Result<String> {
    let (name, told_by, different) = *table;
    let columns = if is_postgres {
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
    } else {
        "SELECT name FROM pragma_table_info($1)"
    };
    let columns: Vec<String> = store.all(columns, args![name], Reader::text).await?;
    let copied: Vec<String> = columns
        .iter()
        .map(|column| {
            let differs = different.iter().find(|(known, _)| known == column);
            differs.map_or_else(
                || format!("t.{column}"),
                |(_, differs)| expression(*differs, column, is_postgres),
            )
        })
        .collect();
    let numbers = if is_postgres {
        "generate_series($1, $2) AS n(i)"
    } else {
        "(WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) SELECT i FROM n) AS n"
    };
    Ok(format!(
        "INSERT INTO {name} ({}) SELECT {} FROM {numbers} CROSS JOIN {name} t WHERE t.{told_by} >= $3 \
         ORDER BY n.i, t.{told_by}",
        columns.join(", "),
        copied.join(", "),
    ))
}

fn expression(differs: Differs, column: &str, is_postgres: bool) -> String {
    match (differs, is_postgres) {
        (Id, true) => format!("lpad(to_hex(n.i), 8, '0') || substr(t.{column}, 9)"),
        (Id, false) => format!("printf('%08x', n.i) || substr(t.{column}, 9)"),
        (Name, _) => format!("t.{column} || '-' || n.i"),
        (Moment, _) => format!("t.{column} + n.i"),
    }
}
