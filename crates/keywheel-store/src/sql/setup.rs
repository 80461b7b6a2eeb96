//! Statements of the instance.

use async_trait::async_trait;

use super::SqlStore;
use super::accounts::insert_account;
use super::identities::insert_identity;
use super::tokens::insert_token;
use super::value::{Reader, args};
use crate::error::{Result, StoreError};
use crate::setup::{Bootstrap, FirstMachine, Organization, Setup};

/// The setting that exists once the instance has its organization.
const BOOTSTRAPPED: &str = "bootstrapped";

const ORGANIZATION: &str = "SELECT id, name, slug, created_at FROM organizations";

fn organization(r: &mut Reader) -> Result<Organization> {
    Ok(Organization {
        id: r.id()?,
        name: r.title()?,
        slug: r.slug()?,
        created_at: r.moment()?,
    })
}

#[async_trait]
impl Setup for SqlStore {
    async fn ready(&self) -> Result<()> {
        self.backend.ready().await
    }

    async fn analyze(&self) -> Result<()> {
        let mut session = self.write_aside().await?;
        session.without_limits().await?;
        session.execute("ANALYZE", args![]).await?;
        session.commit().await
    }

    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.one(
            "SELECT value FROM instance_settings WHERE name = $1",
            args![name],
            Reader::bytes,
        )
        .await
    }

    async fn keep_setting(&self, name: &str, value: &[u8]) -> Result<Vec<u8>> {
        if let Some(kept) = self.setting(name).await? {
            return Ok(kept);
        }
        let sql = "INSERT INTO instance_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.change(sql, args![name, value]).await?;
        let kept = self.setting(name).await?;
        kept.ok_or_else(|| StoreError::corrupt("a setting that was just written"))
    }

    async fn replace_setting(&self, name: &str, value: &[u8]) -> Result<()> {
        let sql = "INSERT INTO instance_settings (name, value) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.change(sql, args![name, value]).await.map(drop)
    }

    async fn bootstrap(&self, bootstrap: &Bootstrap) -> Result<()> {
        let Bootstrap {
            organization,
            account,
            person,
            machine,
        } = bootstrap;
        let mut session = self.write().await?;
        // The name of a setting is unique, so that of two bootstraps at once only one gets past this.
        session
            .execute(
                "INSERT INTO instance_settings (name, value) VALUES ($1, $2)",
                args![BOOTSTRAPPED, organization.id.to_string().into_bytes()],
            )
            .await?;
        session
            .execute(
                "INSERT INTO organizations (id, name, slug, created_at) VALUES ($1, $2, $3, $4)",
                args![
                    organization.id,
                    &organization.name,
                    &organization.slug,
                    organization.created_at
                ],
            )
            .await?;
        insert_identity(&mut session, person).await?;
        insert_account(&mut session, account).await?;
        if let Some(FirstMachine { identity, token }) = machine {
            insert_identity(&mut session, identity).await?;
            insert_token(&mut session, token).await?;
        }
        session.commit().await
    }

    async fn organization(&self) -> Result<Option<Organization>> {
        self.one(ORGANIZATION, args![], organization).await
    }
}
