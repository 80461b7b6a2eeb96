//! Passwords of people: argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::ambient::Entropy;

/// Memory of one hash in KiB, its passes and its lanes: the second recommended option of RFC 9106 with a
/// third of its memory (OWASP's first choice), so that a small machine survives a burst of logins.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of salt (RFC 9106 recommends 16).
const SALT_BYTES: usize = 16;
/// Longest password in characters: hashing without a bound is a way to burn the processor.
pub const PASSWORD_CHARS_MAX: i64 = 256;
/// Shortest password in characters (NIST SP 800-63B wants at least 8).
pub const PASSWORD_CHARS_MIN: i64 = 8;

/// The hash could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct PasswordError(String);

/// Hashes a password on a blocking thread; the text holds the settings and the salt (PHC form).
pub async fn hash(password: SecretString, entropy: &dyn Entropy) -> Result<String, PasswordError> {
    let salt = entropy.bytes::<SALT_BYTES>();
    let work = move || {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|fault| PasswordError(fault.to_string()))?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|fault| PasswordError(fault.to_string()))
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|fault| PasswordError(fault.to_string()))?
}
