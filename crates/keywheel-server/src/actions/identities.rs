//! Machine identities (platform contract, section 6.8).

use keywheel_core::ids::IdentityId;
use keywheel_core::names::Slug;
use keywheel_store::identities::{Identity, IdentityMetadata, IdentityUpdate, Page, PageRequest};
use keywheel_store::setup::Organization;
use keywheel_store::{Conflict, StoreError};

use super::accounts::{last_admin, require_machine};
use super::projects::new_uuid;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, OrganizationRole, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// A key and a value, as the caller gave them.
pub type KeyAndValue = (String, String);

/// An identity to be made.
pub struct CreateIdentity {
    /// For people.
    pub name: String,
    /// What it may do in the organization.
    pub role: OrganizationRole,
    /// Free keys and values.
    pub metadata: Vec<KeyAndValue>,
    /// Whether it refuses to be deleted.
    pub delete_protection: bool,
}

/// What is to change; absent is unchanged.
pub struct UpdateIdentity {
    /// For people.
    pub name: Option<String>,
    /// What it may do in the organization.
    pub role: Option<OrganizationRole>,
    /// Free keys and values, in place of all old ones.
    pub metadata: Option<Vec<KeyAndValue>>,
    /// Whether it refuses to be deleted.
    pub delete_protection: Option<bool>,
}

/// Makes an identity. It cannot log in before it has an auth method.
pub async fn create(app: &App, caller: &Caller, wanted: CreateIdentity) -> Result<Identity, ApiError> {
    let metadata = Metadata::new()
        .with("name", &wanted.name)
        .with("role", wanted.role.as_str());
    caller.open(Event::CreateIdentity, None, metadata).await?;
    caller.require_in_organization(Action::Create, Subject::Identities)?;
    let now = app.now();
    let identity = Identity {
        id: app.new_id(IdentityId::new),
        organization: caller.organization(),
        name: wanted.name,
        role: stored_role(wanted.role),
        metadata: with_ids(app, wanted.metadata),
        delete_protection: wanted.delete_protection,
        auth_methods: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    caller.note("identityId", identity.id);
    app.store().create_identity(&identity).await?;
    Ok(identity)
}

/// An identity of the organization. It may look at itself without any right.
pub async fn get(app: &App, caller: &Caller, id: IdentityId) -> Result<Identity, ApiError> {
    let identity = find(app, caller, id).await?;
    if id != caller.identity() {
        caller.require_in_organization(Action::Read, Subject::Identities)?;
    }
    Ok(identity)
}

/// Identities whose name contains `search`; by name.
pub async fn list(
    app: &App,
    caller: &Caller,
    search: &str,
    page: PageRequest,
) -> Result<Page<Identity>, ApiError> {
    caller.require_in_organization(Action::Read, Subject::Identities)?;
    Ok(app
        .store()
        .identities(caller.organization(), search, page)
        .await?)
}

/// Changes an identity.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: IdentityId,
    wanted: UpdateIdentity,
) -> Result<Identity, ApiError> {
    let metadata = Metadata::new()
        .with("identityId", id)
        .with("name", &wanted.name)
        .with("role", wanted.role.map(OrganizationRole::as_str));
    caller.open(Event::UpdateIdentity, None, metadata).await?;
    let before = find_to(app, caller, id, Action::Edit).await?;
    let renames = wanted.name.as_ref().is_some_and(|name| *name != before.name);
    let protects = wanted
        .delete_protection
        .is_some_and(|wanted| wanted != before.delete_protection);
    if renames || protects {
        require_machine(app, id, "change name or delete protection").await?;
    }
    let update = IdentityUpdate {
        name: wanted.name,
        role: wanted.role.map(stored_role),
        metadata: wanted.metadata.map(|metadata| with_ids(app, metadata)),
        delete_protection: wanted.delete_protection,
    };
    match app.store().update_identity(id, &update, app.now()).await {
        Ok(updated) => updated.ok_or_else(|| not_found(id)),
        Err(StoreError::Conflict(Conflict::LastAdmin)) => Err(last_admin()),
        Err(other) => Err(other.into()),
    }
}

/// Deletes an identity with its logins, tokens and memberships.
pub async fn delete(app: &App, caller: &Caller, id: IdentityId) -> Result<Identity, ApiError> {
    let metadata = Metadata::new().with("identityId", id);
    caller.open(Event::DeleteIdentity, None, metadata).await?;
    let identity = find_to(app, caller, id, Action::Delete).await?;
    require_machine(app, id, "delete identity").await?;
    if identity.delete_protection {
        return Err(ApiError::bad_request(
            "Cannot delete identity: delete protection is on. Switch it off first.",
        ));
    }
    app.store().delete_identity(id).await?;
    Ok(identity)
}

/// The organization of the caller.
pub async fn organization(app: &App, caller: &Caller) -> Result<Organization, ApiError> {
    let found = app
        .store()
        .organization()
        .await?
        .filter(|own| own.id == caller.organization());
    found.ok_or_else(|| ApiError::internal("the organization of a caller is gone"))
}

/// An identity that the caller wants to do something to.
pub(super) async fn find_to(
    app: &App,
    caller: &Caller,
    id: IdentityId,
    action: Action,
) -> Result<Identity, ApiError> {
    let identity = find(app, caller, id).await?;
    caller.require_in_organization(action, Subject::Identities)?;
    Ok(identity)
}

/// An identity of the caller's organization.
pub(super) async fn find(app: &App, caller: &Caller, id: IdentityId) -> Result<Identity, ApiError> {
    let found = app.store().identity(id).await?;
    found
        .filter(|identity| identity.organization == caller.organization())
        .ok_or_else(|| not_found(id))
}

fn not_found(id: IdentityId) -> ApiError {
    ApiError::not_found(format!("Failed to find identity with ID {id}"))
}

fn stored_role(role: OrganizationRole) -> Slug {
    Slug::from_stored(role.as_str().to_owned())
}

fn with_ids(app: &App, metadata: Vec<KeyAndValue>) -> Vec<IdentityMetadata> {
    metadata
        .into_iter()
        .map(|(key, value)| IdentityMetadata {
            id: new_uuid(app),
            key,
            value,
        })
        .collect()
}
