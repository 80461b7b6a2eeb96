//! Carries a change of a rotation out, in one transaction with everything that follows from it.

use keywheel_core::ledger::{Author, Change, Commit};
use keywheel_core::rotation::RotationSettings;
use keywheel_core::run::due_at;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::secrets::Secret;
use keywheel_store::{Conflict, StoreError};

use super::names::{name_taken, secret_taken};
use super::place::{Spot, moves};
use super::{changes, current, failure};
use crate::actions::references::{self, Followers, Relocation, Rewritten};
use crate::actions::tries::Undone;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// What a rotation is to become.
pub(super) struct After {
    pub(super) settings: RotationSettings,
    pub(super) spot: Spot,
    /// Ordinary secrets that go, because they have the names of the rotation's there.
    pub(super) replaced: Vec<Secret>,
    /// Whether the next run is reckoned anew.
    pub(super) reschedule: bool,
    /// What is said while a run holds the user.
    pub(super) in_progress: &'static str,
}

/// Makes a rotation that was read as `before` what it is to become. Its secrets go along, and references to them
/// follow.
pub(super) async fn carry_out(
    app: &App,
    caller: &Caller,
    before: &ShownRotation,
    after: After,
) -> Result<(), Undone> {
    let followers = followers(app, before, &after).await?;
    let told = followers.told(&after.replaced);
    let author = caller.author();
    let rewritten = changes_of(followers, author);
    let (now, timings) = (app.now(), *app.engine().timings());
    let (known, name, path) = (
        before.rotation.clone(),
        after.settings.name.clone(),
        after.spot.path().clone(),
    );
    let edited = app.engine().edit(known.user, move |ledger| {
        let mut rotation = current(ledger, known.id)?;
        if rotation.revoking {
            return Err(EngineError::Revoking);
        }
        if rotation.settings != known.settings || rotation.place != known.place {
            return Err(StoreError::Conflict(Conflict::Changed).into());
        }
        rotation.settings = after.settings;
        rotation.place = after.spot.place;
        rotation.updated_at = now;
        if after.reschedule {
            rotation.reschedule(timings.day_length);
        }
        let mut record = ledger.clone();
        record.rotation = Some(rotation.clone());
        record.user.connection = Some(rotation.settings.connection);
        // Runs ask AWS there from now on: the region before may be why they fail.
        record.user.region = rotation.settings.region.clone();
        record.user.due_at = due_at(&record, &timings, now);
        let mut all = rewritten;
        all.extend([
            Change::ClearNames {
                folder: rotation.place.folder,
                names: after.replaced.into_iter().map(|secret| secret.name).collect(),
            },
            Change::UpdateRotation(rotation),
            Change::User(record.user),
        ]);
        Ok(Commit {
            author: Some(author),
            ..changes(all)
        })
    });
    edited.await.map_err(|error| match error {
        // What the checks found is not so any more, unless they say so themselves when they are repeated.
        EngineError::Store(StoreError::Conflict(Conflict::Changed | Conflict::Reference)) => Undone::Changed,
        EngineError::Store(StoreError::Conflict(Conflict::RotationName)) => name_taken(&name, &path).into(),
        EngineError::Store(StoreError::Conflict(Conflict::SecretName)) => secret_taken(&path).into(),
        EngineError::InProgress => ApiError::bad_request(after.in_progress).into(),
        other => failure(other).into(),
    })?;
    caller.note_all(told);
    Ok(())
}

/// What follows the rotation's secrets, where they get another name or folder.
async fn followers(app: &App, before: &ShownRotation, after: &After) -> Result<Followers, ApiError> {
    let moves = moves(before, &after.settings, &after.spot);
    if moves.is_empty() {
        return Ok(Followers::default());
    }
    let relocation = Relocation {
        project: before.rotation.place.project,
        what: "a secret of this rotation",
        moves: &moves,
        gone: &after.replaced,
        // The secrets of a rotation hold keys, and refer to nothing.
        taken_along: &[],
        destination: &after.spot.folder,
    };
    references::followers(app, &relocation).await
}

fn changes_of(followers: Followers, author: Author) -> Vec<Change> {
    let rewritten = followers.rewritten.into_iter();
    let rewritten = rewritten.map(|Rewritten { secret, version }| Change::RewriteSecret {
        secret: secret.id,
        read: secret.version,
        version,
        author,
    });
    followers
        .seen
        .map(Change::References)
        .into_iter()
        .chain(rewritten)
        .collect()
}
