//! Statements of app connections.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ConnectionId, OrganizationId, ProjectId};
use keywheel_core::names::Slug;

use super::pages::Order;
use super::value::{Reader, args};
use super::{SqlStore, lock_row, one_in};
use crate::connections::{
    Connection, ConnectionCredentials, ConnectionKey, ConnectionMethod, ConnectionProject, ConnectionScope,
    ConnectionUpdate, ConnectionUses, Connections, NewConnection,
};
use crate::error::{Result, StoreError};
use crate::pages::{Page, Part};
use crate::patch::Patch;

const SELECT: &str = "SELECT c.id, c.organization_id, c.name, c.description, c.method, c.credentials, \
    c.credentials_hash, c.config, c.version, c.created_at, c.updated_at, p.id, p.name, p.slug \
    FROM connections c LEFT JOIN projects p ON p.id = c.project_id";

/// The order of a list.
const ORDER: Order = Order::Up(&["c.name", "c.id"]);

fn connection(r: &mut Reader) -> Result<Connection> {
    let mut connection = Connection {
        id: r.id()?,
        organization: r.id()?,
        project: None,
        name: r.slug()?,
        description: r.opt_text()?,
        method: r.word(ConnectionMethod::from_name)?,
        credentials: ConnectionCredentials {
            sealed: r.bytes()?,
            hash: r.text()?,
            config: r.text()?,
        },
        version: r.int()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    };
    connection.project = match r.opt_id::<ProjectId>()? {
        Some(id) => Some(ConnectionProject {
            id,
            name: r.title()?,
            slug: r.slug()?,
        }),
        None => None,
    };
    Ok(connection)
}

fn uses(r: &mut Reader) -> Result<ConnectionUses> {
    Ok(ConnectionUses {
        rotations: r.small()?,
        projects: r.small()?,
    })
}

#[async_trait]
impl Connections for SqlStore {
    async fn create_connection(&self, new: &NewConnection) -> Result<()> {
        self.change(
            "INSERT INTO connections (id, organization_id, project_id, name, description, method, credentials, \
             credentials_hash, config, version, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)",
            args![
                new.id,
                new.organization,
                new.project,
                &new.name,
                new.description.clone(),
                new.method.as_str(),
                &new.credentials.sealed,
                &new.credentials.hash,
                &new.credentials.config,
                new.now
            ],
        )
        .await?;
        Ok(())
    }

    async fn connection(&self, id: ConnectionId) -> Result<Option<Connection>> {
        self.one(&format!("{SELECT} WHERE c.id = $1"), args![id], connection)
            .await
    }

    async fn connection_by_name(
        &self,
        organization: OrganizationId,
        project: Option<ProjectId>,
        name: &Slug,
    ) -> Result<Option<Connection>> {
        let sql = format!(
            "{SELECT} WHERE c.organization_id = $1 AND COALESCE(c.project_id, '') = $2 AND c.name = $3"
        );
        let project = project.map_or_else(String::new, |id| id.to_string());
        self.one(&sql, args![organization, project, name], connection)
            .await
    }

    async fn connections(
        &self,
        scope: ConnectionScope,
        page: &Page<ConnectionKey>,
    ) -> Result<Part<Connection, ConnectionKey>> {
        let (condition, args) = match scope {
            ConnectionScope::All(organization) => ("c.organization_id = $1", args![organization]),
            ConnectionScope::UsableIn(organization, project) => (
                "c.organization_id = $1 AND (c.project_id IS NULL OR c.project_id = $2)",
                args![organization, project],
            ),
            ConnectionScope::Project(project) => ("c.project_id = $1", args![project]),
        };
        let select = format!("{SELECT} WHERE {condition}");
        self.part(&select, ORDER, args, page, connection).await
    }

    async fn update_connection(
        &self,
        id: ConnectionId,
        update: &ConnectionUpdate,
        now: Moment,
    ) -> Result<Option<Connection>> {
        let mut session = self.write().await?;
        lock_row(&mut session, "connections", id).await?;
        let by_id = format!("{SELECT} WHERE c.id = $1");
        let Some(found) = one_in(&mut session, &by_id, args![id], connection).await? else {
            return Ok(None);
        };
        let credentials = update.credentials.as_ref().unwrap_or(&found.credentials);
        let description = match &update.description {
            Patch::Keep => found.description.clone(),
            Patch::Set(description) => description.clone(),
        };
        session
            .execute(
                "UPDATE connections SET name = $2, description = $3, credentials = $4, credentials_hash = $5, \
                 config = $6, version = version + 1, updated_at = $7 WHERE id = $1",
                args![
                    id,
                    update.name.as_ref().unwrap_or(&found.name),
                    description,
                    &credentials.sealed,
                    &credentials.hash,
                    &credentials.config,
                    now
                ],
            )
            .await?;
        let after = one_in(&mut session, &by_id, args![id], connection).await?;
        session.commit().await?;
        after
            .map(Some)
            .ok_or_else(|| StoreError::corrupt("a connection that was just written"))
    }

    async fn delete_connection(&self, id: ConnectionId) -> Result<bool> {
        Ok(self
            .change("DELETE FROM connections WHERE id = $1", args![id])
            .await?
            > 0)
    }

    async fn connection_uses(&self, id: ConnectionId) -> Result<ConnectionUses> {
        let sql = "SELECT COUNT(*), COUNT(DISTINCT e.project_id) FROM rotations r JOIN folders f ON f.id = r.folder_id \
                   JOIN environments e ON e.id = f.environment_id WHERE r.connection_id = $1";
        let found = self.one(sql, args![id], uses).await?;
        found.ok_or_else(|| StoreError::corrupt("the count of rotations"))
    }
}
