//! POST /api/v1/admin/bootstrap (platform contract, section 6.7).

use axum::extract::State;
use keywheel_core::ids::{AccountId, IdentityId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::Title;
use serde::Serialize;

use super::answer::{Answer, Reply};
use super::errors::ApiError;
use super::extract::Body;
use super::fields::{Field, Read, refusal};
use super::identities::OrganizationJson;
use crate::actions::bootstrap::{self, CreateFirst};
use crate::app::App;
use crate::auth::password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

/// Longest e-mail address, in characters (RFC 5321, section 4.5.3.1).
const EMAIL_CHARS_MAX: i64 = 254;

#[derive(Serialize)]
pub(super) struct BootstrapJson {
    message: &'static str,
    identity: IdentityJson,
    organization: OrganizationJson,
    user: UserJson,
}

#[derive(Serialize)]
struct IdentityJson {
    id: IdentityId,
    name: String,
    credentials: CredentialsJson,
}

#[derive(Serialize)]
struct CredentialsJson {
    token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserJson {
    id: AccountId,
    email: String,
    first_name: &'static str,
    last_name: &'static str,
    username: String,
    super_admin: bool,
}

/// Sets the instance up.
pub(super) async fn bootstrap(State(app): State<App>, body: Body) -> Reply<BootstrapJson> {
    let created = bootstrap::bootstrap(&app, read(&body)?).await?;
    let stored = created.stored;
    Ok(Answer(BootstrapJson {
        message: "Successfully bootstrapped instance",
        identity: IdentityJson {
            id: stored.identity.id,
            name: stored.identity.name,
            credentials: CredentialsJson {
                token: created.access_token,
            },
        },
        organization: stored.organization.into(),
        user: UserJson {
            id: stored.account.id,
            email: stored.account.email.clone(),
            first_name: "Admin",
            last_name: "User",
            username: stored.account.email,
            super_admin: stored.account.super_admin,
        },
    }))
}

fn read(body: &Body) -> Result<CreateFirst, ApiError> {
    let mut fields = body.fields();
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

/// Something on both sides of one `@`, without spaces: whether mail arrives there, only mail can tell.
fn email(field: Field<'_>) -> Read<String> {
    let text = field.text_within(1..=EMAIL_CHARS_MAX)?;
    let good = text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
    });
    if good {
        Ok(text)
    } else {
        Err(refusal(
            IssueCode::InvalidString { validation: "email" },
            "Invalid email",
        ))
    }
}
