//! Bodies and answers of login, renew and revoke.

use std::net::IpAddr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::login::{Granted, Login};
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields};

/// A token as all clients read it; the numbers are whole seconds and never null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessToken)]
pub(in crate::http) struct TokenAnswer {
    access_token: String,
    expires_in: i64,
    #[serde(rename = "accessTokenMaxTTL")]
    access_token_max_ttl: i64,
    token_type: &'static str,
}

impl From<Granted> for TokenAnswer {
    fn from(granted: Granted) -> Self {
        Self {
            access_token: granted.access_token,
            expires_in: granted.expires_in,
            access_token_max_ttl: granted.max_ttl,
            token_type: "Bearer",
        }
    }
}

/// `{message}`
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Revoked {
    message: &'static str,
}

impl Revoked {
    pub(in crate::http) const fn done() -> Self {
        Self {
            message: "Successfully revoked access token",
        }
    }
}

/// What a login sends.
pub(super) fn login(mut fields: Fields<'_>, address: IpAddr) -> Result<Login, ApiError> {
    let client_id = fields.required("clientId", Field::text);
    let client_secret = fields.required("clientSecret", Field::text);
    let organization = fields.optional_any(&["organizationSlug", "subOrganizationName"], Field::text);
    fields.finish(|| {
        Ok(Login {
            client_id: client_id?.parse().ok(),
            client_secret: client_secret?.into(),
            organization: organization?.filter(|slug| !slug.is_empty()),
            address,
        })
    })
}

/// The token that a renew or a revoke is about.
pub(super) fn access_token(mut fields: Fields<'_>) -> Result<String, ApiError> {
    let token = fields.required("accessToken", Field::text);
    fields.finish(|| token)
}
