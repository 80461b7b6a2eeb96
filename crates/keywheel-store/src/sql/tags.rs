//! Statements of tags.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ProjectId, SecretId, TagId};
use keywheel_core::names::Slug;

use super::adapter::Session;
use super::value::{Reader, args};
use super::{SqlStore, lock_row, one_in};
use crate::error::{Result, StoreError};
use crate::patch::Patch;
use crate::tags::{SecretTag, Tag, TagUpdate, Tags};

const SELECT: &str = "SELECT id, project_id, slug, color, name, created_at, updated_at FROM tags";

/// Reads the tags of a secret from the value that they are in; by slug.
pub(super) fn of_secret(r: &mut Reader) -> Result<Vec<SecretTag>> {
    let read = |text: &str| {
        let mut parts = text.split('\u{1f}');
        let mut next = || {
            parts
                .next()
                .ok_or_else(|| StoreError::corrupt("a tag of a secret"))
        };
        Ok(SecretTag {
            id: next()?
                .parse()
                .map_err(|_| StoreError::corrupt("the id of a tag"))?,
            slug: Slug::from_stored(next()?.to_owned()),
            color: next()?.to_owned(),
            name: next()?.to_owned(),
        })
    };
    let Some(text) = r.opt_text()? else {
        return Ok(Vec::new());
    };
    let mut tags = text.split('\u{1e}').map(read).collect::<Result<Vec<_>>>()?;
    tags.sort();
    Ok(tags)
}

/// Gives a secret these tags and no others.
pub(super) async fn set(session: &mut Box<dyn Session>, secret: SecretId, tags: &[TagId]) -> Result<()> {
    let sql = "DELETE FROM secret_tags WHERE secret_id = $1";
    session.execute(sql, args![secret]).await?;
    for tag in tags {
        let sql = "INSERT INTO secret_tags (secret_id, tag_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        session.execute(sql, args![secret, *tag]).await?;
    }
    Ok(())
}

fn tag(r: &mut Reader) -> Result<Tag> {
    Ok(Tag {
        id: r.id()?,
        project: r.id()?,
        slug: r.slug()?,
        color: r.text()?,
        name: r.opt_text()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

async fn by_id(session: &mut Box<dyn Session>, id: TagId) -> Result<Option<Tag>> {
    one_in(session, &format!("{SELECT} WHERE id = $1"), args![id], tag).await
}

#[async_trait]
impl Tags for SqlStore {
    async fn create_tag(&self, new: &Tag) -> Result<()> {
        let sql = "INSERT INTO tags (id, project_id, slug, color, name, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let values = args![
            new.id,
            new.project,
            &new.slug,
            &new.color,
            new.name.clone(),
            new.created_at,
            new.updated_at
        ];
        self.change(sql, values).await.map(|_| ())
    }

    async fn tag(&self, id: TagId) -> Result<Option<Tag>> {
        self.one(&format!("{SELECT} WHERE id = $1"), args![id], tag).await
    }

    async fn tag_by_slug(&self, project: ProjectId, slug: &Slug) -> Result<Option<Tag>> {
        let sql = format!("{SELECT} WHERE project_id = $1 AND slug = $2");
        self.one(&sql, args![project, slug], tag).await
    }

    async fn tags(&self, project: ProjectId) -> Result<Vec<Tag>> {
        let sql = format!("{SELECT} WHERE project_id = $1 ORDER BY slug");
        self.all(&sql, args![project], tag).await
    }

    async fn update_tag(&self, id: TagId, update: &TagUpdate, now: Moment) -> Result<Option<Tag>> {
        let mut session = self.write().await?;
        lock_row(&mut session, "tags", id).await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(None);
        };
        let name = match &update.name {
            Patch::Keep => found.name,
            Patch::Set(name) => name.clone(),
        };
        let values = args![
            id,
            update.slug.as_ref().unwrap_or(&found.slug),
            update.color.as_ref().unwrap_or(&found.color),
            name,
            now
        ];
        let sql = "UPDATE tags SET slug = $2, color = $3, name = $4, updated_at = $5 WHERE id = $1";
        session.execute(sql, values).await?;
        let after = by_id(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_tag(&self, id: TagId) -> Result<bool> {
        let touched = self.change("DELETE FROM tags WHERE id = $1", args![id]).await?;
        Ok(touched > 0)
    }
}
