//! The keys of a rotation's IAM user, and what its owner may say of each. Every word names exactly one key id.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::Moment;
use keywheel_core::ids::RotationId;
use keywheel_core::key::{KeyState, ManagedKey, Terms};
use keywheel_core::ledger::Ledger;
use keywheel_core::owner::{self, Word};
use keywheel_core::run::{Goal, RunError};
use keywheel_core::timings::Timings;
use keywheel_store::rotations::ShownRotation;

use super::rotations::{begun, current, key_failure, not_found, permitted, shown};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::rotations::about;
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// The key ledger of a rotation's user.
pub struct KeyLedger {
    /// The record.
    pub ledger: Ledger,
    /// Each key with what comes next; live ones first, then by time.
    pub keys: Vec<LedgerKey>,
    /// When it was read.
    pub now: Moment,
}

/// A key, and what will become of it.
pub struct LedgerKey {
    /// Its row.
    pub key: ManagedKey,
    /// The next change at AWS that Keywheel plans for it.
    pub next_change: Option<NextChange>,
    /// Whether it holds a slot that no rotation can free.
    pub blocks_rotation: bool,
}

/// A planned change of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextChange {
    /// `deactivate` or `delete`.
    pub change: &'static str,
    /// From when; none if the next rotation decides, and none is scheduled.
    pub at: Option<Moment>,
    /// Whether the next rotation makes it, because it needs the slot.
    pub with_next_rotation: bool,
}

/// Every key of the user that is known, ended ones too.
pub async fn list(app: &App, caller: &Caller, id: RotationId) -> Result<KeyLedger, ApiError> {
    let found = permitted(app, caller, id, Action::Read).await?;
    read(app, id, &found).await
}

async fn read(app: &App, id: RotationId, found: &ShownRotation) -> Result<KeyLedger, ApiError> {
    let ledger = app.store().load(found.rotation.user).await?;
    let ledger = ledger.ok_or_else(|| not_found(id))?;
    let timings = app.engine().timings();
    let mut keys: Vec<LedgerKey> = ledger
        .keys
        .values()
        .map(|key| LedgerKey {
            key: key.clone(),
            next_change: next_change(key, &ledger, timings),
            blocks_rotation: blocks_rotation(key),
        })
        .collect();
    keys.sort_by_key(|k| (k.key.state.is_end(), std::cmp::Reverse(k.key.first_seen_at)));
    Ok(KeyLedger {
        keys,
        ledger,
        now: app.now(),
    })
}

fn next_change(key: &ManagedKey, ledger: &Ledger, timings: &Timings) -> Option<NextChange> {
    let change = match key.state {
        KeyState::Deactivated => "delete",
        _ => "deactivate",
    };
    if let Some(at) = key.retires_at(timings.pending_max) {
        return Some(NextChange {
            change,
            at: Some(at),
            with_next_rotation: false,
        });
    }
    let waits_for_slot = key.terms() == Terms::NextRotation && key.yields_at().is_some();
    waits_for_slot.then(|| NextChange {
        change,
        at: ledger.rotation.as_ref().and_then(|r| r.next_attempt_at),
        with_next_rotation: true,
    })
}

fn blocks_rotation(key: &ManagedKey) -> bool {
    let own = matches!(
        key.state,
        KeyState::Published | KeyState::Pending | KeyState::Verified
    );
    !key.state.is_end() && !own && key.yields_at().is_none()
}

/// Publishes an earlier key again, after it has proven that it works.
pub async fn roll_back(
    app: &App,
    caller: &Caller,
    id: RotationId,
    key: AccessKeyId,
) -> Result<ShownRotation, ApiError> {
    let found = known(app, caller, id, &key, Event::RollBackKey).await?;
    let author = caller.author();
    let goal = Goal::RollBack { key };
    app.engine()
        .reach(found.rotation.user, id, goal, author)
        .await
        .map_err(key_failure)?;
    shown(app, id).await
}

