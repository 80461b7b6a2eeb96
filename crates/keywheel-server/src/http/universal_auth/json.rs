//! Bodies and answers of Universal Auth.

use std::net::IpAddr;

use keywheel_core::ids::{ClientId, ClientSecretId, IdentityId, UniversalAuthId};
use keywheel_store::TrustedIp;
use keywheel_store::universal_auth::{ClientSecret, UniversalAuth};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::universal_auth::{CreateClientSecret, GivenSettings};
use crate::http::answer::{PlainText, Time};
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Taken};
use crate::http::paging::GivenPage;

/// Longest time to live, in seconds: ten years (contract).
const TTL_SECS_MAX: i64 = 315_360_000;
/// Largest number of uses. The contract has no bound.
const USES_MAX: i64 = 1_000_000_000;
/// Longest description of a client secret, in characters. The contract has no bound.
const DESCRIPTION_CHARS_MAX: i64 = 255;
/// Most blocks of trusted addresses.
const TRUSTED_IPS_MAX: usize = 100;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct InUniversalAuth {
    identity_universal_auth: UniversalAuthJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UniversalAuth)]
struct UniversalAuthJson {
    #[schema(value_type = uuid::Uuid)]
    id: UniversalAuthId,
    #[schema(value_type = uuid::Uuid)]
    client_id: ClientId,
    #[schema(value_type = uuid::Uuid)]
    identity_id: IdentityId,
    client_secret_trusted_ips: Vec<TrustedIpJson>,
    access_token_trusted_ips: Vec<TrustedIpJson>,
    #[serde(rename = "accessTokenTTL")]
    access_token_ttl: i64,
    #[serde(rename = "accessTokenMaxTTL")]
    access_token_max_ttl: i64,
    access_token_num_uses_limit: i64,
    access_token_period: i64,
    lockout_enabled: bool,
    lockout_threshold: i64,
    lockout_duration_seconds: i64,
    lockout_counter_reset_seconds: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TrustedIp)]
struct TrustedIpJson {
    #[schema(value_type = String)]
    ip_address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<u8>,
    r#type: &'static str,
}

impl From<&TrustedIp> for TrustedIpJson {
    fn from(ip: &TrustedIp) -> Self {
        let address = ip.address();
        Self {
            ip_address: address,
            prefix: ip.prefix(),
            r#type: if address.is_ipv4() { "ipv4" } else { "ipv6" },
        }
    }
}

impl From<UniversalAuth> for InUniversalAuth {
    fn from(auth: UniversalAuth) -> Self {
        let settings = auth.settings;
        let shown = |ips: &[TrustedIp]| ips.iter().map(TrustedIpJson::from).collect();
        Self {
            identity_universal_auth: UniversalAuthJson {
                id: auth.id,
                client_id: auth.client_id,
                identity_id: auth.identity,
                client_secret_trusted_ips: shown(&settings.client_secret_trusted_ips),
                access_token_trusted_ips: shown(&settings.access_token_trusted_ips),
                access_token_ttl: settings.access_token_ttl,
                access_token_max_ttl: settings.access_token_max_ttl,
                access_token_num_uses_limit: settings.access_token_uses_limit,
                access_token_period: settings.access_token_period,
                lockout_enabled: settings.lockout_enabled,
                lockout_threshold: settings.lockout_threshold,
                lockout_duration_seconds: settings.lockout_duration,
                lockout_counter_reset_seconds: settings.lockout_counter_reset,
                created_at: Time(auth.created_at),
                updated_at: Time(auth.updated_at),
            },
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientSecret)]
pub(super) struct ClientSecretJson {
    #[schema(value_type = uuid::Uuid)]
    id: ClientSecretId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    description: String,
    client_secret_prefix: String,
    client_secret_num_uses: i64,
    client_secret_num_uses_limit: i64,
    #[serde(rename = "clientSecretTTL")]
    client_secret_ttl: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    client_secret_last_used_at: Option<Time>,
    #[serde(rename = "identityUAId")]
    #[schema(value_type = uuid::Uuid)]
    identity_ua_id: UniversalAuthId,
    is_client_secret_revoked: bool,
}

impl From<&ClientSecret> for ClientSecretJson {
    fn from(secret: &ClientSecret) -> Self {
        Self {
            id: secret.id,
            created_at: Time(secret.created_at),
            updated_at: Time(secret.updated_at),
            description: secret.description.clone(),
            client_secret_prefix: secret.prefix.clone(),
            client_secret_num_uses: secret.uses,
            client_secret_num_uses_limit: secret.uses_limit,
            client_secret_ttl: secret.ttl,
            client_secret_last_used_at: secret.last_used_at.map(Time),
            identity_ua_id: secret.universal_auth,
            is_client_secret_revoked: secret.revoked,
        }
    }
}

/// `{deleted}`: how many lockouts were cleared.
#[derive(Serialize, ToSchema)]
#[schema(as = ClearedLockouts)]
pub(super) struct ClearedJson {
    pub(super) deleted: u64,
}

/// `{clientSecret, clientSecretData}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewClientSecret)]
pub(super) struct NewClientSecretJson {
    #[schema(value_type = String)]
    client_secret: PlainText,
    client_secret_data: ClientSecretJson,
}

/// `{clientSecretData}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InClientSecret {
    client_secret_data: ClientSecretJson,
}

