//! What a commit of the engine changes. Each change may be made twice: the answer of the database may be lost.

use std::collections::BTreeSet;

use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, RotationId, SecretId, SecretVersionId};
use keywheel_core::intent::Intent;
use keywheel_core::key::ManagedKey;
use keywheel_core::ledger::{Author, Change, Commit, ManagedUser, PublishedValues, SealedVersion};
use keywheel_core::names::SecretName;
use keywheel_core::rotation::{MappedSecrets, Rotation};

use super::adapter::Session;
use super::ledgers::{opt_json, status_word};
use super::secret_versions::forget_old;
use super::value::{Reader, Value, args, json};
use super::{all_in, notices, one_in, references};
use crate::error::{Conflict, Result, StoreError};
use crate::ledgers::Claim;
use crate::sealed::WRAPPING_BYTES;

/// Folders whose secrets a commit has changed.
pub(super) type Touched = BTreeSet<FolderId>;

pub(super) async fn apply(
    session: &mut Box<dyn Session>,
    claim: Claim,
    change: &Change,
    values: Option<&PublishedValues>,
    now: Moment,
    touched: &mut Touched,
) -> Result<()> {
    match change {
        // Written by `hold_user`.
        Change::User(_) => Ok(()),
        Change::Key(key) => write_key(session, claim, key).await,
        Change::OpenIntent(intent) => open_intent(session, claim, intent).await,
        Change::CloseIntent { id, outcome, at } => {
            let sql = "UPDATE intents SET outcome = $2, closed_at = $3 WHERE id = $1";
            session
                .execute(sql, args![*id, outcome.as_str(), *at])
                .await
                .map(|_| ())
        }
        Change::CreateRotation(rotation) => create_rotation(session, rotation, values, now, touched).await,
        Change::UpdateRotation(rotation) => update_rotation(session, rotation, values, now, touched).await,
        Change::RemoveRotation { id, delete_secrets } => {
            remove_rotation(session, *id, *delete_secrets, touched).await
        }
        Change::EraseValues(key) => {
            let sql = "UPDATE secret_versions SET value = NULL WHERE access_key_id = $1 AND number < \
                       (SELECT version FROM secrets WHERE secrets.id = secret_versions.secret_id)";
            session.execute(sql, args![key]).await.map(|_| ())
        }
        Change::RewriteSecret {
            secret,
            read,
            version,
            author,
        } => {
            let folder = rewrite_secret(session, *secret, *read, version, *author, now).await?;
            touched.extend(folder);
            Ok(())
        }
        Change::References(seen) => references::require(session, seen).await,
        Change::ClearNames { folder, names } => {
            for name in names {
                let sql = "DELETE FROM secrets WHERE folder_id = $1 AND name = $2 AND rotation_id IS NULL";
                if session.execute(sql, args![*folder, name]).await? > 0 {
                    touched.insert(*folder);
                }
            }
            Ok(())
        }
    }
}

/// Checks the fence and locks the row, so that no claim comes between it and the other writes; false if a later claim
/// exists. What the commit says of the user is written along: it is the same row.
pub(super) async fn hold_user(session: &mut Box<dyn Session>, claim: Claim, commit: &Commit) -> Result<bool> {
    // The last one counts.
    let user = commit.changes.iter().rev().find_map(|change| match change {
        Change::User(user) => Some(user),
        _ => None,
    });
    let held = if let Some(user) = user {
        write_user(session, claim, user).await?
    } else {
        let sql =
            "UPDATE managed_users SET fence = fence WHERE id = $1 AND fence = $2 AND lease_node IS NOT NULL";
        session.execute(sql, args![claim.user, claim.fence.get()]).await?
    };
    Ok(held > 0)
}

async fn write_user(session: &mut Box<dyn Session>, claim: Claim, user: &ManagedUser) -> Result<u64> {
    let sql = "UPDATE managed_users SET name = $3, arn = $4, region = $5, connection_id = $6, settles_at = $7, \
               unfinished = $8, failures = $9, due_at = $10 \
               WHERE id = $1 AND fence = $2 AND lease_node IS NOT NULL";
    let values = args![
        claim.user,
        claim.fence.get(),
        user.name.as_str(),
        user.arn.as_str(),
        &user.region,
        user.connection,
        user.settles_at,
        opt_json(user.unfinished.as_ref())?,
        user.failures,
        user.due_at
    ];
    session.execute(sql, values).await
}

