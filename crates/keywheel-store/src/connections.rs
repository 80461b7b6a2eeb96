//! App connections: credentials for a system outside.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ConnectionId, OrganizationId, ProjectId};
use keywheel_core::names::{Slug, Title};

use crate::error::Result;
use crate::pages::{Keyed, Page, Part};
use crate::patch::Patch;

/// How a connection proves who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionMethod {
    /// A long-lived access key.
    AccessKey,
    /// A role that is assumed with the server's own credentials.
    AssumeRole,
}

impl ConnectionMethod {
    /// The word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessKey => "access-key",
            Self::AssumeRole => "assume-role",
        }
    }

    /// Reads the word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AccessKey, Self::AssumeRole]
            .into_iter()
            .find(|m| m.as_str() == name)
    }
}

/// Credentials as they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionCredentials {
    /// The sealed credentials; bound to the connection's id.
    pub sealed: Vec<u8>,
    /// Changes with each write of the credentials, and only then; hexadecimal.
    pub hash: String,
    /// The part that is not secret, as a JSON object: the access key id, or the role's name.
    pub config: String,
}

impl std::fmt::Debug for ConnectionCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionCredentials")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The project of a connection that belongs to one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionProject {
    /// The project.
    pub id: ProjectId,
    /// Its name.
    pub name: Title,
    /// Its slug.
    pub slug: Slug,
}

/// A connection. All connections are to AWS so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The connection.
    pub id: ConnectionId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The only project that may use it; none for all.
    pub project: Option<ConnectionProject>,
    /// Unique in its project, or among those of the whole organization.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// How it proves who it is; fixed.
    pub method: ConnectionMethod,
    /// The credentials.
    pub credentials: ConnectionCredentials,
    /// Grows with each change; the first is 1.
    pub version: i64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// A connection to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewConnection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The only project that may use it.
    pub project: Option<ProjectId>,
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// How it proves who it is.
    pub method: ConnectionMethod,
    /// The credentials.
    pub credentials: ConnectionCredentials,
    /// When it is made.
    pub now: Moment,
}

/// What an update of a connection changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectionUpdate {
    /// A new name.
    pub name: Option<Slug>,
    /// A new description.
    pub description: Patch<Option<String>>,
    /// New credentials.
    pub credentials: Option<ConnectionCredentials>,
}

/// How much a connection is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionUses {
    /// Rotations that work through it.
    pub rotations: u32,
    /// Projects that hold these.
    pub projects: u32,
}

/// Which connections are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionScope {
    /// All of the organization, those of projects included.
    All(OrganizationId),
    /// Those that a project may use: its own and those of the whole organization.
    UsableIn(OrganizationId, ProjectId),
    /// Those of one project only.
    Project(ProjectId),
}

/// The order of connections: name and id.
pub type ConnectionKey = (String, ConnectionId);

impl Keyed for Connection {
    type Key = ConnectionKey;

    fn key(&self) -> Self::Key {
        (self.name.to_string(), self.id)
    }
}

/// App connections.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Makes a connection. `Conflict::ConnectionName` if the name is taken.
    async fn create_connection(&self, connection: &NewConnection) -> Result<()>;

    /// A connection by its id.
    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>>;

    /// A connection by its name: of a project, or of the organization where none is given.
    async fn connection_by_name(
        &self,
        organization: OrganizationId,
        project: Option<ProjectId>,
        name: &Slug,
    ) -> Result<Option<Connection>>;

    /// Connections; by name.
    async fn connections(
        &self,
        scope: ConnectionScope,
        page: &Page<ConnectionKey>,
    ) -> Result<Part<Connection, ConnectionKey>>;

    /// Changes a connection; none if it does not exist. `Conflict::ConnectionName` if the new name is taken.
    async fn update_connection(
        &self,
        id: ConnectionId,
        update: &ConnectionUpdate,
        now: Moment,
    ) -> Result<Option<Connection>>;

    /// Deletes a connection; whether it was there. `Conflict::Reference` while a rotation uses it.
    async fn delete_connection(&self, id: ConnectionId) -> Result<bool>;

    /// How much a connection is used, in projects that nobody sees too.
    async fn connection_uses(&self, id: ConnectionId) -> Result<ConnectionUses>;
}
