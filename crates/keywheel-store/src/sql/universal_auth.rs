//! Statements of Universal Auth.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ClientId, ClientSecretId, IdentityId, UniversalAuthId};

use super::adapter::Session;
use super::identities::{self, identity};
use super::pages::Order;
use super::tokens::insert_token;
use super::value::{Reader, args, json};
use super::{SqlStore, one_in};
use crate::error::{Result, StoreError};
use crate::identities::Identity;
use crate::pages::{Page, Part};
use crate::tokens::Token;
use crate::trusted_ip::TrustedIp;
use crate::universal_auth::{
    ClientSecret, ClientSecretKey, ClientSecretUse, UniversalAuth, UniversalAuthSettings, UniversalAuths,
};

const COLUMNS: &str = "u.id, u.identity_id, u.client_id, u.client_secret_trusted_ips, u.access_token_trusted_ips, \
    u.access_token_ttl, u.access_token_max_ttl, u.access_token_uses_limit, u.access_token_period, \
    u.lockout_enabled, u.lockout_threshold, u.lockout_duration, u.lockout_counter_reset, \
    u.created_at, u.updated_at";

const CLIENT_SECRET: &str = "SELECT c.id, c.universal_auth_id, c.hash, c.prefix, c.description, c.uses, c.uses_limit, \
    c.ttl, c.revoked, c.last_used_at, c.created_at, c.updated_at FROM client_secrets c";

/// Addresses as a JSON list of texts.
pub(super) fn read_addresses(r: &mut Reader) -> Result<Vec<TrustedIp>> {
    let texts: Vec<String> = r.json()?;
    let parsed = texts.iter().map(|text| text.parse());
    parsed
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| StoreError::corrupt("a trusted address"))
}

fn addresses(list: &[TrustedIp]) -> Result<String> {
    json(&list.iter().map(TrustedIp::to_string).collect::<Vec<_>>())
}

