//! Statements of projects.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{IdentityId, OrganizationId, ProjectId};
use keywheel_core::names::Slug;

use super::environments::insert_environment;
use super::identities::pattern;
use super::memberships::insert_membership;
use super::pages::Order;
use super::value::{Reader, args};
use super::{SqlStore, lock_row, one_in};
use crate::environments::NewEnvironment;
use crate::error::Result;
use crate::memberships::Membership;
use crate::pages::{Page, Part};
use crate::patch::Patch;
use crate::projects::{Project, ProjectKey, ProjectUpdate, Projects, RotationName, Scope, SurveyedProject};

const COLUMNS: &str = "p.id, p.organization_id, p.name, p.slug, p.description, p.delete_protection, \
    p.auto_capitalization, p.version_limit, p.audit_retention_days, p.created_at, p.updated_at";

/// The order of a list.
const BY_NAME: Order = Order::Up(&["p.name", "p.id"]);

/// In terms of `$1`, who looks. Each count is one of an index of the rows that are read, so that a page is one statement.
const SURVEY: &str = "SELECT p.id, p.name, p.slug, p.created_at, \
    EXISTS (SELECT 1 FROM memberships own WHERE own.project_id = p.id AND own.identity_id = $1), \
    (SELECT COUNT(*) FROM memberships m WHERE m.project_id = p.id), \
    (SELECT COUNT(*) FROM rotations r JOIN folders f ON f.id = r.folder_id \
     JOIN environments e ON e.id = f.environment_id WHERE e.project_id = p.id) \
    FROM projects p";

fn surveyed(r: &mut Reader) -> Result<SurveyedProject> {
    Ok(SurveyedProject {
        id: r.id()?,
        name: r.title()?,
        slug: r.slug()?,
        created_at: r.moment()?,
        is_member: r.flag()?,
        members: r.small()?,
        rotations: r.small()?,
    })
}

