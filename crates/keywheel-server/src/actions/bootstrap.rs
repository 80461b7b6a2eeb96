//! The first organization, its first administrator and the first token (platform contract, section 6.7).

use keywheel_core::ids::{AccountId, IdentityId, OrganizationId, TokenId};
use keywheel_core::names::{Slug, Title};
use keywheel_store::identities::{AuthMethod, Identity};
use keywheel_store::setup::{Account, Bootstrap, Organization};
use keywheel_store::tokens::Token;
use keywheel_store::{Conflict, StoreError};
use secrecy::SecretString;

use super::slugs::slug_for;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata};
use crate::audit::trail::Trail;
use crate::auth::access::OrganizationRole;
use crate::auth::password;
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
    /// Everything that was stored.
    pub stored: Bootstrap,
    /// The first access token, shown once.
    pub access_token: String,
}

/// Sets the instance up. Works once.
pub async fn bootstrap(app: &App, trail: &Trail, wanted: CreateFirst) -> Result<Created, ApiError> {
    // Looked at before the password is hashed: a closed door must not cost a hash for each knock.
    if app.store().organization().await?.is_some() {
        return Err(already());
    }
    let now = app.now();
    let password_hash = password::hash(wanted.password, app.entropy())
        .await
        .map_err(ApiError::internal)?;
    let organization = Organization {
        id: app.new_id(OrganizationId::new),
        slug: slug_for(wanted.organization.as_str(), app.entropy()),
        name: wanted.organization,
        created_at: now,
    };
    let identity = Identity {
        id: app.new_id(IdentityId::new),
        organization: organization.id,
        name: FIRST_IDENTITY.to_owned(),
        role: Slug::from_stored(OrganizationRole::Admin.as_str().to_owned()),
        metadata: Vec::new(),
        delete_protection: false,
        auth_methods: vec![AuthMethod::TokenAuth],
        created_at: now,
        updated_at: now,
    };
    let account = Account {
        id: app.new_id(AccountId::new),
        email: wanted.email.to_lowercase(),
        password_hash,
        super_admin: true,
        created_at: now,
    };
    let stored = Bootstrap {
        organization,
        account,
        identity,
        token: app.new_id(TokenId::new),
    };
    let metadata = Metadata::new()
        .with("organizationId", stored.organization.id)
        .with("identityId", stored.identity.id);
    trail
        .open(Actor::UnknownUser, Event::CreateOrganization, None, metadata)
        .await?;
    app.store()
        .bootstrap(&stored)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::Bootstrapped) => already(),
            other => other.into(),
        })?;
    let access_token = first_token(app, &stored).await?;
    Ok(Created { stored, access_token })
}

/// The row has no end, but the JWT has: no token is issued without one.
async fn first_token(app: &App, stored: &Bootstrap) -> Result<String, ApiError> {
    let now = stored.organization.created_at;
    let token = Token {
        id: stored.token,
        identity: stored.identity.id,
        client_secret: None,
        ttl: 0,
        max_ttl: 0,
        period: 0,
        expires_at: None,
        uses: 0,
        uses_limit: 0,
        revoked: false,
        created_at: now,
        renewed_at: None,
    };
    let claims = Claims::of(&token, &stored.identity, now, now + app.settings().token_ttl_max);
    app.signer().await?.sign(&claims)
}

fn already() -> ApiError {
    ApiError::bad_request("Instance has already been set up")
}