fn universal_auth(r: &mut Reader) -> Result<UniversalAuth> {
    Ok(UniversalAuth {
        id: r.id()?,
        identity: r.id()?,
        client_id: r.id()?,
        settings: UniversalAuthSettings {
            client_secret_trusted_ips: read_addresses(r)?,
            access_token_trusted_ips: read_addresses(r)?,
            access_token_ttl: r.int()?,
            access_token_max_ttl: r.int()?,
            access_token_uses_limit: r.int()?,
            access_token_period: r.int()?,
            lockout_enabled: r.flag()?,
            lockout_threshold: r.int()?,
            lockout_duration: r.int()?,
            lockout_counter_reset: r.int()?,
        },
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

fn login(r: &mut Reader) -> Result<(UniversalAuth, Identity)> {
    Ok((universal_auth(r)?, identity(r)?))
}

fn client_secret(r: &mut Reader) -> Result<ClientSecret> {
    Ok(ClientSecret {
        id: r.id()?,
        universal_auth: r.id()?,
        hash: r.bytes()?,
        prefix: r.text()?,
        description: r.text()?,
        uses: r.int()?,
        uses_limit: r.int()?,
        ttl: r.int()?,
        revoked: r.flag()?,
        last_used_at: r.opt_moment()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

async fn by_identity(session: &mut Box<dyn Session>, id: IdentityId) -> Result<Option<UniversalAuth>> {
    let sql = format!("SELECT {COLUMNS} FROM universal_auths u WHERE u.identity_id = $1");
    one_in(session, &sql, args![id], universal_auth).await
}

#[async_trait]
impl UniversalAuths for SqlStore {
    async fn create_universal_auth(&self, auth: &UniversalAuth) -> Result<()> {
        let settings = &auth.settings;
        self.change(
            "INSERT INTO universal_auths (id, identity_id, client_id, client_secret_trusted_ips, \
             access_token_trusted_ips, access_token_ttl, access_token_max_ttl, access_token_uses_limit, \
             access_token_period, lockout_enabled, lockout_threshold, lockout_duration, lockout_counter_reset, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            args![
                auth.id,
                auth.identity,
                auth.client_id,
                addresses(&settings.client_secret_trusted_ips)?,
                addresses(&settings.access_token_trusted_ips)?,
                settings.access_token_ttl,
                settings.access_token_max_ttl,
                settings.access_token_uses_limit,
                settings.access_token_period,
                settings.lockout_enabled,
                settings.lockout_threshold,
                settings.lockout_duration,
                settings.lockout_counter_reset,
                auth.created_at,
                auth.updated_at
            ],
        )
        .await?;
        Ok(())
    }

    async fn universal_auth(&self, id: IdentityId) -> Result<Option<UniversalAuth>> {
        let sql = format!("SELECT {COLUMNS} FROM universal_auths u WHERE u.identity_id = $1");
        self.one(&sql, args![id], universal_auth).await
    }

    async fn login_by_client_id(&self, client: ClientId) -> Result<Option<(UniversalAuth, Identity)>> {
        let sql = format!(
            "SELECT {COLUMNS}, {} FROM universal_auths u JOIN identities i ON i.id = u.identity_id \
             WHERE u.client_id = $1",
            identities::COLUMNS
        );
        self.one(&sql, args![client], login).await
    }

    async fn update_universal_auth(
        &self,
        id: IdentityId,
        settings: &UniversalAuthSettings,
        now: Moment,
    ) -> Result<Option<UniversalAuth>> {
        let mut session = self.write().await?;
        session
            .execute(
                "UPDATE universal_auths SET client_secret_trusted_ips = $2, access_token_trusted_ips = $3, \
                 access_token_ttl = $4, access_token_max_ttl = $5, access_token_uses_limit = $6, \
                 access_token_period = $7, lockout_enabled = $8, lockout_threshold = $9, lockout_duration = $10, \
                 lockout_counter_reset = $11, updated_at = $12 WHERE identity_id = $1",
                args![
                    id,
                    addresses(&settings.client_secret_trusted_ips)?,
                    addresses(&settings.access_token_trusted_ips)?,
                    settings.access_token_ttl,
                    settings.access_token_max_ttl,
                    settings.access_token_uses_limit,
                    settings.access_token_period,
                    settings.lockout_enabled,
                    settings.lockout_threshold,
                    settings.lockout_duration,
                    settings.lockout_counter_reset,
                    now
                ],
            )
            .await?;
        let after = by_identity(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_universal_auth(&self, id: IdentityId) -> Result<Option<UniversalAuth>> {
        let mut session = self.write().await?;
        let before = by_identity(&mut session, id).await?;
        session
            .execute("DELETE FROM universal_auths WHERE identity_id = $1", args![id])
            .await?;
        session.commit().await?;
        Ok(before)
    }

    async fn create_client_secret(&self, secret: &ClientSecret) -> Result<()> {
        self.change(
            "INSERT INTO client_secrets (id, universal_auth_id, hash, prefix, description, uses, uses_limit, ttl, \
             revoked, last_used_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                secret.id,
                secret.universal_auth,
                &secret.hash,
                &secret.prefix,
                &secret.description,
                secret.uses,
                secret.uses_limit,
                secret.ttl,
                secret.revoked,
                secret.last_used_at,
                secret.created_at,
                secret.updated_at
            ],
        )
        .await?;
        Ok(())
    }

    async fn client_secret(&self, identity: IdentityId, id: ClientSecretId) -> Result<Option<ClientSecret>> {
        let sql = format!(
            "{CLIENT_SECRET} JOIN universal_auths u ON u.id = c.universal_auth_id \
             WHERE u.identity_id = $1 AND c.id = $2"
        );
        self.one(&sql, args![identity, id], client_secret).await
    }

    async fn client_secrets(
        &self,
        identity: IdentityId,
        page: &Page<ClientSecretKey>,
    ) -> Result<Part<ClientSecret, ClientSecretKey>> {
        let select = format!(
            "{CLIENT_SECRET} JOIN universal_auths u ON u.id = c.universal_auth_id \
             WHERE u.identity_id = $1 AND c.revoked = $2"
        );
        let order = Order::Down(&["c.created_at", "c.id"]);
        self.part(&select, order, args![identity, false], page, client_secret)
            .await
    }

    async fn login_candidates(&self, auth: UniversalAuthId, prefix: &str) -> Result<Vec<ClientSecret>> {
        let sql =
            format!("{CLIENT_SECRET} WHERE c.universal_auth_id = $1 AND c.prefix = $2 AND c.revoked = $3");
        self.all(&sql, args![auth, prefix, false], client_secret).await
    }

    async fn use_client_secret(
        &self,
        id: ClientSecretId,
        token: &Token,
        now: Moment,
    ) -> Result<ClientSecretUse> {
        let mut session = self.write_aside().await?;
        let sql = "UPDATE client_secrets SET uses = uses + 1, last_used_at = $2 WHERE id = $1 AND revoked = $3 \
                   AND (uses_limit = 0 OR uses < uses_limit)";
        if session.execute(sql, args![id, now, false]).await? == 0 {
            let sql = "SELECT id FROM client_secrets WHERE id = $1 AND revoked = $2";
            let there: Option<ClientSecretId> =
                one_in(&mut session, sql, args![id, false], Reader::id).await?;
            return Ok(there.map_or(ClientSecretUse::Revoked, |_| ClientSecretUse::LimitReached));
        }
        insert_token(&mut session, token).await?;
        session.commit().await?;
        Ok(ClientSecretUse::Used)
    }

    async fn revoke_client_secret(&self, id: ClientSecretId, now: Moment) -> Result<Option<ClientSecret>> {
        let mut session = self.write().await?;
        let sql = "UPDATE client_secrets SET revoked = $2, updated_at = $3 WHERE id = $1";
        session.execute(sql, args![id, true, now]).await?;
        let after = one_in(
            &mut session,
            &format!("{CLIENT_SECRET} WHERE c.id = $1"),
            args![id],
            client_secret,
        )
        .await?;
        session.commit().await?;
        Ok(after)
    }
}
