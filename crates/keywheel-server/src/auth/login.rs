//! Universal auth: an identity logs in with a client id and a client secret, renews its token, revokes it.
//!
//! Order of the checks and texts: platform contract, section 6.1.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use axum::http::StatusCode;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ClientId, ClientSecretId, TokenId};
use keywheel_core::names::Slug;
use keywheel_store::identities::Identity;
use keywheel_store::tokens::Token;
use keywheel_store::universal_auth::{ClientSecret, ClientSecretUse, UniversalAuth, UniversalAuthSettings};
use secrecy::{ExposeSecret, SecretString};

use super::caller::require_trusted;
use super::failures::{Limit, Noted, Origin, Since};
use super::token::{Claims, TokenFault};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata};
use crate::audit::trail::Trail;
use crate::http::errors::{ApiError, CODE_REQUIRED};

/// Characters of a client secret that are kept in the clear, to find it by.
pub const CLIENT_SECRET_PREFIX_CHARS: usize = 4;
/// Logins so soon after the last good one count as sent together with it.
const BURST: Millis = Millis::from_secs(5);
/// What is said where there is no end: clients count down to it, so it must be far away and not 0.
const NO_END_SECS: i64 = 1_000_000_000;

/// A login as it was asked for.
pub struct Login {
    /// The public half; none if the text was not an id, which is answered like an unknown one.
    pub client_id: Option<ClientId>,
    /// The secret half.
    pub client_secret: SecretString,
    /// The organization that the caller expects to get into.
    pub organization: Option<String>,
    /// Where it comes from.
    pub address: IpAddr,
}

/// A token and how long it lasts.
pub struct Granted {
    /// The JWT.
    pub access_token: String,
    /// Until it has to be renewed, in seconds.
    pub expires_in: i64,
    /// Until it cannot be renewed any more, in seconds from its making.
    pub max_ttl: i64,
    /// Whose it is.
    pub identity: Identity,
}

/// Logs in. Failures count against the address that they come from; over its limit it is refused, whoever it is, before
/// anything is looked up or written.
pub async fn log_in(app: &App, trail: &Trail, login: &Login) -> Result<Granted, ApiError> {
    let origin = Origin::from(login.address);
    counted(app, trail, login.address, attempt(app, trail, login, origin)).await
}

/// Counts a failed login against the address that it comes from, and makes none over its limit. It counts afterwards: a
/// client secret is looked at in no time, and a fleet that starts together sends many good ones at once.
async fn counted<T>(
    app: &App,
    trail: &Trail,
    address: IpAddr,
    attempt: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let origin = Origin::from(address);
    let failures = &app.login_failures().by_origin;
    if let Some(rest) = failures.closed_for(&origin, app.clock().monotonic()) {
        return Err(ApiError::too_many(rest));
    }
    let outcome = attempt.await;
    let limit = app.settings().login_failures_per_minute;
    if limit > 0 && outcome.as_ref().is_err_and(is_failed_login) {
        let noted = failures.note(origin, Limit::per_minute(limit), app.clock().monotonic());
        tell(trail, address, noted);
    }
    outcome
}

/// The same for an attempt of a person: it counts from its beginning, and is taken back if it did not fail.
pub(crate) async fn reserved<T>(
    app: &App,
    trail: &Trail,
    address: IpAddr,
    attempt: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let limit = app.settings().login_failures_per_minute;
    if limit == 0 {
        return attempt.await;
    }
    let origin = Origin::from(address);
    let failures = &app.login_failures().by_origin;
    let noted = failures
        .reserve(origin, Limit::per_minute(limit), app.clock().monotonic())
        .map_err(ApiError::too_many)?;
    let outcome = attempt.await;
    if outcome.as_ref().is_err_and(is_failed_login) {
        tell(trail, address, noted);
    } else {
        failures.take_back(&origin);
    }
    outcome
}

/// Tells the audit log and the operator what a failure led to.
fn tell(trail: &Trail, address: IpAddr, noted: Noted) {
    if noted.refused_before > 0 {
        trail.note("refusedBefore", noted.refused_before);
    }
    if noted.closes {
        tracing::warn!(%address, "too many failed logins: more are refused for a minute");
    }
}

