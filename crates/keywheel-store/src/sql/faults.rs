//! Which rule of the schema an error of a driver means.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::error::{Conflict, StoreError};

/// A rule by the name of its constraint, which PostgreSQL tells, and by its columns, which SQLite tells.
const UNIQUE: &[(&str, &str, Conflict)] = &[
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
    ("accounts_email_key", "accounts.email", Conflict::Bootstrapped),
];

/// SQLite: the disk or the allowed size is full; the file or its folder may not be written.
const SQLITE_FULL_CODES: &[&str] = &["13", "8", "264", "520", "776", "1032", "1288", "778"];
/// PostgreSQL: disk full, and a database that only reads.
const POSTGRES_FULL_CODES: &[&str] = &["53100", "25006"];

/// An error of a driver in the words of the store.
pub(super) fn from_driver(error: sqlx::Error) -> StoreError {
    let Some(fault) = error.as_database_error() else {
        return match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::Unavailable(error.into()),
            other => StoreError::Database(other.into()),
        };
    };
    if let Some(conflict) = conflict(fault) {
        return StoreError::Conflict(conflict);
    }
    match fault.code().as_deref() {
        Some(code) if SQLITE_FULL_CODES.contains(&code) || POSTGRES_FULL_CODES.contains(&code) => {
            StoreError::Full(error.into())
        }
        // SQLite: busy, locked, cannot open, input or output error. PostgreSQL: class 08 and shutdowns.
        Some("5" | "6" | "14" | "10" | "57P01" | "57P02" | "57P03") => StoreError::Unavailable(error.into()),
        Some(code) if code.starts_with("08") => StoreError::Unavailable(error.into()),
        _ => StoreError::Database(error.into()),
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
