//! Which rule of the schema an error of a driver means.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteError;

use crate::error::{Conflict, StoreError};

/// A rule by the name of its constraint, which PostgreSQL tells, and by its columns, which SQLite tells.
const UNIQUE: &[(&str, &str, Conflict)] = &[
    ("accounts_email_key", "accounts.email", Conflict::AccountEmail),
    (
        "projects_slug_key",
        "projects.organization_id, projects.slug",
        Conflict::ProjectSlug,
    ),
    (
        "environments_slug_key",
        "environments.project_id, environments.slug",
        Conflict::EnvironmentSlug,
    ),
    (
        "folders_path_key",
        "folders.environment_id, folders.path",
        Conflict::FolderPath,
    ),
    (
        "secrets_name_key",
        "secrets.folder_id, secrets.name",
        Conflict::SecretName,
    ),
    ("tags_slug_key", "tags.project_id, tags.slug", Conflict::TagSlug),
    (
        "secret_imports_key",
        "secret_imports.folder_id, secret_imports.target_folder_id",
        Conflict::Import,
    ),
    (
        "connections_name_key",
        "index 'connections_name_key'",
        Conflict::ConnectionName,
    ),
    (
        "universal_auths_identity_id_key",
        "universal_auths.identity_id",
        Conflict::UniversalAuth,
    ),
    (
        "memberships_key",
        "memberships.project_id, memberships.identity_id",
        Conflict::Membership,
    ),
    (
        "rotations_name_key",
        "rotations.folder_id, rotations.name",
        Conflict::RotationName,
    ),
    ("rotations_user_key", "rotations.user_id", Conflict::RotationUser),
    ("intents_open_key", "intents.user_id", Conflict::OpenIntent),
    (
        "instance_settings_pkey",
        "instance_settings.name",
        Conflict::Bootstrapped,
    ),
];

/// What is wrong with the database itself, as far as the caller's next step depends on it.
enum Trouble {
    Full,
    Missing,
    Unavailable,
    Corrupt,
}

/// An error of a driver in the words of the store.
pub(super) fn from_driver(error: sqlx::Error) -> StoreError {
    let Some(fault) = error.as_database_error() else {
        return match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::Unavailable(error.into()),
            other => StoreError::Database(other.into()),
        };
    };
    if let Some(conflict) = conflict(fault) {
        return StoreError::Conflict(conflict);
    }
    match trouble(fault) {
        Some(Trouble::Full) => StoreError::Full(error.into()),
        Some(Trouble::Missing) => StoreError::Missing(error.into()),
        Some(Trouble::Unavailable) => StoreError::Unavailable(error.into()),
        Some(Trouble::Corrupt) => StoreError::Corrupt {
            what: "the database file is damaged or is none".to_owned(),
            source: Some(error.into()),
        },
        None => StoreError::Database(error.into()),
    }
}

fn trouble(fault: &dyn DatabaseError) -> Option<Trouble> {
    let code = fault.code()?;
    if fault.try_downcast_ref::<SqliteError>().is_none() {
        return postgres_trouble(&code);
    }
    // The low byte is the primary code, the rest says more of it (SQLite: result codes).
    match code.parse::<u32>().ok()? & 0xff {
        // SQLITE_FULL, SQLITE_READONLY.
        13 | 8 => Some(Trouble::Full),
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN.
        5 | 6 | 10 | 14 => Some(Trouble::Unavailable),
        // SQLITE_CORRUPT, SQLITE_NOTADB.
        11 | 26 => Some(Trouble::Corrupt),
        _ => None,
    }
}

/// Whether the connection is gone, so that another one may do better. What was sent on it may have had an effect.
pub(super) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(fault) => fault.kind() != std::io::ErrorKind::TimedOut,
        // The server ended the session: an operator's doing, a crash, or it was idle within a transaction.
        sqlx::Error::Database(fault) => fault
            .code()
            .is_some_and(|state| matches!(state.as_ref(), "57P01" | "57P02" | "25P03" | "08003" | "08006")),
        _ => false,
    }
}

/// Whether the server only reads: it is a standby, perhaps since a moment ago.
pub(super) fn is_standby(error: &sqlx::Error) -> bool {
    let state = error.as_database_error().and_then(DatabaseError::code);
    state.is_some_and(|state| state == "25006")
}

/// SQLSTATE (PostgreSQL: appendix A, error codes).
fn postgres_trouble(state: &str) -> Option<Trouble> {
    match (state, state.get(..2)?) {
        // The disk is full; the transaction only reads.
        ("53100" | "25006", _) => Some(Trouble::Full),
        // There is no database of that name.
        ("3D000", _) => Some(Trouble::Missing),
        // A session that was idle within a transaction for too long; a broken connection, a login that is refused, no
        // resources, a lock that was not to be had in time or no connections allowed, the operator's doing; a deadlock or
        // a failed serialization.
        ("25P03", _) | (_, "08" | "28" | "53" | "55" | "57" | "40") => Some(Trouble::Unavailable),
        // Data or an index is corrupted.
        ("XX001" | "XX002", _) => Some(Trouble::Corrupt),
        _ => None,
    }
}

fn conflict(fault: &dyn DatabaseError) -> Option<Conflict> {
    match fault.kind() {
        ErrorKind::ForeignKeyViolation => Some(Conflict::Reference),
        ErrorKind::UniqueViolation => {
            let rule = UNIQUE.iter().find(|(name, columns, _)| {
                fault.constraint() == Some(name) || fault.message().ends_with(&format!("failed: {columns}"))
            });
            Some(rule.map_or(Conflict::Id, |(_, _, conflict)| *conflict))
        }
        _ => None,
    }
}
