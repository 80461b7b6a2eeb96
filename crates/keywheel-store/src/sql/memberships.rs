//! Statements of project memberships.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, MembershipId, ProjectId};
use keywheel_core::names::Slug;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::adapter::Session;
use super::pages::Order;
use super::value::{Reader, Value, args, json};
use super::{SqlStore, one_in};
use crate::error::{Result, StoreError};
use crate::identities::{Page, PageRequest};
use crate::memberships::{Membership, MembershipKey, MembershipRole, Memberships, TemporaryAccess};
use crate::pages::{self, Part};

const SELECT: &str = "SELECT id, project_id, identity_id, roles, created_at, updated_at FROM memberships";

/// A role as it is kept in the JSON of a membership.
#[derive(Serialize, Deserialize)]
struct StoredRole {
    id: Uuid,
    role: String,
    temporary: Option<TemporaryAccess>,
}

pub(super) fn read_roles(r: &mut Reader) -> Result<Vec<MembershipRole>> {
    let stored: Vec<StoredRole> = r.json()?;
    let read = |StoredRole { id, role, temporary }| MembershipRole {
        id,
        role: Slug::from_stored(role),
        temporary,
    };
    Ok(stored.into_iter().map(read).collect())
}

fn roles_json(roles: &[MembershipRole]) -> Result<String> {
    let stored: Vec<StoredRole> = roles
        .iter()
        .map(|role| StoredRole {
            id: role.id,
            role: role.role.to_string(),
            temporary: role.temporary.clone(),
        })
        .collect();
    json(&stored)
}

fn membership(r: &mut Reader) -> Result<Membership> {
    Ok(Membership {
        id: r.id()?,
        project: r.id()?,
        identity: r.id()?,
        roles: read_roles(r)?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

const INSERT: &str = "INSERT INTO memberships (id, project_id, identity_id, roles, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";

fn inserted(membership: &Membership) -> Result<Vec<Value>> {
    Ok(args![
        membership.id,
        membership.project,
        membership.identity,
        roles_json(&membership.roles)?,
        membership.created_at,
        membership.updated_at
    ])
}

pub(super) async fn insert_membership(session: &mut Box<dyn Session>, membership: &Membership) -> Result<()> {
    session.execute(INSERT, inserted(membership)?).await?;
    Ok(())
}

#[async_trait]
impl Memberships for SqlStore {
    async fn create_membership(&self, membership: &Membership) -> Result<()> {
        let mut session = self.write().await?;
        insert_membership(&mut session, membership).await?;
        session.commit().await
    }

    async fn admit(&self, new: &Membership) -> Result<Membership> {
        let mut session = self.write().await?;
        let sql = format!(
            "{INSERT} ON CONFLICT (project_id, identity_id) \
             DO UPDATE SET roles = excluded.roles, updated_at = excluded.updated_at"
        );
        session.execute(&sql, inserted(new)?).await?;
        let by_key = format!("{SELECT} WHERE project_id = $1 AND identity_id = $2");
        let after = one_in(
            &mut session,
            &by_key,
            args![new.project, new.identity],
            membership,
        )
        .await?;
        session.commit().await?;
        after.ok_or_else(|| StoreError::corrupt("a membership that was just written"))
    }

    async fn membership(&self, project: ProjectId, identity: IdentityId) -> Result<Option<Membership>> {
        let sql = format!("{SELECT} WHERE project_id = $1 AND identity_id = $2");
        self.one(&sql, args![project, identity], membership).await
    }

    async fn membership_by_id(&self, id: MembershipId) -> Result<Option<Membership>> {
        self.one(&format!("{SELECT} WHERE id = $1"), args![id], membership)
            .await
    }

    async fn memberships_in(&self, project: ProjectId, page: PageRequest) -> Result<Page<Membership>> {
        let count = "SELECT COUNT(*) FROM memberships WHERE project_id = $1";
        let total = self.one(count, args![project], Reader::int).await?.unwrap_or(0);
        let sql = format!("{SELECT} WHERE project_id = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3");
        let rows = self
            .all(&sql, args![project, page.limit, page.offset], membership)
            .await?;
        Ok(Page { rows, total })
    }

    async fn memberships_of(
        &self,
        identity: IdentityId,
        page: &pages::Page<MembershipKey>,
    ) -> Result<Part<Membership, MembershipKey>> {
        let select = format!("{SELECT} WHERE identity_id = $1");
        let order = Order::Up(&["created_at", "id"]);
        self.part(&select, order, args![identity], page, membership).await
    }

    async fn set_roles(
        &self,
        project: ProjectId,
        identity: IdentityId,
        roles: &[MembershipRole],
        now: Moment,
    ) -> Result<Option<Membership>> {
        let mut session = self.write().await?;
        let sql =
            "UPDATE memberships SET roles = $3, updated_at = $4 WHERE project_id = $1 AND identity_id = $2";
        session
            .execute(sql, args![project, identity, roles_json(roles)?, now])
            .await?;
        let by_key = format!("{SELECT} WHERE project_id = $1 AND identity_id = $2");
        let after = one_in(&mut session, &by_key, args![project, identity], membership).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_membership(&self, project: ProjectId, identity: IdentityId) -> Result<bool> {
        let sql = "DELETE FROM memberships WHERE project_id = $1 AND identity_id = $2";
        Ok(self.change(sql, args![project, identity]).await? > 0)
    }
}
