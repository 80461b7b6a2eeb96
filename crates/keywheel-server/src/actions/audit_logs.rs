//! Entries of the audit log, for those who may see them (platform contract, section 6.13). Reading them is no entry:
//! it would move what the next page begins with.

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{AuditEntryId, OrganizationId, ProjectId};
use keywheel_store::audit::{AuditEntry, AuditFilter};

use super::projects::is_own;
use crate::app::App;
use crate::audit::record::{ClosingBody, Content, OpeningBody};
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// An entry with all that is known of it.
pub struct ShownEntry {
    /// The entry.
    pub id: AuditEntryId,
    /// When it began.
    pub created_at: Moment,
    /// When it ended; its beginning, as long as it has no end.
    pub updated_at: Moment,
    /// When it is forgotten at the earliest; none if it is kept for ever.
    pub expires_at: Option<Moment>,
    /// Whose log it is in.
    pub organization: OrganizationId,
    /// What its project is called, if it is still there.
    pub project_name: Option<String>,
    /// What it tells, of its end too.
    pub content: Content,
}

/// The entries that a filter finds, latest first. Those of one project are for its administrators too.
pub async fn list(app: &App, caller: &Caller, mut filter: AuditFilter) -> Result<Vec<ShownEntry>, ApiError> {
    require(app, caller, filter.project).await?;
    if !is_of_instance(app, caller).await? {
        // The log is that of the one organization that an instance has.
        return Ok(Vec::new());
    }
    // What this server has counted and not yet written belongs to it.
    app.audit().flush().await?;
    filter.actor = by_id(app, filter.actor).await?;
    let entries = app.store().audit_entries(&filter).await?;
    let (organization, kept) = (caller.organization(), app.settings().audit_retention);
    entries
        .into_iter()
        .map(|entry| shown(entry, organization, kept))
        .collect()
}

/// An actor by what entries name it by: people may be given by their e-mail addresses.
async fn by_id(app: &App, actor: Option<String>) -> Result<Option<String>, ApiError> {
    match actor {
        Some(email) if email.contains('@') => {
            let found = app.store().account_by_email(&email.to_lowercase()).await?;
            Ok(Some(found.map_or(email, |account| account.id.to_string())))
        }
        id => Ok(id),
    }
}

async fn require(app: &App, caller: &Caller, project: Option<ProjectId>) -> Result<(), ApiError> {
    let Some(project) = project else {
        return caller.require_in_organization(Action::Read, Subject::AuditLogs);
    };
    if caller.may_in_organization(Action::Read, Subject::AuditLogs) && is_own(app, caller, project).await? {
        return Ok(());
    }
    caller.require(project, Action::Read, Subject::AuditLogs).await
}

async fn is_of_instance(app: &App, caller: &Caller) -> Result<bool, ApiError> {
    let organization = app.store().organization().await?;
    Ok(organization.is_some_and(|own| own.id == caller.organization()))
}

fn shown(
    entry: AuditEntry,
    organization: OrganizationId,
    kept: Option<Millis>,
) -> Result<ShownEntry, ApiError> {
    let opened: OpeningBody = serde_json::from_str(&entry.opened).map_err(ApiError::internal)?;
    let mut updated_at = opened.until.unwrap_or(opened.at);
    let mut content = opened.content;
    if let Some(completed) = &entry.completed {
        let completed: ClosingBody = serde_json::from_str(completed).map_err(ApiError::internal)?;
        updated_at = completed.until;
        content.metadata = content.metadata.and(completed.metadata);
    }
    Ok(ShownEntry {
        id: entry.id,
        created_at: opened.at,
        updated_at,
        expires_at: kept.map(|kept| opened.at + kept),
        organization,
        project_name: entry.project_name,
        content,
    })
}
