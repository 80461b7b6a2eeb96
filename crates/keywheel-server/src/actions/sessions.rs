//! Sessions of people: access tokens that they signed in for.

use keywheel_core::clock::Moment;
use keywheel_core::ids::TokenId;
use keywheel_store::accounts::{Account, Session};
use keywheel_store::identities::Identity;
use keywheel_store::setup::Organization;
use keywheel_store::tokens::Token;
use keywheel_store::{Conflict, StoreError};
use secrecy::SecretString;

use super::accounts::identity_of;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::browser::{Visitor, session_over};
use crate::auth::caller::Caller;
use crate::auth::token::Claims;
use crate::http::errors::ApiError;

/// A session and whose it is.
pub struct Current {
    /// The session.
    pub id: TokenId,
    /// What pages have to know to change something.
    pub csrf_token: String,
    /// When it began.
    pub created_at: Moment,
    /// When it ends, however much it is used.
    pub expires_at: Moment,
    /// Who signed in.
    pub account: Account,
    /// What carries their rights.
    pub identity: Identity,
    /// Where.
    pub organization: Organization,
}

/// A session that just began.
pub struct Opened {
    /// The token for the cookie.
    pub token: SecretString,
    /// The rest.
    pub current: Current,
}

/// Begins a session of an account, which is as it was when its owner proved to be it.
pub async fn open(app: &App, visitor: &Visitor, account: Account) -> Result<Opened, ApiError> {
    let (now, lasts) = (app.now(), app.settings().session_ttl_max);
    let identity = identity_of(app, &account).await?;
    let session = Session {
        id: app.new_id(TokenId::new),
        account: account.id,
        ip_address: visitor.address.to_string(),
        user_agent: visitor.user_agent.clone(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + lasts,
    };
    let secs = lasts.get() / 1_000;
    let token = Token {
        id: session.id,
        identity: identity.id,
        client_secret: None,
        ttl: secs,
        max_ttl: secs,
        period: 0,
        expires_at: Some(session.expires_at),
        uses: 0,
        uses_limit: 0,
        revoked: false,
        created_at: now,
        renewed_at: None,
    };
    let begun = app.store().create_session(&session, &token, &account).await;
    begun.map_err(|error| match error {
        StoreError::Conflict(Conflict::Changed) => ApiError::unauthorized(
            "The password or the one-time codes of this account were changed meanwhile. Sign in again.",
        ),
        other => other.into(),
    })?;
    let signer = app.signer().await?;
    let claims = Claims::of(&token, &identity, now, session.expires_at);
    Ok(Opened {
        token: signer.sign(&claims)?.into(),
        current: Current {
            id: session.id,
            csrf_token: signer.csrf_token(session.id),
            created_at: session.created_at,
            expires_at: session.expires_at,
            account,
            identity,
            organization: organization(app).await?,
        },
    })
}

/// The session of the caller.
pub async fn current(app: &App, caller: &Caller) -> Result<Current, ApiError> {
    let account = own_account(app, caller).await?;
    let token = caller.token();
    let session = app.store().session(token).await?.ok_or_else(session_over)?;
    let identity = app.store().identity(caller.identity()).await?;
    Ok(Current {
        id: session.id,
        csrf_token: app.signer().await?.csrf_token(session.id),
        created_at: session.created_at,
        expires_at: session.expires_at,
        account,
        identity: identity.ok_or_else(session_over)?,
        organization: organization(app).await?,
    })
}

/// The account that is signed in.
pub(super) async fn own_account(app: &App, caller: &Caller) -> Result<Account, ApiError> {
    let account = app.store().account(caller.signed_in()?.account).await?;
    account.ok_or_else(session_over)
}

async fn organization(app: &App) -> Result<Organization, ApiError> {
    let found = app.store().organization().await?;
    found.ok_or_else(|| ApiError::internal("an account without an organization"))
}

/// Signs out.
pub async fn sign_out(app: &App, caller: &Caller) -> Result<(), ApiError> {
    let account = caller.signed_in()?.account;
    let metadata = Metadata::new().with("sessionId", caller.token());
    caller.open(Event::LogoutAccount, None, metadata).await?;
    app.store().revoke_session(account, caller.token()).await?;
    Ok(())
}

/// The caller's own sessions that go on, the latest first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Session>, ApiError> {
    let (account, now) = (caller.signed_in()?.account, app.now());
    let mut sessions = app.store().sessions(account, now).await?;
    let idle_max = app.settings().session_idle_max;
    sessions.retain(|session| session.last_seen_at + idle_max > now);
    Ok(sessions)
}

/// Ends one of the caller's own sessions at once.
pub async fn revoke(app: &App, caller: &Caller, id: TokenId) -> Result<(), ApiError> {
    let account = caller.signed_in()?.account;
    let metadata = Metadata::new().with("sessionId", id);
    caller.open(Event::RevokeSession, None, metadata).await?;
    if app.store().revoke_session(account, id).await? {
        return Ok(());
    }
    Err(ApiError::not_found(format!("You have no session with ID {id}")))
}
