//! Bodies and answers of login, renew and revoke.

use std::net::IpAddr;

use serde::Serialize;

use crate::auth::login::{Granted, Login};
use crate::http::errors::ApiError;
use crate::http::extract::Body;
use crate::http::fields::Field;

/// A token as all clients read it; the numbers are whole seconds and never null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
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

/// What a login sends.
pub(super) fn login(body: &Body, address: IpAddr) -> Result<Login, ApiError> {
    let mut fields = body.fields();
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
pub(super) fn access_token(body: &Body) -> Result<String, ApiError> {
    let mut fields = body.fields();
    let token = fields.required("accessToken", Field::text);
    fields.finish(|| token)
}
