//! POST /api/v1/admin/bootstrap (platform contract, section 6.7).

use axum::extract::State;
use keywheel_core::ids::{AccountId, IdentityId};
use keywheel_core::names::Title;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::email;
use super::answer::{Answer, Reply};
use super::edge::Scope;
use super::errors::ApiError;
use super::extract::Body;
use super::fields::Fields;
use super::identities::OrganizationJson;
use super::openapi::body_of;
use crate::actions::bootstrap::{self, CreateFirst};
use crate::app::App;
use crate::auth::browser::Program;
use crate::auth::login::reserved;
use crate::auth::password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

#[derive(Serialize, ToSchema)]
#[schema(as = Bootstrapped)]
pub(super) struct BootstrapJson {
    message: &'static str,
    identity: IdentityJson,
    organization: OrganizationJson,
    user: UserJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FirstIdentity)]
struct IdentityJson {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    name: String,
    credentials: CredentialsJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FirstCredentials)]
struct CredentialsJson {
    token: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FirstUser)]
struct UserJson {
    #[schema(value_type = uuid::Uuid)]
    id: AccountId,
    email: String,
    first_name: &'static str,
    last_name: &'static str,
    username: String,
    super_admin: bool,
}

/// The set-up.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(bootstrap))
}

body_of!(
    /// The first account and the organization.
    Bootstrap = read
);

/// Set the instance up
///
/// Works once: makes the first account, the organization, and an identity whose token does not expire. For programs: what a
/// browser sends (`Origin`, `Sec-Fetch-Site`) is refused, as people set up by the link that the server printed.
#[utoipa::path(
    post,
    path = "/api/v1/admin/bootstrap",
    operation_id = "bootstrap",
    tag = "instance",
    request_body = Bootstrap,
    responses((status = 200, body = BootstrapJson)),
    security(())
)]
async fn bootstrap(State(app): State<App>, _: Program, scope: Scope, body: Body) -> Reply<BootstrapJson> {
    let wanted = read(body.fields())?;
    let created = bootstrap::bootstrap(&app, scope.trail(), wanted);
    let created = reserved(&app, scope.trail(), scope.address(), created).await?;
    Ok(Answer(BootstrapJson {
        message: "Successfully bootstrapped instance",
        identity: IdentityJson {
            id: created.identity.id,
            name: created.identity.name,
            credentials: CredentialsJson {
                token: created.access_token,
            },
        },
        organization: created.organization.into(),
        user: UserJson {
            id: created.account.id,
            email: created.account.email.clone(),
            first_name: "Admin",
            last_name: "User",
            username: created.account.email,
            super_admin: created.account.super_admin,
        },
    }))
}

fn read(mut fields: Fields<'_>) -> Result<CreateFirst, ApiError> {
    let email = fields.required("email", email);
    let password = fields.required("password", |field| {
        field.text_within(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX)
    });
    let organization = fields.required("organization", |field| {
        field.parsed(|text| Title::parse("organization", text))
    });
    fields.finish(|| {
        Ok(CreateFirst {
            email: email?,
            password: password?.into(),
            organization: organization?,
        })
    })
}
