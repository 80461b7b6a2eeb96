//! Accounts of people, as administrators see them.

use keywheel_core::ids::{AccountId, IdentityId, OrganizationId};
use keywheel_core::names::Slug;
use keywheel_store::accounts::{Account, ListedAccount};
use keywheel_store::identities::Identity;
use keywheel_store::{Conflict, StoreError};

use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, OrganizationRole, Subject};
use crate::auth::caller::Caller;
use crate::auth::links::{INVITATION_LASTS, Link, RESET_LASTS};
use crate::http::errors::ApiError;

/// Most accounts: they are listed at once, and a team is smaller.
const ACCOUNTS_MAX: usize = 1_000;

/// A new account and the link to hand over.
pub struct Invited {
    /// The account.
    pub listed: ListedAccount,
    /// Where its owner chooses a password.
    pub link: Link,
}

/// The accounts of the caller's organization, by e-mail address.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<ListedAccount>, ApiError> {
    caller.require_in_organization(Action::Read, Subject::Accounts)?;
    let mut listed = app.store().accounts().await?;
    listed.retain(|one| one.organization.is_none_or(|own| own == caller.organization()));
    Ok(listed)
}

/// Makes an account without a password, and a link for its owner to choose one.
pub async fn create(
    app: &App,
    caller: &Caller,
    email: &str,
    role: OrganizationRole,
) -> Result<Invited, ApiError> {
    let email = email.to_lowercase();
    let metadata = Metadata::new().with("email", &email).with("role", role.as_str());
    caller.open(Event::CreateAccount, None, metadata).await?;
    caller.require_in_organization(Action::Create, Subject::Accounts)?;
    if app.store().accounts().await?.len() >= ACCOUNTS_MAX {
        return Err(ApiError::bad_request(format!(
            "There are {ACCOUNTS_MAX} accounts, and may be no more. Delete those that nobody needs."
        )));
    }
    let identity = own_identity(app, caller.organization(), &email, role);
    let account = Account {
        id: app.new_id(AccountId::new),
        email,
        password_hash: None,
        super_admin: false,
        identity: Some(identity.id),
        totp: None,
        created_at: app.now(),
    };
    caller.note("accountId", account.id);
    app.store()
        .create_account(&account, &identity)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::AccountEmail) => {
                ApiError::bad_request(format!("There is already an account for {}", account.email))
            }
            other => other.into(),
        })?;
    let link = make_link(app, &account).await?;
    let role = Some(identity.role);
    Ok(Invited {
        listed: ListedAccount {
            account,
            role,
            organization: Some(caller.organization()),
        },
        link,
    })
}

/// Makes a link to choose a password; it replaces the one before. Using it switches one-time codes off.
pub async fn create_link(app: &App, caller: &Caller, id: AccountId) -> Result<Link, ApiError> {
    let metadata = Metadata::new().with("accountId", id);
    caller.open(Event::CreateAccountLink, None, metadata).await?;
    caller.require_in_organization(Action::Edit, Subject::Accounts)?;
    let account = find(app, caller, id).await?;
    caller.note("email", &account.email);
    // It needs neither the present password nor the code: whoever got hold of a session could keep the account.
    if account.identity == Some(caller.identity()) {
        return Err(ApiError::bad_request(
            "A link for your own account is not made. Change your password with the present one, under your account; \
             another administrator, or keywheel account link on the server, helps if it is lost",
        ));
    }
    make_link(app, &account).await
}

