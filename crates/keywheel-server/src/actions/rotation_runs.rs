//! What runs did, what a run would do, and whether the published key works.

use std::collections::{BTreeMap, BTreeSet};

use keywheel_core::aws::{AwsFailure, FailureKind};
use keywheel_core::ids::{IdentityId, RotationId, RunId};
use keywheel_core::run::Goal;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::runs::RunRecord;

use super::rotations::{begun, current, failure, not_found, permitted};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::{about, used};
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::engine::preview::Preview;
use crate::http::errors::ApiError;

/// A run, who asked for it, and whether it is still under way.
pub struct ShownRun {
    /// The run.
    pub record: RunRecord,
    /// The name of the identity that asked for it; none for the schedule, and for an identity that is gone.
    pub author_name: Option<String>,
    /// Whether it has no end because it was interrupted: a later claim exists.
    pub interrupted: bool,
}

/// The runs of a rotation, latest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    id: RotationId,
    before: Option<RunId>,
    limit: u32,
) -> Result<Vec<ShownRun>, ApiError> {
    let found = permitted(app, caller, id, Action::Read).await?;
    // The lease first: a run that ends in between has its end then.
    let lease = app.store().lease(found.rotation.user).await?;
    let runs = app.store().runs(id, before, limit).await?;
    let names = names_of(app, &runs).await?;
    let mut shown: Vec<ShownRun> = Vec::with_capacity(runs.len());
    let now = app.engine().lease_time().await?;
    let holds = |record: &RunRecord| lease.is_some_and(|l| l.fence == record.fence && l.is_held(now));
    for record in runs {
        let interrupted = record.end.is_none() && !holds(&record);
        let author_name = record.author.identity().and_then(|id| names.get(&id).cloned());
        shown.push(ShownRun {
            record,
            author_name,
            interrupted,
        });
    }
    Ok(shown)
}

/// The names of the identities that asked for runs.
async fn names_of(app: &App, runs: &[RunRecord]) -> Result<BTreeMap<IdentityId, String>, ApiError> {
    let ids: BTreeSet<_> = runs.iter().filter_map(|run| run.author.identity()).collect();
    let mut names = BTreeMap::new();
    for id in ids {
        if let Some(identity) = app.store().identity(id).await? {
            names.insert(id, identity.name);
        }
    }
    Ok(names)
}

/// What a goal would end in, now. AWS is only read.
pub async fn preview(app: &App, caller: &Caller, id: RotationId, goal: Goal) -> Result<Preview, ApiError> {
    let event = Event::PreviewRotation;
    let found = begun(app, caller, id, Action::RotateSecrets, event, about).await?;
    app.engine()
        .preview(found.rotation.user, id, goal)
        .await
        .map_err(failure)
}

/// Whether AWS accepts the published key (rotation contract, 5.10). It reports and repairs nothing.
pub async fn check_credentials(app: &App, caller: &Caller, id: RotationId) -> Result<(), ApiError> {
    let action = Action::ReadGeneratedCredentials;
    let told = |found: &ShownRotation| used(&found.rotation);
    let found = begun(app, caller, id, action, Event::CheckCredentials, told).await?;
    let checked = check(app, id, &found).await;
    caller.note("success", checked.is_ok());
    caller.note("errorMessage", checked.as_ref().err().and_then(ApiError::text));
    checked
}

async fn check(app: &App, id: RotationId, found: &ShownRotation) -> Result<(), ApiError> {
    if app.engine().is_held(found.rotation.user).await? {
        return Err(ApiError::bad_request(
            "A rotation is in progress. Please try again shortly.",
        ));
    }
    let ledger = app.store().load(found.rotation.user).await?;
    let ledger = ledger.ok_or_else(|| not_found(id))?;
    let rotation = current(&ledger, id).map_err(|_| not_found(id))?;
    let active = rotation.slots.active_key().and_then(|key| ledger.keys.get(key));
    let Some((key, sealed)) = active.and_then(|key| Some((key, key.secret.as_ref()?))) else {
        return Err(ApiError::bad_request(
            "No active credentials are available to check for this rotation.",
        ));
    };
    let secret = app.vault().open_access_key(&key.id, sealed.as_bytes())?;
    let answer = app.engine().verify(&ledger.user, &key.id, &secret).await;
    match answer {
        Ok(found) if found.value.user_id != ledger.user.identity.user_id => {
            Err(ApiError::bad_request(format!(
                "Access key {} belongs to {}, not to the IAM user of this rotation",
                key.id, found.value.arn
            )))
        }
        Ok(_) => {
            app.engine().note_own_use(ledger.user.id, &key.id).await;
            Ok(())
        }
        // Only a key that works can be denied something (dry run and credential check of the protocol).
        Err(failure) if failure.is("AccessDenied") => Ok(()),
        Err(failure) => Err(ApiError::bad_request(said(&key.id, &failure))),
    }
}

fn said(key: &keywheel_core::aws::AccessKeyId, failure: &AwsFailure) -> String {
    match failure.kind {
        FailureKind::Refused => format!("AWS does not accept access key {key}: {failure}"),
        FailureKind::Unavailable | FailureKind::OutcomeUnknown => {
            format!("Access key {key} could not be checked: {failure}")
        }
    }
}
