//! From an access token to a caller with rights.
//!
//! A handler that takes a [`Caller`] runs only for good tokens, and before its other request data is looked
//! at: 401 wins over 422. Rights are asked for with [`Caller::require`] and its sister for the organization.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, StatusCode, header};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, OrganizationId, ProjectId, TokenId};
use keywheel_store::memberships::MembershipRole;
use keywheel_store::secrets::Author;
use keywheel_store::{TrustedIp, tokens};

use serde::Serialize;

use super::access::{Action, OrganizationRole, ProjectRole, Subject};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata};
use crate::cache::Cache;
use crate::http::edge::Scope;
use crate::http::errors::ApiError;
use crate::http::listen::Peer;
use crate::net::client_address;

/// Roles of identities in projects; empty for those that are no members.
pub type RoleCache = Cache<(ProjectId, IdentityId), Option<Arc<[MembershipRole]>>>;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is calling: a machine identity with a good access token.
#[derive(Clone)]
pub struct Caller {
    app: App,
    bearer: Arc<tokens::Caller>,
    scope: Scope,
}

impl Caller {
    /// The identity.
    pub fn identity(&self) -> IdentityId {
        self.bearer.identity.id
    }

    /// The same, as the author of what it changes.
    pub fn author(&self) -> Author {
        Author::Identity(self.identity())
    }

    /// Its organization.
    pub fn organization(&self) -> OrganizationId {
        self.bearer.identity.organization
    }

    /// The token.
    pub fn token(&self) -> TokenId {
        self.bearer.token.id
    }

    /// Begins an entry in the audit log: before anything is asked that could refuse the action, so that refused
    /// attempts are told of too. The request's end completes it.
    pub async fn open(
        &self,
        event: Event,
        project: impl Into<Option<ProjectId>>,
        metadata: Metadata,
    ) -> Result<(), ApiError> {
        let identity = &self.bearer.identity;
        let actor = Actor::Identity {
            id: identity.id,
            name: identity.name.clone(),
        };
        self.scope
            .trail()
            .open(actor, event, project.into(), metadata)
            .await
    }

    /// Adds to the entry what became known since it was begun.
    pub fn note(&self, key: &'static str, value: impl Serialize) {
        self.scope.trail().note(key, value);
    }

    /// The same for several things at once.
    pub fn note_all(&self, metadata: Metadata) {
        self.scope.trail().note_all(metadata);
    }

    /// Refuses unless the role in the organization allows it.
    pub fn require_in_organization(&self, action: Action, subject: Subject) -> Result<(), ApiError> {
        if self.may_in_organization(action, subject) {
            return Ok(());
        }
        Err(ApiError::permission_denied(action.as_str(), subject.as_str()))
    }

    /// Whether the role in the organization allows it.
    pub fn may_in_organization(&self, action: Action, subject: Subject) -> bool {
        OrganizationRole::from_stored(self.bearer.identity.role.as_str()).allows(action, subject)
    }

    /// Refuses unless a role in the project allows it: 404 if there is no such project, 403 if the caller is
    /// no member or lacks the right.
    pub async fn require(
        &self,
        project: ProjectId,
        action: Action,
        subject: Subject,
    ) -> Result<(), ApiError> {
        if self.may(project, action, subject).await? {
            return Ok(());
        }
        Err(ApiError::permission_denied(action.as_str(), subject.as_str()))
    }

    /// Refuses as [`Self::require`] does, but for what was found by its own id: a thing of another organization is
    /// answered like one that is not there, and not by naming its project.
    pub async fn require_found(
        &self,
        project: ProjectId,
        action: Action,
        subject: Subject,
        not_found: impl FnOnce() -> ApiError,
    ) -> Result<(), ApiError> {
        match self.require(project, action, subject).await {
            Err(error) if error.status() == StatusCode::NOT_FOUND => Err(not_found()),
            answer => answer,
        }
    }

    /// Whether a role in the project allows it. Who is no member gets an error, as with [`Self::require`].
    pub async fn may(&self, project: ProjectId, action: Action, subject: Subject) -> Result<bool, ApiError> {
        match self.may_as_member(project, action, subject).await? {
            Some(may) => Ok(may),
            None => Err(self.no_member(project).await?),
        }
    }

