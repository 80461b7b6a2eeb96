//! Universal Auth of an identity: its settings and its client secrets (platform contract, section 6.8).

use keywheel_core::ids::{ClientId, ClientSecretId, IdentityId, UniversalAuthId};
use keywheel_store::universal_auth::{ClientSecret, ClientSecretKey, UniversalAuth, UniversalAuthSettings};
use keywheel_store::{Conflict, Page, Part, StoreError, TrustedIp};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::accounts::require_machine;
use super::identities::find_to;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::auth::login::{CLIENT_SECRET_PREFIX_CHARS, hash_client_secret};
use crate::http::errors::ApiError;

/// Random bytes of a client secret; shown as twice as many hex digits.
const CLIENT_SECRET_BYTES: usize = 32;

/// What can be set; absent is the default, or unchanged in an update. Times are whole seconds.
#[derive(Clone, Debug, Default)]
pub struct GivenSettings {
    /// From where a login is accepted.
    pub client_secret_trusted_ips: Option<Vec<TrustedIp>>,
    /// From where a token is accepted.
    pub access_token_trusted_ips: Option<Vec<TrustedIp>>,
    /// How long a token lasts without renewal.
    pub access_token_ttl: Option<i64>,
    /// How long a token lasts with renewals.
    pub access_token_max_ttl: Option<i64>,
    /// How often a token may be used.
    pub access_token_uses_limit: Option<i64>,
    /// How long a token lasts from renewal to renewal.
    pub access_token_period: Option<i64>,
    /// Whether failed logins lock.
    pub lockout_enabled: Option<bool>,
    /// How many failed logins lock.
    pub lockout_threshold: Option<i64>,
    /// How long it stays locked.
    pub lockout_duration: Option<i64>,
    /// After how long without failure the count starts anew.
    pub lockout_counter_reset: Option<i64>,
}

impl GivenSettings {
    fn over(self, before: UniversalAuthSettings) -> UniversalAuthSettings {
        UniversalAuthSettings {
            client_secret_trusted_ips: self
                .client_secret_trusted_ips
                .unwrap_or(before.client_secret_trusted_ips),
            access_token_trusted_ips: self
                .access_token_trusted_ips
                .unwrap_or(before.access_token_trusted_ips),
            access_token_ttl: self.access_token_ttl.unwrap_or(before.access_token_ttl),
            access_token_max_ttl: self.access_token_max_ttl.unwrap_or(before.access_token_max_ttl),
            access_token_uses_limit: self
                .access_token_uses_limit
                .unwrap_or(before.access_token_uses_limit),
            access_token_period: self.access_token_period.unwrap_or(before.access_token_period),
            lockout_enabled: self.lockout_enabled.unwrap_or(before.lockout_enabled),
            lockout_threshold: self.lockout_threshold.unwrap_or(before.lockout_threshold),
            lockout_duration: self.lockout_duration.unwrap_or(before.lockout_duration),
            lockout_counter_reset: self.lockout_counter_reset.unwrap_or(before.lockout_counter_reset),
        }
    }
}

/// The defaults of the contract.
fn defaults() -> UniversalAuthSettings {
    UniversalAuthSettings {
        client_secret_trusted_ips: TrustedIp::EVERYWHERE.to_vec(),
        access_token_trusted_ips: TrustedIp::EVERYWHERE.to_vec(),
        access_token_ttl: 2_592_000,
        access_token_max_ttl: 2_592_000,
        access_token_uses_limit: 0,
        access_token_period: 0,
        lockout_enabled: true,
        lockout_threshold: 3,
        lockout_duration: 300,
        lockout_counter_reset: 30,
    }
}

/// Gives an identity a login.
pub async fn attach(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    given: GivenSettings,
) -> Result<UniversalAuth, ApiError> {
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(Event::AddUniversalAuth, None, metadata).await?;
    find_to(app, caller, identity, Action::Edit).await?;
    require_machine(app, identity, "add universal auth").await?;
    let now = app.now();
    let auth = UniversalAuth {
        id: app.new_id(UniversalAuthId::new),
        identity,
        client_id: app.new_id(ClientId::new),
        settings: consistent(given.over(defaults()))?,
        created_at: now,
        updated_at: now,
    };
    app.store()
        .create_universal_auth(&auth)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::UniversalAuth) => {
                ApiError::bad_request("Failed to add universal auth to already configured identity")
            }
            other => other.into(),
        })?;
    Ok(auth)
}

/// The login of an identity.
pub async fn get(app: &App, caller: &Caller, identity: IdentityId) -> Result<UniversalAuth, ApiError> {
    find_to(app, caller, identity, Action::Read).await?;
    app.store()
        .universal_auth(identity)
        .await?
        .ok_or_else(|| not_found(identity))
}

/// Changes the settings of a login; tokens that are out keep theirs, but for the trusted addresses.
pub async fn update(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    given: GivenSettings,
) -> Result<UniversalAuth, ApiError> {
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(Event::UpdateUniversalAuth, None, metadata).await?;
    find_to(app, caller, identity, Action::Edit).await?;
    let before = app
        .store()
        .universal_auth(identity)
        .await?
        .ok_or_else(|| not_found(identity))?;
    let settings = consistent(given.over(before.settings))?;
    let after = app
        .store()
        .update_universal_auth(identity, &settings, app.now())
        .await?;
    after.ok_or_else(|| not_found(identity))
}

