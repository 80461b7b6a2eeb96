//! Deletes a rotation.

use keywheel_core::clock::Moment;
use keywheel_core::ids::RotationId;
use keywheel_core::key::KeyState;
use keywheel_core::ledger::{Change, Commit, Ledger};
use keywheel_core::run::{Goal, due_at};
use keywheel_core::timings::Timings;
use keywheel_store::rotations::ShownRotation;

use super::failures::{cut, failure};
use super::{begun, changes, current};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::of_type;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// Deletes a rotation; with `revoke` its keys go first. What it was.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: RotationId,
    delete_secrets: bool,
    revoke: bool,
) -> Result<ShownRotation, ApiError> {
    let told = of_type()
        .with("rotationId", id)
        .with("deleteSecrets", delete_secrets)
        .with("revokeGeneratedCredentials", revoke);
    let before = begun(app, caller, id, Action::Delete, Event::DeleteRotation, |_| told).await?;
    if delete_secrets {
        caller
            .require(before.rotation.place.project, Action::Delete, Subject::Secrets)
            .await?;
    }
    let user = before.rotation.user;
    let author = caller.author();
    if revoke {
        return match app
            .engine()
            .reach(user, id, Goal::Revoke { delete_secrets }, author)
            .await
        {
            Ok(()) => Ok(before),
            Err(EngineError::Run(error)) => Err(ApiError::bad_request(cut(&format!(
                "The access keys could not all be revoked; the rotation stays, and the call can be repeated: {error}"
            )))),
            Err(error) => Err(failure(error)),
        };
    }
    let (now, timings) = (app.now(), *app.engine().timings());
    let edited = app.engine().edit(user, move |ledger| {
        current(ledger, id)?;
        // What was announced for a key is finished first, while the key is Keywheel's.
        if ledger
            .open_intent
            .as_ref()
            .is_some_and(|intent| intent.key.is_some())
        {
            return Err(EngineError::InProgress);
        }
        let author = Some(author);
        Ok(Commit {
            author,
            ..release_all(ledger, id, delete_secrets, now, &timings)
        })
    });
    edited.await.map_err(failure)?;
    Ok(before)
}

/// Gives all keys back to their owner and removes the rotation, without a call to AWS.
fn release_all(
    ledger: &Ledger,
    id: RotationId,
    delete_secrets: bool,
    now: Moment,
    timings: &Timings,
) -> Commit {
    let mut after = ledger.clone();
    let mut all = Vec::new();
    for key in ledger.keys.values().filter(|key| key.is_ours()) {
        let mut key = key.clone();
        if key.become_state(KeyState::Unmanaged, now).is_ok() {
            after.keys.insert(key.id.clone(), key.clone());
            all.push(Change::Key(key));
        }
    }
    after.rotation = None;
    after.user.rotation = None;
    after.user.unfinished = None;
    after.user.due_at = due_at(&after, timings, now);
    all.push(Change::RemoveRotation { id, delete_secrets });
    all.push(Change::User(after.user));
    changes(all)
}
