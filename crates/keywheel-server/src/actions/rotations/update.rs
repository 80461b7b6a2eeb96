//! Changes a rotation.

use keywheel_core::aws::{IamUserName, Region};
use keywheel_core::ids::{ConnectionId, RotationId};
use keywheel_core::ledger::Change;
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{RotationSettings, SecretsMapping};
use keywheel_core::run::due_at;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::{Conflict, StoreError};

use super::failures::{failure, refused};
use super::names::{name_taken, pair, refuse_taken};
use super::{changes, current, permitted, shown};
use crate::actions::rotation_policy::require_fit;
use crate::app::App;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// What a PATCH asks for; absent is unchanged.
#[derive(Default)]
pub struct UpdateRotation {
    /// A new name.
    pub name: Option<Slug>,
    /// A new description, or none.
    pub description: Option<Option<String>>,
    /// The connection as the client believes it to be.
    pub connection: Option<ConnectionId>,
    /// The environment as the client believes it to be.
    pub environment: Option<Slug>,
    /// The path as the client believes it to be.
    pub path: Option<SecretPath>,
    /// The IAM user, which cannot change, and a region, if one is given.
    pub parameters: Option<(IamUserName, Option<Region>)>,
    /// New names of the secrets.
    pub mapping: Option<(SecretName, SecretName)>,
    /// Whether runs start by themselves.
    pub automatic: Option<bool>,
    /// Days between runs.
    pub interval: Option<IntervalDays>,
    /// The time of day of runs.
    pub rotate_at: Option<RotateAtUtc>,
}

/// Changes a rotation. It takes effect at once, also for work that is due already.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: RotationId,
    wanted: UpdateRotation,
) -> Result<ShownRotation, ApiError> {
    let before = permitted(app, caller, id, Action::Edit).await?;
    refuse_fixed(&before, &wanted)?;
    let mapping = wanted
        .mapping
        .clone()
        .map(|(id, secret)| pair(id, secret))
        .transpose()?;
    let settings = merged(&before.rotation.settings, &wanted, mapping.as_ref());
    require_fit(&settings.policy, settings.interval).map_err(ApiError::bad_request)?;
    if settings.mapping != before.rotation.settings.mapping {
        caller
            .require(before.rotation.place.project, Action::Edit, Subject::Secrets)
            .await?;
    }
    check_update(app, &before, &settings).await?;
    let (now, timings) = (app.now(), *app.engine().timings());
    let new_name = wanted.name.clone();
    let edited = app.engine().edit(before.rotation.user, move |ledger| {
        let mut rotation = current(ledger, id)?;
        if rotation.revoking {
            return Err(EngineError::Revoking);
        }
        // Somebody may have changed other fields, or the policy, since the request was checked.
        rotation.settings = merged(&rotation.settings, &wanted, mapping.as_ref());
        require_fit(&rotation.settings.policy, rotation.settings.interval).map_err(refused)?;
        rotation.updated_at = now;
        rotation.reschedule(timings.day_length);
        let mut after = ledger.clone();
        after.rotation = Some(rotation.clone());
        after.user.due_at = due_at(&after, &timings, now);
        Ok(changes(vec![
            Change::UpdateRotation(rotation),
            Change::User(after.user),
        ]))
    });
    match edited.await {
        Ok(()) => shown(app, id).await,
        Err(EngineError::Store(StoreError::Conflict(Conflict::RotationName))) => Err(name_taken(
            new_name.as_ref().unwrap_or(&before.rotation.settings.name),
            &before.path,
        )),
        Err(EngineError::Store(StoreError::Conflict(Conflict::SecretName))) => {
            Err(ApiError::bad_request(format!(
                "A secret with a mapped name already exists at the path \"{}\"",
                before.path
            )))
        }
        Err(error) => Err(failure(error)),
    }
}

/// What a PATCH may repeat but not change (rules D12 and D13): it is refused and never ignored.
fn refuse_fixed(before: &ShownRotation, wanted: &UpdateRotation) -> Result<(), ApiError> {
    let settings = &before.rotation.settings;
    let differs = |what: &str, how: &str| {
        Err(ApiError::bad_request(format!(
            "The {what} of a secret rotation cannot be changed by an update; {how}"
        )))
    };
    if wanted
        .parameters
        .as_ref()
        .is_some_and(|(name, _)| !name.same_as(&settings.user_name))
    {
        return differs("IAM user", "make a new rotation for another user");
    }
    let region = wanted.parameters.as_ref().and_then(|(_, region)| region.as_ref());
    if region.is_some_and(|region| region.partition() != settings.region.partition()) {
        return differs("AWS partition", "make a new rotation for another partition");
    }
    if wanted.connection.is_some_and(|id| id != settings.connection) {
        return differs("connection", "give the connection other credentials instead");
    }
    let environment = wanted
        .environment
        .as_ref()
        .is_some_and(|slug| *slug != before.environment_slug);
    if environment || wanted.path.as_ref().is_some_and(|path| *path != before.path) {
        return differs("environment and path", "make a new rotation at the other place");
    }
    Ok(())
}

async fn check_update(app: &App, before: &ShownRotation, after: &RotationSettings) -> Result<(), ApiError> {
    let (folder, settings) = (before.rotation.place.folder, &before.rotation.settings);
    if after.name != settings.name && app.store().rotation_by_name(folder, &after.name).await?.is_some() {
        return Err(name_taken(&after.name, &before.path));
    }
    let old = [
        settings.mapping.access_key_id(),
        settings.mapping.secret_access_key(),
    ];
    let new = [after.mapping.access_key_id(), after.mapping.secret_access_key()];
    let added: Vec<SecretName> = new
        .into_iter()
        .filter(|name| !old.contains(name))
        .cloned()
        .collect();
    refuse_taken(&app.store().taken_names(folder, &added).await?, &before.path)
}

fn merged(
    before: &RotationSettings,
    wanted: &UpdateRotation,
    mapping: Option<&SecretsMapping>,
) -> RotationSettings {
    let region = wanted.parameters.as_ref().and_then(|(_, region)| region.clone());
    RotationSettings {
        name: wanted.name.clone().unwrap_or_else(|| before.name.clone()),
        description: wanted
            .description
            .clone()
            .unwrap_or_else(|| before.description.clone()),
        connection: before.connection,
        user_name: before.user_name.clone(),
        region: region.unwrap_or_else(|| before.region.clone()),
        mapping: mapping.unwrap_or(&before.mapping).clone(),
        automatic: wanted.automatic.unwrap_or(before.automatic),
        interval: wanted.interval.unwrap_or(before.interval),
        rotate_at: wanted.rotate_at.unwrap_or(before.rotate_at),
        policy: before.policy.clone(),
    }
}
