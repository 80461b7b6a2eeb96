//! Moving secrets to another folder.

use axum::extract::State;
use keywheel_core::names::{SecretPath, Slug};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::folders::Place;
use crate::actions::secrets::{self, BATCH_MAX, MoveSecrets as Wanted};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::http::answer::{Answer, Reply};
use crate::http::errors::ApiError;
use crate::http::extract::Body;
use crate::http::fields::{Field, Fields, Taken};
use crate::http::openapi::body_of;
use crate::http::place::optional_project;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(relocate))
}

body_of!(
    /// Which secrets are to go where.
    MoveSecrets = read
);

/// Both are true: nobody has to approve of a change first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MovedSecrets {
    is_source_updated: bool,
    is_destination_updated: bool,
}

/// Move secrets
///
/// To another folder of the project, with all their versions: all of them, or none. References to them follow. Secrets
/// that a rotation writes move with the rotation.
/// Permission: `delete` and `create` on `secrets`.
#[utoipa::path(
    post,
    path = "/api/v4/secrets/move",
    operation_id = "moveSecrets",
    tag = "secrets",
    request_body = MoveSecrets,
    responses((status = 200, body = MovedSecrets))
)]
async fn relocate(State(app): State<App>, caller: Caller, body: Body) -> Reply<MovedSecrets> {
    let wanted = read(body.fields())?;
    secrets::relocate(&app, &caller, &wanted).await?;
    Ok(Answer(MovedSecrets {
        is_source_updated: true,
        is_destination_updated: true,
    }))
}

fn read(mut fields: Fields<'_>) -> Result<Wanted, ApiError> {
    let project = optional_project(&mut fields);
    let source = end(&mut fields, "sourceEnvironment", "sourceSecretPath");
    let destination = end(&mut fields, "destinationEnvironment", "destinationSecretPath");
    let secrets = fields.required("secretIds", |field| field.list(1..=BATCH_MAX, Field::id));
    let overwrite = fields.or("shouldOverwrite", false, Field::boolean);
    let (project, source, destination, secrets, overwrite) =
        fields.finish(|| Ok((project?, source?, destination?, secrets?, overwrite?)))?;
    let project = project.ok_or_else(|| ApiError::bad_request("Missing project id"))?;
    let place = |(environment, path): (String, SecretPath)| Place {
        project: project.clone(),
        environment: Slug::from_stored(environment),
        path,
    };
    Ok(Wanted {
        source: place(source),
        destination: place(destination),
        secrets,
        overwrite,
    })
}

/// One end of the move; the path defaults to the root.
fn end(fields: &mut Fields<'_>, environment: &str, path: &str) -> Taken<(String, SecretPath)> {
    let slug = fields.required(environment, |field| field.some_text("Environment required"));
    let path = fields.optional(path, |field| field.parsed(SecretPath::parse));
    Ok((slug?, path?.unwrap_or_else(SecretPath::root)))
}
