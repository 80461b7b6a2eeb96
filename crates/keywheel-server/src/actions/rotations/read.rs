//! Shows rotations and, to those who may see them, their keys.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::RotationId;
use keywheel_core::names::Slug;
use keywheel_core::rotation::Rotation;
use keywheel_store::rotations::{RotationKey, ShownRotation};
use keywheel_store::{Page, Part};
use secrecy::SecretString;

use super::failures::not_found;
use super::{begun, current, folder_of};
use crate::actions::folders::Place as NamedPlace;
use crate::actions::projects::{ProjectRef, find_id};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::{about, of_type};
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Ids of a list that the audit log tells; the number of all is told too.
const IDS_TOLD_MAX: usize = 100;

/// A key of a slot, opened.
pub struct GeneratedCredential {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half; empty when the key has ended.
    pub secret_access_key: SecretString,
}

/// The rotations of a project; by name.
pub async fn list(
    app: &App,
    caller: &Caller,
    project: String,
    page: &Page<RotationKey>,
) -> Result<Part<ShownRotation, RotationKey>, ApiError> {
    let project = find_id(app, caller, &ProjectRef::Id(project)).await?;
    caller.open(Event::GetRotations, project, of_type()).await?;
    caller.require(project, Action::Read, Subject::Rotations).await?;
    let found = app.store().rotations(project, page).await?;
    let ids: Vec<RotationId> = found
        .rows
        .iter()
        .map(|shown| shown.rotation.id)
        .take(IDS_TOLD_MAX)
        .collect();
    caller.note("count", found.rows.len());
    caller.note("rotationIds", ids);
    Ok(found)
}

/// One rotation.
pub async fn get(app: &App, caller: &Caller, id: RotationId) -> Result<ShownRotation, ApiError> {
    begun(app, caller, id, Action::Read, Event::GetRotation, about).await
}

/// A rotation by its name in a folder. An unknown folder is 400 here, as in the contract.
pub async fn get_by_name(
    app: &App,
    caller: &Caller,
    place: &NamedPlace,
    name: &str,
) -> Result<ShownRotation, ApiError> {
    let (project, folder) = folder_of(app, caller, place).await?;
    let found = app
        .store()
        .rotation_by_name(folder.id, &Slug::from_stored(name.to_owned()))
        .await?;
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "Could not find AWS IAM User Secret Rotation with name \"{name}\""
        ))
    })?;
    caller.open(Event::GetRotation, project, about(&found)).await?;
    caller.require(project, Action::Read, Subject::Rotations).await?;
    Ok(found)
}

/// The keys of both slots, opened, in slot order.
pub async fn generated_credentials(
    app: &App,
    caller: &Caller,
    id: RotationId,
) -> Result<(Rotation, Vec<GeneratedCredential>), ApiError> {
    let action = Action::ReadGeneratedCredentials;
    let found = begun(app, caller, id, action, Event::GetGeneratedCredentials, about).await?;
    let ledger = app
        .store()
        .load(found.rotation.user)
        .await?
        .ok_or_else(|| not_found(id))?;
    let rotation = current(&ledger, id).map_err(|_| not_found(id))?;
    let open = |key: &AccessKeyId| -> Result<GeneratedCredential, ApiError> {
        let sealed = ledger.keys.get(key).and_then(|k| k.secret.as_ref());
        let secret_access_key = match sealed {
            Some(sealed) => app.vault().open_access_key(key, sealed.as_bytes())?,
            None => SecretString::default(),
        };
        Ok(GeneratedCredential {
            access_key_id: key.clone(),
            secret_access_key,
        })
    };
    let credentials = rotation
        .slots
        .keys
        .iter()
        .flatten()
        .map(open)
        .collect::<Result<_, _>>()?;
    Ok((rotation, credentials))
}
