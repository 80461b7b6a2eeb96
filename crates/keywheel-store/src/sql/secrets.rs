//! Statements of secrets and their versions.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{FolderId, ProjectId, SecretId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::webhooks::Occurrence;

use super::adapter::Session;
use super::value::{Reader, Value, args, json};
use super::{SqlStore, one_in, outbox, secret_versions};
use crate::error::Result;
use crate::identities::PageRequest;
use crate::patch::Patch;
use crate::secrets::{
    Author, NewSecret, NewVersion, Secret, SecretPlace, SecretUpdate, SecretVersion, Secrets,
};

pub(super) const SELECT: &str = "SELECT s.id, e.project_id, e.id, e.slug, f.id, f.path, s.name, s.version, v.id, v.value, \
    v.author, s.comment, s.metadata, s.skip_multiline_encoding, s.reminder_note, s.reminder_days, s.has_references, \
    s.rotation_id, s.created_at, s.updated_at FROM secrets s JOIN folders f ON f.id = s.folder_id \
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
    })
}

/// The read that applications make all the time.
pub(super) fn secret_at_sql() -> String {
    format!("{SELECT} WHERE e.project_id = $1 AND e.slug = $2 AND f.path = $3 AND s.name = $4")
}

async fn by_id(session: &mut Box<dyn Session>, id: SecretId) -> Result<Option<Secret>> {
    one_in(session, &format!("{SELECT} WHERE s.id = $1"), args![id], secret).await
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

#[async_trait]
impl Secrets for SqlStore {
    async fn create_secret(&self, new: &NewSecret) -> Result<()> {
        let mut session = self.write().await?;
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
        insert_version(&mut session, new.id, 1, &new.version, new.now).await?;
        let by = new.version.author;
        outbox::note(
            &mut session,
            new.folder,
            &Occurrence::SecretsModified { by },
            new.now,
        )
        .await?;
        session.commit().await
    }

    async fn secret(&self, id: SecretId) -> Result<Option<Secret>> {
        self.one(&format!("{SELECT} WHERE s.id = $1"), args![id], secret)
            .await
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
        let places: Vec<String> = (2..=names.len() + 1).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT name FROM secrets WHERE folder_id = $1 AND name IN ({}) ORDER BY name",
            places.join(", ")
        );
        let values = std::iter::once(Value::from(folder))
            .chain(names.iter().map(Value::from))
            .collect();
        self.all(&sql, values, Reader::secret_name).await
    }

    async fn secrets_with_references(&self, project: ProjectId) -> Result<Vec<Secret>> {
        let sql = format!("{SELECT} WHERE e.project_id = $1 AND s.has_references ORDER BY f.path, s.name");
        self.all(&sql, args![project], secret).await
    }

    async fn secret_version(&self, secret: SecretId, number: i64) -> Result<Option<SecretVersion>> {
        let sql = format!(
            "{} WHERE v.secret_id = $1 AND v.number = $2",
            secret_versions::SELECT
        );
        self.one(&sql, args![secret, number], secret_versions::secret_version)
            .await
    }

    async fn secret_versions(&self, secret: SecretId, page: PageRequest) -> Result<Vec<SecretVersion>> {
        let sql = format!(
            "{} WHERE v.secret_id = $1 ORDER BY v.number DESC LIMIT $2 OFFSET $3",
            secret_versions::SELECT
        );
        let args = args![secret, page.limit, page.offset];
        self.all(&sql, args, secret_versions::secret_version).await
    }

    async fn update_secret(
        &self,
        id: SecretId,
        update: &SecretUpdate,
        author: Author,
        now: Moment,
    ) -> Result<Option<Secret>> {
        let mut session = self.write().await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(None);
        };
        let number = found.version + i64::from(update.version.is_some());
        if let Some(version) = &update.version {
            insert_version(&mut session, id, number, version, now).await?;
        }
        session
            .execute(
                "UPDATE secrets SET name = $2, version = $3, comment = $4, metadata = $5, \
                 skip_multiline_encoding = $6, reminder_note = $7, reminder_days = $8, updated_at = $9 WHERE id = $1",
                args![
                    id,
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
        if update.version.is_some() {
            secret_versions::forget_old(&mut session, id).await?;
        }
        let occurrence = Occurrence::SecretsModified { by: author };
        outbox::note(&mut session, found.place.folder, &occurrence, now).await?;
        let after = by_id(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_secret(&self, id: SecretId, author: Author, now: Moment) -> Result<bool> {
        let mut session = self.write().await?;
        let sql = "DELETE FROM secrets WHERE id = $1 RETURNING folder_id";
        let Some(folder) = one_in(&mut session, sql, args![id], Reader::id).await? else {
            return Ok(false);
        };
        let occurrence = Occurrence::SecretsModified { by: author };
        outbox::note(&mut session, folder, &occurrence, now).await?;
        session.commit().await?;
        Ok(true)
    }
}
