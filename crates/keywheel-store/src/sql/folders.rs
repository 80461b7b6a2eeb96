//! Statements of folders.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::{SecretPath, Slug};
use keywheel_core::webhooks::Occurrence;

use super::adapter::Session;
use super::pages::Order;
use super::value::{Reader, args};
use super::{SqlStore, all_in, one_in, outbox, references};
use crate::error::{Conflict, Result, StoreError};
use crate::folders::{Folder, FolderUpdate, Folders, NewFolder};
use crate::pages::{Page, Part};
use crate::patch::Patch;
use crate::secrets::Author;

const SELECT: &str = "SELECT f.id, f.parent_id, e.project_id, e.id, e.slug, e.name, f.path, f.description, \
    f.version, f.created_at, f.updated_at FROM folders f JOIN environments e ON e.id = f.environment_id";

/// Everything below a path: a range, since `0` follows `/` in the order of bytes.
pub(super) const BELOW: &str = "f.path >= $2 || '/' AND f.path < $2 || '0'";

pub(super) fn folder(r: &mut Reader) -> Result<Folder> {
    Ok(Folder {
        id: r.id()?,
        parent: r.opt_id()?,
        project: r.id()?,
        environment: r.id()?,
        environment_slug: r.slug()?,
        environment_name: r.text()?,
        path: r.path()?,
        description: r.opt_text()?,
        version: r.int()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

/// The order of a list.
pub(super) const ORDER: Order = Order::Up(&["f.path"]);

/// The folders of an environment up to the last one below a path.
pub(super) fn below_sql() -> String {
    format!("{SELECT} WHERE f.environment_id = $1 AND f.path < $2 || '0'")
}

/// The root is the prefix of all paths, but written without the slash that ends the others.
pub(super) fn prefix(path: &SecretPath) -> &str {
    path.as_str().trim_end_matches('/')
}

/// The folder at a path.
pub(super) fn at_sql() -> String {
    format!("{SELECT} WHERE e.project_id = $1 AND e.slug = $2 AND f.path = $3")
}

async fn by_id(session: &mut Box<dyn Session>, id: FolderId) -> Result<Option<Folder>> {
    one_in(session, &format!("{SELECT} WHERE f.id = $1"), args![id], folder).await
}

async fn id_at(
    session: &mut Box<dyn Session>,
    environment: EnvironmentId,
    path: &SecretPath,
) -> Result<Option<FolderId>> {
    let sql = "SELECT id FROM folders WHERE environment_id = $1 AND path = $2";
    one_in(session, sql, args![environment, path], Reader::id).await
}

/// The folders that have secrets, of a folder and all below it.
async fn with_secrets(session: &mut Box<dyn Session>, top: &Folder) -> Result<Vec<FolderId>> {
    let sql = format!(
        "SELECT f.id FROM folders f WHERE f.environment_id = $1 AND (f.path = $3 OR {BELOW}) \
         AND EXISTS (SELECT 1 FROM secrets s WHERE s.folder_id = f.id) ORDER BY f.path"
    );
    let values = args![top.environment, prefix(&top.path), &top.path];
    all_in(session, &sql, values, Reader::id).await
}

/// Changes a folder; whether it was there.
async fn apply(
    session: &mut Box<dyn Session>,
    id: FolderId,
    update: &FolderUpdate,
    now: Moment,
) -> Result<bool> {
    let Some(found) = by_id(session, id).await? else {
        return Ok(false);
    };
    if let Some(name) = &update.name {
        let parent = match found.parent {
            Some(parent) => by_id(session, parent).await?,
            None => None,
        };
        let parent = parent.ok_or(StoreError::Conflict(Conflict::FolderPath))?;
        let path = parent.path.join(name);
        references::count(session, found.project).await?;
        let sql = "UPDATE folders AS f SET path = $3 || substr(path, length($2) + 1), updated_at = $4 \
                   WHERE environment_id = $1 AND (path = $2 OR (path >= $2 || '/' AND path < $2 || '0'))";
        session
            .execute(sql, args![found.environment, &found.path, &path, now])
            .await?;
    }
    let description = match &update.description {
        Patch::Keep => found.description.clone(),
        Patch::Set(description) => description.clone(),
    };
    let sql = "UPDATE folders SET description = $2, version = version + 1, updated_at = $3 WHERE id = $1";
    session.execute(sql, args![id, description, now]).await?;
    Ok(true)
}

#[async_trait]
impl Folders for SqlStore {
    async fn create_folder(&self, new: &NewFolder) -> Result<Folder> {
        let mut session = self.write().await?;
        let root = id_at(&mut session, new.environment, &SecretPath::root()).await?;
        let mut parent = root.ok_or(StoreError::Conflict(Conflict::Reference))?;
        if id_at(&mut session, new.environment, &new.path).await?.is_some() {
            return Err(StoreError::Conflict(Conflict::FolderPath));
        }
        if new.ids.len() < new.path.segments().count() {
            return Err(StoreError::corrupt(
                "a new folder with fewer ids than its path has parts",
            ));
        }
        let mut path = SecretPath::root();
        let own = new.ids.last().copied();
        for (name, spare) in new.path.segments().zip(&new.ids) {
            path = path.join(&name);
            if let Some(existing) = id_at(&mut session, new.environment, &path).await? {
                parent = existing;
                continue;
            }
            let last = path == new.path;
            let id = if last { own.unwrap_or(*spare) } else { *spare };
            let description = new.description.clone().filter(|_| last);
            session
                .execute(
                    "INSERT INTO folders (id, environment_id, parent_id, path, description, version, created_at, \
                     updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
                    args![id, new.environment, parent, &path, description, new.now],
                )
                .await?;
            parent = id;
        }
        let made = by_id(&mut session, parent).await?;
        session.commit().await?;
        made.ok_or_else(|| StoreError::corrupt("a folder that was just written"))
    }

    async fn folder(&self, id: FolderId) -> Result<Option<Folder>> {
        self.one(&format!("{SELECT} WHERE f.id = $1"), args![id], folder)
            .await
    }

    async fn folder_at(
        &self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
    ) -> Result<Option<Folder>> {
        self.one(&at_sql(), args![project, environment, path], folder)
            .await
    }

    async fn folders_in(&self, parent: FolderId, page: &Page<String>) -> Result<Part<Folder, String>> {
        let select = format!("{SELECT} WHERE f.parent_id = $1");
        self.part(&select, ORDER, args![parent], page, folder).await
    }

    async fn folders_below(
        &self,
        environment: EnvironmentId,
        path: &SecretPath,
        page: &Page<String>,
    ) -> Result<Part<Folder, String>> {
        let prefix = prefix(path);
        // One lower bound, of which the index makes use: what is below comes behind the path with a slash.
        let page = Page {
            size: page.size,
            after: page.after.clone().max(Some(format!("{prefix}/"))),
        };
        self.part(&below_sql(), ORDER, args![environment, prefix], &page, folder)
            .await
    }

    async fn update_folders(
        &self,
        updates: &[(FolderId, FolderUpdate)],
        now: Moment,
    ) -> Result<Option<Vec<Folder>>> {
        let mut session = self.write().await?;
        for (id, update) in updates {
            if !apply(&mut session, *id, update, now).await? {
                return Ok(None);
            }
        }
        // A later rename of a folder around it is one of its own too.
        let mut after = Vec::with_capacity(updates.len());
        for (id, _) in updates {
            after.extend(by_id(&mut session, *id).await?);
        }
        session.commit().await?;
        Ok(Some(after))
    }

    async fn folder_is_empty(&self, id: FolderId) -> Result<bool> {
        let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM folders WHERE parent_id = $1) \
                   OR EXISTS (SELECT 1 FROM secrets WHERE folder_id = $1) \
                   OR EXISTS (SELECT 1 FROM secret_imports WHERE folder_id = $1)";
        Ok(self.one(sql, args![id], Reader::int).await?.is_none())
    }

    async fn delete_folder(&self, id: FolderId, author: Author, now: Moment) -> Result<bool> {
        let mut session = self.write().await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(false);
        };
        for folder in with_secrets(&mut session, &found).await? {
            let occurrence = Occurrence::SecretsModified { by: author };
            outbox::note(&mut session, folder, &occurrence, now).await?;
        }
        let sql = "DELETE FROM folders WHERE id = $1";
        let touched = session.execute(sql, args![id]).await?;
        session.commit().await?;
        Ok(touched > 0)
    }
}
