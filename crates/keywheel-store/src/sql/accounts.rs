//! Statements of people and their sessions.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, IdentityId, TokenId};

use super::adapter::Session as Transaction;
use super::identities::insert_identity;
use super::tokens::insert_token;
use super::value::{Reader, args};
use super::{SqlStore, all_in, one_in};
use crate::accounts::{Account, Accounts, ListedAccount, SESSIONS_MAX, Session, Totp};
use crate::error::{Conflict, Result, StoreError};
use crate::identities::Identity;
use crate::tokens::Token;

/// Columns of an account `a`; read by [`account`].
const COLUMNS: &str = "a.id, a.email, a.password_hash, a.super_admin, a.identity_id, a.totp_secret, a.totp_step, \
    a.created_at";
/// Revokes tokens of sessions of an account; what follows says which.
const REVOKE: &str = "UPDATE tokens SET revoked = $2 WHERE id IN (SELECT id FROM sessions WHERE account_id = $1) \
    AND revoked <> $2";

/// Sessions `s` with their tokens `t`; read by [`session`].
const SESSIONS: &str = "SELECT s.id, s.account_id, s.ip_address, s.user_agent, s.created_at, s.last_seen_at, \
    t.expires_at FROM sessions s JOIN tokens t ON t.id = s.id";

fn account(r: &mut Reader) -> Result<Account> {
    let (id, email, password_hash) = (r.id()?, r.text()?, r.text()?);
    let (super_admin, identity) = (r.flag()?, r.opt_id()?);
    let (secret, last_step) = (r.opt_bytes()?, r.opt_int()?);
    Ok(Account {
        id,
        email,
        password_hash: Some(password_hash).filter(|hash| !hash.is_empty()),
        super_admin,
        identity,
        totp: secret.map(|secret| Totp { secret, last_step }),
        created_at: r.moment()?,
    })
}

fn listed(r: &mut Reader) -> Result<ListedAccount> {
    let account = account(r)?;
    let role = r.opt_text()?.map(keywheel_core::names::Slug::from_stored);
    Ok(ListedAccount {
        account,
        role,
        organization: r.opt_id()?,
    })
}

fn session(r: &mut Reader) -> Result<Session> {
    Ok(Session {
        id: r.id()?,
        account: r.id()?,
        ip_address: r.text()?,
        user_agent: r.opt_text()?,
        created_at: r.moment()?,
        last_seen_at: r.moment()?,
        expires_at: r.moment()?,
    })
}

pub(super) async fn insert_account(session: &mut Box<dyn Transaction>, account: &Account) -> Result<()> {
    session
        .execute(
            "INSERT INTO accounts (id, email, password_hash, super_admin, identity_id, totp_secret, totp_step, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                account.id,
                &account.email,
                account.password_hash.as_deref().unwrap_or_default(),
                account.super_admin,
                account.identity,
                account.totp.as_ref().map(|totp| totp.secret.clone()),
                account.totp.as_ref().and_then(|totp| totp.last_step),
                account.created_at
            ],
        )
        .await?;
    Ok(())
}

/// Locks an account until the end of the transaction; refuses if what somebody proved is not asked for any more.
async fn require_unchanged(transaction: &mut Box<dyn Transaction>, proven: &Account) -> Result<()> {
    let hold = "UPDATE accounts SET super_admin = super_admin WHERE id = $1";
    transaction.execute(hold, args![proven.id]).await?;
    let sql = format!("SELECT {COLUMNS} FROM accounts a WHERE a.id = $1");
    let found = one_in(transaction, &sql, args![proven.id], account).await?;
    if found.is_some_and(|account| account.is_proven_by(proven)) {
        return Ok(());
    }
    Err(StoreError::Conflict(Conflict::Changed))
}

