//! Bodies and answers of folders.

use keywheel_core::ids::{EnvironmentId, FolderId, ProjectId};
use keywheel_core::names::{FolderName, SecretPath, Slug};
use keywheel_store::folders::{Folder, FolderUpdate};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::folders::{Place, RenameOne};
use crate::actions::projects::ProjectRef;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read};
use crate::http::paging::GivenPage;
use crate::http::place::{GivenPlace, optional_project};
use crate::http::projects::patch;

/// Longest description of a folder, in characters. The contract has no bound.
const DESCRIPTION_CHARS_MAX: i64 = 1_024;
/// Most folders in one batch: each may move the paths of all below it, in one transaction.
const BATCH_MAX: usize = 100;
/// The names that different ages of clients give the path.
const PATH_KEYS: [&str; 3] = ["path", "directory", "secretPath"];

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InFolder {
    pub(super) folder: FolderJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Folders)]
pub(in crate::http) struct FoldersJson {
    pub(super) folders: Vec<FolderJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Folder)]
pub(in crate::http) struct FolderJson {
    #[schema(value_type = uuid::Uuid)]
    id: FolderId,
    name: String,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = uuid::Uuid)]
    env_id: EnvironmentId,
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_id: Option<FolderId>,
    is_reserved: bool,
    description: Option<String>,
    #[schema(value_type = Option<String>)]
    last_secret_modified: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    path: Option<SecretPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    relative_path: Option<SecretPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentBrief>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FolderEnvironment)]
struct EnvironmentBrief {
    #[serde(rename = "envId")]
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    #[serde(rename = "envName")]
    name: String,
    #[serde(rename = "envSlug")]
    #[schema(value_type = String)]
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
pub(super) fn create(mut fields: Fields<'_>) -> Result<Create, ApiError> {
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

/// What a list asks for: where, whether on all levels, and which page.
pub(super) fn list(mut fields: Fields<'_>) -> Result<(GivenPlace, bool, GivenPage), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let recursive = fields.or("recursive", false, Field::boolean);
    let page = GivenPage::read(&mut fields);
    fields.finish(|| Ok((place?, recursive?, page?)))
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<(GivenPlace, FolderUpdate), ApiError> {
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

/// What an update of several sends: the project, and for each folder where it is and what changes.
pub(super) fn update_all(mut fields: Fields<'_>) -> Result<(ProjectRef, Vec<RenameOne>), ApiError> {
    let project = optional_project(&mut fields);
    let folders = fields.required("folders", |field| field.list(1..=BATCH_MAX, one));
    let (project, folders) = fields.finish(|| Ok((project?, folders?)))?;
    let project = project.ok_or_else(|| ApiError::bad_request("Missing project id"))?;
    let wanted = folders.into_iter().map(|one| RenameOne {
        place: Place {
            project: project.clone(),
            environment: one.environment,
            path: one.path,
        },
        id_or_name: one.id_or_name,
        update: one.update,
    });
    let wanted = wanted.collect();
    Ok((project, wanted))
}

/// A folder of a batch, whose project is that of the batch.
struct One {
    id_or_name: String,
    environment: Slug,
    path: SecretPath,
    update: FolderUpdate,
}

fn one(field: Field<'_>) -> Read<One> {
    field.object(|folder| {
        let id = folder.required("id", |field| field.some_text("Folder ID required"));
        let environment = folder.required("environment", |field| field.some_text("Environment required"));
        let path = folder.optional_any(&PATH_KEYS, |field| field.parsed(SecretPath::parse));
        let name = folder.required("name", |field| field.parsed(FolderName::parse));
        let description = folder.change("description", |field| {
            field.text_within(0..=DESCRIPTION_CHARS_MAX)
        });
        Ok(One {
            id_or_name: id?,
            environment: Slug::from_stored(environment?),
            path: path?.unwrap_or_else(SecretPath::root),
            update: FolderUpdate {
                name: Some(name?),
                description: patch(description?),
            },
        })
    })
}

/// What a delete sends: where, and whether by force.
pub(super) fn delete(mut fields: Fields<'_>) -> Result<(GivenPlace, bool), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let forced = fields.or("forceDelete", false, Field::boolean);
    fields.finish(|| Ok((place?, forced?)))
}
