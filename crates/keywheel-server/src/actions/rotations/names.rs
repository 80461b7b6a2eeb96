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

pub(super) fn refuse_taken(
    taken: impl IntoIterator<Item = SecretName>,
    path: &SecretPath,
) -> Result<(), ApiError> {
    let names: Vec<String> = taken.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() {
        return Ok(());
    }
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

/// For those who lose a race to a name.
pub(super) fn secret_taken(path: &SecretPath) -> ApiError {
    ApiError::bad_request(format!(
        "A secret with a mapped name already exists at the path \"{path}\""
    ))
}
