//! Rotates now.

use keywheel_core::ids::RotationId;
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Goal, RunErrorCode};
use keywheel_store::rotations::ShownRotation;

use super::failures::failure;
use super::{begun, shown};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::{RotationEnd, rotated, rotating};
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// Rotates now and waits for the end.
pub async fn rotate(app: &App, caller: &Caller, id: RotationId) -> Result<ShownRotation, ApiError> {
    let told = |found: &ShownRotation| rotating(&found.rotation);
    let before = begun(app, caller, id, Action::RotateSecrets, Event::RotateSecrets, told).await?;
    let author = caller.author();
    let goal = Goal::Rotate(Trigger::Manual);
    let reached = app.engine().reach(before.rotation.user, id, goal, author).await;
    if let Some(end) = end_of(&reached) {
        caller.note_all(rotated(end, app.now(), None));
    }
    match reached {
        Ok(()) => shown(app, id).await,
        Err(error) => Err(failure(error)),
    }
}

/// How the run ended; none if none began.
const fn end_of(reached: &Result<(), EngineError>) -> Option<RotationEnd> {
    match reached {
        Ok(()) => Some(RotationEnd::Published),
        // The state of the rotation is as it was.
        Err(EngineError::Run(error))
            if matches!(
                error.code,
                RunErrorCode::InProgress | RunErrorCode::GraceHoldsSlot
            ) =>
        {
            None
        }
        Err(EngineError::Run(_)) => Some(RotationEnd::Failed),
        Err(EngineError::Parked) => Some(RotationEnd::ToBeRepeated),
        Err(_) => None,
    }
}