/// Whether it is the caller who is to blame, and not a form or the server.
fn is_failed_login(refusal: &ApiError) -> bool {
    let is_code_awaited = refusal.name() == CODE_REQUIRED;
    matches!(refusal.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && !is_code_awaited
}

async fn attempt(app: &App, trail: &Trail, login: &Login, origin: Origin) -> Result<Granted, ApiError> {
    let now = app.now();
    trail
        .open(Actor::UnknownUser, Event::Login, None, Metadata::new())
        .await?;
    let found = match login.client_id {
        Some(client_id) => app.store().login_by_client_id(client_id).await?,
        None => None,
    };
    let (auth, identity) = found.ok_or_else(invalid_credentials)?;
    trail.note_actor(actor(&identity));
    trail.note("identityId", identity.id);
    trail.note("identityUniversalAuthId", auth.id);
    require_trusted(&auth.settings.client_secret_trusted_ips, login.address)?;
    let lockouts = &app.login_failures().by_login;
    let (lockout, lockout_key) = (lockout(&auth.settings), (auth.id, origin));
    if lockout.is_some()
        && let Some(rest) = lockouts.closed_for(&lockout_key, app.clock().monotonic())
    {
        // A wrong secret and a right one at the wrong time are refused with the same status.
        trail.note("isLockedOut", true);
        return Err(locked(rest));
    }
    let Some(secret) = matching_secret(app, &auth, &login.client_secret).await? else {
        if let Some(lockout) = lockout {
            lockouts.note(lockout_key, lockout, app.clock().monotonic());
        }
        return Err(invalid_credentials());
    };
    lockouts.forget(&lockout_key);
    trail.note("clientSecretId", secret.id);
    refuse_spent(app, &secret, now).await?;
    require_organization(app, login.organization.as_deref()).await?;

    let token = token_of(app, &auth.settings, &identity, secret.id, now);
    trail.note("identityAccessTokenId", token.id);
    match app.store().use_client_secret(secret.id, &token, now).await? {
        ClientSecretUse::Used => grant(app, &token, identity, now).await,
        ClientSecretUse::LimitReached => Err(limit_reached()),
        ClientSecretUse::Revoked => Err(invalid_credentials()),
    }
}

/// When the login is locked; none if its lockout is off.
fn lockout(settings: &UniversalAuthSettings) -> Option<Limit> {
    settings.lockout_enabled.then(|| Limit {
        failures: u32::try_from(settings.lockout_threshold).unwrap_or(u32::MAX),
        within: Millis::from_secs(settings.lockout_counter_reset),
        since: Since::Last,
        closed_for: Millis::from_secs(settings.lockout_duration),
    })
}

fn actor(identity: &Identity) -> Actor {
    Actor::Identity {
        id: identity.id,
        name: identity.name.clone(),
    }
}

/// Finds the client secret by its first characters and then by its hash, compared in constant time.
async fn matching_secret(
    app: &App,
    auth: &UniversalAuth,
    given: &SecretString,
) -> Result<Option<ClientSecret>, ApiError> {
    let given = given.expose_secret();
    let prefix: String = given.chars().take(CLIENT_SECRET_PREFIX_CHARS).collect();
    let hash = hash_client_secret(given);
    let candidates = app.store().login_candidates(auth.id, &prefix).await?;
    let matches = |secret: &ClientSecret| constant_time::verify_slices_are_equal(&secret.hash, &hash).is_ok();
    Ok(candidates.into_iter().find(matches))
}

/// The hash of a client secret as it is stored. Secrets are random, so a slow hash would add nothing.
pub fn hash_client_secret(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes())
        .as_ref()
        .to_vec()
}

/// Refuses a secret whose time or number of uses is over, and revokes it; but not while logins that were sent
/// together with the last good one may still come in, which would find no secret instead of one at its limit.
async fn refuse_spent(app: &App, secret: &ClientSecret, now: Moment) -> Result<(), ApiError> {
    let expired = secret.ttl > 0 && secret.created_at + Millis::from_secs(secret.ttl) <= now;
    let used_up = secret.uses_limit > 0 && secret.uses >= secret.uses_limit;
    let in_burst = secret.last_used_at.is_some_and(|last| now < last + BURST);
    if expired || (used_up && !in_burst) {
        app.store().revoke_client_secret(secret.id, now).await?;
    }
    if expired {
        return Err(ApiError::unauthorized(
            "Access denied due to expired client secret",
        ));
    }
    if used_up { Err(limit_reached()) } else { Ok(()) }
}

async fn require_organization(app: &App, slug: Option<&str>) -> Result<(), ApiError> {
    let Some(slug) = slug else { return Ok(()) };
    let organization = app.store().organization().await?;
    if organization.is_some_and(|own| own.slug == Slug::from_stored(slug.to_owned())) {
        return Ok(());
    }
    Err(ApiError::not_found(format!(
        "Organization with slug '{slug}' not found"
    )))
}

