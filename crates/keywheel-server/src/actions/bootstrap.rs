//! The first organization, its first administrator and the first token (platform contract, section 6.7).

use keywheel_core::ids::{AccountId, IdentityId, OrganizationId, TokenId};
use keywheel_core::names::{Slug, Title};
use keywheel_store::accounts::Account;
use keywheel_store::identities::{AuthMethod, Identity};
use keywheel_store::setup::{Bootstrap, FirstMachine, Organization};
use keywheel_store::tokens::Token;
use keywheel_store::{Conflict, StoreError};
use secrecy::SecretString;

use super::accounts::own_identity;
use super::slugs::slug_for;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata};
use crate::audit::trail::Trail;
use crate::auth::access::OrganizationRole;
use crate::auth::failures::Origin;
use crate::auth::token::Claims;
use crate::http::errors::ApiError;

/// What the first identity is called.
const FIRST_IDENTITY: &str = "Instance Admin Identity";

/// Who starts the instance.
pub struct CreateFirst {
    /// Of the administrator.
    pub email: String,
    /// Of the administrator.
    pub password: SecretString,
    /// What the organization is called.
    pub organization: Title,
}

/// What then is there.
pub struct Created {
    /// Of the instance.
    pub organization: Organization,
    /// Its administrator.
    pub account: Account,
    /// The first machine.
    pub identity: Identity,
    /// Its access token, shown once.
    pub access_token: String,
}

/// Sets the instance up, with a machine that administers it. Works once.
pub async fn bootstrap(app: &App, trail: &Trail, wanted: CreateFirst) -> Result<Created, ApiError> {
    let mut first = prepare(app, trail.address().into(), wanted).await?;
    let now = first.organization.created_at;
    let identity = Identity {
        id: app.new_id(IdentityId::new),
        organization: first.organization.id,
        name: FIRST_IDENTITY.to_owned(),
        role: Slug::from_stored(OrganizationRole::Admin.as_str().to_owned()),
        metadata: Vec::new(),
        delete_protection: false,
        auth_methods: vec![AuthMethod::TokenAuth],
        created_at: now,
        updated_at: now,
    };
    let token = endless_token(app, &identity);
    let claims = Claims::of(&token, &identity, now, now + app.settings().token_ttl_max);
    first.machine = Some(FirstMachine {
        identity: identity.clone(),
        token,
    });
    store(app, trail, &first).await?;
    let access_token = app.signer().await?.sign(&claims)?;
    Ok(Created {
        organization: first.organization,
        account: first.account,
        identity,
        access_token,
    })
}

/// Sets the instance up for a person alone. Works once.
pub async fn set_up(app: &App, trail: &Trail, wanted: CreateFirst) -> Result<Bootstrap, ApiError> {
    let first = prepare(app, trail.address().into(), wanted).await?;
    store(app, trail, &first).await?;
    Ok(first)
}

/// Refuses if the instance has been set up. Looked at before a password is hashed: a closed door must not cost a hash for
/// each knock.
pub async fn require_new(app: &App) -> Result<(), ApiError> {
    match app.store().organization().await? {
        Some(_) => Err(already()),
        None => Ok(()),
    }
}

async fn prepare(app: &App, origin: Origin, wanted: CreateFirst) -> Result<Bootstrap, ApiError> {
    require_new(app).await?;
    let now = app.now();
    let password_hash = app
        .passwords()
        .hash(wanted.password, origin, app.clock(), app.entropy())
        .await?;
    let organization = Organization {
        id: app.new_id(OrganizationId::new),
        slug: slug_for(wanted.organization.as_str(), app.entropy()),
        name: wanted.organization,
        created_at: now,
    };
    let email = wanted.email.to_lowercase();
    let person = own_identity(app, organization.id, &email, OrganizationRole::Admin);
    let account = Account {
        id: app.new_id(AccountId::new),
        email,
        password_hash: Some(password_hash),
        super_admin: true,
        identity: Some(person.id),
        totp: None,
        created_at: now,
    };
    Ok(Bootstrap {
        organization,
        account,
        person,
        machine: None,
    })
}

async fn store(app: &App, trail: &Trail, first: &Bootstrap) -> Result<(), ApiError> {
    let machine = first.machine.as_ref().map(|machine| machine.identity.id);
    let metadata = Metadata::new()
        .with("organizationId", first.organization.id)
        .with("identityId", machine.unwrap_or(first.person.id))
        .with("email", &first.account.email);
    trail
        .open(Actor::UnknownUser, Event::CreateOrganization, None, metadata)
        .await?;
    app.store().bootstrap(first).await.map_err(|error| match error {
        StoreError::Conflict(Conflict::Bootstrapped) => already(),
        other => other.into(),
    })
}

/// Its row has no end, but the JWT has: none is issued without one.
fn endless_token(app: &App, identity: &Identity) -> Token {
    Token {
        id: app.new_id(TokenId::new),
        identity: identity.id,
        client_secret: None,
        ttl: 0,
        max_ttl: 0,
        period: 0,
        expires_at: None,
        uses: 0,
        uses_limit: 0,
        revoked: false,
        created_at: identity.created_at,
        renewed_at: None,
    }
}

fn already() -> ApiError {
    ApiError::bad_request("Instance has already been set up")
}
