//! Statements of machine identities.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, OrganizationId};

use super::accounts::require_other_admin;
use super::adapter::Session;
use super::value::{Reader, args, json};
use super::{SqlStore, lock_row, one_in};
use crate::error::Result;
use crate::identities::{AuthMethod, Identities, Identity, IdentityUpdate, Page, PageRequest};

/// Columns of an identity `i`; read by [`identity`].
pub(super) const COLUMNS: &str = "i.id, i.organization_id, i.name, i.role, i.metadata, i.delete_protection, \
    i.token_auth, EXISTS (SELECT 1 FROM universal_auths own WHERE own.identity_id = i.id), i.created_at, \
    i.updated_at";

pub(super) fn identity(r: &mut Reader) -> Result<Identity> {
    let mut identity = Identity {
        id: r.id()?,
        organization: r.id()?,
        name: r.text()?,
        role: r.slug()?,
        metadata: r.json()?,
        delete_protection: r.flag()?,
        auth_methods: Vec::new(),
        created_at: Moment::from_millis(0),
        updated_at: Moment::from_millis(0),
    };
    for method in [AuthMethod::TokenAuth, AuthMethod::UniversalAuth] {
        if r.flag()? {
            identity.auth_methods.push(method);
        }
    }
    identity.created_at = r.moment()?;
    identity.updated_at = r.moment()?;
    Ok(identity)
}

pub(super) async fn insert_identity(session: &mut Box<dyn Session>, identity: &Identity) -> Result<()> {
    session
        .execute(
            "INSERT INTO identities (id, organization_id, name, role, metadata, delete_protection, token_auth, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                identity.id,
                identity.organization,
                &identity.name,
                &identity.role,
                json(&identity.metadata)?,
                identity.delete_protection,
                identity.auth_methods.contains(&AuthMethod::TokenAuth),
                identity.created_at,
                identity.updated_at
            ],
        )
        .await?;
    Ok(())
}

/// A search text as a pattern in which only our own `%` count.
pub(super) fn pattern(search: &str) -> String {
    let escaped = search
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

#[async_trait]
impl Identities for SqlStore {
    async fn create_identity(&self, identity: &Identity) -> Result<()> {
        let mut session = self.write().await?;
        insert_identity(&mut session, identity).await?;
        session.commit().await
    }

    async fn identity(&self, id: IdentityId) -> Result<Option<Identity>> {
        self.one(
            &format!("SELECT {COLUMNS} FROM identities i WHERE i.id = $1"),
            args![id],
            identity,
        )
        .await
    }

    async fn identities(
        &self,
        organization: OrganizationId,
        search: &str,
        page: PageRequest,
    ) -> Result<Page<Identity>> {
        let found = "FROM identities i WHERE i.organization_id = $1 AND lower(i.name) LIKE $2 ESCAPE '\\'";
        let search = pattern(search);
        let total = self
            .one(
                &format!("SELECT COUNT(*) {found}"),
                args![organization, &search],
                Reader::int,
            )
            .await?;
        let sql = format!("SELECT {COLUMNS} {found} ORDER BY i.name, i.id LIMIT $3 OFFSET $4");
        let rows = self
            .all(
                &sql,
                args![organization, &search, page.limit, page.offset],
                identity,
            )
            .await?;
        Ok(Page {
            rows,
            total: total.unwrap_or(0),
        })
    }

    async fn update_identity(
        &self,
        id: IdentityId,
        update: &IdentityUpdate,
        now: Moment,
    ) -> Result<Option<Identity>> {
        let mut session = self.write().await?;
        if update.role.as_ref().is_some_and(|role| role.as_str() != "admin") {
            // Before the identity is locked, as when an account is deleted: they would wait for each other.
            require_other_admin(&mut session, |(_, identity, _)| *identity == Some(id)).await?;
        }
        lock_row(&mut session, "identities", id).await?;
        let by_id = format!("SELECT {COLUMNS} FROM identities i WHERE i.id = $1");
        let Some(found) = one_in(&mut session, &by_id, args![id], identity).await? else {
            return Ok(None);
        };
        session
            .execute(
                "UPDATE identities SET name = $2, role = $3, metadata = $4, delete_protection = $5, updated_at = $6 \
                 WHERE id = $1",
                args![
                    id,
                    update.name.as_ref().unwrap_or(&found.name),
                    update.role.as_ref().unwrap_or(&found.role),
                    json(update.metadata.as_ref().unwrap_or(&found.metadata))?,
                    update.delete_protection.unwrap_or(found.delete_protection),
                    now
                ],
            )
            .await?;
        let after = one_in(&mut session, &by_id, args![id], identity).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_identity(&self, id: IdentityId) -> Result<bool> {
        Ok(self
            .change("DELETE FROM identities WHERE id = $1", args![id])
            .await?
            > 0)
    }
}
