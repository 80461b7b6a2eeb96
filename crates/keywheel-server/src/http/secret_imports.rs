//! Imports of secrets. What differs between the two versions of the routes are names of fields, and all names are
//! read everywhere.

mod json;

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{ImportsJson, InImport, InPlacedImport};
use super::answer::{Answer, Reply};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::place::id_param;
use crate::actions::secret_imports;
use crate::app::App;
use crate::auth::caller::Caller;

/// Imports, in both versions.
pub(super) fn routes() -> OpenApiRouter<App> {
    let older = "/api/v1/secret-imports";
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, update, delete))
        .routes(at(older, "V1", routes!(create, list)))
        .routes(at(
            &format!("{older}/{{secretImport}}"),
            "V1",
            routes!(get, update, delete),
        ))
}

body_of!(
    /// An import to be made.
    CreateImport = json::create
);
body_of!(
    /// What is to change of an import; absent is unchanged.
    UpdateImport = json::update
);
body_of!(
    /// Where an import is.
    DeleteImport = json::place
);
query_of!(
    /// Which imports.
    ListImportsQuery = json::place
);

/// Import secrets
///
/// The folder then shows the secrets of another one; where several imports have the same name, the last one wins.
/// Permission: `create` on `secret-imports`.
#[utoipa::path(
    post,
    path = "/api/v2/secret-imports",
    operation_id = "createSecretImport",
    tag = "secret imports",
    request_body = CreateImport,
    responses((status = 200, body = InImport))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply<InImport> {
    let (into, from) = json::create(body.fields())?;
    let into = into.complete()?;
    let from = from.in_project_of(&into);
    let made = secret_imports::create(&app, &caller, &into, &from).await?;
    Ok(Answer(InImport::new("Successfully created secret import", made)))
}

/// List the imports of a folder
///
/// In their order.
/// Permission: `read` on `secret-imports`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-imports",
    operation_id = "listSecretImports",
    tag = "secret imports",
    params(ListImportsQuery),
    responses((status = 200, body = ImportsJson))
)]
async fn list(State(app): State<App>, caller: Caller, query: Query) -> Reply<ImportsJson> {
    let place = json::place(query.fields())?.complete()?;
    let found = secret_imports::list(&app, &caller, &place).await?;
    Ok(Answer(ImportsJson::from(found)))
}

/// Get an import
///
/// Permission: `read` on `secret-imports`.
#[utoipa::path(
    get,
    path = "/api/v2/secret-imports/{secretImport}",
    operation_id = "getSecretImport",
    tag = "secret imports",
    responses((status = 200, body = InPlacedImport))
)]
async fn get(State(app): State<App>, caller: Caller, params: Params) -> Reply<InPlacedImport> {
    let found = secret_imports::get(&app, &caller, id_param(&params, "secretImport")?).await?;
    Ok(Answer(InPlacedImport::from(found)))
}

/// Change an import
///
/// Permission: `edit` on `secret-imports`.
#[utoipa::path(
    patch,
    path = "/api/v2/secret-imports/{secretImport}",
    operation_id = "updateSecretImport",
    tag = "secret imports",
    request_body = UpdateImport,
    responses((status = 200, body = InImport))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InImport> {
    let id = id_param(&params, "secretImport")?;
    let (place, wanted) = json::update(body.fields())?;
    let place = place.complete()?;
    let change = wanted.change(&place)?;
    let after = secret_imports::update(&app, &caller, &place, id, &change).await?;
    Ok(Answer(InImport::new("Successfully updated secret import", after)))
}

/// Delete an import
///
/// The secrets that it showed stay where they are.
/// Permission: `delete` on `secret-imports`.
#[utoipa::path(
    delete,
    path = "/api/v2/secret-imports/{secretImport}",
    operation_id = "deleteSecretImport",
    tag = "secret imports",
    request_body = DeleteImport,
    responses((status = 200, body = InImport))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InImport> {
    let id = id_param(&params, "secretImport")?;
    let place = json::place(body.fields())?.complete()?;
    let before = secret_imports::delete(&app, &caller, &place, id).await?;
    Ok(Answer(InImport::new(
        "Successfully deleted secret import",
        before,
    )))
}