/// Refuses to take the role `admin` from an account if no other one has it together with a password: nobody could give
/// it back in the console. Until the end of the transaction nobody else asks.
pub(super) async fn require_other_admin(
    transaction: &mut Box<dyn Transaction>,
    is_own: impl Fn(&(AccountId, Option<IdentityId>, bool)) -> bool,
) -> Result<()> {
    let hold = "UPDATE accounts SET super_admin = super_admin";
    transaction.execute(hold, args![]).await?;
    // Those of an older version without an identity get one with that role when they sign in.
    let sql = "SELECT a.id, a.identity_id, a.password_hash <> '' FROM accounts a \
               LEFT JOIN identities i ON i.id = a.identity_id \
               WHERE i.role = 'admin' OR (a.identity_id IS NULL AND a.super_admin = $1)";
    let admin = |r: &mut Reader| Ok((r.id()?, r.opt_id()?, r.flag()?));
    let admins = all_in(transaction, sql, args![true], admin).await?;
    let (own, others): (Vec<_>, Vec<_>) = admins.into_iter().partition(is_own);
    if own.is_empty() || others.iter().any(|(_, _, has_password)| *has_password) {
        return Ok(());
    }
    Err(StoreError::Conflict(Conflict::LastAdmin))
}

impl SqlStore {
    async fn account_where(
        &self,
        condition: &str,
        args: Vec<super::value::Value>,
    ) -> Result<Option<Account>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts a WHERE {condition}");
        self.one(&sql, args, account).await
    }
}

