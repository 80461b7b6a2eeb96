//! The promises I1 to I13, one function each, judged from the outside: by what really happened at AWS, by what was
//! sent, and by what the store holds. The machine is not asked.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::Millis;
use keywheel_core::intent::IntentKind;
use keywheel_core::key::{KeyState, ManagedKey, Proof};
use keywheel_core::ledger::{Change as Write, Commit};
use keywheel_core::rotation::policy::Retirement;
use keywheel_core::rotation::{Rotation, RotationStatus, Trigger};
use keywheel_core::run::{Effect, Goal, Outcome, RunErrorCode};

use crate::job::{Change, Flight, Job};
use crate::store::Mapped;
use crate::world::World;

/// Our clock and AWS's may differ by this, and the creation of a key has whole seconds.
const SLACK_MS: i64 = 32_000;
const HOUR_MS: i64 = 3_600_000;

/// What has just happened, or is about to.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// A job begins an effect.
    Performing(&'a Job, &'a Effect),
    /// A job sends a changing call.
    Sending(&'a Job, &'a Change),
    /// A changing call takes effect, whoever sent it and whenever.
    Landing(&'a Flight),
    /// The store is about to make a commit that it accepts.
    Committing(&'a Job, &'a Commit, Option<&'a Mapped>),
    /// A run has ended.
    Finished(&'a Job, &'a Outcome),
    /// The world has changed.
    Changed,
}

type Verdict = Option<String>;
type Invariant = fn(&World, &Fact<'_>) -> Verdict;

/// All of them, by their ids.
pub const ALL: [(&str, Invariant); 14] = [
    ("I1", i1),
    ("I2", i2),
    ("I3", i3),
    ("I4", i4),
    ("I5", i5),
    ("I6", i6),
    ("I7", i7),
    ("I8", i8),
    ("I9", i9),
    ("I10", i10),
    ("I11", i11),
    ("I12", i12),
    ("I13", i13),
    ("readers", readers),
];

/// The first promise that is broken.
pub fn broken(world: &World, fact: &Fact<'_>) -> Option<(&'static str, String)> {
    ALL.iter()
        .find_map(|(id, holds)| holds(world, fact).map(|text| (*id, text)))
}

fn when(broken: bool, text: impl FnOnce() -> String) -> Verdict {
    broken.then(text)
}

/// No call deactivates or deletes the published key, at the moment of sending or of landing.
pub fn i1(world: &World, fact: &Fact<'_>) -> Verdict {
    let (row, change) = match fact {
        Fact::Sending(job, change) => (job.row, *change),
        Fact::Landing(flight) => (flight.row, &flight.change),
        _ => return None,
    };
    let key = change.key().filter(|_| change.is_harmful())?;
    let row = &world.rows[row];
    let is_read = row
        .mapped
        .as_ref()
        .is_some_and(|m| m.access_key_id == key.as_str())
        && row.rotation.as_ref().is_some_and(|r| !r.revoking);
    let is_published = row.keys.get(key).is_some_and(|k| k.state == KeyState::Published);
    when(is_published || is_read, || {
        format!("{change:?} of the published key")
    })
}

/// What is published has passed verification in the same fence, and the two values belong to one key.
pub fn i2(world: &World, fact: &Fact<'_>) -> Verdict {
    let Fact::Committing(job, commit, values) = fact else {
        return None;
    };
    let key = commit.publish.as_ref()?;
    let Some(values) = values else {
        return Some(format!("{key} is published without values"));
    };
    let secret = world.truth.keys.get(key).map(|truth| truth.secret.as_str());
    if values.access_key_id != key.as_str() || Some(values.secret_access_key.as_str()) != secret {
        return Some(format!("the values published for {key} are not of one key"));
    }
    let rotation = rotation_in(commit)?;
    let home = &rotation.settings.region;
    std::iter::once(home)
        .chain(&rotation.settings.policy.verify_regions)
        .find_map(|region| unverified(world, job, key, region.as_str()))
        .or_else(|| stale_proof(world, job, key))
}

/// Whether a key was not checked often enough, in a row and spaced, in a region.
fn unverified(world: &World, job: &Job, key: &AccessKeyId, region: &str) -> Verdict {
    let wanted = usize::try_from(world.timings.verify_successes).unwrap_or(usize::MAX);
    let at: Vec<i64> = job
        .seen
        .successes
        .iter()
        .filter(|(id, place, _)| id == key && place == region)
        .map(|(_, _, at)| *at)
        .collect();
    let row = &at[at.len().saturating_sub(wanted)..];
    if row.len() < wanted {
        return Some(format!(
            "{key} is published after {} checks in a row in {region}",
            row.len()
        ));
    }
    let spaced = row
        .windows(2)
        .all(|two| two[1] - two[0] >= world.timings.verify_spacing.get());
    when(!spaced, || {
        format!("the checks of {key} in {region} were not spaced: {row:?}")
    })
}

/// Whether a key is published too early or too late after its last check.
fn stale_proof(world: &World, job: &Job, key: &AccessKeyId) -> Verdict {
    const PUBLISHED_WITHIN_MS: i64 = 60_000;
    let of_key = job.seen.successes.iter().filter(|(id, _, _)| id == key);
    let last = of_key.map(|(_, _, at)| *at).max()?;
    let age = job.decided_at - last - world.timings.verify_settle.get();
    // The answer to the last check may take as long as a call may.
    let fresh = 0..=PUBLISHED_WITHIN_MS + world.timings.call_timeout.get();
    when(!fresh.contains(&age), || {
        format!("{key} is published {age} ms after its verification ended")
    })
}

/// No changing call names a key that is not Keywheel's to change.
pub fn i3(world: &World, fact: &Fact<'_>) -> Verdict {
    let Fact::Sending(job, change) = fact else {
        return None;
    };
    let key = change.key()?;
    let Some(known) = world.rows[job.row].keys.get(key) else {
        return Some(format!("{change:?} of a key that is not in the ledger"));
    };
    let unproven = known.state == KeyState::OrphanSuspect && known.proof.is_none();
    if known.state == KeyState::Unmanaged || unproven {
        return Some(format!("{change:?} of a key that is {}", known.state.as_str()));
    }
    let truth = world.truth.keys.get(key)?;
    let exclusive = known.proof == Some(Proof::Exclusive);
    let promised = exclusive && is_promised(world, job.row, known);
    if truth.made_by.is_none() && !truth.given && !promised {
        return Some(format!(
            "{change:?} of a key that somebody else made and nobody gave"
        ));
    }
    // AWS told of this use long before the proof was taken for one.
    let told = |used: i64| world.now - used > world.plan.last_used_lag_ms + HOUR_MS;
    when(
        exclusive && !truth.word && truth.used_at.is_some_and(told),
        || format!("{change:?} of a suspect that somebody uses"),
    )
}

/// Whether the owner's promise is older than the create that could have made a suspect.
fn is_promised(world: &World, row: usize, key: &ManagedKey) -> bool {
    let mut intents = world.rows[row].intents.iter();
    let announced = intents.find(|intent| key.explained_by == Some(intent.id));
    announced.is_some_and(|intent| world.truth.users[row].promised_at(intent.opened_at.as_millis(), SLACK_MS))
}

/// One open intent and one live fence per user; an older holder writes nothing and sends nothing.
pub fn i4(world: &World, fact: &Fact<'_>) -> Verdict {
    let stale = |job: &Job| job.fence.get() != world.rows[job.row].fence;
    match fact {
        // A call whose intent is still the open one is what the later holder expects (protocol C.5, rule 5).
        Fact::Sending(job, change) => when(stale(job) && !is_announced(world, job, change), || {
            format!(
                "{change:?} is sent under fence {}, while {} is current",
                job.fence.get(),
                world.rows[job.row].fence
            )
        }),
        Fact::Committing(job, ..) => when(stale(job), || "a write under an older fence is made".to_owned()),
        Fact::Changed => world.rows.iter().find_map(|row| {
            when(row.open_intents().count() > 1, || {
                "two intents are open".to_owned()
            })
        }),
        _ => None,
    }
}

fn is_announced(world: &World, job: &Job, change: &Change) -> bool {
    let mut open = world.rows[job.row].open_intents();
    open.any(|intent| match change {
        Change::Create(id) => intent.id == *id,
        Change::Switch { key, .. } | Change::Delete(key) => intent.key.as_ref() == Some(key),
    })
}

/// A create is sent under its committed intent with a snapshot, with no unpublished key, and with room.
pub fn i5(world: &World, fact: &Fact<'_>) -> Verdict {
    let Fact::Sending(job, Change::Create(id)) = fact else {
        return None;
    };
    let row = &world.rows[job.row];
    let Some(intent) = row.open_intents().find(|intent| intent.id == *id) else {
        return Some("a create is sent without an open intent".to_owned());
    };
    let listed = job.seen.listed.as_deref().unwrap_or_default();
    let unlisted = |id: &AccessKeyId| !listed.iter().any(|line| line.id == *id);
    if intent.kind != IntentKind::Create
        || intent.snapshot.len() != listed.len()
        || intent.snapshot.iter().any(unlisted)
    {
        return Some("the intent of a create has not the last list as its snapshot".to_owned());
    }
    if job.seen.listed.is_none() || listed.len() >= 2 {
        return Some(format!(
            "a create is sent although the last list shows {} keys",
            listed.len()
        ));
    }
    let waits = |key: &&ManagedKey| matches!(key.state, KeyState::Pending | KeyState::Verified);
    let waiting = row.keys.values().find(waits);
    waiting.map(|key| format!("a create is sent while {} waits to be published", key.id))
}

/// Every living key that Keywheel made is in the ledger, or covered by the open intent; and one that turns up is told
/// from those of others.
pub fn i6(world: &World, fact: &Fact<'_>) -> Verdict {
    if let Fact::Committing(job, commit, _) = fact {
        return commit.changes.iter().find_map(|write| match write {
            Write::Key(key) => silent_orphan(world, job, key),
            _ => None,
        });
    }
    if !matches!(fact, Fact::Changed) {
        return None;
    }
    world.truth.keys.iter().find_map(|(id, key)| {
        let intent = key.made_by.filter(|_| key.alive)?;
        let known = world
            .rows
            .iter()
            .any(|row| row.keys.contains_key(id) || row.open_intents().any(|open| open.id == intent));
        when(!known, || format!("nobody knows of {id}, which Keywheel made"))
    })
}

/// Whether a key that Keywheel made is taken for somebody else's when it is first seen.
fn silent_orphan(world: &World, job: &Job, key: &ManagedKey) -> Verdict {
    let row = &world.rows[job.row];
    let made_by = world.truth.keys.get(&key.id)?.made_by?;
    // Where the user was made again meanwhile, its row never announced the create.
    let announced = row.intents.iter().any(|intent| intent.id == made_by);
    let silent = announced && !row.keys.contains_key(&key.id) && key.state == KeyState::Unmanaged;
    when(silent, || {
        format!("{}, which Keywheel made, is taken for somebody else's", key.id)
    })
}

/// The secret of a new key is durable and sealed before anything else is done; it is written nowhere in the clear.
pub fn i7(world: &World, fact: &Fact<'_>) -> Verdict {
    match fact {
        Fact::Performing(job, effect) => {
            let id = job.seen.unrecorded.as_ref()?;
            let records = |c: &Write| matches!(c, Write::Key(key) if key.id == *id);
            let fine = match effect {
                Effect::Commit(commit) => commit.changes.iter().any(records),
                Effect::Wait(_) | Effect::Finish(_) => true,
                _ => false,
            };
            when(!fine, || format!("{effect:?} comes before {id} is recorded"))
        }
        Fact::Committing(_, commit, _) => commit.changes.iter().find_map(|write| match write {
            Write::Key(key) => {
                let sealed = key.secret.as_ref()?.as_bytes();
                let truth = world.truth.keys.get(&key.id)?;
                when(sealed == truth.secret.as_bytes(), || {
                    format!("the secret of {} is stored in the clear", key.id)
                })
            }
            Write::UpdateRotation(rotation) => {
                let message = rotation.last_message.as_deref()?;
                let tells = |key: &&crate::truth::KeyTruth| message.contains(&key.secret);
                world
                    .truth
                    .keys
                    .values()
                    .find(tells)
                    .map(|_| "a message holds a secret".to_owned())
            }
            _ => None,
        }),
        _ => None,
    }
}

/// At most two living keys of Keywheel's making per user, and no second create before the first is resolved.
pub fn i8(world: &World, fact: &Fact<'_>) -> Verdict {
    match fact {
        Fact::Sending(job, Change::Create(_)) => {
            let row = &world.rows[job.row];
            if world.truth.users[job.row].creates_in_flight > 0 {
                return Some("a create is sent while an earlier one may still land".to_owned());
            }
            let user = row.user.identity.user_id.as_str();
            world.truth.keys.iter().find_map(|(id, key)| {
                // Where the user was made again meanwhile, its row never announced the create.
                let announced = |intent| row.intents.iter().any(|known| known.id == intent);
                let ours = key.made_by.is_some_and(announced) && key.user_id == user;
                let silent = key.alive && ours && !row.keys.contains_key(id);
                when(silent, || format!("a create is sent while nobody knows of {id}"))
            })
        }
        Fact::Changed => world.rows.iter().find_map(|row| {
            let user = row.user.identity.user_id.as_str();
            let living = world
                .truth
                .keys
                .values()
                .filter(|key| key.alive && key.made_by.is_some() && key.user_id == user)
                .count();
            when(living > 2, || {
                format!("{living} keys of Keywheel's making live on one user")
            })
        }),
        _ => None,
    }
}

/// A published key goes in recorded steps, and not before its waits are over or its owner says so.
pub fn i9(world: &World, fact: &Fact<'_>) -> Verdict {
    match fact {
        Fact::Sending(job, Change::Switch { key, active: false }) => early_deactivation(world, job, key),
        Fact::Sending(job, Change::Delete(key)) => early_deletion(world, job, key),
        Fact::Committing(job, commit, _) => {
            let row = &world.rows[job.row];
            commit.changes.iter().find_map(|write| match write {
                Write::Key(key) => illegal_step(world, row.keys.get(&key.id), key, commit),
                _ => None,
            })
        }
        _ => None,
    }
}

fn illegal_step(world: &World, before: Option<&ManagedKey>, after: &ManagedKey, commit: &Commit) -> Verdict {
    use KeyState::{
        Deactivated, Deleted, Displaced, Lost, OrphanSuspect, Pending, Published, Unmanaged, Verified,
    };
    let publishes = commit.publish.as_ref() == Some(&after.id);
    let Some(before) = before.map(|key| key.state) else {
        let fine = matches!(after.state, Pending | OrphanSuspect | Unmanaged);
        return when(!fine, || {
            format!("{} begins as {}", after.id, after.state.as_str())
        });
    };
    let fine = before == after.state
        || match (before, after.state) {
            (Pending, Verified)
            | (Published | Deactivated | Unmanaged, Displaced)
            | (Pending | Verified | Displaced | OrphanSuspect, Deactivated)
            | (Deactivated, Deleted)
            | (_, Unmanaged) => true,
            // An imported key is displaced and published in one commit.
            (Verified | Displaced | Unmanaged, Published) => publishes,
            // Its owner named it: it is Keywheel's then, whoever made it.
            (OrphanSuspect, Displaced) => world.truth.keys.get(&after.id).is_some_and(|key| key.given),
            (from, Lost) => {
                let alive = world.truth.keys.get(&after.id).is_some_and(|key| key.alive);
                !alive && !matches!(from, Deleted | Lost)
            }
            _ => false,
        };
    when(!fine, || {
        format!(
            "{} goes from {} to {}",
            after.id,
            before.as_str(),
            after.state.as_str()
        )
    })
}

fn early_deactivation(world: &World, job: &Job, key: &AccessKeyId) -> Verdict {
    let row = &world.rows[job.row];
    let known = row.keys.get(key)?;
    let truth = world.truth.keys.get(key)?;
    if known.state != KeyState::Displaced || truth.word {
        return None;
    }
    // The list showed that it came back: it is displaced although it had been deactivated.
    if truth.needed && known.deactivated_at.is_some() {
        return Some(format!(
            "{key} is deactivated again although somebody brought it back"
        ));
    }
    let displaced = truth.displaced?;
    if let Some((grace, _)) = displaced.grace {
        let age = world.now - displaced.at;
        return when(age + SLACK_MS < grace, || {
            format!("{key} is deactivated {age} ms after it was displaced, its grace time is {grace} ms")
        });
    }
    let repeats = row.open_intents().any(|intent| intent.fence != job.fence);
    let needed = matches!(job.goal, Goal::Rotate(_) | Goal::Create(_))
        && job.seen.listed.as_ref().is_some_and(|listed| listed.len() >= 2);
    when(!repeats && !needed, || {
        format!("{key} is deactivated although no rotation needs its slot")
    })
}

fn early_deletion(world: &World, job: &Job, key: &AccessKeyId) -> Verdict {
    let known = world.rows[job.row].keys.get(key)?;
    let truth = world.truth.keys.get(key)?;
    if known.state != KeyState::Deactivated {
        return Some(format!("{key} is deleted while it is {}", known.state.as_str()));
    }
    if truth.word || truth.revived {
        return None;
    }
    let quarantine = match known.proof {
        Some(Proof::Exclusive) => Some(world.timings.suspect_quiet.get()),
        _ => truth
            .displaced
            .and_then(|displaced| displaced.grace)
            .map(|(_, quarantine)| quarantine),
    }?;
    let age = truth.inactive_since.map(|since| world.now - since)?;
    when(age + SLACK_MS < quarantine, || {
        format!("{key} is deleted {age} ms after it became inactive, its quarantine is {quarantine} ms")
    })
}

/// Every changing call comes after a match of the user's id in the same fence.
pub fn i10(_: &World, fact: &Fact<'_>) -> Verdict {
    match fact {
        Fact::Sending(job, change) => when(!job.seen.identified, || {
            format!("{change:?} is sent before the user was identified")
        }),
        _ => None,
    }
}

/// A revoke ends when every key of Keywheel's is gone, and not before.
pub fn i11(world: &World, fact: &Fact<'_>) -> Verdict {
    let Fact::Committing(job, commit, _) = fact else {
        return None;
    };
    let removes = |write: &Write| matches!(write, Write::RemoveRotation { .. });
    if !matches!(job.goal, Goal::Revoke { .. }) || !commit.changes.iter().any(removes) {
        return None;
    }
    world.rows[job.row].keys.values().find_map(|key| {
        let alive = world.truth.keys.get(&key.id).is_some_and(|truth| truth.alive);
        let left = key.is_ours() || (alive && key.state == KeyState::Deleted);
        when(left, || format!("the rotation goes while {} is left", key.id))
    })
}

/// A run that does not publish changes no published value; it leaves a status and a message.
pub fn i12(world: &World, fact: &Fact<'_>) -> Verdict {
    match fact {
        Fact::Committing(job, commit, _) => {
            let before = world.rows[job.row].rotation.as_ref();
            let after = rotation_in(commit)?;
            match &commit.publish {
                None => {
                    let same = before.is_some_and(|before| before.slots == after.slots);
                    when(!same, || "the slots change without a publish".to_owned())
                }
                Some(key) => {
                    let shown = after.slots.active_key() == Some(key);
                    let rolled_back = matches!(job.goal, Goal::RollBack { .. });
                    let success = rolled_back || after.status == RotationStatus::Success;
                    when(!shown || !success, || "a publish does not show as one".to_owned())
                }
            }
        }
        Fact::Finished(job, Outcome::Failed(error)) => {
            let row = &world.rows[job.row];
            // Refusals that say nothing of the rotation.
            let refused = error.code == RunErrorCode::InProgress
                || (error.code == RunErrorCode::GraceHoldsSlot && job.goal == Goal::Rotate(Trigger::Manual));
            let counts = matches!(job.goal, Goal::Rotate(_)) && !refused;
            let rotation = row
                .rotation
                .as_ref()
                .filter(|_| counts && job.fence.get() == row.fence)?;
            let told = rotation.status == RotationStatus::Failed && rotation.last_message.is_some();
            when(!told, || "a failure leaves no status and message".to_owned())
        }
        _ => None,
    }
}

/// A due date is consumed once, and not before it has come by the true time.
pub fn i13(world: &World, fact: &Fact<'_>) -> Verdict {
    let Fact::Committing(job, commit, _) = fact else {
        return None;
    };
    if commit.publish.is_none() || !matches!(job.goal, Goal::Rotate(Trigger::Scheduled { .. })) {
        return None;
    }
    let row = &world.rows[job.row];
    let before = row.rotation.as_ref()?;
    let after = rotation_in(commit)?;
    if world.truth.users[job.row].heals {
        return None;
    }
    let slot = before.slot_at?.as_millis();
    if world.now + SLACK_MS < slot {
        return Some(format!(
            "a rotation is published {} ms before it is due",
            slot - world.now
        ));
    }
    let next = after.slot_at.map(keywheel_core::clock::Moment::as_millis);
    when(next.is_some_and(|next| next <= slot), || {
        "a due date is consumed twice".to_owned()
    })
}

/// What applications read is one key's id and secret, and works unless somebody else broke it.
pub fn readers(world: &World, fact: &Fact<'_>) -> Verdict {
    if !matches!(fact, Fact::Changed) {
        return None;
    }
    world.rows.iter().find_map(|row| {
        let mapped = row.mapped.as_ref()?;
        row.rotation.as_ref().filter(|rotation| !rotation.revoking)?;
        let (id, key) = world
            .truth
            .keys
            .iter()
            .find(|(id, _)| id.as_str() == mapped.access_key_id)?;
        if key.secret != mapped.secret_access_key {
            return Some("the mapped secrets are not of one key".to_owned());
        }
        let works = key.alive && key.active;
        when(!works && !key.harmed, || {
            format!("applications read {id}, which does not work")
        })
    })
}

/// The rotation as a commit leaves it, if it writes it.
pub fn rotation_in(commit: &Commit) -> Option<&Rotation> {
    commit.changes.iter().rev().find_map(|write| match write {
        Write::CreateRotation(rotation) | Write::UpdateRotation(rotation) => Some(rotation),
        _ => None,
    })
}

/// Grace time and quarantine that a rotation promises, in milliseconds; none if a key stays until its slot is needed.
pub fn promised_grace(rotation: &Rotation, day_length: Millis) -> Option<(i64, i64)> {
    match rotation.settings.policy.retirement {
        Retirement::NextRotation => None,
        Retirement::Grace {
            grace_hours,
            quarantine_hours,
        } => Some((
            grace_hours.length(day_length).get(),
            quarantine_hours.length(day_length).get(),
        )),
    }
}
