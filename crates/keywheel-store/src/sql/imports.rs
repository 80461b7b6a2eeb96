//! Statements of imports.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, ImportId};

use super::adapter::Session;
use super::value::{Reader, args};
use super::{SqlStore, all_in, one_in};
use crate::error::{Conflict, Result, StoreError};
use crate::imports::{FolderPlace, IMPORTS_MAX, ImportUpdate, Imports, NewImport, SecretImport};

pub(super) const SELECT: &str = "SELECT i.id, ie.project_id, i.folder_id, f.path, ie.id, ie.slug, ie.name, \
    i.target_folder_id, t.path, te.id, te.slug, te.name, i.position, i.version, i.created_at, i.updated_at \
    FROM secret_imports i JOIN folders f ON f.id = i.folder_id JOIN environments ie ON ie.id = f.environment_id \
    JOIN folders t ON t.id = i.target_folder_id JOIN environments te ON te.id = t.environment_id";

pub(super) fn import(r: &mut Reader) -> Result<SecretImport> {
    Ok(SecretImport {
        id: r.id()?,
        project: r.id()?,
        into: place(r)?,
        from: place(r)?,
        position: r.int()?,
        version: r.int()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

fn place(r: &mut Reader) -> Result<FolderPlace> {
    Ok(FolderPlace {
        folder: r.id()?,
        path: r.path()?,
        environment: r.id()?,
        environment_slug: r.slug()?,
        environment_name: r.text()?,
    })
}

async fn by_id(session: &mut Box<dyn Session>, id: ImportId) -> Result<Option<SecretImport>> {
    one_in(session, &format!("{SELECT} WHERE i.id = $1"), args![id], import).await
}

/// Holds the imports of a folder to this transaction, so that their numbers have no gaps and none comes twice.
async fn lock(session: &mut Box<dyn Session>, folder: FolderId) -> Result<()> {
    let sql = "UPDATE folders SET version = version WHERE id = $1";
    session.execute(sql, args![folder]).await.map(|_| ())
}

/// Numbers the imports of a folder from 1, with one of them at the wanted place.
async fn renumber(
    session: &mut Box<dyn Session>,
    folder: FolderId,
    wanted: Option<(ImportId, i64)>,
) -> Result<()> {
    let sql = "SELECT id FROM secret_imports WHERE folder_id = $1 ORDER BY position, id";
    let mut ids: Vec<ImportId> = all_in(session, sql, args![folder], Reader::id).await?;
    if let Some((id, position)) = wanted {
        ids.retain(|other| *other != id);
        let index = usize::try_from(position - 1).unwrap_or(0).min(ids.len());
        ids.insert(index, id);
    }
    for (id, position) in ids.into_iter().zip(1_i64..) {
        let sql = "UPDATE secret_imports SET position = $2 WHERE id = $1 AND position <> $2";
        session.execute(sql, args![id, position]).await?;
    }
    Ok(())
}

#[async_trait]
impl Imports for SqlStore {
    async fn create_import(&self, new: &NewImport) -> Result<()> {
        let mut session = self.write().await?;
        lock(&mut session, new.into).await?;
        let count = "SELECT COUNT(*) FROM secret_imports WHERE folder_id = $1";
        let count = one_in(&mut session, count, args![new.into], Reader::int).await?;
        if count.unwrap_or_default() >= i64::from(IMPORTS_MAX) {
            return Err(StoreError::Conflict(Conflict::TooMany));
        }
        session
            .execute(
                "INSERT INTO secret_imports (id, folder_id, target_folder_id, position, version, created_at, \
                 updated_at) VALUES ($1, $2, $3, \
                 (SELECT COALESCE(MAX(position), 0) + 1 FROM secret_imports WHERE folder_id = $2), 1, $4, $4)",
                args![new.id, new.into, new.from, new.now],
            )
            .await?;
        session.commit().await
    }

    async fn import(&self, id: ImportId) -> Result<Option<SecretImport>> {
        self.one(&format!("{SELECT} WHERE i.id = $1"), args![id], import)
            .await
    }

    async fn update_import(
        &self,
        id: ImportId,
        update: &ImportUpdate,
        now: Moment,
    ) -> Result<Option<SecretImport>> {
        let mut session = self.write().await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(None);
        };
        lock(&mut session, found.into.folder).await?;
        let sql = "UPDATE secret_imports SET target_folder_id = $2, version = version + 1, updated_at = $3 \
                   WHERE id = $1";
        let from = update.from.unwrap_or(found.from.folder);
        session.execute(sql, args![id, from, now]).await?;
        if let Some(position) = update.position {
            renumber(&mut session, found.into.folder, Some((id, position))).await?;
        }
        let after = by_id(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_import(&self, id: ImportId) -> Result<bool> {
        let mut session = self.write().await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(false);
        };
        lock(&mut session, found.into.folder).await?;
        let sql = "DELETE FROM secret_imports WHERE id = $1";
        session.execute(sql, args![id]).await?;
        renumber(&mut session, found.into.folder, None).await?;
        session.commit().await?;
        Ok(true)
    }
}
