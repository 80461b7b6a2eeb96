//! Carries a change of a rotation out, in one transaction with everything that follows from it.

use keywheel_core::ids::{SecretId, SecretVersionId};
use keywheel_core::ledger::{Author, Change, Commit, SealedVersion};
use keywheel_core::references::{self, Move};
use keywheel_core::rotation::RotationSettings;
use keywheel_core::run::due_at;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::secrets::Secret;
use keywheel_store::{Conflict, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::names::{name_taken, secret_taken};
use super::place::{Spot, moves};
use super::{changes, current, failure};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// How often a change is tried when what it was made from changes at the same time. Each try reads everything anew;
/// more than one is needed only while somebody else writes the same secrets.
const TRIES_MAX: usize = 5;
/// Most ids of secrets in one entry of the audit log; how many there were is told beside them.
const TOLD_MAX: usize = 100;

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

/// Why a change was not made.
pub(super) enum Undone {
    /// What it was made from has changed: it is to be tried again.
    Changed,
    /// For good.
    Refused(ApiError),
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// How often something was tried.
#[derive(Default)]
pub(super) struct Tries(usize);

impl Tries {
    /// Whether to try once more; otherwise why not.
    pub(super) fn again(&mut self, undone: Undone) -> Result<(), ApiError> {
        self.0 += 1;
        match undone {
            Undone::Refused(error) => Err(error),
            Undone::Changed if self.0 < TRIES_MAX => Ok(()),
            Undone::Changed => Err(ApiError::bad_request(
                "Other changes of the same secrets got in the way; nothing was changed. Please try again shortly.",
            )),
        }
    }
}

/// Makes a rotation that was read as `before` what it is to become. Its secrets go along, and references to them
/// follow.
pub(super) async fn carry_out(
    app: &App,
    caller: &Caller,
    before: &ShownRotation,
    after: After,
) -> Result<(), Undone> {
    let author = Author::Identity(caller.identity());
    let moves = moves(before, &after.settings, &after.spot);
    let rewritten = rewritten(app, before, &moves, &after.replaced, author).await?;
    let followed = Followed::of(&after.replaced, &rewritten);
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
        let mut all = vec![
            Change::ClearNames {
                folder: rotation.place.folder,
                names: after.replaced.into_iter().map(|secret| secret.name).collect(),
            },
            Change::UpdateRotation(rotation),
            Change::User(record.user),
        ];
        all.extend(rewritten);
        let author = Some(author);
        Ok(Commit {
            author,
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
    followed.tell(caller);
    Ok(())
}

/// Other secrets that a change took along, for its entry in the audit log.
struct Followed {
    replaced: Vec<String>,
    rewritten: Vec<SecretId>,
}

impl Followed {
    fn of(replaced: &[Secret], rewritten: &[Change]) -> Self {
        let rewritten = rewritten.iter().filter_map(|change| match change {
            Change::RewriteSecret { secret, .. } => Some(*secret),
            _ => None,
        });
        Self {
            replaced: replaced.iter().map(|secret| secret.name.to_string()).collect(),
            rewritten: rewritten.collect(),
        }
    }

    fn tell(self, caller: &Caller) {
        if !self.replaced.is_empty() {
            caller.note("replacedSecrets", self.replaced);
        }
        if !self.rewritten.is_empty() {
            caller.note("rewrittenSecrets", self.rewritten.len());
            let told: Vec<SecretId> = self.rewritten.into_iter().take(TOLD_MAX).collect();
            caller.note("rewrittenSecretIds", told);
        }
    }
}

/// The next versions of all secrets of the project that refer to what moves.
async fn rewritten(
    app: &App,
    before: &ShownRotation,
    moves: &[Move],
    replaced: &[Secret],
    author: Author,
) -> Result<Vec<Change>, ApiError> {
    if moves.is_empty() {
        return Ok(Vec::new());
    }
    let project = before.rotation.place.project;
    let mut rewritten = Vec::new();
    for secret in app.store().secrets_with_references(project).await? {
        if replaced.iter().any(|gone| gone.id == secret.id) {
            continue;
        }
        if let Some(version) = rewrite(app, &secret, moves)? {
            rewritten.push(Change::RewriteSecret {
                secret: secret.id,
                read: secret.version,
                version,
                author,
            });
        }
    }
    Ok(rewritten)
}

fn rewrite(app: &App, secret: &Secret, moves: &[Move]) -> Result<Option<SealedVersion>, ApiError> {
    let Some(sealed) = &secret.value else {
        return Ok(None);
    };
    let home = references::Folder {
        environment: secret.place.environment_slug.clone(),
        path: secret.place.path.clone(),
    };
    let plain = app.vault().open_secret_value(secret.version_id, sealed)?;
    let value = references::rewrite(plain.expose_secret(), &home, moves).map_err(|fault| {
        ApiError::bad_request(format!(
            "The secret \"{}\" at the path \"{}\" in environment \"{}\" refers to a secret of this rotation, and \
             {fault}",
            secret.name, home.path, home.environment
        ))
    })?;
    let Some(value) = value.map(SecretString::from) else {
        return Ok(None);
    };
    let id = app.new_id(SecretVersionId::new);
    let sealed = app.vault().seal_secret_value(id, value.expose_secret())?;
    Ok(Some(SealedVersion { id, sealed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_tried_again_a_few_times_and_a_refusal_never() {
        let mut tries = Tries::default();
        for _ in 1..TRIES_MAX {
            assert!(tries.again(Undone::Changed).is_ok());
        }
        let error = tries.again(Undone::Changed).unwrap_err();
        assert_eq!(error.status(), 400);
        let refused = Undone::Refused(ApiError::bad_request("no"));
        assert_eq!(Tries::default().again(refused).unwrap_err().text(), Some("no"));
    }
}
