//! The only writer of secrets that no rotation writes: a list of changes in one transaction.

use std::collections::BTreeSet;

use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, SecretId};
use keywheel_core::webhooks::Occurrence;

use super::adapter::Session;
use super::secret_versions::forget_old;
use super::secrets::by_id;
use super::value::{args, json};
use super::{outbox, references, tags};
use crate::error::{Conflict, Result, StoreError};
use crate::patch::Patch;
use crate::secrets::{
    Author, NewSecret, NewVersion, ReferencesSeen, Secret, SecretChange, SecretRead, SecretUpdate,
};

/// Makes the changes; the ids of what was made or changed, in their order.
pub(super) async fn write(
    session: &mut Box<dyn Session>,
    changes: &[SecretChange],
    seen: Option<&ReferencesSeen>,
    author: Author,
    now: Moment,
) -> Result<Vec<SecretId>> {
    if let Some(seen) = seen {
        references::require(session, seen).await?;
    }
    count_references(session, changes).await?;
    let mut touched = BTreeSet::new();
    let mut updates = lock(session, changes, &mut touched, now).await?.into_iter();
    let mut written = Vec::with_capacity(changes.len());
    for change in changes {
        match (change, updates.next().flatten()) {
            (SecretChange::Create(new), _) => {
                insert(session, new).await?;
                touched.insert(new.folder);
                written.push(new.id);
            }
            (SecretChange::Update { id, update, .. }, Some(found)) => {
                apply(session, &found, update, now).await?;
                touched.extend(update.folder);
                written.push(*id);
            }
            _ => {}
        }
    }
    for folder in touched {
        outbox::note(session, folder, &Occurrence::SecretsModified { by: author }, now).await?;
    }
    Ok(written)
}

/// Tells of the references that are about to be written, before anything is locked.
async fn count_references(session: &mut Box<dyn Session>, changes: &[SecretChange]) -> Result<()> {
    for change in changes {
        match change {
            SecretChange::Create(new) if new.version.has_references => {
                references::count_in_folder(session, new.folder).await?;
            }
            SecretChange::Update { id, update, .. }
                if update.version.as_ref().is_some_and(|next| next.has_references) =>
            {
                references::count_of_secret(session, *id).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Deletes what is to go, and reads what is to change, as it is from now until the end of the transaction. Names that
/// are given up are free at once: two may be swapped.
async fn lock(
    session: &mut Box<dyn Session>,
    changes: &[SecretChange],
    touched: &mut BTreeSet<FolderId>,
    now: Moment,
) -> Result<Vec<Option<Secret>>> {
    // Everyone takes secrets in the order of their ids, so that nobody waits for each other.
    let mut by_id: Vec<(SecretId, usize)> = changes
        .iter()
        .enumerate()
        .filter_map(|(index, change)| Some((change.existing()?, index)))
        .collect();
    by_id.sort_unstable();
    let mut updates = vec![None; changes.len()];
    for (_, index) in by_id {
        match &changes[index] {
            SecretChange::Create(_) => {}
            SecretChange::Update { id, read, .. } => {
                let found = as_read(session, *id, read.as_ref(), now).await?;
                touched.insert(found.place.folder);
                updates[index] = Some(found);
            }
            SecretChange::Delete { id, read } => {
                let found = as_read(session, *id, read.as_ref(), now).await?;
                touched.insert(found.place.folder);
                session
                    .execute("DELETE FROM secrets WHERE id = $1", args![*id])
                    .await?;
            }
        }
    }
    for change in changes {
        if let SecretChange::Update { id, update, .. } = change
            && (update.name.is_some() || update.folder.is_some())
        {
            let sql = "UPDATE secrets SET name = '/' || id WHERE id = $1";
            session.execute(sql, args![*id]).await?;
        }
    }
    Ok(updates)
}

async fn as_read(
    session: &mut Box<dyn Session>,
    id: SecretId,
    read: Option<&SecretRead>,
    now: Moment,
) -> Result<Secret> {
    // A write, so that the row is locked.
    let sql = "UPDATE secrets SET updated_at = $2 WHERE id = $1";
    session.execute(sql, args![id, now]).await?;
    let found = by_id(session, id).await?;
    found
        .filter(|found| read.is_none_or(|read| *read == SecretRead::from(found)))
        .ok_or(StoreError::Conflict(Conflict::Changed))
}

async fn insert(session: &mut Box<dyn Session>, new: &NewSecret) -> Result<()> {
    session
        .execute(
            "INSERT INTO secrets (id, folder_id, name, version, comment, metadata, skip_multiline_encoding, \
             reminder_note, reminder_days, rotation_id, created_at, updated_at) \
             VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, NULL, $9, $9)",
            args![
                new.id,
                new.folder,
                &new.name,
                new.comment.clone(),
                json(&new.metadata)?,
                new.skip_multiline_encoding,
                new.reminder_note.clone(),
                new.reminder_days,
                new.now
            ],
        )
        .await?;
    insert_version(session, new.id, 1, &new.version, new.now).await?;
    tags::set(session, new.id, &new.tags).await
}

async fn apply(
    session: &mut Box<dyn Session>,
    found: &Secret,
    update: &SecretUpdate,
    now: Moment,
) -> Result<()> {
    let number = found.version + i64::from(update.version.is_some());
    if let Some(version) = &update.version {
        insert_version(session, found.id, number, version, now).await?;
    }
    if let Some(wanted) = &update.tags {
        tags::set(session, found.id, wanted).await?;
    }
    session
        .execute(
            "UPDATE secrets SET folder_id = $2, name = $3, version = $4, comment = $5, metadata = $6, \
             skip_multiline_encoding = $7, reminder_note = $8, reminder_days = $9, updated_at = $10 WHERE id = $1",
            args![
                found.id,
                update.folder.unwrap_or(found.place.folder),
                update.name.as_ref().unwrap_or(&found.name),
                number,
                kept(&update.comment, &found.comment),
                json(update.metadata.as_ref().unwrap_or(&found.metadata))?,
                kept(&update.skip_multiline_encoding, &found.skip_multiline_encoding),
                kept(&update.reminder_note, &found.reminder_note),
                kept(&update.reminder_days, &found.reminder_days),
                now
            ],
        )
        .await?;
    match update.version {
        Some(_) => forget_old(session, found.id).await,
        None => Ok(()),
    }
}

async fn insert_version(
    session: &mut Box<dyn Session>,
    secret: SecretId,
    number: i64,
    version: &NewVersion,
    now: Moment,
) -> Result<()> {
    session
        .execute(
            "INSERT INTO secret_versions (id, secret_id, number, value, author, access_key_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, NULL, $6)",
            args![
                version.id,
                secret,
                number,
                &version.value,
                json(&version.author)?,
                now
            ],
        )
        .await?;
    let sql = "UPDATE secrets SET has_references = $2 WHERE id = $1";
    session
        .execute(sql, args![secret, version.has_references])
        .await?;
    Ok(())
}

fn kept<T: Clone>(patch: &Patch<T>, before: &T) -> T {
    match patch {
        Patch::Keep => before.clone(),
        Patch::Set(value) => value.clone(),
    }
}
