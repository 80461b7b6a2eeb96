//! Bodies and answers of imports.

use keywheel_core::ids::{EnvironmentId, FolderId, ImportId, ProjectId};
use keywheel_core::names::{SecretPath, Slug};
use keywheel_store::imports::{FolderPlace, SecretImport};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::folders::Place;
use crate::actions::secret_imports::Change;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields};
use crate::http::place::GivenPlace;

/// The names of the path.
const PATH_KEYS: [&str; 2] = ["path", "secretPath"];
/// Largest position: far beyond the number of imports that a folder may have.
const POSITION_MAX: i64 = 10_000;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct InImport {
    message: &'static str,
    secret_import: ImportJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretImports)]
pub(in crate::http) struct ImportsJson {
    message: &'static str,
    secret_imports: Vec<ImportJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct InPlacedImport {
    secret_import: PlacedImport,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretImport)]
struct ImportJson {
    #[schema(value_type = uuid::Uuid)]
    id: ImportId,
    version: i64,
    #[schema(value_type = String)]
    import_path: SecretPath,
    import_env: ImportEnvironment,
    position: i64,
    #[schema(value_type = uuid::Uuid)]
    folder_id: FolderId,
    is_replication: bool,
    is_reserved: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// An import with where it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlacedSecretImport)]
struct PlacedImport {
    #[serde(flatten)]
    import: ImportJson,
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    environment: ImportEnvironment,
    #[schema(value_type = String)]
    secret_path: SecretPath,
}

#[derive(Serialize, ToSchema)]
struct ImportEnvironment {
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    name: String,
    #[schema(value_type = String)]
    slug: Slug,
}

impl InImport {
    pub(super) fn new(message: &'static str, import: SecretImport) -> Self {
        Self {
            message,
            secret_import: import.into(),
        }
    }
}

impl From<Vec<SecretImport>> for ImportsJson {
    fn from(imports: Vec<SecretImport>) -> Self {
        Self {
            message: "Successfully fetched secret imports",
            secret_imports: imports.into_iter().map(ImportJson::from).collect(),
        }
    }
}

impl From<SecretImport> for InPlacedImport {
    fn from(import: SecretImport) -> Self {
        Self {
            secret_import: PlacedImport {
                project_id: import.project,
                environment: ImportEnvironment::of(&import.into),
                secret_path: import.into.path.clone(),
                import: import.into(),
            },
        }
    }
}

impl From<SecretImport> for ImportJson {
    fn from(import: SecretImport) -> Self {
        Self {
            id: import.id,
            version: import.version,
            import_env: ImportEnvironment::of(&import.from),
            import_path: import.from.path,
            position: import.position,
            folder_id: import.into.folder,
            is_replication: false,
            is_reserved: false,
            created_at: Time(import.created_at),
            updated_at: Time(import.updated_at),
        }
    }
}

impl ImportEnvironment {
    fn of(place: &FolderPlace) -> Self {
        Self {
            id: place.environment,
            name: place.environment_name.clone(),
            slug: place.environment_slug.clone(),
        }
    }
}

/// The folder whose secrets are to be shown.
pub(super) struct Source {
    environment: Slug,
    path: SecretPath,
}

impl Source {
    /// Imports stay within their project.
    pub(super) fn in_project_of(self, place: &Place) -> Place {
        Place {
            project: place.project.clone(),
            environment: self.environment,
            path: self.path,
        }
    }
}

/// Where an import is.
pub(super) fn place(mut fields: Fields<'_>) -> Result<GivenPlace, ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    fields.finish(|| place)
}

/// What a create sends: where to, and what is imported.
pub(super) fn create(mut fields: Fields<'_>) -> Result<(GivenPlace, Source), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let from = fields.required("import", |field| {
        field.object(|import| {
            let environment = import.required("environment", Field::text);
            let path = import.required("path", |field| field.parsed(SecretPath::parse));
            Ok(Source {
                environment: Slug::from_stored(environment?),
                path: path?,
            })
        })
    });
    let is_replication = fields.or("isReplication", false, Field::boolean);
    let (place, from, is_replication) = fields.finish(|| Ok((place?, from?, is_replication?)))?;
    if is_replication {
        return Err(ApiError::bad_request(
            "Keywheel does not copy imported secrets: an import always shows what is in the other folder. Leave out \
             isReplication.",
        ));
    }
    Ok((place, from))
}

/// What is to change of an import.
pub(super) struct Wanted {
    environment: Option<String>,
    path: Option<SecretPath>,
    position: Option<i64>,
}

impl Wanted {
    /// A folder is named whole, or not at all.
    pub(super) fn change(self, place: &Place) -> Result<Change, ApiError> {
        let from = match (self.environment, self.path) {
            (None, None) => None,
            (Some(environment), Some(path)) => Some(Place {
                project: place.project.clone(),
                environment: Slug::from_stored(environment),
                path,
            }),
            _ => {
                return Err(ApiError::bad_request(
                    "Another folder to import is named by its environment and its path",
                ));
            }
        };
        Ok(Change {
            from,
            position: self.position,
        })
    }
}

/// What an update sends: where the import is, and what is to change.
pub(super) fn update(mut fields: Fields<'_>) -> Result<(GivenPlace, Wanted), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let wanted = fields.required("import", |field| {
        field.object(|import| {
            let environment = import.optional("environment", Field::text);
            let path = import.optional("path", |field| field.parsed(SecretPath::parse));
            let position = import.optional("position", |field| field.integer(1..=POSITION_MAX));
            Ok(Wanted {
                environment: environment?,
                path: path?,
                position: position?,
            })
        })
    });
    fields.finish(|| Ok((place?, wanted?)))
}
