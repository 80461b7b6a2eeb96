//! Access tokens. Each has a row, which is looked at with each request.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, ClientSecretId, IdentityId, ProjectId, TokenId};

use crate::error::Result;
use crate::identities::Identity;
use crate::memberships::MembershipRole;
use crate::trusted_ip::TrustedIp;

/// The row of an access token. Times are whole seconds, as in the API; 0 is "no limit".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// The token; `jti` of the JWT.
    pub id: TokenId,
    /// Whose it is.
    pub identity: IdentityId,
    /// The client secret that it was got with; none for token auth.
    pub client_secret: Option<ClientSecretId>,
    /// How long it lasts without renewal, in seconds.
    pub ttl: i64,
    /// How long it lasts with renewals, in seconds from its making.
    pub max_ttl: i64,
    /// If above 0: how long it lasts from renewal to renewal, in seconds.
    pub period: i64,
    /// When it ends unless it is renewed; none for never.
    pub expires_at: Option<Moment>,
    /// How often it was used; counted only where there is a limit.
    pub uses: i64,
    /// How often it may be used.
    pub uses_limit: i64,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last renewed.
    pub renewed_at: Option<Moment>,
}

/// A token and everything about its bearer that a request needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The token.
    pub token: Token,
    /// Whose it is.
    pub identity: Identity,
    /// Whether the client secret that it was got with is revoked.
    pub client_secret_revoked: bool,
    /// From where tokens of this identity are accepted now; empty without Universal Auth, which is
    /// everywhere.
    pub trusted_ips: Vec<TrustedIp>,
    /// Who signed in for the token; none for machines.
    pub session: Option<SignedIn>,
}

/// Who signed in for a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// Its e-mail address.
    pub email: String,
    /// When the session was used last, to about a minute.
    pub last_seen_at: Moment,
}

/// Access tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Keeps a token that was not got with a client secret.
    async fn create_token(&self, token: &Token) -> Result<()>;

    /// A token with its bearer, in one query; none if it or the identity is gone.
    async fn caller(&self, token: TokenId) -> Result<Option<Caller>>;

    /// The roles of an identity in a project, in one query; none if it is no member.
    async fn roles_in(&self, project: ProjectId, identity: IdentityId)
    -> Result<Option<Vec<MembershipRole>>>;

    /// Counts a use of a token that has a limit; false if it is used up. Exact under parallel requests.
    async fn count_use(&self, token: TokenId) -> Result<bool>;

    /// Moves the end of a token; whether it is there and not revoked.
    async fn renew_token(&self, token: TokenId, expires_at: Option<Moment>, now: Moment) -> Result<bool>;

    /// Revokes a token for good; whether it was there.
    async fn revoke_token(&self, token: TokenId) -> Result<bool>;

    /// Removes rows of tokens that ended before the given moment, at most `limit` of them; how many.
    async fn forget_tokens(&self, ended_before: Moment, limit: u32) -> Result<u64>;
}
