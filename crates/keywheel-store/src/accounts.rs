//! People: their accounts, and the sessions that they signed in for.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, IdentityId, OrganizationId, TokenId};
use keywheel_core::names::Slug;

use crate::error::Result;
use crate::identities::Identity;
use crate::tokens::Token;

/// Most sessions of an account, the newest: more than anybody has browsers, and few enough to be listed at once.
pub const SESSIONS_MAX: u32 = 20;

/// A person who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// In lower case; also the user name.
    pub email: String,
    /// The PHC string of the password's hash; none until the invitation was followed.
    pub password_hash: Option<String>,
    /// Whether the account administers the instance.
    pub super_admin: bool,
    /// What carries its rights; none for an account of an older version that nobody has signed in to since.
    pub identity: Option<IdentityId>,
    /// One-time codes, if they were asked for.
    pub totp: Option<Totp>,
    /// When it was made.
    pub created_at: Moment,
}

/// One-time codes of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// The shared secret, sealed.
    pub secret: Vec<u8>,
    /// The time step of the last code that was used; none until the first one has confirmed the secret.
    pub last_step: Option<i64>,
}

impl Account {
    /// The confirmed codes, which are asked for at each sign-in.
    pub fn confirmed_totp(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.last_step.is_some())
    }

    /// Whether its owner would have to prove the same as then: the password and the confirmed codes are those.
    pub fn is_proven_by(&self, then: &Self) -> bool {
        let secret = |account: &Self| account.confirmed_totp().map(|totp| totp.secret.clone());
        self.password_hash == then.password_hash && secret(self) == secret(then)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Totp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Totp")
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

/// An account in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedAccount {
    /// The account.
    pub account: Account,
    /// The role of its identity in the organization.
    pub role: Option<Slug>,
    /// The organization; none for an account of an older version, which had one.
    pub organization: Option<OrganizationId>,
}

/// A session: an access token that somebody signed in for, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// The id of the token.
    pub id: TokenId,
    /// Who signed in.
    pub account: AccountId,
    /// From where.
    pub ip_address: String,
    /// With what, in its own words.
    pub user_agent: Option<String>,
    /// When.
    pub created_at: Moment,
    /// When it was used last, to about a minute.
    pub last_seen_at: Moment,
    /// When it ends, however much it is used.
    pub expires_at: Moment,
}

/// People and their sessions. Where somebody has `proven` something, it is their account as it was read for that.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// An account by its id.
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;

    /// An account by its e-mail address in lower case.
    async fn account_by_email(&self, email: &str) -> Result<Option<Account>>;

    /// The account that an identity belongs to.
    async fn account_of_identity(&self, identity: IdentityId) -> Result<Option<Account>>;

    /// All accounts with their roles, by e-mail address.
    async fn accounts(&self) -> Result<Vec<ListedAccount>>;

    /// Makes an account with its identity. `Conflict::AccountEmail` if the address has one.
    async fn create_account(&self, account: &Account, identity: &Identity) -> Result<()>;

    /// Gives an account of an older version its identity, unless it has one by now; which it then has.
    async fn adopt_identity(&self, account: AccountId, identity: &Identity) -> Result<Option<IdentityId>>;

    /// Deletes an account with its identity and its sessions; whether it was there. `Conflict::LastAdmin` if it has the
    /// role `admin`, and no other account that has a password does.
    async fn delete_account(&self, id: AccountId) -> Result<bool>;

    /// Keeps the hash of a one-time link in place of the one before; whether the account is there.
    async fn put_link(&self, account: AccountId, hash: &str, expires_at: Moment) -> Result<bool>;

    /// The account that a one-time link is for, if it is still good.
    async fn account_by_link(&self, hash: &str, now: Moment) -> Result<Option<Account>>;

    /// Uses a one-time link up: sets the password, switches one-time codes off, ends all sessions. False if the link is
    /// not good any more; of several uses at once, one is.
    async fn use_link(&self, hash: &str, password_hash: &str, now: Moment) -> Result<bool>;

    /// Sets the password, and ends all sessions but one; a link that is out is void. `Conflict::Changed` if what was
    /// proven is not asked for any more.
    async fn set_password(&self, proven: &Account, password_hash: &str, but: TokenId) -> Result<()>;

    /// Sets the sealed secret of one-time codes, not yet confirmed; or switches them off. `Conflict::Changed` if what
    /// was proven is not asked for any more: a secret that was confirmed meanwhile stays.
    async fn set_totp(&self, proven: &Account, secret: Option<&[u8]>) -> Result<()>;

    /// Uses the code of a time step up. False if that step or a later one was used before, or the secret is another one
    /// by now.
    async fn use_totp_step(&self, account: AccountId, secret: &[u8], step: i64) -> Result<bool>;

    /// Begins a session, and forgets those of the account that have ended or been revoked, and the oldest of more than
    /// [`SESSIONS_MAX`]. `Conflict::Changed` if what was proven is not asked for any more: nobody gets in with a
    /// password that was changed while they were on their way.
    async fn create_session(&self, session: &Session, token: &Token, proven: &Account) -> Result<()>;

    /// A session, whether or not it goes on.
    async fn session(&self, id: TokenId) -> Result<Option<Session>>;

    /// The sessions of an account that go on, the latest first.
    async fn sessions(&self, account: AccountId, now: Moment) -> Result<Vec<Session>>;

    /// Notes that a session was used, if it was seen last at `seen_by` or before: of requests at once, one writes.
    async fn touch_session(&self, id: TokenId, seen_by: Moment, now: Moment) -> Result<()>;

    /// Revokes the token of a session for good; whether the account had such a session that was not revoked.
    async fn revoke_session(&self, account: AccountId, id: TokenId) -> Result<bool>;
}
