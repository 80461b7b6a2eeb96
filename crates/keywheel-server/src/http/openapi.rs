//! The API document, OpenAPI 3.1, made from the handlers. It is checked in as `openapi.json`, and a test fails when
//! the two differ. So far it holds what Keywheel adds to Infisical's API.

use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};

use super::answer::Answer;
use crate::app::App;

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keywheel",
        description = "Sub-resources of a secret rotation that go beyond Infisical's API. Every other route answers as \
                       Infisical's does."
    ),
    tags(
        (name = "keys", description = "The access keys of a rotation's IAM user, and what their owner may do with one"),
        (name = "policy", description = "How a rotation treats displaced keys"),
        (name = "runs", description = "What runs did, and what a run would do"),
    ),
    components(schemas(Refusal, Adoption, Beyond))
)]
struct Document;

/// A refusal: 400 where a rule forbids it, 401 and 403 for callers, 404 for what is not there, 422 with a list of
/// issues for what is not of the right form.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    /// Names the request in the log.
    req_id: String,
    status_code: u16,
    /// A text, or the issues of a 422.
    #[schema(value_type = Object)]
    message: String,
    error: String,
}

/// What a create, and its preview, may say of an access key that the IAM user already has. Nothing said: such a key
/// is left alone, and blocks the next rotation if both slots are taken.
#[derive(Serialize, ToSchema)]
#[serde(tag = "mode", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(dead_code, reason = "the shape of what the body of a create is read as")]
enum Adoption {
    /// The key becomes the published one. Nothing changes at AWS.
    Import {
        #[schema(rename = "accessKeyId")]
        access_key_id: String,
        #[schema(rename = "secretAccessKey", max_length = 128, write_only)]
        secret_access_key: String,
    },
    /// The key is retired by the policy of the rotation; with `retireAtOnce` before its successor exists, which a user
    /// with two keys needs.
    HandOver {
        #[schema(rename = "accessKeyId")]
        access_key_id: String,
        #[schema(rename = "retireAtOnce", default = false)]
        retire_at_once: Option<bool>,
    },
}

/// The fields that a create may have beyond Infisical's.
#[derive(Serialize, ToSchema)]
#[schema(as = CreateBeyondInfisical)]
struct Beyond {
    adoption: Option<Adoption>,
    policy: Option<super::rotation_policy::PolicyPatch>,
}

/// The document without a server around it.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    for part in [
        super::rotation_policy::routes(),
        super::rotation_keys::routes(),
        super::rotation_runs::routes(),
    ] {
        document.merge(part.into_openapi());
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
    document
}

/// GET /api/docs/json
pub(super) async fn show(State(_): State<App>) -> Answer<utoipa::openapi::OpenApi> {
    Answer(document())
}

#[cfg(test)]
mod tests {
    /// Set to write the file anew: `KEYWHEEL_WRITE_OPENAPI=1 cargo test -p keywheel --lib openapi`.
    const WRITE: &str = "KEYWHEEL_WRITE_OPENAPI";

    #[test]
    fn the_document_that_is_checked_in_is_the_one_that_is_served() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
        let served = serde_json::to_string_pretty(&super::document()).unwrap() + "\n";
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, &served).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(
            kept == served,
            "openapi.json differs from the code; write it anew with {WRITE}=1"
        );
    }
}
