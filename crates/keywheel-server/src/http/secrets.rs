//! Secrets, under the names of the third and the fourth version of the API (platform contract, section
//! 6.2). What differs between the two are names of fields, and all names are read everywhere.

mod batch;
mod filter;
mod json;
mod relocate;
mod versions;

use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath, State};
use axum::http::request::Parts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::json::{GivenView, InSecret, SecretsJson};
use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::etag::{Known, Tagged};
use super::extract::{Body, Params, Query};
use super::openapi::{at, body_of, query_of};
use super::paging::Paged;
use super::place::id_param;
use crate::actions::secrets::{self, GetSecret, ListSecrets, SecretFilter, View};
use crate::app::App;
use crate::auth::caller::Caller;

/// Said to who wants a page of what only a whole list shows.
const MORE_THAN_ONE_FOLDER: &str = "Pages are of the secrets of one folder alone: send pageSize with includeImports=false \
    (include_imports=false in v3) and without recursive";
/// Where the third version has its secrets.
const OLDER: &str = "/api/v3/secrets/raw";

/// Secrets, in both versions.
pub(super) fn routes() -> OpenApiRouter<App> {
    let (by_id, by_name) = (format!("{OLDER}/id/{{id}}"), format!("{OLDER}/{{name}}"));
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get_by_id))
        .routes(routes!(versions::list_versions))
        .routes(routes!(get, create, update, delete))
        .routes(at(OLDER, "V3", routes!(list)))
        .routes(at(&by_id, "V3", routes!(get_by_id)))
        .routes(at(&by_name, "V3", routes!(get, create, update, delete)))
        .merge(batch::routes())
        .merge(relocate::routes())
}

/// Which version of the API a request speaks. The third one shows values as they are stored and only what is in the
/// folder, unless it is told otherwise; the fourth one shows what applications need.
#[derive(Clone, Copy)]
enum Version {
    Third,
    Fourth,
}

impl FromRequestParts<App> for Version {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let path = parts.extensions.get::<MatchedPath>();
        let is_third = path.is_some_and(|path| path.as_str().starts_with(OLDER));
        Ok(if is_third { Self::Third } else { Self::Fourth })
    }
}

impl Version {
    fn view(self, given: &GivenView) -> View {
        let shows_all = matches!(self, Self::Fourth);
        View {
            value: given.value,
            expand: given.expand.unwrap_or(shows_all),
            imports: given.imports.unwrap_or(shows_all),
        }
    }
}

query_of!(
    /// Which secrets, and what of them.
    ListSecretsQuery = json::list
);
query_of!(
    /// Which secret, and what of it.
    GetSecretQuery = json::get
);
query_of!(
    /// What to show.
    ViewQuery = json::view
);
body_of!(
    /// A secret to be made.
    CreateSecret = json::create
);
body_of!(
    /// What is to change of a secret; absent is unchanged.
    UpdateSecret = json::update
);
body_of!(
    /// Which secret.
    DeleteSecret = json::delete
);

/// List secrets
///
/// By path and name, with what their folders import; of imports the last one wins, and a folder's own secrets win over
/// what it imports. The third version leaves imports out and references as they are, unless it is told otherwise. Pages
/// are of one folder's own secrets.
/// Permission: `read` on `secrets`, and `read-value` unless values are hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets",
    operation_id = "listSecrets",
    tag = "secrets",
    params(ListSecretsQuery),
    responses((status = 200, body = SecretsJson))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    version: Version,
    known: Known,
    query: Query,
) -> Result<Paged<Tagged<SecretsJson>>, ApiError> {
    let wanted = json::list(query.fields())?;
    let view = version.view(&wanted.view);
    if wanted.page.is_given() && (wanted.recursive || view.imports) {
        return Err(ApiError::bad_request(MORE_THAN_ONE_FOLDER));
    }
    let wanted = ListSecrets {
        place: wanted.place.complete()?,
        recursive: wanted.recursive,
        filter: wanted.filter,
        view,
        page: query.page(wanted.page)?,
    };
    let project = secrets::admit_list(&app, &caller, &wanted).await?;
    let (revision, key) = (app.store().revision(), (project, wanted));
    if let Some((tag, counts)) = app.list_tags().get(&key, revision)
        && let Some(unchanged) = known.unchanged(&tag)
    {
        counts.note(&caller);
        return query.linked(None::<&()>, unchanged);
    }
    let found = secrets::read_list(&app, project, &key.1).await?;
    found.counts().note(&caller);
    let answer = known.answer(&found, || Ok(SecretsJson::from(&found.open(&app)?)))?;
    // The texts of filters are long and many; nobody polls with ever new ones.
    if key.1.filter == SecretFilter::default() {
        let tag = (answer.tag().clone(), found.counts());
        app.list_tags().put(key, tag, revision);
    }
    query.linked(found.next(), answer)
}