fn project(r: &mut Reader) -> Result<Project> {
    Ok(Project {
        id: r.id()?,
        organization: r.id()?,
        name: r.title()?,
        slug: r.slug()?,
        description: r.opt_text()?,
        delete_protection: r.flag()?,
        auto_capitalization: r.flag()?,
        version_limit: r.int()?,
        audit_retention_days: r.opt_int()?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

fn rotation_name(r: &mut Reader) -> Result<RotationName> {
    Ok(RotationName {
        id: r.id()?,
        name: r.slug()?,
    })
}

fn merge(project: &mut Project, update: &ProjectUpdate, now: Moment) {
    let ProjectUpdate {
        name,
        slug,
        description,
        delete_protection,
        auto_capitalization,
        version_limit,
        audit_retention_days,
    } = update.clone();
    project.name = name.unwrap_or_else(|| project.name.clone());
    project.slug = slug.unwrap_or_else(|| project.slug.clone());
    if let Patch::Set(description) = description {
        project.description = description;
    }
    project.delete_protection = delete_protection.unwrap_or(project.delete_protection);
    project.auto_capitalization = auto_capitalization.unwrap_or(project.auto_capitalization);
    project.version_limit = version_limit.unwrap_or(project.version_limit);
    if let Patch::Set(days) = audit_retention_days {
        project.audit_retention_days = days;
    }
    project.updated_at = now;
}

#[async_trait]
impl Projects for SqlStore {
    async fn create_project(
        &self,
        project: &Project,
        environments: &[NewEnvironment],
        creator: Option<&Membership>,
    ) -> Result<()> {
        let mut session = self.write().await?;
        session
            .execute(
                "INSERT INTO projects (id, organization_id, name, slug, description, delete_protection, \
                 auto_capitalization, version_limit, audit_retention_days, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                args![
                    project.id,
                    project.organization,
                    &project.name,
                    &project.slug,
                    project.description.clone(),
                    project.delete_protection,
                    project.auto_capitalization,
                    project.version_limit,
                    project.audit_retention_days,
                    project.created_at,
                    project.updated_at
                ],
            )
            .await?;
        for environment in environments {
            insert_environment(&mut session, environment).await?;
        }
        if let Some(creator) = creator {
            insert_membership(&mut session, creator).await?;
        }
        session.commit().await
    }

    async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
        self.one(
            &format!("SELECT {COLUMNS} FROM projects p WHERE p.id = $1"),
            args![id],
            project,
        )
        .await
    }

    async fn project_by_slug(&self, organization: OrganizationId, slug: &Slug) -> Result<Option<Project>> {
        let sql = format!("SELECT {COLUMNS} FROM projects p WHERE p.organization_id = $1 AND p.slug = $2");
        self.one(&sql, args![organization, slug], project).await
    }

    async fn projects(
        &self,
        organization: OrganizationId,
        member: Option<IdentityId>,
        page: &Page<ProjectKey>,
    ) -> Result<Part<Project, ProjectKey>> {
        let (condition, args) = match member {
            None => ("WHERE p.organization_id = $1", args![organization]),
            Some(member) => (
                "JOIN memberships m ON m.project_id = p.id WHERE p.organization_id = $1 AND m.identity_id = $2",
                args![organization, member],
            ),
        };
        let select = format!("SELECT {COLUMNS} FROM projects p {condition}");
        self.part(&select, BY_NAME, args, page, project).await
    }

    async fn survey_projects(
        &self,
        organization: OrganizationId,
        viewer: IdentityId,
        search: &str,
        page: &Page<ProjectKey>,
    ) -> Result<Part<SurveyedProject, ProjectKey>> {
        let select = format!(
            "{SURVEY} WHERE p.organization_id = $2 \
             AND (lower(p.name) LIKE $3 ESCAPE '\\' OR lower(p.slug) LIKE $3 ESCAPE '\\')"
        );
        let args = args![viewer, organization, pattern(search)];
        self.part(&select, BY_NAME, args, page, surveyed).await
    }

    async fn update_project(
        &self,
        id: ProjectId,
        update: &ProjectUpdate,
        now: Moment,
    ) -> Result<Option<Project>> {
        let mut session = self.write().await?;
        lock_row(&mut session, "projects", id).await?;
        let sql = format!("SELECT {COLUMNS} FROM projects p WHERE p.id = $1");
        let Some(mut found) = one_in(&mut session, &sql, args![id], project).await? else {
            return Ok(None);
        };
        merge(&mut found, update, now);
        session
            .execute(
                "UPDATE projects SET name = $2, slug = $3, description = $4, delete_protection = $5, \
                 auto_capitalization = $6, version_limit = $7, audit_retention_days = $8, updated_at = $9 \
                 WHERE id = $1",
                args![
                    id,
                    &found.name,
                    &found.slug,
                    found.description.clone(),
                    found.delete_protection,
                    found.auto_capitalization,
                    found.version_limit,
                    found.audit_retention_days,
                    found.updated_at
                ],
            )
            .await?;
        session.commit().await?;
        Ok(Some(found))
    }

    async fn delete_project(&self, id: ProjectId) -> Result<bool> {
        Ok(self
            .change("DELETE FROM projects WHERE id = $1", args![id])
            .await?
            > 0)
    }

    async fn rotations_in(&self, scope: Scope) -> Result<Vec<RotationName>> {
        let all = "SELECT r.id, r.name FROM rotations r JOIN folders f ON f.id = r.folder_id";
        match scope {
            Scope::Project(id) => {
                let sql = format!(
                    "{all} JOIN environments e ON e.id = f.environment_id WHERE e.project_id = $1 ORDER BY r.name"
                );
                self.all(&sql, args![id], rotation_name).await
            }
            Scope::Environment(id) => {
                let sql = format!("{all} WHERE f.environment_id = $1 ORDER BY r.name");
                self.all(&sql, args![id], rotation_name).await
            }
            Scope::Folder(id) => {
                let sql = format!(
                    "{all} JOIN folders top ON top.environment_id = f.environment_id WHERE top.id = $1 \
                     AND (f.id = top.id OR top.path = '/' OR substr(f.path, 1, length(top.path) + 1) = top.path || '/') \
                     ORDER BY r.name"
                );
                self.all(&sql, args![id], rotation_name).await
            }
        }
    }
}
