//! App connections: credentials for AWS, checked with AWS before they are kept (platform contract, section
//! 6.10).

use aws_lc_rs::digest;
use keywheel_core::aws::Region;
use keywheel_core::ids::{ConnectionId, OrganizationId, ProjectId, RunId};
use keywheel_core::names::Slug;
use keywheel_providers::{ConnectionCredentials, IamUser};
use keywheel_store::connections::{
    Connection, ConnectionCredentials as StoredCredentials, ConnectionKey, ConnectionMethod, ConnectionScope,
    ConnectionUpdate, ConnectionUses, NewConnection,
};
use keywheel_store::{Conflict, Page, Part, Patch, StoreError};

use super::filling::Filling;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// A connection to be made.
pub struct CreateConnection {
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// The only project that may use it; none for all.
    pub project: Option<ProjectId>,
    /// The credentials; the external id is filled in here.
    pub credentials: ConnectionCredentials,
}

/// What is to change; absent is unchanged.
pub struct UpdateConnection {
    /// Its name.
    pub name: Option<Slug>,
    /// For people.
    pub description: Patch<Option<String>>,
    /// Other credentials of the same method.
    pub credentials: Option<ConnectionCredentials>,
}

/// Makes a connection, if AWS accepts its credentials.
pub async fn create(app: &App, caller: &Caller, wanted: CreateConnection) -> Result<Connection, ApiError> {
    let project = wanted.project;
    let metadata = Metadata::new().with("name", &wanted.name).with("app", "aws");
    caller.open(Event::CreateConnection, project, metadata).await?;
    require(caller, project, Action::Create).await?;
    let taken = app
        .store()
        .connection_by_name(caller.organization(), project, &wanted.name)
        .await?;
    if taken.is_some() {
        return Err(name_taken(&wanted.name));
    }
    let id = app.new_id(ConnectionId::new);
    caller.note("connectionId", id);
    let external_id = external_id(caller.organization(), project);
    let (method, credentials) = check_and_seal(app, id, wanted.credentials, external_id).await?;
    let connection = NewConnection {
        id,
        organization: caller.organization(),
        project,
        name: wanted.name,
        description: wanted.description,
        method,
        credentials,
        now: app.now(),
    };
    app.store()
        .create_connection(&connection)
        .await
        .map_err(taken_as(&connection.name))?;
    app.store()
        .connection(id)
        .await?
        .ok_or_else(|| ApiError::internal("a new connection is gone"))
}

/// A connection that the caller may see.
pub async fn get(app: &App, caller: &Caller, id: ConnectionId) -> Result<Connection, ApiError> {
    find_to(app, caller, id, Some(Event::GetConnection), Action::Read).await
}

/// A connection by its name, of a project or of the organization.
pub async fn get_by_name(
    app: &App,
    caller: &Caller,
    project: Option<ProjectId>,
    name: &Slug,
) -> Result<Connection, ApiError> {
    let found = app
        .store()
        .connection_by_name(caller.organization(), project, name)
        .await?;
    let connection = found
        .ok_or_else(|| ApiError::not_found(format!("Could not find App Connection with name {name}")))?;
    caller
        .open(Event::GetConnection, project, about(&connection))
        .await?;
    require(caller, project, Action::Read).await?;
    Ok(connection)
}

/// The connections of one project, or all that the caller may see; by name.
pub async fn list(
    app: &App,
    caller: &Caller,
    project: Option<ProjectId>,
    page: Page<ConnectionKey>,
) -> Result<Part<Connection, ConnectionKey>, ApiError> {
    caller
        .open(Event::GetConnections, project, Metadata::new().with("app", "aws"))
        .await?;
    require(caller, project, Action::Read).await?;
    let scope = project.map_or(
        ConnectionScope::All(caller.organization()),
        ConnectionScope::Project,
    );
    permitted(app, caller, scope, page, Action::Read).await
}

/// The connections that a project may use: its own, and those of the whole organization; by name.
pub async fn usable(
    app: &App,
    caller: &Caller,
    project: Option<ProjectId>,
    page: Page<ConnectionKey>,
) -> Result<Part<Connection, ConnectionKey>, ApiError> {
    caller
        .open(Event::GetConnections, project, Metadata::new().with("app", "aws"))
        .await?;
    require(caller, project, Action::Connect).await?;
    let organization = caller.organization();
    let scope = project.map_or(ConnectionScope::All(organization), |project| {
        ConnectionScope::UsableIn(organization, project)
    });
    permitted(app, caller, scope, page, Action::Connect).await
}

