//! Moves a rotation with its secrets to another folder of its project (rotation contract, section 5.11).

use keywheel_core::ids::RotationId;
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_store::rotations::ShownRotation;
use keywheel_store::secrets::Secret;

use super::change::{After, carry_out};
use super::failures::not_found;
use super::place::{Spot, in_the_way, require_name};
use super::{find, shown};
use crate::actions::tries::{Tries, Undone};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::rotations::of_type;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Said while a run holds the user.
const IN_PROGRESS: &str =
    "A rotation is currently in progress for this secret rotation. Please try again shortly.";

/// Where a rotation is to go.
pub struct MoveRotation {
    /// The environment; one that nothing can have is answered like an unknown one.
    pub environment: Slug,
    /// The folder.
    pub path: SecretPath,
    /// Whether ordinary secrets that are in the way there are replaced.
    pub overwrite: bool,
}

/// Moves a rotation. The order of the checks is the contract's.
pub async fn relocate(
    app: &App,
    caller: &Caller,
    id: RotationId,
    wanted: MoveRotation,
) -> Result<ShownRotation, ApiError> {
    let mut tries = Tries::default();
    loop {
        match attempt(app, caller, id, &wanted).await {
            Ok(after) => return Ok(after),
            Err(undone) => tries.again(undone)?,
        }
    }
}

async fn attempt(
    app: &App,
    caller: &Caller,
    id: RotationId,
    wanted: &MoveRotation,
) -> Result<ShownRotation, Undone> {
    let before = find(app, caller, id).await?.ok_or_else(|| not_found(id))?;
    caller
        .open(
            Event::MoveRotation,
            before.rotation.place.project,
            told(&before, wanted),
        )
        .await?;
    if app.engine().is_held(before.rotation.user).await? {
        return Err(ApiError::bad_request(IN_PROGRESS).into());
    }
    require_leave(caller, &before).await?;
    let spot = Spot::find(app, &before, &wanted.environment, &wanted.path).await?;
    if spot.place == before.rotation.place {
        return Err(ApiError::bad_request("Source and destination locations are the same").into());
    }
    require_enter(caller, &before).await?;
    let settings = before.rotation.settings.clone();
    require_name(app, &before, &settings.name, &spot).await?;
    let replaced = in_the_way(app, &before, &settings, &spot).await?;
    require_replaceable(caller, &before, &replaced, &spot, wanted.overwrite).await?;
    let after = After {
        settings,
        spot,
        replaced,
        reschedule: false,
        in_progress: IN_PROGRESS,
    };
    carry_out(app, caller, &before, after).await?;
    Ok(shown(app, id).await?)
}

/// What the audit log tells of a move.
fn told(before: &ShownRotation, wanted: &MoveRotation) -> Metadata {
    of_type()
        .with("rotationId", before.rotation.id)
        .with("sourceEnvironment", &before.environment_slug)
        .with("sourceSecretPath", &before.path)
        .with("destinationEnvironment", &wanted.environment)
        .with("destinationSecretPath", &wanted.path)
}

/// The right to take a rotation away from where it is.
pub(super) async fn require_leave(caller: &Caller, before: &ShownRotation) -> Result<(), ApiError> {
    let project = before.rotation.place.project;
    caller.require(project, Action::Delete, Subject::Rotations).await
}

/// The right to make a rotation, and the secrets that come with it, where it goes.
pub(super) async fn require_enter(caller: &Caller, before: &ShownRotation) -> Result<(), ApiError> {
    let project = before.rotation.place.project;
    caller
        .require(project, Action::Create, Subject::Rotations)
        .await?;
    caller.require(project, Action::Create, Subject::Secrets).await
}

/// Refuses to replace secrets, unless that was asked for; and never replaces one that a rotation writes.
async fn require_replaceable(
    caller: &Caller,
    before: &ShownRotation,
    replaced: &[Secret],
    spot: &Spot,
    overwrite: bool,
) -> Result<(), ApiError> {
    if replaced.is_empty() {
        return Ok(());
    }
    let path = spot.path();
    if !overwrite {
        return Err(ApiError::bad_request(format!(
            "The following secrets already exist at the destination path \"{path}\": {}. Set \"overwriteDestination\" \
             to true to replace them.",
            listed(replaced.iter())
        )));
    }
    let rotated = listed(replaced.iter().filter(|secret| secret.rotation.is_some()));
    if !rotated.is_empty() {
        return Err(ApiError::bad_request(format!(
            "The following secrets at the destination path \"{path}\" are written by another secret rotation and \
             cannot be replaced: {rotated}"
        )));
    }
    let project = before.rotation.place.project;
    caller.require(project, Action::Delete, Subject::Secrets).await
}

fn listed<'a>(secrets: impl Iterator<Item = &'a Secret>) -> String {
    let names: Vec<&str> = secrets
        .map(|secret| &secret.name)
        .map(SecretName::as_str)
        .collect();
    names.join(", ")
}