#[async_trait]
impl Accounts for SqlStore {
    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        self.account_where("a.id = $1", args![id]).await
    }

    async fn account_by_email(&self, email: &str) -> Result<Option<Account>> {
        self.account_where("a.email = $1", args![email]).await
    }

    async fn account_of_identity(&self, identity: IdentityId) -> Result<Option<Account>> {
        self.account_where("a.identity_id = $1", args![identity]).await
    }

    async fn accounts(&self) -> Result<Vec<ListedAccount>> {
        let sql = format!(
            "SELECT {COLUMNS}, i.role, i.organization_id FROM accounts a LEFT JOIN identities i ON i.id = a.identity_id \
             ORDER BY a.email"
        );
        self.all(&sql, args![], listed).await
    }

    async fn create_account(&self, account: &Account, identity: &Identity) -> Result<()> {
        let mut session = self.write().await?;
        insert_identity(&mut session, identity).await?;
        insert_account(&mut session, account).await?;
        session.commit().await
    }

    async fn adopt_identity(&self, account: AccountId, identity: &Identity) -> Result<Option<IdentityId>> {
        let mut session = self.write().await?;
        insert_identity(&mut session, identity).await?;
        let sql = "UPDATE accounts SET identity_id = $2 WHERE id = $1 AND identity_id IS NULL";
        if session.execute(sql, args![account, identity.id]).await? > 0 {
            session.commit().await?;
            return Ok(Some(identity.id));
        }
        // Dropped without a commit: the identity is not needed.
        drop(session);
        Ok(Accounts::account(self, account)
            .await?
            .and_then(|account| account.identity))
    }

    async fn delete_account(&self, id: AccountId) -> Result<bool> {
        let mut session = self.write().await?;
        // Two that delete each other wait here, and the second one sees what the first one left.
        require_other_admin(&mut session, |(account, _, _)| *account == id).await?;
        let find = "SELECT identity_id FROM accounts WHERE id = $1";
        let Some(identity) = one_in(&mut session, find, args![id], Reader::opt_id::<IdentityId>).await?
        else {
            return Ok(false);
        };
        session
            .execute("DELETE FROM accounts WHERE id = $1", args![id])
            .await?;
        session
            .execute("DELETE FROM identities WHERE id = $1", args![identity])
            .await?;
        session.commit().await?;
        Ok(true)
    }

    async fn put_link(&self, account: AccountId, hash: &str, expires_at: Moment) -> Result<bool> {
        let sql = "UPDATE accounts SET link_hash = $2, link_expires_at = $3 WHERE id = $1";
        Ok(self.change(sql, args![account, hash, expires_at]).await? > 0)
    }

    async fn account_by_link(&self, hash: &str, now: Moment) -> Result<Option<Account>> {
        let condition = "a.link_hash = $1 AND a.link_expires_at > $2";
        self.account_where(condition, args![hash, now]).await
    }

    async fn use_link(&self, hash: &str, password_hash: &str, now: Moment) -> Result<bool> {
        let mut session = self.write().await?;
        let find = "SELECT id FROM accounts WHERE link_hash = $1 AND link_expires_at > $2";
        let Some(id) = one_in(&mut session, find, args![hash, now], Reader::id::<AccountId>).await? else {
            return Ok(false);
        };
        let sql = "UPDATE accounts SET password_hash = $2, link_hash = NULL, link_expires_at = NULL, \
                   totp_secret = NULL, totp_step = NULL WHERE link_hash = $1";
        if session.execute(sql, args![hash, password_hash]).await? == 0 {
            return Ok(false);
        }
        session.execute(REVOKE, args![id, true]).await?;
        session.commit().await?;
        Ok(true)
    }

    async fn set_password(&self, proven: &Account, password_hash: &str, but: TokenId) -> Result<()> {
        let mut session = self.write().await?;
        require_unchanged(&mut session, proven).await?;
        let sql =
            "UPDATE accounts SET password_hash = $2, link_hash = NULL, link_expires_at = NULL WHERE id = $1";
        session.execute(sql, args![proven.id, password_hash]).await?;
        session
            .execute(&format!("{REVOKE} AND id <> $3"), args![proven.id, true, but])
            .await?;
        session.commit().await
    }

    async fn set_totp(&self, proven: &Account, secret: Option<&[u8]>) -> Result<()> {
        let mut session = self.write().await?;
        require_unchanged(&mut session, proven).await?;
        let sql = "UPDATE accounts SET totp_secret = $2, totp_step = NULL WHERE id = $1";
        session.execute(sql, args![proven.id, secret]).await?;
        session.commit().await
    }

    async fn use_totp_step(&self, account: AccountId, secret: &[u8], step: i64) -> Result<bool> {
        let sql = "UPDATE accounts SET totp_step = $3 WHERE id = $1 AND totp_secret = $2 \
                   AND (totp_step IS NULL OR totp_step < $3)";
        Ok(self.change(sql, args![account, secret, step]).await? > 0)
    }

    async fn create_session(&self, session: &Session, token: &Token, proven: &Account) -> Result<()> {
        let mut transaction = self.write().await?;
        require_unchanged(&mut transaction, proven).await?;
        let own = "DELETE FROM tokens WHERE id IN (SELECT id FROM sessions WHERE account_id = $1)";
        let ended = format!("{own} AND (expires_at <= $2 OR revoked = $3)");
        transaction
            .execute(&ended, args![session.account, session.created_at, true])
            .await?;
        // With the one that begins there are as many as there may be.
        let oldest = format!(
            "{own} AND id NOT IN (SELECT id FROM sessions WHERE account_id = $1 \
             ORDER BY created_at DESC, id DESC LIMIT $2)"
        );
        transaction
            .execute(&oldest, args![session.account, SESSIONS_MAX - 1])
            .await?;
        insert_token(&mut transaction, token).await?;
        transaction
            .execute(
                "INSERT INTO sessions (id, account_id, ip_address, user_agent, created_at, last_seen_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                args![
                    session.id,
                    session.account,
                    &session.ip_address,
                    session.user_agent.as_deref(),
                    session.created_at,
                    session.last_seen_at
                ],
            )
            .await?;
        transaction.commit().await
    }

    async fn sessions(&self, account: AccountId, now: Moment) -> Result<Vec<Session>> {
        let sql = format!(
            "{SESSIONS} WHERE s.account_id = $1 AND t.revoked = $2 AND t.expires_at > $3 \
             ORDER BY s.created_at DESC, s.id DESC"
        );
        self.all(&sql, args![account, false, now], session).await
    }

    async fn session(&self, id: TokenId) -> Result<Option<Session>> {
        let sql = format!("{SESSIONS} WHERE s.id = $1");
        self.one(&sql, args![id], session).await
    }

    async fn touch_session(&self, id: TokenId, seen_by: Moment, now: Moment) -> Result<()> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE sessions SET last_seen_at = $3 WHERE id = $1 AND last_seen_at <= $2";
        if transaction.execute(sql, args![id, seen_by, now]).await? > 0 {
            // A new revision: bearers that are kept in memory tell when they were seen last.
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn revoke_session(&self, account: AccountId, id: TokenId) -> Result<bool> {
        let sql = format!("{REVOKE} AND id = $3");
        Ok(self.change(&sql, args![account, true, id]).await? > 0)
    }
}