async fn write_key(session: &mut Box<dyn Session>, claim: Claim, key: &ManagedKey) -> Result<()> {
    // A run keeps what it has read: the wrapping of the secret may have been made anew since.
    let value = |row: &str| format!("substr({row}.secret, {})", WRAPPING_BYTES + 1);
    let secret = format!(
        "CASE WHEN {} = {} THEN managed_keys.secret ELSE excluded.secret END",
        value("excluded"),
        value("managed_keys")
    );
    let sql = format!(
        "INSERT INTO managed_keys (user_id, access_key_id, state, origin, proof, secret, aws_status, \
               aws_created_at, first_seen_at, verified_at, published_at, displaced_at, deactivated_at, ended_at, \
               terms, held, last_used, use_checked_at, use_waits_since, settles_at, explained_by) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
               $21) \
               ON CONFLICT (user_id, access_key_id) DO UPDATE SET state = excluded.state, origin = excluded.origin, \
               proof = excluded.proof, secret = {secret}, aws_status = excluded.aws_status, \
               aws_created_at = excluded.aws_created_at, verified_at = excluded.verified_at, \
               published_at = excluded.published_at, displaced_at = excluded.displaced_at, \
               deactivated_at = excluded.deactivated_at, ended_at = excluded.ended_at, terms = excluded.terms, \
               held = excluded.held, last_used = excluded.last_used, use_checked_at = excluded.use_checked_at, \
               use_waits_since = excluded.use_waits_since, \
               settles_at = excluded.settles_at, explained_by = excluded.explained_by"
    );
    let values = args![
        claim.user,
        &key.id,
        key.state.as_str(),
        json(&key.origin)?,
        opt_json(key.proof.as_ref())?,
        key.secret.as_ref().map(|secret| secret.as_bytes().to_vec()),
        status_word(key.aws_status),
        key.aws_created_at,
        key.first_seen_at,
        key.verified_at,
        key.published_at,
        key.displaced_at,
        key.deactivated_at,
        key.ended_at,
        opt_json(key.terms.as_ref())?,
        key.held.clone(),
        opt_json(key.last_used.as_ref())?,
        key.use_checked_at,
        key.use_waits_since,
        key.settles_at,
        key.explained_by
    ];
    session.execute(&sql, values).await.map(|_| ())
}

async fn open_intent(session: &mut Box<dyn Session>, claim: Claim, intent: &Intent) -> Result<()> {
    let sql = "INSERT INTO intents (id, user_id, fence, kind, access_key_id, snapshot, opened_at, call_deadline) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
    let values = args![
        intent.id,
        claim.user,
        intent.fence.get(),
        intent.kind.as_str(),
        intent.key.as_ref(),
        json(&intent.snapshot)?,
        intent.opened_at,
        intent.call_deadline
    ];
    session.execute(sql, values).await.map(|_| ())
}

async fn create_rotation(
    session: &mut Box<dyn Session>,
    rotation: &Rotation,
    values: Option<&PublishedValues>,
    now: Moment,
    touched: &mut Touched,
) -> Result<()> {
    let values = values.ok_or_else(|| StoreError::corrupt("a new rotation without its first values"))?;
    let there = "SELECT id FROM rotations WHERE id = $1";
    if one_in::<RotationId>(session, there, args![rotation.id], Reader::id)
        .await?
        .is_some()
    {
        return Ok(());
    }
    for (secret, name, _) in mapped(rotation, values) {
        let sql = "INSERT INTO secrets (id, folder_id, name, version, comment, metadata, skip_multiline_encoding, \
                   reminder_note, reminder_days, has_references, rotation_id, created_at, updated_at) \
                   VALUES ($1, $2, $3, 0, NULL, '[]', NULL, NULL, NULL, $6, $4, $5, $5)";
        session
            .execute(
                sql,
                args![secret, rotation.place.folder, name, rotation.id, now, false],
            )
            .await?;
    }
    let columns: Vec<&str> = ROTATION_COLUMNS.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (2..2 + columns.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "INSERT INTO rotations (id, {}) VALUES ($1, {})",
        columns.join(", "),
        places.join(", ")
    );
    session.execute(&sql, rotation_values(rotation)).await?;
    publish(session, rotation, values, now, touched).await
}