/// Retires a key now: deactivates and deletes it, in two recorded steps, without a wait.
pub async fn retire(
    app: &App,
    caller: &Caller,
    id: RotationId,
    key: AccessKeyId,
) -> Result<KeyLedger, ApiError> {
    let found = known(app, caller, id, &key, Event::RetireKey).await?;
    let author = caller.author();
    let goal = Goal::Retire { key };
    app.engine()
        .reach(found.rotation.user, id, goal, author)
        .await
        .map_err(key_failure)?;
    read(app, id, &found).await
}

/// Whose a suspect is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Keywheel's: it is retired.
    Ours,
    /// Somebody else's: it is never touched.
    Theirs,
}

/// Resolves a suspect. As ours, it is deactivated and deleted at once: its secret is lost, so nobody can use it.
pub async fn resolve(
    app: &App,
    caller: &Caller,
    id: RotationId,
    key: AccessKeyId,
    owner: Owner,
) -> Result<KeyLedger, ApiError> {
    let found = known(app, caller, id, &key, Event::ResolveKey).await?;
    let word = match owner {
        Owner::Ours => "ours",
        Owner::Theirs => "theirs",
    };
    caller.note("owner", word);
    let ledger = read(app, id, &found).await?.ledger;
    let state = ledger.keys.get(&key).map(|k| k.state);
    if state != Some(KeyState::OrphanSuspect) {
        let state = state.map_or("unknown", KeyState::as_str);
        return Err(ApiError::bad_request(format!(
            "Access key {key} ({state}) cannot be resolved: only a suspect can be"
        )));
    }
    match owner {
        Owner::Ours => retire(app, caller, id, key).await,
        Owner::Theirs => say(app, caller, id, key, Word::Theirs).await,
    }
}

/// Takes down a word about one key.
pub async fn say(
    app: &App,
    caller: &Caller,
    id: RotationId,
    key: AccessKeyId,
    word: Word,
) -> Result<KeyLedger, ApiError> {
    let found = known(app, caller, id, &key, event_of(&word)).await?;
    if word == Word::HandOver {
        // Its grace begins now, so now has to be right.
        let user = found.rotation.user;
        app.engine().require_clock(user).await.map_err(key_failure)?;
    }
    let (now, timings) = (app.now(), *app.engine().timings());
    tracing::info!(rotation = %id, %key, identity = %caller.identity(), ?word, "an owner speaks of a key");
    let edited = app.engine().edit(found.rotation.user, move |ledger| {
        if current(ledger, id)?.revoking {
            return Err(EngineError::Revoking);
        }
        owner::take(ledger, &key, &word, now, &timings).map_err(|error: RunError| error.into())
    });
    edited.await.map_err(key_failure)?;
    read(app, id, &found).await
}

/// The event of a word. Why a key is held is not told: it is free text.
const fn event_of(word: &Word) -> Event {
    match word {
        Word::Theirs => Event::ResolveKey,
        Word::HandOver => Event::HandOverKey,
        Word::Hold { .. } => Event::HoldKey,
        Word::Release => Event::ReleaseKey,
    }
}

/// The rotation, if the caller may rotate it (403) and the key is one of its user's (404).
async fn known(
    app: &App,
    caller: &Caller,
    id: RotationId,
    key: &AccessKeyId,
    event: Event,
) -> Result<ShownRotation, ApiError> {
    let told = |found: &ShownRotation| about(found).with("accessKeyId", key);
    let found = begun(app, caller, id, Action::RotateSecrets, event, told).await?;
    if is_known(app, &found, key).await? {
        return Ok(found);
    }
    // It may be new at AWS: a look at the list tells. That the look fails tells nothing of the key.
    let author = caller.author();
    let looked = app
        .engine()
        .reach(found.rotation.user, id, Goal::Settle, author)
        .await;
    if let Err(error) = looked {
        tracing::debug!(rotation = %id, %error, "the keys of a rotation could not be looked at");
    }
    if is_known(app, &found, key).await? {
        return Ok(found);
    }
    Err(ApiError::not_found(format!(
        "Could not find access key \"{key}\" among the keys of secret rotation \"{id}\""
    )))
}

async fn is_known(app: &App, found: &ShownRotation, key: &AccessKeyId) -> Result<bool, ApiError> {
    let ledger = app.store().load(found.rotation.user).await?;
    Ok(ledger.is_some_and(|ledger| ledger.keys.contains_key(key)))
}
