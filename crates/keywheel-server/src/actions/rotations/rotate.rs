//! Rotates now.

use keywheel_core::ids::RotationId;
use keywheel_core::ledger::Author;
use keywheel_core::rotation::Trigger;
use keywheel_core::run::Goal;
use keywheel_store::rotations::ShownRotation;

use super::failures::failure;
use super::{permitted, shown};
use crate::app::App;
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Rotates now and waits for the end.
pub async fn rotate(app: &App, caller: &Caller, id: RotationId) -> Result<ShownRotation, ApiError> {
    let before = permitted(app, caller, id, Action::RotateSecrets).await?;
    let author = Author::Identity(caller.identity());
    let goal = Goal::Rotate(Trigger::Manual);
    match app.engine().reach(before.rotation.user, id, goal, author).await {
        Ok(()) => shown(app, id).await,
        Err(error) => Err(failure(error)),
    }
}