/// Those that the caller may do this with: of projects only where it is a member with the right.
async fn permitted(
    app: &App,
    caller: &Caller,
    scope: ConnectionScope,
    page: Page<ConnectionKey>,
    action: Action,
) -> Result<Part<Connection, ConnectionKey>, ApiError> {
    let mut filling = Filling::of(page);
    while let Some(wanted) = filling.wanted() {
        let found = app.store().connections(scope, wanted).await?;
        let mut permitted = Vec::with_capacity(found.rows.len());
        for connection in found.rows {
            let may = match &connection.project {
                None => true,
                Some(project) => {
                    let may = caller.may_as_member(project.id, action, Subject::AppConnections);
                    may.await?.unwrap_or(false)
                }
            };
            if may {
                permitted.push(connection);
            }
        }
        filling.add(permitted, found.next);
    }
    Ok(filling.finish())
}

/// The IAM users of the account that a connection reaches, to choose from.
pub async fn users(app: &App, caller: &Caller, id: ConnectionId) -> Result<Vec<IamUser>, ApiError> {
    let connection = find_to(app, caller, id, Some(Event::GetIamUsers), Action::Connect).await?;
    let credentials = open_credentials(app, &connection)?;
    let session = format!("keywheel-{}", app.new_id(RunId::new));
    let users = app
        .provider()
        .users(&credentials, &Region::default(), &session)
        .await
        .map_err(|failure| ApiError::bad_request(format!("Unable to list IAM users: {failure}")))?;
    Ok(users.value)
}

/// A connection with the right to change it.
pub async fn to_change(app: &App, caller: &Caller, id: ConnectionId) -> Result<Connection, ApiError> {
    find_to(app, caller, id, Some(Event::UpdateConnection), Action::Edit).await
}

/// Changes a connection. New credentials are checked with AWS first.
pub async fn update(
    app: &App,
    before: &Connection,
    wanted: UpdateConnection,
) -> Result<Connection, ApiError> {
    let credentials = match wanted.credentials {
        None => None,
        Some(given) => Some(
            check_and_seal(app, before.id, given, external_id_of(before))
                .await?
                .1,
        ),
    };
    let name = wanted.name.clone().unwrap_or_else(|| before.name.clone());
    let update = ConnectionUpdate {
        name: wanted.name,
        description: wanted.description,
        credentials,
    };
    let after = app
        .store()
        .update_connection(before.id, &update, app.now())
        .await
        .map_err(taken_as(&name))?;
    after.ok_or_else(|| not_found(before.id))
}

/// Deletes a connection that no rotation uses.
pub async fn delete(app: &App, caller: &Caller, id: ConnectionId) -> Result<Connection, ApiError> {
    let connection = find_to(app, caller, id, Some(Event::DeleteConnection), Action::Delete).await?;
    match app.store().delete_connection(id).await {
        Ok(_) => Ok(connection),
        Err(StoreError::Conflict(Conflict::Reference)) => Err(in_use(app, id).await?),
        Err(other) => Err(other.into()),
    }
}

/// Said of a connection that rotations use: the contract's words, then how many there are. Nobody may be left who sees them
/// all.
async fn in_use(app: &App, id: ConnectionId) -> Result<ApiError, ApiError> {
    let ConnectionUses { rotations, projects } = app.store().connection_uses(id).await?;
    let many = |count| if count == 1 { "" } else { "s" };
    let (rotations_many, projects_many) = (many(rotations), many(projects));
    Ok(ApiError::bad_request(format!(
        "Cannot delete App Connection with existing connections. Remove all existing connections and try again. Used by \
         {rotations} rotation{rotations_many} in {projects} project{projects_many}; an administrator of the organization \
         can enter those that you do not see"
    )))
}

