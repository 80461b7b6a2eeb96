//! Rotations: what can be asked of them (rotation contract). What takes AWS is done by [`crate::engine`].

mod change;
mod create;
mod delete;
mod failures;
mod names;
mod place;
mod read;
mod relocate;
mod rotate;
mod update;

use axum::http::StatusCode;
use keywheel_core::ids::{ProjectId, RotationId};
use keywheel_core::ledger::{Change, Commit, Ledger};
use keywheel_core::rotation::Rotation;
use keywheel_store::folders::Folder;
use keywheel_store::rotations::ShownRotation;

pub use self::create::{CreateRotation, WantedAdoption, create, preview_create};
pub use self::delete::delete;
pub(super) use self::failures::{failure, key_failure, not_found, refused};
pub use self::read::{GeneratedCredential, generated_credentials, get, get_by_name, list};
pub use self::relocate::{MoveRotation, relocate};
pub use self::rotate::rotate;
pub use self::update::{UpdateRotation, update};
use super::folders::{self, Place as NamedPlace};
use super::projects::{ProjectRef, find_id, is_own};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// The rotation, if it is there for the caller's organization.
async fn find(app: &App, caller: &Caller, id: RotationId) -> Result<Option<ShownRotation>, ApiError> {
    let Some(found) = app.store().rotation(id).await? else {
        return Ok(None);
    };
    let own = is_own(app, caller, found.rotation.place.project).await?;
    Ok(Some(found).filter(|_| own))
}

/// The rotation, if it is there (404) and the caller may do this with it (403).
pub(super) async fn permitted(
    app: &App,
    caller: &Caller,
    id: RotationId,
    action: Action,
) -> Result<ShownRotation, ApiError> {
    let found = find(app, caller, id).await?.ok_or_else(|| not_found(id))?;
    caller
        .require(found.rotation.place.project, action, Subject::Rotations)
        .await?;
    Ok(found)
}

/// The same, with an entry in the audit log that tells of a refusal too.
pub(super) async fn begun(
    app: &App,
    caller: &Caller,
    id: RotationId,
    action: Action,
    event: Event,
    told: impl FnOnce(&ShownRotation) -> Metadata,
) -> Result<ShownRotation, ApiError> {
    let found = find(app, caller, id).await?.ok_or_else(|| not_found(id))?;
    let project = found.rotation.place.project;
    caller.open(event, project, told(&found)).await?;
    caller.require(project, action, Subject::Rotations).await?;
    Ok(found)
}

pub(super) async fn shown(app: &App, id: RotationId) -> Result<ShownRotation, ApiError> {
    app.store().rotation(id).await?.ok_or_else(|| not_found(id))
}

async fn folder_of(app: &App, caller: &Caller, place: &NamedPlace) -> Result<(ProjectId, Folder), ApiError> {
    let (ProjectRef::Id(named) | ProjectRef::Slug(named)) = &place.project;
    let unknown = || {
        ApiError::bad_request(format!(
            "Could not find folder with path \"{}\" in environment \"{}\" for project with ID \"{named}\"",
            place.path, place.environment
        ))
    };
    let project = match find_id(app, caller, &place.project).await {
        Err(error) if error.status() == StatusCode::NOT_FOUND => return Err(unknown()),
        found => found?,
    };
    // A place of another organization is answered like one that is not there.
    if !is_own(app, caller, project).await? {
        return Err(unknown());
    }
    let folder = folders::at(app, project, place).await?.ok_or_else(unknown)?;
    Ok((project, folder))
}

pub(super) fn current(ledger: &Ledger, id: RotationId) -> Result<Rotation, EngineError> {
    ledger
        .rotation
        .clone()
        .filter(|rotation| rotation.id == id)
        .ok_or(EngineError::Gone)
}

pub(super) fn changes(changes: Vec<Change>) -> Commit {
    Commit {
        changes,
        ..Commit::default()
    }
}
