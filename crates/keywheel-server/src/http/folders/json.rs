//! Bodies and answers of folders.

use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::{FolderName, SecretPath, Slug};
use keywheel_store::folders::{Folder, FolderUpdate};
use serde::Serialize;

use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::extract::{Body, Query};
use crate::http::fields::Field;
use crate::http::place::GivenPlace;
use crate::http::projects::patch;

/// Longest description of a folder, in characters. The contract has no bound.
const DESCRIPTION_CHARS_MAX: i64 = 1_024;
/// The names that different ages of clients give the path.
const PATH_KEYS: [&str; 3] = ["path", "directory", "secretPath"];

#[derive(Serialize)]
pub(in crate::http) struct InFolder {
    pub(super) folder: FolderJson,
}

#[derive(Serialize)]
pub(in crate::http) struct FoldersJson {
    pub(super) folders: Vec<FolderJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct FolderJson {
    id: FolderId,
    name: String,
    version: i64,
    created_at: Time,
    updated_at: Time,
    env_id: EnvironmentId,
    parent_id: Option<FolderId>,
    is_reserved: bool,
    description: Option<String>,
    last_secret_modified: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<SecretPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relative_path: Option<SecretPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentBrief>,
}

#[derive(Serialize)]
struct EnvironmentBrief {
    #[serde(rename = "envId")]
    id: EnvironmentId,
    #[serde(rename = "envName")]
    name: String,
    #[serde(rename = "envSlug")]
    slug: Slug,
}

impl FolderJson {
    /// Without where it is.
    pub(super) fn bare(folder: Folder) -> Self {
        Self {
            id: folder.id,
            name: folder.name().to_owned(),
            version: folder.version,
            created_at: Time(folder.created_at),
            updated_at: Time(folder.updated_at),
            env_id: folder.environment,
            parent_id: folder.parent,
            is_reserved: false,
            description: folder.description,
            last_secret_modified: (),
            path: None,
            relative_path: None,
            project_id: None,
            environment: None,
        }
    }

    /// With its full path.
    pub(super) fn with_path(folder: Folder) -> Self {
        let path = Some(folder.path.clone());
        Self {
            path,
            ..Self::bare(folder)
        }
    }

    /// As a line of a list; in a list of all levels with the path.
    pub(super) fn listed(folder: Folder, recursive: bool) -> Self {
        let relative_path = recursive.then(|| folder.path.clone());
        Self {
            relative_path,
            ..Self::bare(folder)
        }
    }

    /// With everything about where it is.
    pub(super) fn with_place(folder: Folder) -> Self {
        let environment = Some(EnvironmentBrief {
            id: folder.environment,
            name: folder.environment_name.clone(),
            slug: folder.environment_slug.clone(),
        });
        let project_id = Some(folder.project);
        Self {
            project_id,
            environment,
            ..Self::with_path(folder)
        }
    }
}

/// A folder to be made.
pub(super) struct Create {
    pub(super) place: GivenPlace,
    pub(super) name: FolderName,
    pub(super) description: Option<String>,
}

/// What a create sends.
pub(super) fn create(body: &Body) -> Result<Create, ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let name = fields.required("name", |field| field.parsed(FolderName::parse));
    let description = fields.optional("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    fields.finish(|| {
        Ok(Create {
            place: place?,
            name: name?,
            description: description?,
        })
    })
}

/// What a list asks for: where, and whether on all levels.
pub(super) fn list(query: &Query) -> Result<(GivenPlace, bool), ApiError> {
    let mut fields = query.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let recursive = fields.optional("recursive", Field::boolean);
    fields.finish(|| Ok((place?, recursive?.unwrap_or(false))))
}

/// What an update sends.
pub(super) fn update(body: &Body) -> Result<(GivenPlace, FolderUpdate), ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let name = fields.optional("name", |field| field.parsed(FolderName::parse));
    let description = fields.change("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    fields.finish(|| {
        Ok((
            place?,
            FolderUpdate {
                name: name?,
                description: patch(description?),
            },
        ))
    })
}

/// What a delete sends: where, and whether by force.
pub(super) fn delete(body: &Body) -> Result<(GivenPlace, bool), ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let forced = fields.optional("forceDelete", Field::boolean);
    fields.finish(|| Ok((place?, forced?.unwrap_or(false))))
}
