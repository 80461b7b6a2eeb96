//! Changes a rotation.

use axum::http::StatusCode;
use keywheel_core::aws::{IamUserName, Region};
use keywheel_core::ids::{ConnectionId, RotationId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::rotation::RotationSettings;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_store::rotations::ShownRotation;
use serde_json::{Value, json};

use super::change::{After, carry_out};
use super::failures::{IN_PROGRESS, cut, failure};
use super::names::{pair, refuse_taken};
use super::place::{Spot, in_the_way, require_name};
use super::relocate::{require_enter, require_leave};
use super::{find, shown};
use crate::actions::connections;
use crate::actions::rotation_policy::require_fit;
use crate::actions::tries::{Tries, Undone};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::rotations::{of_type, time_of_day};
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
    /// Another connection to the same user.
    pub connection: Option<ConnectionId>,
    /// The environment that it is to be in.
    pub environment: Option<Slug>,
    /// The folder that it is to be in.
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
    wanted: &UpdateRotation,
) -> Result<ShownRotation, Undone> {
    let before = find(app, caller, id).await?;
    // The contract writes the id without quotes here, and only here.
    let before = before.ok_or_else(|| {
        ApiError::not_found(format!(
            "Could not find AWS IAM User Secret Rotation with ID {id}"
        ))
    })?;
    let project = before.rotation.place.project;
    caller
        .open(Event::UpdateRotation, project, told(id, wanted))
        .await?;
    caller.require(project, Action::Edit, Subject::Rotations).await?;
    refuse_fixed(&before, wanted)?;
    let settings = merged(&before.rotation.settings, wanted)?;
    require_fit(&settings.policy, settings.interval).map_err(ApiError::bad_request)?;
    if settings.mapping != before.rotation.settings.mapping {
        caller.require(project, Action::Edit, Subject::Secrets).await?;
    }
    let spot = destination(app, caller, &before, wanted).await?;
    require_name(app, &before, &settings.name, &spot).await?;
    let taken = in_the_way(app, &before, &settings, &spot).await?;
    refuse_taken(taken.into_iter().map(|secret| secret.name), spot.path())?;
    if settings.connection != before.rotation.settings.connection {
        require_switchable(app, caller, &before, &settings).await?;
    }
    let after = After {
        settings,
        spot,
        replaced: Vec::new(),
        reschedule: true,
        in_progress: IN_PROGRESS,
    };
    carry_out(app, caller, &before, after).await?;
    Ok(shown(app, id).await?)
}

/// What the audit log tells of a request: what it gives, but for the description.
fn told(id: RotationId, wanted: &UpdateRotation) -> Metadata {
    let mut metadata = of_type().with("rotationId", id);
    let mut tell = |key, value: Option<Value>| {
        if let Some(value) = value {
            metadata.set(key, value);
        }
    };
    let parameters =
        |(user, region): &(IamUserName, Option<Region>)| json!({"userName": user, "region": region});
    let mapping =
        |(id, secret): &(SecretName, SecretName)| json!({"accessKeyId": id, "secretAccessKey": secret});
    tell("name", wanted.name.as_ref().map(|name| json!(name)));
    tell("connectionId", wanted.connection.map(|id| json!(id)));
    tell("environment", wanted.environment.as_ref().map(|slug| json!(slug)));
    tell("secretPath", wanted.path.as_ref().map(|path| json!(path)));
    tell("parameters", wanted.parameters.as_ref().map(parameters));
    tell("secretsMapping", wanted.mapping.as_ref().map(mapping));
    tell("isAutoRotationEnabled", wanted.automatic.map(Value::from));
    tell("rotationInterval", wanted.interval.map(|days| days.get().into()));
    tell("rotateAtUtc", wanted.rotate_at.map(time_of_day));
    metadata
}

/// What a PATCH may repeat but not change (rule D12): it is refused and never ignored.
fn refuse_fixed(before: &ShownRotation, wanted: &UpdateRotation) -> Result<(), ApiError> {
    let settings = &before.rotation.settings;
    let Some((user_name, region)) = &wanted.parameters else {
        return Ok(());
    };
    let (what, how) = if !user_name.same_as(&settings.user_name) {
        ("IAM user", "make a new rotation for another user")
    } else if region
        .as_ref()
        .is_some_and(|region| region.partition() != settings.region.partition())
    {
        ("AWS partition", "make a new rotation for another partition")
    } else {
        return Ok(());
    };
    Err(ApiError::bad_request(format!(
        "The {what} of a secret rotation cannot be changed by an update; {how}"
    )))
}

/// The settings after the update; the mapping is a pair of different names.
fn merged(before: &RotationSettings, wanted: &UpdateRotation) -> Result<RotationSettings, ApiError> {
    let mut after = before.clone();
    set(&mut after.name, wanted.name.as_ref());
    set(&mut after.description, wanted.description.as_ref());
    set(&mut after.connection, wanted.connection.as_ref());
    let region = wanted.parameters.as_ref().and_then(|(_, region)| region.as_ref());
    set(&mut after.region, region);
    set(&mut after.automatic, wanted.automatic.as_ref());
    set(&mut after.interval, wanted.interval.as_ref());
    set(&mut after.rotate_at, wanted.rotate_at.as_ref());
    if let Some((access_key_id, secret_access_key)) = wanted.mapping.clone() {
        after.mapping = pair(access_key_id, secret_access_key)?;
    }
    Ok(after)
}

/// A place or a connection that is not there is a 400 in an update (rule D13): 404 would say that the rotation is gone.
fn as_bad_request(error: ApiError) -> ApiError {
    match error.text() {
        Some(text) if error.status() == StatusCode::NOT_FOUND => ApiError::bad_request(text.to_owned()),
        _ => error,
    }
}

fn set<T: Clone>(field: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

/// Where the rotation is after the update. Another place is a move, with its permissions (rule D13).
async fn destination(
    app: &App,
    caller: &Caller,
    before: &ShownRotation,
    wanted: &UpdateRotation,
) -> Result<Spot, ApiError> {
    let environment = wanted.environment.as_ref().unwrap_or(&before.environment_slug);
    let path = wanted.path.as_ref().unwrap_or(&before.path);
    if (environment, path) == (&before.environment_slug, &before.path) {
        return Ok(Spot::of(before));
    }
    require_leave(caller, before).await?;
    let spot = Spot::find(app, before, environment, path)
        .await
        .map_err(as_bad_request)?;
    require_enter(caller, before).await?;
    Ok(spot)
}

/// Another connection has to be one that the caller may use here and that reaches the same user (rules D10, D13).
async fn require_switchable(
    app: &App,
    caller: &Caller,
    before: &ShownRotation,
    settings: &RotationSettings,
) -> Result<(), ApiError> {
    let (user, project) = (before.rotation.user, before.rotation.place.project);
    connections::require_usable(app, caller, project, settings.connection)
        .await
        .map_err(as_bad_request)?;
    app.engine()
        .require_same_user(user, settings.connection, &settings.region)
        .await
        .map_err(|error| match error {
            EngineError::Run(error) => ApiError::bad_request(cut(&error.text)),
            other => failure(other),
        })
}
