//! Names that a rotation and its secrets may not have.

use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::rotation::SecretsMapping;

use crate::http::errors::ApiError;

pub(super) fn pair(
    access_key_id: SecretName,
    secret_access_key: SecretName,
) -> Result<SecretsMapping, ApiError> {
    let text = format!(
        "Secrets mapping keys must be unique. \"{access_key_id}, {secret_access_key}\" contains duplicate keys."
    );
    SecretsMapping::new(access_key_id, secret_access_key).ok_or_else(|| ApiError::bad_request(text))
}

pub(super) fn refuse_taken(taken: &[SecretName], path: &SecretPath) -> Result<(), ApiError> {
    if taken.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = taken.iter().map(SecretName::as_str).collect();
    Err(ApiError::bad_request(format!(
        "The following secrets already exist at the path \"{path}\": {}",
        names.join(", ")
    )))
}

pub(super) fn name_taken(name: &Slug, path: &SecretPath) -> ApiError {
    ApiError::bad_request(format!(
        "A Secret Rotation with the name \"{name}\" already exists at the secret path \"{path}\""
    ))
}