/// `{clientSecretData}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientSecrets)]
pub(super) struct ClientSecretsJson {
    client_secret_data: Vec<ClientSecretJson>,
}

impl NewClientSecretJson {
    pub(super) fn new(secret: &SecretString, row: &ClientSecret) -> Self {
        Self {
            client_secret: secret.into(),
            client_secret_data: row.into(),
        }
    }
}

impl From<&ClientSecret> for InClientSecret {
    fn from(secret: &ClientSecret) -> Self {
        Self {
            client_secret_data: secret.into(),
        }
    }
}

impl From<&[ClientSecret]> for ClientSecretsJson {
    fn from(secrets: &[ClientSecret]) -> Self {
        Self {
            client_secret_data: secrets.iter().map(ClientSecretJson::from).collect(),
        }
    }
}

/// What attach and update send; everything is optional.
pub(super) fn settings(mut fields: Fields<'_>) -> Result<GivenSettings, ApiError> {
    let client_secret_trusted_ips = trusted_ips(&mut fields, "clientSecretTrustedIps");
    let access_token_trusted_ips = trusted_ips(&mut fields, "accessTokenTrustedIps");
    let mut number = |key, range| fields.optional(key, |field| field.integer(range));
    let access_token_ttl = number("accessTokenTTL", 0..=TTL_SECS_MAX);
    let access_token_max_ttl = number("accessTokenMaxTTL", 0..=TTL_SECS_MAX);
    let access_token_uses_limit = number("accessTokenNumUsesLimit", 0..=USES_MAX);
    let access_token_period = number("accessTokenPeriod", 0..=TTL_SECS_MAX);
    let lockout_threshold = number("lockoutThreshold", 1..=30);
    let lockout_duration = number("lockoutDurationSeconds", 30..=86_400);
    let lockout_counter_reset = number("lockoutCounterResetSeconds", 5..=3_600);
    let lockout_enabled = fields.optional("lockoutEnabled", Field::boolean);
    if let (Ok(Some(ttl)), Ok(Some(max))) = (access_token_ttl, access_token_max_ttl)
        && max > 0
        && ttl > max
    {
        fields.refuse(
            "accessTokenTTL",
            "Access Token TTL cannot be greater than Access Token Max TTL.",
        );
    }
    let given = fields.finish(|| {
        Ok(GivenTexts {
            client_secret_trusted_ips: client_secret_trusted_ips?,
            access_token_trusted_ips: access_token_trusted_ips?,
            rest: GivenSettings {
                access_token_ttl: access_token_ttl?,
                access_token_max_ttl: access_token_max_ttl?,
                access_token_uses_limit: access_token_uses_limit?,
                access_token_period: access_token_period?,
                lockout_enabled: lockout_enabled?,
                lockout_threshold: lockout_threshold?,
                lockout_duration: lockout_duration?,
                lockout_counter_reset: lockout_counter_reset?,
                ..GivenSettings::default()
            },
        })
    })?;
    Ok(GivenSettings {
        client_secret_trusted_ips: blocks(given.client_secret_trusted_ips)?,
        access_token_trusted_ips: blocks(given.access_token_trusted_ips)?,
        ..given.rest
    })
}

/// Settings whose addresses are still texts.
struct GivenTexts {
    client_secret_trusted_ips: Option<Vec<String>>,
    access_token_trusted_ips: Option<Vec<String>>,
    rest: GivenSettings,
}

fn trusted_ips(fields: &mut Fields<'_>, key: &str) -> Taken<Option<Vec<String>>> {
    fields.optional(key, |field| {
        field.list(0..=TRUSTED_IPS_MAX, |field| {
            field.object(|entry| entry.required("ipAddress", Field::text))
        })
    })
}

/// An address that is none is a 400 in the contract, not an issue of validation.
fn blocks(texts: Option<Vec<String>>) -> Result<Option<Vec<TrustedIp>>, ApiError> {
    let parsed = |texts: Vec<String>| texts.iter().map(|text| text.parse::<TrustedIp>()).collect();
    texts
        .map(parsed)
        .transpose()
        .map_err(|fault: keywheel_store::trusted_ip::NotAnAddress| ApiError::bad_request(fault.to_string()))
}

/// What the creation of a client secret sends; `{}` is fine.
pub(super) fn client_secret(mut fields: Fields<'_>) -> Result<CreateClientSecret, ApiError> {
    let description = fields.optional("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    let uses_limit = fields.or("numUsesLimit", 0, |field| field.integer(0..=USES_MAX));
    let ttl = fields.or("ttl", 0, |field| field.integer(0..=TTL_SECS_MAX));
    fields.finish(|| {
        Ok(CreateClientSecret {
            description: description?.unwrap_or_default(),
            uses_limit: uses_limit?,
            ttl: ttl?,
        })
    })
}

/// Which page of a list.
pub(super) fn client_secrets(mut fields: Fields<'_>) -> Result<GivenPage, ApiError> {
    let page = GivenPage::read(&mut fields);
    fields.finish(|| page)
}
