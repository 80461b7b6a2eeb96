//! How a call to the store fails. Absence is not a failure: it is an `Option`.

use std::fmt;

/// Where the technical cause of an error is kept: for the log, never for an answer.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A call to the store that did not do what was asked. Nothing was changed, except after a lost answer of
/// the database ([`StoreError::Unavailable`]), where the caller has to look.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of that name or with that key exists already, or rows still hang together.
    #[error("{0}")]
    Conflict(Conflict),
    /// The fence of the write is not the current one: somebody else has claimed the user since.
    #[error("another claim of this user has been made since")]
    Stale,
    /// There is no room for a write, or the database is read-only.
    #[error("the database cannot be written: its disk is full or read-only")]
    Full(#[source] Cause),
    /// The database cannot be reached or did not answer in time.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Cause),
    /// There is no such database.
    #[error("the database does not exist; make it first")]
    Missing(#[source] Cause),
    /// Something is to be loaded, and there is something already.
    #[error("the database is not empty: {why}; give an empty one. Nothing was changed")]
    NotEmpty {
        /// What is there.
        why: String,
    },
    /// Another process has the data folder.
    #[error("the database {path} is in use by another process of Keywheel; stop that one first")]
    InUse {
        /// The database file.
        path: String,
    },
    /// A later version of Keywheel has changed the schema.
    #[error(
        "the database has schema version {found}, and this version of Keywheel knows {known} at most; \
         run the version that wrote it, or a later one"
    )]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The schema could not be brought to the version that this program needs.
    #[error("the database could not be brought to the current schema")]
    Migration(#[source] Cause),
    /// What is stored cannot be read as what it should be.
    #[error("the database holds something that Keywheel did not write: {what}")]
    Corrupt {
        /// Which table or column, and what is wrong with it. Never a stored value.
        what: String,
        /// The cause, if there is one.
        #[source]
        source: Option<Cause>,
    },
    /// Any other fault of the database: a mistake in a statement, for example.
    #[error("the database refused a statement")]
    Database(#[source] Cause),
}

impl StoreError {
    /// Stored data that cannot be read.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.into(),
            source: None,
        }
    }
}

/// Which rule about rows that exist together was hurt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conflict {
    /// The instance has its organization already.
    Bootstrapped,
    /// The e-mail address has an account.
    AccountEmail,
    /// No other account administers the organization.
    LastAdmin,
    /// The organization has a project of that slug.
    ProjectSlug,
    /// The project has an environment of that slug.
    EnvironmentSlug,
    /// The folder has a folder of that name.
    FolderPath,
    /// The folder has a secret of that name.
    SecretName,
    /// The folder imports that folder already.
    Import,
    /// There are as many of them as there may be.
    TooMany,
    /// The project has a tag of that slug.
    TagSlug,
    /// The organization or the project has a connection of that name.
    ConnectionName,
    /// The identity has Universal Auth already.
    UniversalAuth,
    /// The identity is a member of the project already.
    Membership,
    /// The folder has a rotation of that name.
    RotationName,
    /// Another rotation has the IAM user.
    RotationUser,
    /// The user has an open intent.
    OpenIntent,
    /// The project has as many webhooks as it may.
    WebhooksMax,
    /// What a write was made from has been changed since it was read.
    Changed,
    /// Another row still points at this one, or the row that this one points at is gone.
    Reference,
    /// A random id was used before.
    Id,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bootstrapped => "the instance has an organization already",
            Self::AccountEmail => "an account with this e-mail address exists",
            Self::LastAdmin => "no other account administers the organization",
            Self::ProjectSlug => "a project with this slug exists",
            Self::EnvironmentSlug => "an environment with this slug exists",
            Self::FolderPath => "a folder with this path exists",
            Self::SecretName => "a secret with this name exists",
            Self::Import => "the folder is imported already",
            Self::TooMany => "there are as many as there may be",
            Self::TagSlug => "a tag with this slug exists",
            Self::ConnectionName => "a connection with this name exists",
            Self::UniversalAuth => "the identity has universal auth already",
            Self::Membership => "the identity is a member already",
            Self::RotationName => "a rotation with this name exists",
            Self::RotationUser => "another rotation has this IAM user",
            Self::OpenIntent => "the user has an open intent",
            Self::WebhooksMax => "the project has as many webhooks as it may",
            Self::Changed => "it was changed since it was read",
            Self::Reference => "a row that is pointed at is missing or still in use",
            Self::Id => "a row with this id exists",
        })
    }
}

/// What a call to the store ends in.
pub type Result<T> = std::result::Result<T, StoreError>;