/// Refuses unless a rotation in the project may use the connection: 404 if there is none, 403 without the
/// right to connect, 400 if it belongs to another project (rotation contract, section 5.5).
pub async fn require_usable(
    app: &App,
    caller: &Caller,
    project: ProjectId,
    id: ConnectionId,
) -> Result<(), ApiError> {
    let connection = find_to(app, caller, id, None, Action::Connect).await?;
    match connection.project {
        Some(own) if own.id != project => Err(ApiError::bad_request(format!(
            "You cannot connect project App Connection with ID \"{id}\" from project with ID \"{}\" to project \
             with ID \"{project}\"",
            own.id
        ))),
        _ => Ok(()),
    }
}

/// The credentials of a connection, opened for a call to AWS.
pub fn open_credentials(app: &App, connection: &Connection) -> Result<ConnectionCredentials, ApiError> {
    let sealed = &connection.credentials.sealed;
    Ok(app
        .vault()
        .open_credentials(connection.id, sealed, external_id_of(connection))?)
}

/// The external id that the trust policy of a role has to demand: whose the connection is. So nobody can
/// reach a role through a connection of another project.
pub fn external_id_of(connection: &Connection) -> String {
    external_id(
        connection.organization,
        connection.project.as_ref().map(|project| project.id),
    )
}

pub(super) fn external_id(organization: OrganizationId, project: Option<ProjectId>) -> String {
    project.map_or_else(|| organization.to_string(), |project| project.to_string())
}

/// Asks AWS whom the credentials belong to, and seals them if it knows them.
async fn check_and_seal(
    app: &App,
    id: ConnectionId,
    credentials: ConnectionCredentials,
    external_id: String,
) -> Result<(ConnectionMethod, StoredCredentials), ApiError> {
    let credentials = match credentials {
        ConnectionCredentials::AssumeRole(mut role) => {
            role.external_id = Some(external_id);
            ConnectionCredentials::AssumeRole(role)
        }
        key @ ConnectionCredentials::AccessKey(_) => key,
    };
    let session = format!("keywheel-{}", app.new_id(RunId::new));
    app.provider()
        .caller(&credentials, &Region::default(), &session)
        .await
        .map_err(|failure| ApiError::bad_request(format!("Unable to validate connection: {failure}")))?;
    let sealed = app.vault().seal_credentials(id, &credentials)?;
    // Sealing the same credentials again gives other bytes, so the hash changes with each write.
    let hash = hex::encode(digest::digest(&digest::SHA256, &sealed));
    let (method, config) = match &credentials {
        ConnectionCredentials::AccessKey(key) => (
            ConnectionMethod::AccessKey,
            serde_json::json!({"accessKeyId": key.access_key_id}),
        ),
        ConnectionCredentials::AssumeRole(role) => (
            ConnectionMethod::AssumeRole,
            serde_json::json!({"roleArn": role.role_arn}),
        ),
    };
    Ok((
        method,
        StoredCredentials {
            sealed,
            hash,
            config: config.to_string(),
        },
    ))
}

pub(super) async fn find_to(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    event: Option<Event>,
    action: Action,
) -> Result<Connection, ApiError> {
    let found = app.store().connection(id).await?;
    let connection = found
        .filter(|connection| connection.organization == caller.organization())
        .ok_or_else(|| not_found(id))?;
    let project = connection.project.as_ref().map(|project| project.id);
    if let Some(event) = event {
        caller.open(event, project, about(&connection)).await?;
    }
    require(caller, project, action).await?;
    Ok(connection)
}

/// The right on a connection is asked for where the connection belongs.
pub async fn require(caller: &Caller, project: Option<ProjectId>, action: Action) -> Result<(), ApiError> {
    match project {
        Some(project) => caller.require(project, action, Subject::AppConnections).await,
        None => caller.require_in_organization(action, Subject::AppConnections),
    }
}

/// What the audit log tells of a connection.
fn about(connection: &Connection) -> Metadata {
    Metadata::new()
        .with("connectionId", connection.id)
        .with("name", &connection.name)
        .with("app", "aws")
}

fn not_found(id: ConnectionId) -> ApiError {
    ApiError::not_found(format!("Could not find App Connection with ID {id}"))
}

fn name_taken(name: &Slug) -> ApiError {
    ApiError::bad_request(format!(
        "An App Connection with the name \"{name}\" already exists"
    ))
}

fn taken_as(name: &Slug) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::Conflict(Conflict::ConnectionName) => name_taken(name),
        other => other.into(),
    }
}