/// Get a secret
///
/// With imports, one that the folder does not have itself is looked for in what it imports.
/// Permission: `read` on `secrets`, and `read-value` unless the value is hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets/{name}",
    operation_id = "getSecret",
    tag = "secrets",
    params(GetSecretQuery),
    responses((status = 200, body = InSecret))
)]
async fn get(
    State(app): State<App>,
    caller: Caller,
    version: Version,
    known: Known,
    params: Params,
    query: Query,
) -> Result<Tagged<InSecret>, ApiError> {
    let name = json::name(&params)?;
    let wanted = json::get(query.fields())?;
    let wanted = GetSecret {
        place: wanted.place.complete()?,
        name,
        version: wanted.version,
        view: version.view(&wanted.view),
    };
    let found = secrets::get(&app, &caller, &wanted).await?;
    known.answer(&found, || Ok(InSecret::from(&found.open_one(&app)?)))
}

/// Get a secret by its id
///
/// Permission: `read` on `secrets`, and `read-value` unless the value is hidden.
#[utoipa::path(
    get,
    path = "/api/v4/secrets/id/{id}",
    operation_id = "getSecretById",
    tag = "secrets",
    params(ViewQuery),
    responses((status = 200, body = InSecret))
)]
async fn get_by_id(
    State(app): State<App>,
    caller: Caller,
    version: Version,
    known: Known,
    params: Params,
    query: Query,
) -> Result<Tagged<InSecret>, ApiError> {
    let view = version.view(&json::view(query.fields())?);
    let found = secrets::get_by_id(&app, &caller, id_param(&params, "id")?, view).await?;
    known.answer(&found, || Ok(InSecret::from(&found.open_one(&app)?)))
}

/// Create a secret
///
/// Permission: `create` on `secrets`.
#[utoipa::path(
    post,
    path = "/api/v4/secrets/{name}",
    operation_id = "createSecret",
    tag = "secrets",
    request_body = CreateSecret,
    responses((status = 200, body = InSecret))
)]
async fn create(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::create(body.fields())?;
    let place = wanted.place.complete()?;
    let made = secrets::create(
        &app,
        &caller,
        &place,
        name,
        wanted.kind,
        &wanted.value,
        wanted.details,
    )
    .await?;
    Ok(Answer(InSecret::from(&made)))
}

/// Update a secret
///
/// Name and value of a rotated secret are its rotation's to change.
/// Permission: `edit` on `secrets`.
#[utoipa::path(
    patch,
    path = "/api/v4/secrets/{name}",
    operation_id = "updateSecret",
    tag = "secrets",
    request_body = UpdateSecret,
    responses((status = 200, body = InSecret))
)]
async fn update(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let wanted = json::update(body.fields())?;
    let place = wanted.place.complete()?;
    let (new_name, value) = (wanted.new_name, wanted.value.as_ref());
    let after = secrets::update(&app, &caller, &place, &name, new_name, value, wanted.details).await?;
    Ok(Answer(InSecret::from(&after)))
}

/// Delete a secret
///
/// Not one that a rotation writes.
/// Permission: `delete` on `secrets`.
#[utoipa::path(
    delete,
    path = "/api/v4/secrets/{name}",
    operation_id = "deleteSecret",
    tag = "secrets",
    request_body = DeleteSecret,
    responses((status = 200, body = InSecret))
)]
async fn delete(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Reply<InSecret> {
    let name = json::name(&params)?;
    let (place, kind) = json::delete(body.fields())?;
    let before = secrets::delete(&app, &caller, &place.complete()?, &name, kind).await?;
    Ok(Answer(InSecret::from(&before)))
}
