//! Universal Auth: login of an identity by client id and client secret.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ClientId, ClientSecretId, IdentityId, UniversalAuthId};

use crate::error::Result;
use crate::identities::Identity;
use crate::pages::{Keyed, Page, Part};
use crate::tokens::Token;
use crate::trusted_ip::TrustedIp;

/// What can be set. Times are whole seconds, as in the API; 0 is "no limit".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UniversalAuthSettings {
    /// From where a login is accepted, in the order given.
    pub client_secret_trusted_ips: Vec<TrustedIp>,
    /// From where a token is accepted, in the order given.
    pub access_token_trusted_ips: Vec<TrustedIp>,
    /// How long a token lasts without renewal.
    pub access_token_ttl: i64,
    /// How long a token lasts with renewals.
    pub access_token_max_ttl: i64,
    /// How often a token may be used.
    pub access_token_uses_limit: i64,
    /// If above 0: how long a token lasts from renewal to renewal, without an end.
    pub access_token_period: i64,
    /// Whether failed logins lock.
    pub lockout_enabled: bool,
    /// How many failed logins lock.
    pub lockout_threshold: i64,
    /// How long it stays locked.
    pub lockout_duration: i64,
    /// After how long without failure the count starts anew.
    pub lockout_counter_reset: i64,
}

/// The Universal Auth of an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UniversalAuth {
    /// These settings.
    pub id: UniversalAuthId,
    /// Whose they are; one per identity.
    pub identity: IdentityId,
    /// The public half of the login.
    pub client_id: ClientId,
    /// What can be set.
    pub settings: UniversalAuthSettings,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

/// A client secret. The secret itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// The client secret.
    pub id: ClientSecretId,
    /// To which login it belongs.
    pub universal_auth: UniversalAuthId,
    /// SHA-256 of the secret: it has 256 random bits, so that a slow hash would add nothing.
    pub hash: Vec<u8>,
    /// The first four characters, to tell secrets apart.
    pub prefix: String,
    /// For people.
    pub description: String,
    /// How often it was used.
    pub uses: i64,
    /// How often it may be used; 0 is without limit.
    pub uses_limit: i64,
    /// How long it can be used, in seconds from its making; 0 is without limit.
    pub ttl: i64,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was last used.
    pub last_used_at: Option<Moment>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSecret")
            .field("id", &self.id)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// How a use of a client secret ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientSecretUse {
    /// It was counted, and the token is kept.
    Used,
    /// It had been used as often as it may be.
    LimitReached,
    /// It is revoked or gone.
    Revoked,
}

/// The order of client secrets: time and id.
pub type ClientSecretKey = (Moment, ClientSecretId);

impl Keyed for ClientSecret {
    type Key = ClientSecretKey;

    fn key(&self) -> Self::Key {
        (self.created_at, self.id)
    }
}

/// Universal Auth.
#[async_trait]
pub trait UniversalAuths: Send + Sync {
    /// Gives an identity a login. `Conflict::UniversalAuth` if it has one, `Conflict::Reference` if the
    /// identity is gone.
    async fn create_universal_auth(&self, auth: &UniversalAuth) -> Result<()>;

    /// The login of an identity.
    async fn universal_auth(&self, identity: IdentityId) -> Result<Option<UniversalAuth>>;

    /// A login and its identity by the client id, in one query.
    async fn login_by_client_id(&self, client: ClientId) -> Result<Option<(UniversalAuth, Identity)>>;

    /// Replaces the settings; none if the identity has no login.
    async fn update_universal_auth(
        &self,
        identity: IdentityId,
        settings: &UniversalAuthSettings,
        now: Moment,
    ) -> Result<Option<UniversalAuth>>;

    /// Takes the login away, with its secrets and their tokens; what it was.
    async fn delete_universal_auth(&self, identity: IdentityId) -> Result<Option<UniversalAuth>>;

    /// Keeps a new client secret. `Conflict::Reference` if the login is gone.
    async fn create_client_secret(&self, secret: &ClientSecret) -> Result<()>;

    /// A client secret of an identity, a revoked one too.
    async fn client_secret(&self, identity: IdentityId, id: ClientSecretId) -> Result<Option<ClientSecret>>;

    /// The client secrets of an identity that are not revoked; newest first.
    async fn client_secrets(
        &self,
        identity: IdentityId,
        page: &Page<ClientSecretKey>,
    ) -> Result<Part<ClientSecret, ClientSecretKey>>;

    /// The secrets that a login could mean: not revoked, with the same first four characters.
    async fn login_candidates(&self, auth: UniversalAuthId, prefix: &str) -> Result<Vec<ClientSecret>>;

    /// Counts a login and keeps its token, in one transaction. Exact under parallel logins: a limit of N gives N times
    /// `Used`. Not counted by [`crate::Store::revision`], so that logins do not make reads slow.
    async fn use_client_secret(
        &self,
        id: ClientSecretId,
        token: &Token,
        now: Moment,
    ) -> Result<ClientSecretUse>;

    /// Revokes a client secret for good; none if it does not exist. Its tokens end with it.
    async fn revoke_client_secret(&self, id: ClientSecretId, now: Moment) -> Result<Option<ClientSecret>>;
}
