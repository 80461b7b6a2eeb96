//! What the audit log tells of runs that nobody asks for at the moment: rotations of the schedule, and deletions that are
//! taken up again.

use keywheel_core::ids::{AuditEntryId, RunId};
use keywheel_core::ledger::{Author, Ledger};
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Goal, Outcome};

use super::{Engine, EngineError, Result};
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::rotations::{RotationEnd, of_type, rotated, rotating};

/// An entry that was begun with a run. Runs that somebody asked for are in the entry of the request.
pub(super) struct Entry {
    id: AuditEntryId,
    of: Told,
}

/// What a run is told as.
enum Told {
    Rotation { job: Option<RunId> },
    Deletion,
}

/// Begins the entry of a run; without one it does not start, and is due again later.
pub(super) async fn begin(
    engine: &Engine,
    author: Author,
    ledger: &Ledger,
    goal: &Goal,
) -> Result<Option<Entry>> {
    let (Author::Platform, Some(rotation)) = (author, &ledger.rotation) else {
        return Ok(None);
    };
    let (event, metadata, of) = match goal {
        Goal::Rotate(trigger) => {
            let job = match trigger {
                Trigger::Scheduled { job, .. } => Some(*job),
                Trigger::Manual => None,
            };
            (Event::RotateSecrets, rotating(rotation), Told::Rotation { job })
        }
        Goal::Revoke { delete_secrets } => {
            let metadata = of_type()
                .with("rotationId", rotation.id)
                .with("deleteSecrets", delete_secrets)
                .with("revokeGeneratedCredentials", true);
            (Event::DeleteRotation, metadata, Told::Deletion)
        }
        _ => return Ok(None),
    };
    let begun = engine
        .parts()
        .audit
        .begin_by_platform(event, rotation.place.project, metadata)
        .await;
    let id = begun.map_err(|refusal| {
        tracing::error!(rotation = %rotation.id, context = refusal.context(), "a run waits for the audit log");
        EngineError::Parked
    })?;
    Ok(Some(Entry { id, of }))
}

/// Completes the entry.
pub(super) async fn end(engine: &Engine, entry: Entry, outcome: &Outcome) {
    let (end, word, error) = match outcome {
        Outcome::Published | Outcome::Revoked | Outcome::Settled => (RotationEnd::Published, "success", None),
        Outcome::Failed(error) => (RotationEnd::ToBeRepeated, "failure", Some(error.code.as_str())),
        Outcome::Parked => (RotationEnd::ToBeRepeated, "failure", None),
    };
    let told = match entry.of {
        Told::Rotation { job } => rotated(end, engine.parts().clock.now(), job),
        Told::Deletion => Metadata::new(),
    };
    let mut metadata = told.with("outcome", word);
    if let Some(error) = error {
        metadata.set("error", error);
    }
    engine.parts().audit.end_by_platform(entry.id, metadata).await;
}