fn token_of(
    app: &App,
    settings: &UniversalAuthSettings,
    identity: &Identity,
    client_secret: ClientSecretId,
    now: Moment,
) -> Token {
    let mut token = Token {
        id: app.new_id(TokenId::new),
        identity: identity.id,
        client_secret: Some(client_secret),
        ttl: settings.access_token_ttl,
        max_ttl: settings.access_token_max_ttl,
        period: settings.access_token_period,
        expires_at: None,
        uses: 0,
        uses_limit: settings.access_token_uses_limit,
        revoked: false,
        created_at: now,
        renewed_at: None,
    };
    token.expires_at = Some(now + lasts(app, &token, now));
    token
}

/// How long a token lasts from now on: its period or its TTL, but no longer than its maximum age and the
/// server's ceiling allow. 0 means that the token itself sets no limit.
fn lasts(app: &App, token: &Token, now: Moment) -> Millis {
    let ceiling = app.settings().token_ttl_max;
    if token.period > 0 {
        return Millis::from_secs(token.period).min(ceiling);
    }
    let limited = |secs: i64| {
        if secs > 0 {
            Millis::from_secs(secs)
        } else {
            ceiling
        }
    };
    let rest_of_max = if token.max_ttl > 0 {
        token.created_at + Millis::from_secs(token.max_ttl) - now
    } else {
        ceiling
    };
    limited(token.ttl).min(rest_of_max).min(ceiling)
}

async fn grant(app: &App, token: &Token, identity: Identity, now: Moment) -> Result<Granted, ApiError> {
    let lasts = lasts(app, token, now);
    let claims = Claims::of(token, &identity, now, now + lasts);
    let endless = token.period > 0 || token.max_ttl == 0;
    Ok(Granted {
        access_token: app.signer().await?.sign(&claims)?,
        expires_in: lasts.get() / 1_000,
        max_ttl: if endless { NO_END_SECS } else { token.max_ttl },
        identity,
    })
}

/// Gives a token more time.
pub async fn renew(app: &App, trail: &Trail, access_token: &str) -> Result<Granted, ApiError> {
    let now = app.now();
    let claims = app
        .signer()
        .await?
        .read(access_token, now)
        .map_err(|fault| match fault {
            TokenFault::OtherKind => not_renewable(),
            other => other.into(),
        })?;
    let found = app.store().caller(claims.identity_access_token_id).await?;
    let bearer = found.ok_or_else(no_token)?;
    let token = bearer.token;
    let metadata = Metadata::new().with("identityAccessTokenId", token.id);
    trail
        .open(actor(&bearer.identity), Event::RenewToken, None, metadata)
        .await?;
    // A session ends when it was said to when it began.
    if bearer.session.is_some() {
        return Err(not_renewable());
    }
    if token.revoked {
        return Err(ApiError::unauthorized("Cannot renew: token has been revoked"));
    }
    if bearer.client_secret_revoked {
        return Err(ApiError::unauthorized(
            "Cannot renew: client secret has been revoked",
        ));
    }
    if token.uses_limit > 0 && token.uses >= token.uses_limit {
        return Err(ApiError::unauthorized(
            "Unable to renew because access token number of uses limit reached",
        ));
    }
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiError::unauthorized(
            "Failed to renew MI access token due to TTL expiration",
        ));
    }
    let lasts = lasts(app, &token, now);
    if lasts < Millis::from_secs(1) {
        return Err(ApiError::unauthorized(
            "Failed to renew MI access token due to Max TTL expiration",
        ));
    }
    if !app.store().renew_token(token.id, Some(now + lasts), now).await? {
        return Err(ApiError::unauthorized("Cannot renew: token has been revoked"));
    }
    grant(app, &token, bearer.identity, now).await
}

/// Ends a token at once. A token that was revoked before stays revoked, which is a success.
pub async fn revoke(app: &App, trail: &Trail, access_token: &str) -> Result<(), ApiError> {
    let claims = app.signer().await?.read(access_token, app.now())?;
    let token = claims.identity_access_token_id;
    let bearer = app.store().caller(token).await?.ok_or_else(no_token)?;
    let metadata = Metadata::new().with("identityAccessTokenId", token);
    trail
        .open(actor(&bearer.identity), Event::RevokeToken, None, metadata)
        .await?;
    if app.store().revoke_token(token).await? {
        return Ok(());
    }
    Err(no_token())
}

fn not_renewable() -> ApiError {
    ApiError::bad_request("Only identity access tokens can be renewed")
}

fn no_token() -> ApiError {
    ApiError::unauthorized("No identity access token found")
}

fn invalid_credentials() -> ApiError {
    ApiError::unauthorized("Invalid credentials")
}

fn locked(rest: Millis) -> ApiError {
    let text = "This identity auth method is temporarily locked, please try again later";
    ApiError::unauthorized(text).with_retry_after(rest)
}

fn limit_reached() -> ApiError {
    ApiError::unauthorized("Access denied due to client secret usage limit reached")
}
