//! Statements of secrets and their versions.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, ProjectId, SecretId};
use keywheel_core::names::{SecretName, SecretPath, Slug};

use super::adapter::Session;
use super::pages::Order;
use super::snapshot::places;
use super::value::{Reader, Value, args};
use super::{SqlStore, all_in, one_in, references, secret_versions, secret_writes, tags};
use crate::error::Result;
use crate::identities::PageRequest;
use crate::secrets::{
    Author, ReferencesSeen, Referring, Secret, SecretChange, SecretPlace, SecretVersion, Secrets,
};

/// Reads secrets. Their tags come as one value, so that a list is one query; the texts of tags have none of the two
/// characters between them.
pub(super) const SELECT: &str = "SELECT s.id, e.project_id, e.id, e.slug, f.id, f.path, s.name, s.version, v.id, v.value, \
    v.author, s.comment, s.metadata, s.skip_multiline_encoding, s.reminder_note, s.reminder_days, s.has_references, \
    s.rotation_id, s.created_at, s.updated_at, \
    (SELECT string_agg(t.id || '\u{1f}' || t.slug || '\u{1f}' || t.color || '\u{1f}' || COALESCE(t.name, t.slug), \
    '\u{1e}') FROM secret_tags st JOIN tags t ON t.id = st.tag_id WHERE st.secret_id = s.id) \
    FROM secrets s JOIN folders f ON f.id = s.folder_id \
    JOIN environments e ON e.id = f.environment_id \
    JOIN secret_versions v ON v.secret_id = s.id AND v.number = s.version";

pub(super) fn secret(r: &mut Reader) -> Result<Secret> {
    let id = r.id()?;
    let place = SecretPlace {
        project: r.id()?,
        environment: r.id()?,
        environment_slug: r.slug()?,
        folder: r.id()?,
        path: r.path()?,
    };
    Ok(Secret {
        id,
        place,
        name: r.secret_name()?,
        version: r.int()?,
        version_id: r.id()?,
        value: r.opt_bytes()?,
        author: r.json()?,
        comment: r.opt_bytes()?,
        metadata: r.json()?,
        skip_multiline_encoding: r.opt_flag()?,
        reminder_note: r.opt_text()?,
        reminder_days: r.opt_int()?,
        has_references: r.flag()?,
        rotation: r.opt_id()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
        tags: tags::of_secret(r)?,
    })
}

/// The order of a list of one folder.
pub(super) const ORDER: Order = Order::Up(&["s.name"]);

/// The secrets of a folder.
pub(super) fn in_folder_sql() -> String {
    format!("{SELECT} WHERE s.folder_id = $1")
}

/// The read that applications make all the time.
pub(super) fn secret_at_sql() -> String {
    format!("{SELECT} WHERE e.project_id = $1 AND e.slug = $2 AND f.path = $3 AND s.name = $4")
}

pub(super) async fn by_id(session: &mut Box<dyn Session>, id: SecretId) -> Result<Option<Secret>> {
    one_in(session, &format!("{SELECT} WHERE s.id = $1"), args![id], secret).await
}

/// Secrets by their ids, in this order.
async fn by_ids(session: &mut Box<dyn Session>, ids: &[SecretId]) -> Result<Vec<Secret>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{SELECT} WHERE s.id IN ({})", places(0, ids.len()));
    let values = ids.iter().map(|id| Value::from(*id)).collect();
    let mut found = all_in(session, &sql, values, secret).await?;
    found.sort_by_key(|secret| ids.iter().position(|id| *id == secret.id));
    Ok(found)
}

#[async_trait]
impl Secrets for SqlStore {
    async fn write_secrets(
        &self,
        changes: &[SecretChange],
        seen: Option<&ReferencesSeen>,
        author: Author,
        now: Moment,
    ) -> Result<Vec<Secret>> {
        let mut session = self.write().await?;
        let written = secret_writes::write(&mut session, changes, seen, author, now).await?;
        let after = by_ids(&mut session, &written).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn secret(&self, id: SecretId) -> Result<Option<Secret>> {
        self.one(&format!("{SELECT} WHERE s.id = $1"), args![id], secret)
            .await
    }

    async fn secrets_by_ids(&self, ids: &[SecretId]) -> Result<Vec<Secret>> {
        by_ids(&mut self.begin_snapshot().await?, ids).await
    }

    async fn secret_at(
        &self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
        name: &SecretName,
    ) -> Result<Option<Secret>> {
        self.one(&secret_at_sql(), args![project, environment, path, name], secret)
            .await
    }

    async fn taken_names(&self, folder: FolderId, names: &[SecretName]) -> Result<Vec<SecretName>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT name FROM secrets WHERE folder_id = $1 AND name IN ({}) ORDER BY name",
            places(1, names.len())
        );
        let values = std::iter::once(Value::from(folder))
            .chain(names.iter().map(Value::from))
            .collect();
        self.all(&sql, values, Reader::secret_name).await
    }

    async fn secrets_with_references(&self, project: ProjectId) -> Result<Referring> {
        let sql = format!("{SELECT} WHERE e.project_id = $1 AND s.has_references ORDER BY f.path, s.name");
        let mut session = self.begin_snapshot().await?;
        Ok(Referring {
            writes: references::counted(&mut session, project).await?,
            secrets: all_in(&mut session, &sql, args![project], secret).await?,
        })
    }

    async fn secret_versions(&self, secret: SecretId, page: PageRequest) -> Result<Vec<SecretVersion>> {
        let sql = format!(
            "{} WHERE v.secret_id = $1 ORDER BY v.number DESC LIMIT $2 OFFSET $3",
            secret_versions::SELECT
        );
        let args = args![secret, page.limit, page.offset];
        self.all(&sql, args, secret_versions::secret_version).await
    }
}