async fn update_rotation(
    session: &mut Box<dyn Session>,
    rotation: &Rotation,
    values: Option<&PublishedValues>,
    now: Moment,
    touched: &mut Touched,
) -> Result<()> {
    let columns: Vec<String> = ROTATION_COLUMNS
        .iter()
        .zip(2..)
        .map(|((name, _), n)| format!("{name} = ${n}"))
        .collect();
    let sql = format!("UPDATE rotations SET {} WHERE id = $1", columns.join(", "));
    session.execute(&sql, rotation_values(rotation)).await?;
    take_along(session, rotation, now, touched).await?;
    match values {
        Some(values) => publish(session, rotation, values, now, touched).await,
        None => Ok(()),
    }
}

/// The columns of a rotation besides its id, each with its value.
type Column = (&'static str, fn(&Rotation) -> Value);

const ROTATION_COLUMNS: &[Column] = &[
    ("folder_id", |r| r.place.folder.into()),
    ("user_id", |r| r.user.into()),
    ("connection_id", |r| r.settings.connection.into()),
    ("name", |r| (&r.settings.name).into()),
    ("description", |r| r.settings.description.clone().into()),
    ("user_name", |r| r.settings.user_name.as_str().into()),
    ("region", |r| (&r.settings.region).into()),
    ("automatic", |r| r.settings.automatic.into()),
    ("interval_days", |r| r.settings.interval.get().into()),
    ("rotate_at_hours", |r| r.settings.rotate_at.hours().into()),
    ("rotate_at_minutes", |r| r.settings.rotate_at.minutes().into()),
    ("policy", |r| json(&r.settings.policy).ok().into()),
    ("access_key_id_secret_id", |r| r.secrets.access_key_id.into()),
    ("secret_access_key_secret_id", |r| {
        r.secrets.secret_access_key.into()
    }),
    ("slot_0", |r| r.slots.keys[0].as_ref().into()),
    ("slot_1", |r| r.slots.keys[1].as_ref().into()),
    ("active_slot", |r| {
        i64::from(r.slots.active.as_usize() == 1).into()
    }),
    ("status", |r| r.status.as_str().into()),
    ("last_message", |r| r.last_message.clone().into()),
    ("last_job", |r| r.last_job.into()),
    ("last_attempted_at", |r| r.last_attempted_at.into()),
    ("last_rotated_at", |r| r.last_rotated_at.into()),
    ("last_manual", |r| r.last_manual.into()),
    ("anchor_at", |r| r.anchor_at.into()),
    ("slot_at", |r| r.slot_at.into()),
    ("next_attempt_at", |r| r.next_attempt_at.into()),
    ("failures", |r| r.failures.into()),
    ("revoking", |r| r.revoking.into()),
    ("created_at", |r| r.created_at.into()),
    ("updated_at", |r| r.updated_at.into()),
];

fn rotation_values(rotation: &Rotation) -> Vec<Value> {
    std::iter::once(rotation.id.into())
        .chain(ROTATION_COLUMNS.iter().map(|(_, value)| value(rotation)))
        .collect()
}

fn mapped<'a>(
    rotation: &'a Rotation,
    values: &'a PublishedValues,
) -> [(SecretId, &'a SecretName, &'a SealedVersion); 2] {
    let mapping = &rotation.settings.mapping;
    let mut mapped = [
        (
            rotation.secrets.access_key_id,
            mapping.access_key_id(),
            &values.access_key_id,
        ),
        (
            rotation.secrets.secret_access_key,
            mapping.secret_access_key(),
            &values.secret_access_key,
        ),
    ];
    // Everyone takes secrets in the order of their ids.
    mapped.sort_by_key(|(secret, ..)| *secret);
    mapped
}

/// Gives both secrets their next version, and erases the older ones of keys that have ended: a value that was
/// current when its key was lost is history only now.
async fn publish(
    session: &mut Box<dyn Session>,
    rotation: &Rotation,
    values: &PublishedValues,
    now: Moment,
    touched: &mut Touched,
) -> Result<()> {
    for (secret, _, version) in mapped(rotation, values) {
        let inserted = session
            .execute(
                "INSERT INTO secret_versions (id, secret_id, number, value, author, access_key_id, created_at) \
                 SELECT $1, id, version + 1, $3, $4, $5, $6 FROM secrets WHERE id = $2 \
                 AND NOT EXISTS (SELECT 1 FROM secret_versions own WHERE own.id = $1)",
                args![version.id, secret, &version.sealed, json(&values.author)?, &values.key, now],
            )
            .await?;
        if inserted > 0 {
            touched.insert(rotation.place.folder);
            let sql = "UPDATE secrets SET version = version + 1, updated_at = $2 WHERE id = $1";
            session.execute(sql, args![secret, now]).await?;
        }
        forget_old(session, secret).await?;
    }
    let MappedSecrets {
        access_key_id,
        secret_access_key,
    } = rotation.secrets;
    let sql = "UPDATE secret_versions SET value = NULL WHERE secret_id IN ($1, $2) AND value IS NOT NULL \
               AND number < (SELECT version FROM secrets WHERE secrets.id = secret_versions.secret_id) \
               AND access_key_id IN \
               (SELECT access_key_id FROM managed_keys WHERE user_id = $3 AND ended_at IS NOT NULL)";
    session
        .execute(sql, args![access_key_id, secret_access_key, rotation.user])
        .await?;
    Ok(())
}