/// Deletes an account with its identity, its sessions and its memberships.
pub async fn delete(app: &App, caller: &Caller, id: AccountId) -> Result<ListedAccount, ApiError> {
    let metadata = Metadata::new().with("accountId", id);
    caller.open(Event::DeleteAccount, None, metadata).await?;
    caller.require_in_organization(Action::Delete, Subject::Accounts)?;
    let account = find(app, caller, id).await?;
    caller.note("email", &account.email);
    let role = match account.identity {
        Some(identity) => app.store().identity(identity).await?.map(|found| found.role),
        None => None,
    };
    match app.store().delete_account(id).await {
        Ok(true) => Ok(ListedAccount {
            account,
            role,
            organization: Some(caller.organization()),
        }),
        Ok(false) => Err(not_found(id)),
        Err(StoreError::Conflict(Conflict::LastAdmin)) => Err(last_admin()),
        Err(other) => Err(other.into()),
    }
}

/// A link to choose a password, kept in place of the one before.
pub async fn make_link(app: &App, account: &Account) -> Result<Link, ApiError> {
    let lasts = if account.password_hash.is_some() {
        RESET_LASTS
    } else {
        INVITATION_LASTS
    };
    let link = Link::make(app.entropy(), app.now() + lasts);
    let kept = app
        .store()
        .put_link(account.id, &link.hash, link.expires_at)
        .await?;
    if kept {
        Ok(link)
    } else {
        Err(not_found(account.id))
    }
}

/// The identity that carries the rights of an account. One of an older version gets it now: its accounts are those that
/// set an instance up.
pub async fn identity_of(app: &App, account: &Account) -> Result<Identity, ApiError> {
    let id = match account.identity {
        Some(id) => Some(id),
        None => adopt(app, account).await?,
    };
    let found = match id {
        Some(id) => app.store().identity(id).await?,
        None => None,
    };
    found.ok_or_else(|| ApiError::internal("an account that is being deleted"))
}

async fn adopt(app: &App, account: &Account) -> Result<Option<IdentityId>, ApiError> {
    let organization = app.store().organization().await?;
    let organization =
        organization.ok_or_else(|| ApiError::internal("an account without an organization"))?;
    let role = if account.super_admin {
        OrganizationRole::Admin
    } else {
        OrganizationRole::NoAccess
    };
    let identity = own_identity(app, organization.id, &account.email, role);
    Ok(app.store().adopt_identity(account.id, &identity).await?)
}

/// An identity for a new account.
pub(super) fn own_identity(
    app: &App,
    organization: OrganizationId,
    email: &str,
    role: OrganizationRole,
) -> Identity {
    let now = app.now();
    Identity {
        id: app.new_id(IdentityId::new),
        organization,
        name: email.to_owned(),
        role: Slug::from_stored(role.as_str().to_owned()),
        metadata: Vec::new(),
        delete_protection: true,
        auth_methods: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

/// Refuses to do to a person's identity what would part it from its account.
pub(super) async fn require_machine(app: &App, identity: IdentityId, what: &str) -> Result<(), ApiError> {
    match app.store().account_of_identity(identity).await? {
        None => Ok(()),
        Some(account) => Err(ApiError::bad_request(format!(
            "Cannot {what}: this identity belongs to the account of {}. See /api/v1/accounts.",
            account.email
        ))),
    }
}

async fn find(app: &App, caller: &Caller, id: AccountId) -> Result<Account, ApiError> {
    let account = app.store().account(id).await?.ok_or_else(|| not_found(id))?;
    if belongs(app, caller, &account).await? {
        Ok(account)
    } else {
        Err(not_found(id))
    }
}

/// Whether the account is of the caller's organization.
async fn belongs(app: &App, caller: &Caller, account: &Account) -> Result<bool, ApiError> {
    // Those of an older version have none, and there was one organization.
    let Some(identity) = account.identity else {
        return Ok(true);
    };
    let found = app.store().identity(identity).await?;
    Ok(found.is_some_and(|found| found.organization == caller.organization()))
}

fn not_found(id: AccountId) -> ApiError {
    ApiError::not_found(format!("Failed to find account with ID {id}"))
}

/// 400: nobody who signs in could administer the organization.
pub(super) fn last_admin() -> ApiError {
    ApiError::bad_request(
        "This is the last account with a password that administers the organization. Give another account the role admin first.",
    )
}
