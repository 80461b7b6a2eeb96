//! What the audit log tells of a rotation that the schedule started.

use keywheel_core::ids::{AuditEntryId, RunId};
use keywheel_core::ledger::{Author, Ledger};
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Goal, Outcome};

use super::{Engine, EngineError, Result};
use crate::audit::event::Event;
use crate::audit::rotations::{RotationEnd, rotated, rotating};

/// An entry that was begun with a run. Runs that somebody asked for are in the entry of the request.
pub(super) struct Entry {
    id: AuditEntryId,
    job: Option<RunId>,
}

/// Begins the entry of a scheduled rotation; without one it does not start, and is due again later.
pub(super) async fn begin(
    engine: &Engine,
    author: Author,
    ledger: &Ledger,
    goal: &Goal,
) -> Result<Option<Entry>> {
    let (Author::Platform, Goal::Rotate(trigger), Some(rotation)) = (author, goal, &ledger.rotation) else {
        return Ok(None);
    };
    let begun = engine
        .parts()
        .audit
        .begin_by_platform(Event::RotateSecrets, rotation.place.project, rotating(rotation))
        .await;
    let id = begun.map_err(|refusal| {
        tracing::error!(rotation = %rotation.id, context = refusal.context(), "a rotation waits for the audit log");
        EngineError::Parked
    })?;
    let job = match trigger {
        Trigger::Scheduled { job, .. } => Some(*job),
        Trigger::Manual => None,
    };
    Ok(Some(Entry { id, job }))
}

/// Completes the entry.
pub(super) async fn end(engine: &Engine, entry: Entry, outcome: &Outcome) {
    let (end, word, error) = match outcome {
        Outcome::Published | Outcome::Revoked | Outcome::Settled => (RotationEnd::Published, "success", None),
        Outcome::Failed(error) => (RotationEnd::ToBeRepeated, "failure", Some(error.code.as_str())),
        Outcome::Parked => (RotationEnd::ToBeRepeated, "failure", None),
    };
    let mut metadata = rotated(end, engine.parts().clock.now(), entry.job).with("outcome", word);
    if let Some(error) = error {
        metadata.set("error", error);
    }
    engine.parts().audit.end_by_platform(entry.id, metadata).await;
}