async fn rewrite_secret(
    session: &mut Box<dyn Session>,
    secret: SecretId,
    read: i64,
    version: &SealedVersion,
    author: Author,
    now: Moment,
) -> Result<Option<FolderId>> {
    let own = "SELECT id FROM secret_versions WHERE id = $1";
    if one_in::<SecretVersionId>(session, own, args![version.id], Reader::id)
        .await?
        .is_some()
    {
        return Ok(None);
    }
    let sql = "UPDATE secrets SET version = version + 1, updated_at = $3 WHERE id = $1 AND version = $2 \
               RETURNING folder_id";
    let Some(folder) = one_in(session, sql, args![secret, read, now], Reader::id).await? else {
        return Err(StoreError::Conflict(Conflict::Changed));
    };
    let sql = "INSERT INTO secret_versions (id, secret_id, number, value, author, access_key_id, created_at) \
               VALUES ($1, $2, $3, $4, $5, NULL, $6)";
    let values = args![version.id, secret, read + 1, &version.sealed, json(&author)?, now];
    session.execute(sql, values).await?;
    forget_old(session, secret).await?;
    Ok(Some(folder))
}

/// Puts the secrets where the rotation is, under the names of the mapping. By way of names that nobody can
/// have, since two may be swapped.
async fn take_along(
    session: &mut Box<dyn Session>,
    rotation: &Rotation,
    now: Moment,
    touched: &mut Touched,
) -> Result<()> {
    let mapping = &rotation.settings.mapping;
    let folder = rotation.place.folder;
    let [(first, first_name), (second, second_name)] = [
        (rotation.secrets.access_key_id, mapping.access_key_id()),
        (rotation.secrets.secret_access_key, mapping.secret_access_key()),
    ];
    let sql = "UPDATE secrets SET name = '/' || id WHERE (id = $1 AND (name <> $2 OR folder_id <> $5)) \
               OR (id = $3 AND (name <> $4 OR folder_id <> $5)) RETURNING id, folder_id";
    let values = args![first, first_name, second, second_name, folder];
    let elsewhere: Vec<(SecretId, FolderId)> =
        all_in(session, sql, values, |r| Ok((r.id()?, r.id()?))).await?;
    for (secret, before) in elsewhere {
        touched.extend([before, folder]);
        let name = if secret == first { first_name } else { second_name };
        let sql = "UPDATE secrets SET name = $2, folder_id = $3, updated_at = $4 WHERE id = $1";
        session.execute(sql, args![secret, name, folder, now]).await?;
    }
    Ok(())
}

async fn remove_rotation(
    session: &mut Box<dyn Session>,
    id: RotationId,
    delete_secrets: bool,
    touched: &mut Touched,
) -> Result<()> {
    let sql = "SELECT access_key_id_secret_id, secret_access_key_secret_id FROM rotations WHERE id = $1";
    let Some(secrets) = one_in(session, sql, args![id], mapped_secrets).await? else {
        return Ok(());
    };
    let sql = "DELETE FROM rotations WHERE id = $1";
    session.execute(sql, args![id]).await?;
    notices::forget_rotation(session, id).await?;
    if delete_secrets {
        for secret in [secrets.access_key_id, secrets.secret_access_key] {
            let sql = "DELETE FROM secrets WHERE id = $1 RETURNING folder_id";
            let folder = one_in::<FolderId>(session, sql, args![secret], Reader::id).await;
            touched.extend(folder.map_err(still_used)?);
        }
    }
    Ok(())
}

fn mapped_secrets(r: &mut Reader) -> Result<MappedSecrets> {
    Ok(MappedSecrets {
        access_key_id: r.id()?,
        secret_access_key: r.id()?,
    })
}

/// Only rotations point at secrets, and this one is gone.
fn still_used(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict(Conflict::Reference) => StoreError::corrupt("a secret that two rotations write"),
        other => other,
    }
}
