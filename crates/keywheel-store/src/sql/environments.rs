//! Statements of environments.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{EnvironmentId, ProjectId};
use keywheel_core::names::{SecretPath, Slug};

use super::adapter::Session;
use super::value::{Reader, Value, args};
use super::{SqlStore, lock_row, one_in, references};
use crate::environments::{Environment, EnvironmentUpdate, Environments, NewEnvironment};
use crate::error::{Result, StoreError};

const COLUMNS: &str = "id, project_id, name, slug, position, created_at, updated_at";

fn environment(r: &mut Reader) -> Result<Environment> {
    Ok(Environment {
        id: r.id()?,
        project: r.id()?,
        name: r.text()?,
        slug: r.slug()?,
        position: r.int()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

/// Inserts an environment with its root folder, behind the last one or where it is wanted.
pub(super) async fn insert_environment(session: &mut Box<dyn Session>, new: &NewEnvironment) -> Result<()> {
    let position = if let Some(position) = new.position {
        make_room(session, new.project, position, new.now).await?;
        position
    } else {
        let sql = "SELECT COALESCE(MAX(position), 0) + 1 FROM environments WHERE project_id = $1";
        one_in(session, sql, args![new.project], Reader::int)
            .await?
            .unwrap_or(1)
    };
    session
        .execute(
            "INSERT INTO environments (id, project_id, name, slug, position, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
            args![new.id, new.project, &new.name, &new.slug, position, new.now],
        )
        .await?;
    session
        .execute(
            "INSERT INTO folders (id, environment_id, parent_id, path, description, version, created_at, updated_at) \
             VALUES ($1, $2, NULL, $3, NULL, 1, $4, $4)",
            args![new.root, new.id, &SecretPath::root(), new.now],
        )
        .await?;
    Ok(())
}

async fn make_room(session: &mut Box<dyn Session>, project: ProjectId, from: i64, now: Moment) -> Result<()> {
    let sql = "UPDATE environments SET position = position + 1, updated_at = $3 \
               WHERE project_id = $1 AND position >= $2";
    session.execute(sql, args![project, from, now]).await?;
    Ok(())
}

async fn by_id(session: &mut Box<dyn Session>, id: EnvironmentId) -> Result<Option<Environment>> {
    one_in(
        session,
        &format!("SELECT {COLUMNS} FROM environments WHERE id = $1"),
        args![id],
        environment,
    )
    .await
}

#[async_trait]
impl Environments for SqlStore {
    async fn create_environment(&self, new: &NewEnvironment) -> Result<Environment> {
        let mut session = self.write().await?;
        insert_environment(&mut session, new).await?;
        let made = by_id(&mut session, new.id).await?;
        session.commit().await?;
        made.ok_or_else(|| StoreError::corrupt("an environment that was just written"))
    }

    async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>> {
        self.one(
            &format!("SELECT {COLUMNS} FROM environments WHERE id = $1"),
            args![id],
            environment,
        )
        .await
    }

    async fn environment_by_slug(&self, project: ProjectId, slug: &Slug) -> Result<Option<Environment>> {
        let sql = format!("SELECT {COLUMNS} FROM environments WHERE project_id = $1 AND slug = $2");
        self.one(&sql, args![project, slug], environment).await
    }

    async fn environments(&self, project: ProjectId) -> Result<Vec<Environment>> {
        let sql = format!("SELECT {COLUMNS} FROM environments WHERE project_id = $1 ORDER BY position, id");
        self.all(&sql, args![project], environment).await
    }

    async fn environments_of(&self, projects: &[ProjectId]) -> Result<Vec<Environment>> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=projects.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM environments WHERE project_id IN ({}) ORDER BY project_id, position, id",
            places.join(", ")
        );
        self.all(
            &sql,
            projects.iter().map(|id| Value::from(*id)).collect(),
            environment,
        )
        .await
    }

    async fn update_environment(
        &self,
        id: EnvironmentId,
        update: &EnvironmentUpdate,
        now: Moment,
    ) -> Result<Option<Environment>> {
        let mut session = self.write().await?;
        lock_row(&mut session, "environments", id).await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(None);
        };
        if let Some(position) = update.position.filter(|position| *position != found.position) {
            make_room(&mut session, found.project, position, now).await?;
        }
        if update.slug.is_some() {
            references::count(&mut session, found.project).await?;
        }
        let sql =
            "UPDATE environments SET name = $2, slug = $3, position = $4, updated_at = $5 WHERE id = $1";
        let name = update.name.as_ref().unwrap_or(&found.name);
        let slug = update.slug.as_ref().unwrap_or(&found.slug);
        let position = update.position.unwrap_or(found.position);
        session.execute(sql, args![id, name, slug, position, now]).await?;
        let after = by_id(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_environment(&self, id: EnvironmentId) -> Result<bool> {
        Ok(self
            .change("DELETE FROM environments WHERE id = $1", args![id])
            .await?
            > 0)
    }
}
