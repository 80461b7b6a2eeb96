//! Statements of access tokens.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, ProjectId, TokenId};

use super::SqlStore;
use super::adapter::Session;
use super::identities::{self, identity};
use super::memberships::read_roles;
use super::value::{Reader, args};
use crate::error::{Result, StoreError};
use crate::memberships::MembershipRole;
use crate::tokens::{Caller, SignedIn, Token, Tokens};

const COLUMNS: &str = "t.id, t.identity_id, t.client_secret_id, t.ttl, t.max_ttl, t.period, t.expires_at, t.uses, \
    t.uses_limit, t.revoked, t.created_at, t.renewed_at";

fn token(r: &mut Reader) -> Result<Token> {
    Ok(Token {
        id: r.id()?,
        identity: r.id()?,
        client_secret: r.opt_id()?,
        ttl: r.int()?,
        max_ttl: r.int()?,
        period: r.int()?,
        expires_at: r.opt_moment()?,
        uses: r.int()?,
        uses_limit: r.int()?,
        revoked: r.flag()?,
        created_at: r.moment()?,
        renewed_at: r.opt_moment()?,
    })
}

fn caller(r: &mut Reader) -> Result<Caller> {
    let (token, identity) = (token(r)?, identity(r)?);
    let client_secret_revoked = r.opt_flag()?.unwrap_or(false);
    let addresses: Option<Vec<String>> = r.opt_json()?;
    let parsed = addresses
        .unwrap_or_default()
        .iter()
        .map(|text| text.parse())
        .collect::<std::result::Result<_, _>>();
    let trusted_ips = parsed.map_err(|_| StoreError::corrupt("a trusted address"))?;
    let session = match (r.opt_id()?, r.opt_text()?, r.opt_moment()?) {
        (Some(account), Some(email), Some(last_seen_at)) => Some(SignedIn {
            account,
            email,
            last_seen_at,
        }),
        _ => None,
    };
    Ok(Caller {
        token,
        identity,
        client_secret_revoked,
        trusted_ips,
        session,
    })
}

pub(super) async fn insert_token(session: &mut Box<dyn Session>, token: &Token) -> Result<()> {
    session
        .execute(
            "INSERT INTO tokens (id, identity_id, client_secret_id, ttl, max_ttl, period, expires_at, uses, \
             uses_limit, revoked, created_at, renewed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                token.id,
                token.identity,
                token.client_secret,
                token.ttl,
                token.max_ttl,
                token.period,
                token.expires_at,
                token.uses,
                token.uses_limit,
                token.revoked,
                token.created_at,
                token.renewed_at
            ],
        )
        .await?;
    Ok(())
}

#[async_trait]
impl Tokens for SqlStore {
    async fn create_token(&self, token: &Token) -> Result<()> {
        let mut session = self.write().await?;
        insert_token(&mut session, token).await?;
        session.commit().await
    }

    async fn caller(&self, id: TokenId) -> Result<Option<Caller>> {
        let sql = format!(
            "SELECT {COLUMNS}, {}, c.revoked, u.access_token_trusted_ips, a.id, a.email, s.last_seen_at FROM tokens t \
             JOIN identities i ON i.id = t.identity_id \
             LEFT JOIN client_secrets c ON c.id = t.client_secret_id \
             LEFT JOIN universal_auths u ON u.id = c.universal_auth_id \
             LEFT JOIN sessions s ON s.id = t.id \
             LEFT JOIN accounts a ON a.id = s.account_id WHERE t.id = $1",
            identities::COLUMNS
        );
        self.one(&sql, args![id], caller).await
    }

    async fn roles_in(
        &self,
        project: ProjectId,
        identity: IdentityId,
    ) -> Result<Option<Vec<MembershipRole>>> {
        let sql = "SELECT roles FROM memberships WHERE project_id = $1 AND identity_id = $2";
        self.one(sql, args![project, identity], read_roles).await
    }

    async fn count_use(&self, id: TokenId) -> Result<bool> {
        let sql = "UPDATE tokens SET uses = uses + 1 WHERE id = $1 AND revoked = $2 AND uses < uses_limit";
        Ok(self.change(sql, args![id, false]).await? > 0)
    }

    async fn renew_token(&self, id: TokenId, expires_at: Option<Moment>, now: Moment) -> Result<bool> {
        let sql = "UPDATE tokens SET expires_at = $2, renewed_at = $3 WHERE id = $1 AND revoked = $4";
        Ok(self.change(sql, args![id, expires_at, now, false]).await? > 0)
    }

    async fn revoke_token(&self, id: TokenId) -> Result<bool> {
        Ok(self
            .change("UPDATE tokens SET revoked = $2 WHERE id = $1", args![id, true])
            .await?
            > 0)
    }

    async fn forget_tokens(&self, ended_before: Moment, limit: u32) -> Result<u64> {
        let sql = "DELETE FROM tokens WHERE id IN \
                   (SELECT id FROM tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
        self.change(sql, args![ended_before, limit]).await
    }
}