/// Takes the login away, with its secrets and their tokens.
pub async fn detach(app: &App, caller: &Caller, identity: IdentityId) -> Result<UniversalAuth, ApiError> {
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(Event::RevokeUniversalAuth, None, metadata).await?;
    find_to(app, caller, identity, Action::Delete).await?;
    let before = app.store().delete_universal_auth(identity).await?;
    before.ok_or_else(|| ApiError::bad_request("The identity does not have universal auth"))
}

/// Ends the lockouts of an identity, whatever address they are held against; how many there were.
pub async fn clear_lockouts(app: &App, caller: &Caller, identity: IdentityId) -> Result<u64, ApiError> {
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(Event::ClearLockouts, None, metadata).await?;
    find_to(app, caller, identity, Action::Edit).await?;
    let Some(auth) = app.store().universal_auth(identity).await? else {
        return Ok(0);
    };
    let lockouts = &app.login_failures().by_login;
    Ok(lockouts.forget_all(|(login, _)| *login == auth.id, app.clock().monotonic()))
}

/// Whether a lockout of an identity is held against any address. The right is the caller's to check.
pub async fn is_locked(app: &App, identity: IdentityId) -> Result<bool, ApiError> {
    let Some(auth) = app.store().universal_auth(identity).await? else {
        return Ok(false);
    };
    let lockouts = &app.login_failures().by_login;
    Ok(lockouts.any_closed(|(login, _)| *login == auth.id, app.clock().monotonic()))
}

/// A client secret to be made.
pub struct CreateClientSecret {
    /// For people.
    pub description: String,
    /// How often it may be used; 0 is without limit.
    pub uses_limit: i64,
    /// How long it can be used, in seconds; 0 is without limit.
    pub ttl: i64,
}

/// Makes a client secret. It is shown once: only its hash is kept.
pub async fn create_client_secret(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    wanted: CreateClientSecret,
) -> Result<(SecretString, ClientSecret), ApiError> {
    let metadata = Metadata::new().with("identityId", identity);
    caller.open(Event::CreateClientSecret, None, metadata).await?;
    find_to(app, caller, identity, Action::Edit).await?;
    let auth = app
        .store()
        .universal_auth(identity)
        .await?
        .ok_or_else(no_universal_auth)?;
    let bytes = Zeroizing::new(app.entropy().bytes::<CLIENT_SECRET_BYTES>());
    let text = Zeroizing::new(hex::encode(bytes.as_slice()));
    let now = app.now();
    let secret = ClientSecret {
        id: app.new_id(ClientSecretId::new),
        universal_auth: auth.id,
        hash: hash_client_secret(&text),
        prefix: text.chars().take(CLIENT_SECRET_PREFIX_CHARS).collect(),
        description: wanted.description,
        uses: 0,
        uses_limit: wanted.uses_limit,
        ttl: wanted.ttl,
        revoked: false,
        last_used_at: None,
        created_at: now,
        updated_at: now,
    };
    caller.note("clientSecretId", secret.id);
    app.store().create_client_secret(&secret).await?;
    Ok((SecretString::from(text.as_str()), secret))
}

/// The client secrets that are not revoked; newest first.
pub async fn list_client_secrets(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    page: &Page<ClientSecretKey>,
) -> Result<Part<ClientSecret, ClientSecretKey>, ApiError> {
    find_to(app, caller, identity, Action::Read).await?;
    Ok(app.store().client_secrets(identity, page).await?)
}

/// A client secret, a revoked one too.
pub async fn get_client_secret(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    id: ClientSecretId,
) -> Result<ClientSecret, ApiError> {
    find_to(app, caller, identity, Action::Read).await?;
    app.store()
        .client_secret(identity, id)
        .await?
        .ok_or_else(|| unknown_secret(id))
}

/// Revokes a client secret; the tokens that were got with it end at once.
pub async fn revoke_client_secret(
    app: &App,
    caller: &Caller,
    identity: IdentityId,
    id: ClientSecretId,
) -> Result<ClientSecret, ApiError> {
    let metadata = Metadata::new()
        .with("identityId", identity)
        .with("clientSecretId", id);
    caller.open(Event::RevokeClientSecret, None, metadata).await?;
    find_to(app, caller, identity, Action::Delete).await?;
    if app.store().universal_auth(identity).await?.is_none() {
        return Err(no_universal_auth());
    }
    app.store()
        .client_secret(identity, id)
        .await?
        .ok_or_else(|| unknown_secret(id))?;
    app.store()
        .revoke_client_secret(id, app.now())
        .await?
        .ok_or_else(|| unknown_secret(id))
}

/// A token must not outlive its maximum age.
fn consistent(settings: UniversalAuthSettings) -> Result<UniversalAuthSettings, ApiError> {
    if settings.access_token_max_ttl > 0 && settings.access_token_ttl > settings.access_token_max_ttl {
        return Err(ApiError::bad_request(
            "Access token TTL cannot be greater than max TTL",
        ));
    }
    Ok(settings)
}

fn not_found(identity: IdentityId) -> ApiError {
    ApiError::not_found(format!(
        "Failed to find universal auth for identity with ID {identity}"
    ))
}

fn no_universal_auth() -> ApiError {
    ApiError::bad_request("The identity does not have universal auth")
}

fn unknown_secret(id: ClientSecretId) -> ApiError {
    ApiError::not_found(format!("Client secret with ID {id} not found"))
}
