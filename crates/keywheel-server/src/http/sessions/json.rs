//! Bodies and answers of sessions.

use keywheel_core::ids::{AccountId, IdentityId, TokenId};
use keywheel_core::names::Slug;
use keywheel_store::accounts::Session;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::sessions::Current;
use crate::auth::sign_in::SignIn;
use crate::http::accounts::{email, old_password, one_time_code};
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::Fields;
use crate::http::identities::OrganizationJson;

/// What the console has to know first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionOptions)]
pub(super) struct OptionsJson {
    is_set_up: bool,
    version: &'static str,
}

impl OptionsJson {
    pub(super) const fn of(is_set_up: bool) -> Self {
        Self {
            is_set_up,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// `{message}`
#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
pub(in crate::http) struct DoneJson {
    message: &'static str,
}

impl DoneJson {
    pub(in crate::http) const fn saying(message: &'static str) -> Self {
        Self { message }
    }
}

/// `{session}`
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InSession {
    session: CurrentJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CurrentSession)]
struct CurrentJson {
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    csrf_token: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
    account: OwnAccountJson,
    identity: OwnIdentityJson,
    organization: OrganizationJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwnAccount)]
struct OwnAccountJson {
    #[schema(value_type = uuid::Uuid)]
    id: AccountId,
    email: String,
    super_admin: bool,
    totp_enabled: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnIdentity)]
struct OwnIdentityJson {
    #[schema(value_type = uuid::Uuid)]
    id: IdentityId,
    name: String,
    #[schema(value_type = String)]
    role: Slug,
}

impl From<Current> for InSession {
    fn from(current: Current) -> Self {
        let totp_enabled = current.account.confirmed_totp().is_some();
        let account = OwnAccountJson {
            id: current.account.id,
            email: current.account.email,
            super_admin: current.account.super_admin,
            totp_enabled,
        };
        let identity = OwnIdentityJson {
            id: current.identity.id,
            name: current.identity.name,
            role: current.identity.role,
        };
        Self {
            session: CurrentJson {
                id: current.id,
                csrf_token: current.csrf_token,
                created_at: Time(current.created_at),
                expires_at: Time(current.expires_at),
                account,
                identity,
                organization: current.organization.into(),
            },
        }
    }
}

/// `{sessions}`
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(super) struct SessionsJson {
    sessions: Vec<SessionJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
struct SessionJson {
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    is_current: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Time,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
    ip_address: String,
    user_agent: Option<String>,
}

impl SessionsJson {
    pub(super) fn of(sessions: Vec<Session>, current: TokenId) -> Self {
        let shown = sessions.into_iter().map(|session| SessionJson {
            id: session.id,
            is_current: session.id == current,
            created_at: Time(session.created_at),
            last_seen_at: Time(session.last_seen_at),
            expires_at: Time(session.expires_at),
            ip_address: session.ip_address,
            user_agent: session.user_agent,
        });
        Self {
            sessions: shown.collect(),
        }
    }
}

/// What somebody signs in with.
pub(super) fn sign_in(mut fields: Fields<'_>) -> Result<SignIn, ApiError> {
    let email = fields.required("email", email);
    let password = fields.required("password", old_password);
    let code = fields.optional("code", one_time_code);
    fields.finish(|| {
        Ok(SignIn {
            email: email?,
            password: password?,
            code: code?,
        })
    })
}
