//! Statements of reads that belong together.

use async_trait::async_trait;
use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId, SecretId};
use keywheel_core::names::{SecretName, SecretPath, Slug};

use super::adapter::Session;
use super::value::{Reader, Value, args};
use super::{SqlStore, all_in, folders, imports, one_in, pages, secret_versions, secrets};
use crate::error::Result;
use crate::folders::Folder;
use crate::imports::SecretImport;
use crate::pages::{Page, Part};
use crate::secrets::{Secret, SecretVersion};
use crate::snapshot::{Snapshot, Snapshots};

/// Values that one statement compares a column with: far below what either database takes.
const LIST_MAX: usize = 500;

struct SqlSnapshot(Box<dyn Session>);

#[async_trait]
impl Snapshots for SqlStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(SqlSnapshot(self.begin_snapshot().await?)))
    }
}

fn ids(folders: &[FolderId]) -> Vec<Value> {
    folders.iter().copied().map(Value::from).collect()
}

/// `$first, $second, …` for a list of values behind the fixed ones.
pub(super) fn places(fixed: usize, listed: usize) -> String {
    let places: Vec<String> = (fixed + 1..=fixed + listed).map(|n| format!("${n}")).collect();
    places.join(", ")
}

impl SqlSnapshot {
    /// The rows of a statement whose `IN ()` holds the listed values, in as many parts as it takes.
    async fn listed<T: Send>(
        &mut self,
        fixed: Vec<Value>,
        listed: Vec<Value>,
        sql: impl Fn(&str) -> String + Send,
        read: fn(&mut Reader) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        for part in listed.chunks(LIST_MAX) {
            let sql = sql(&places(fixed.len(), part.len()));
            let args = fixed.iter().chain(part).cloned().collect();
            rows.extend(all_in(&mut self.0, &sql, args, read).await?);
        }
        Ok(rows)
    }
}

#[async_trait]
impl Snapshot for SqlSnapshot {
    async fn folder_at(
        &mut self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
    ) -> Result<Option<Folder>> {
        let args = args![project, environment, path];
        one_in(&mut self.0, &folders::at_sql(), args, folders::folder).await
    }

    async fn secret(&mut self, id: SecretId) -> Result<Option<Secret>> {
        secrets::by_id(&mut self.0, id).await
    }

    async fn secret_version(&mut self, secret: SecretId, number: i64) -> Result<Option<SecretVersion>> {
        let args = args![secret, number];
        one_in(
            &mut self.0,
            &secret_versions::one_sql(),
            args,
            secret_versions::secret_version,
        )
        .await
    }

    async fn folders_from(&mut self, environment: EnvironmentId, path: &SecretPath) -> Result<Vec<FolderId>> {
        let sql = format!(
            "SELECT f.id FROM folders f WHERE f.environment_id = $1 AND (f.path = $3 OR {}) ORDER BY f.path",
            folders::BELOW
        );
        let args = args![environment, folders::prefix(path), path];
        all_in(&mut self.0, &sql, args, Reader::id).await
    }

    async fn secrets_in(&mut self, folders: &[FolderId], name: Option<&SecretName>) -> Result<Vec<Secret>> {
        let named = if name.is_some() { "s.name = $1 AND" } else { "" };
        let sql = |places: &str| {
            let select = secrets::SELECT;
            format!("{select} WHERE {named} s.folder_id IN ({places})")
        };
        let fixed = name.into_iter().map(Value::from).collect();
        let mut found = self.listed(fixed, ids(folders), sql, secrets::secret).await?;
        // Here and not in the statement: there may be several statements.
        found.sort_by(|a, b| (&a.place.path, &a.name).cmp(&(&b.place.path, &b.name)));
        Ok(found)
    }

    async fn secrets_part(&mut self, folder: FolderId, page: &Page<String>) -> Result<Part<Secret, String>> {
        let mut args = args![folder];
        let sql = pages::statement(&secrets::in_folder_sql(), secrets::ORDER, &mut args, page);
        let rows = all_in(&mut self.0, &sql, args, secrets::secret).await?;
        Ok(Part::cut(rows, page.size))
    }

    async fn secrets_named(
        &mut self,
        project: ProjectId,
        environment: &Slug,
        path: &SecretPath,
        names: &[SecretName],
    ) -> Result<Vec<Secret>> {
        let sql = |places: &str| {
            format!(
                "{} WHERE e.project_id = $1 AND e.slug = $2 AND f.path = $3 AND s.name IN ({places}) ORDER BY s.name",
                secrets::SELECT
            )
        };
        let fixed = args![project, environment, path];
        self.listed(
            fixed,
            names.iter().map(Value::from).collect(),
            sql,
            secrets::secret,
        )
        .await
    }

    async fn imports_of(&mut self, folders: &[FolderId]) -> Result<Vec<SecretImport>> {
        let sql = |places: &str| {
            format!(
                "{} WHERE i.folder_id IN ({places}) ORDER BY f.path, ie.slug, i.position, i.id",
                imports::SELECT
            )
        };
        self.listed(Vec::new(), ids(folders), sql, imports::import).await
    }
}