    /// The same; none for those that are no members.
    pub async fn may_as_member(
        &self,
        project: ProjectId,
        action: Action,
        subject: Subject,
    ) -> Result<Option<bool>, ApiError> {
        let now = self.app.now();
        let allows = |roles: Arc<[MembershipRole]>| {
            let counting = roles.iter().filter(|role| role.counts_at(now));
            let mut roles = counting.map(|role| ProjectRole::from_stored(role.role.as_str()));
            roles.any(|role| role.allows(action, subject))
        };
        Ok(self.roles_in(project).await?.map(allows))
    }

    async fn roles_in(&self, project: ProjectId) -> Result<Option<Arc<[MembershipRole]>>, ApiError> {
        let key = (project, self.identity());
        let revision = self.app.store().revision();
        if let Some(roles) = self.app.roles().get(&key, revision) {
            return Ok(roles);
        }
        let roles = self
            .app
            .store()
            .roles_in(project, self.identity())
            .await?
            .map(Arc::from);
        self.app.roles().put(key, roles.clone(), revision);
        Ok(roles)
    }

    async fn no_member(&self, project: ProjectId) -> Result<ApiError, ApiError> {
        Ok(match self.app.store().project(project).await? {
            Some(found) if found.organization == self.organization() => {
                ApiError::forbidden("You are not a member of this project")
            }
            _ => ApiError::not_found(format!("Project with ID '{project}' not found")),
        })
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer_token(&parts.headers).ok_or_else(|| ApiError::unauthorized("Token missing"))?;
        let id = app.signer().await?.read_id(token, app.now())?;
        let bearer = look_up(app, id).await?;
        let scope = Scope::from_request_parts(parts, app).await?;
        scope.set_identity(bearer.identity.id);
        check(&bearer, app.now(), scope.address())?;
        if bearer.token.uses_limit > 0 && !app.store().count_use(id).await? {
            return Err(used_up());
        }
        Ok(Self {
            app: app.clone(),
            bearer,
            scope,
        })
    }
}

/// The token of an `Authorization` header; the scheme is compared without regard to case (RFC 9110, 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Where the request comes from. Requests that did not come over a connection (tests) count as local.
pub(crate) fn client_ip(extensions: &Extensions, headers: &HeaderMap, app: &App) -> IpAddr {
    let peer = extensions
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let forwarded = headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
    client_address(peer, forwarded, &app.settings().http.trusted_proxies)
}

async fn look_up(app: &App, id: TokenId) -> Result<Arc<tokens::Caller>, ApiError> {
    let revision = app.store().revision();
    if let Some(bearer) = app.callers().get(&id, revision) {
        return Ok(bearer);
    }
    let found = app.store().caller(id).await?;
    let bearer = Arc::new(found.ok_or_else(|| ApiError::unauthorized("No identity access token found"))?);
    // The row of a token with a limited number of uses changes with each of them.
    if bearer.token.uses_limit == 0 {
        app.callers().put(id, Arc::clone(&bearer), revision);
    }
    Ok(bearer)
}

/// What the row says, in the order of the contract (house rules of access tokens).
fn check(bearer: &tokens::Caller, now: Moment, address: IpAddr) -> Result<(), ApiError> {
    let token = &bearer.token;
    if token.revoked {
        return Err(ApiError::unauthorized(
            "Failed to authorize: access token has been revoked",
        ));
    }
    if bearer.client_secret_revoked {
        return Err(ApiError::unauthorized(
            "Failed to authorize: client secret has been revoked",
        ));
    }
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiError::unauthorized(
            "Failed to authorize: access token has expired",
        ));
    }
    if token.uses_limit > 0 && token.uses >= token.uses_limit {
        return Err(used_up());
    }
    require_trusted(&bearer.trusted_ips, address)
}

/// Refuses addresses outside of the list; an empty list holds all.
pub(crate) fn require_trusted(trusted: &[TrustedIp], address: IpAddr) -> Result<(), ApiError> {
    if trusted.is_empty() || trusted.iter().any(|block| block.contains(address)) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "You are not allowed to access this resource from the address {address}"
    )))
}

fn used_up() -> ApiError {
    ApiError::unauthorized("Failed to authorize: access token number of uses limit reached")
}
