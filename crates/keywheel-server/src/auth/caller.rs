//! From an access token to a caller with rights.
//!
//! A handler that takes a [`Caller`] runs only for good tokens, and before its other request data is looked
//! at: 401 wins over 422. Rights are asked for with [`Caller::require`] and its sister for the organization.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, StatusCode, header};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{IdentityId, OrganizationId, ProjectId, TokenId};
use keywheel_store::memberships::MembershipRole;
use keywheel_store::secrets::Author;
use keywheel_store::tokens::SignedIn;
use keywheel_store::{Page, TrustedIp, tokens};

use serde::Serialize;

use super::access::{Action, OrganizationRole, ProjectRole, Subject};
use super::browser;
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

/// How often it is written down that a session is used: it ends hours after its last use, so that a minute is nothing.
const SEEN_EACH: Millis = Millis::from_secs(60);

/// Who is calling: an identity with a good access token, that of a machine or of a person who is signed in.
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

    /// Who is signed in; machines are not.
    pub fn signed_in(&self) -> Result<&SignedIn, ApiError> {
        self.bearer.session.as_ref().ok_or_else(|| {
            ApiError::bad_request(
                "This is for people who are signed in: the access token of a machine identity has no session",
            )
        })
    }

    /// The name of the one who calls, and what kind that is.
    fn actor(&self) -> Actor {
        let identity = &self.bearer.identity;
        match &self.bearer.session {
            Some(session) => Actor::User {
                id: session.account,
                email: session.email.clone(),
            },
            None => Actor::Identity {
                id: identity.id,
                name: identity.name.clone(),
            },
        }
    }

    /// Begins an entry in the audit log: before anything is asked that could refuse the action, so that refused
    /// attempts are told of too. The request's end completes it.
    pub async fn open(
        &self,
        event: Event,
        project: impl Into<Option<ProjectId>>,
        metadata: Metadata,
    ) -> Result<(), ApiError> {
        self.scope
            .trail()
            .open(self.actor(), event, project.into(), metadata)
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
        let roles = self.roles_in(project).await?;
        Ok(roles.map(|roles| self.allow(&roles, action, subject)))
    }

    /// The projects in which a role of the caller allows it, at most `most`: 400 if it is a member of more.
    pub async fn projects_where(
        &self,
        action: Action,
        subject: Subject,
        most: u32,
    ) -> Result<Vec<ProjectId>, ApiError> {
        let page = Page {
            size: Some(most),
            after: None,
        };
        let found = self.app.store().memberships_of(self.identity(), &page).await?;
        if found.next.is_some() {
            return Err(ApiError::bad_request(format!(
                "You are a member of more than {most} projects; name the one that you want to see as projectId"
            )));
        }
        let allowing = found.rows.into_iter();
        let allowing = allowing.filter(|membership| self.allow(&membership.roles, action, subject));
        Ok(allowing.map(|membership| membership.project).collect())
    }

    fn allow(&self, roles: &[MembershipRole], action: Action, subject: Subject) -> bool {
        let now = self.app.now();
        let counting = roles.iter().filter(|role| role.counts_at(now));
        let mut roles = counting.map(|role| ProjectRole::from_stored(role.role.as_str()));
        roles.any(|role| role.allows(action, subject))
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
        let scope = Scope::from_request_parts(parts, app).await?;
        let bearer = if let Some(token) = bearer_token(&parts.headers) {
            good_bearer(app, &scope, token).await?
        } else if let Some(token) = browser::cookie(parts, app)? {
            let bearer = good_bearer(app, &scope, token).await;
            let bearer = bearer.map_err(browser::sign_in_again)?;
            require_own_page(app, &bearer, parts).await?;
            bearer
        } else {
            return Err(ApiError::unauthorized("Token missing"));
        };
        note_seen(app, &bearer).await;
        Ok(Self {
            app: app.clone(),
            bearer,
            scope,
        })
    }
}

/// The bearer of a token that is good here and now.
async fn good_bearer(app: &App, scope: &Scope, token: &str) -> Result<Arc<tokens::Caller>, ApiError> {
    let id = app.signer().await?.read_id(token, app.now())?;
    let bearer = look_up(app, id).await?;
    scope.set_identity(bearer.identity.id);
    check(
        &bearer,
        app.now(),
        scope.address(),
        app.settings().session_idle_max,
    )?;
    if bearer.token.uses_limit > 0 && !app.store().count_use(id).await? {
        return Err(used_up());
    }
    Ok(bearer)
}

/// Refuses a cookie that is not that of a session, or that came along with what no page of ours asked for.
async fn require_own_page(app: &App, bearer: &tokens::Caller, parts: &Parts) -> Result<(), ApiError> {
    if bearer.session.is_none() {
        return Err(browser::session_over());
    }
    browser::require_same_site(parts, app)?;
    let expected = app.signer().await?.csrf_token(bearer.token.id);
    browser::require_csrf(&parts.method, &parts.headers, &expected)
}

/// Writes down that a session is used. If that fails, the session ends early, and the request goes on.
async fn note_seen(app: &App, bearer: &tokens::Caller) {
    let Some(session) = &bearer.session else { return };
    let now = app.now();
    if now - session.last_seen_at < SEEN_EACH {
        return;
    }
    if let Err(error) = app
        .store()
        .touch_session(bearer.token.id, now - SEEN_EACH, now)
        .await
    {
        tracing::warn!(%error, "the use of a session was not written down");
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

/// Whether the request came over a proxy that is trusted.
pub(crate) fn is_from_proxy(extensions: &Extensions, app: &App) -> bool {
    let proxies = &app.settings().http.trusted_proxies;
    let peer = extensions.get::<Peer>();
    peer.is_some_and(|peer| proxies.iter().any(|block| block.contains(peer.0.to_canonical())))
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
fn check(bearer: &tokens::Caller, now: Moment, address: IpAddr, idle_max: Millis) -> Result<(), ApiError> {
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
    if bearer
        .session
        .as_ref()
        .is_some_and(|session| session.last_seen_at + idle_max <= now)
    {
        return Err(ApiError::unauthorized(
            "Failed to authorize: the session was not used for too long",
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
