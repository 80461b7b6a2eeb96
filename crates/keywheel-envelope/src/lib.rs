#![doc = include_str!("../README.md")]
//!
//! ## Map
//!
//! | module | what it holds |
//! |---|---|
//! | [`root_key`] | where the root key comes from and is kept |
//! | [`keyring`] | the current and the old root keys, and everything derived from them |
//! | [`data_key`] | one fresh key per value; can be made ahead of use |
//! | [`sealed`] | the bytes at rest and the place they are bound to |

pub mod data_key;
pub mod keyring;
pub mod root_key;
pub mod sealed;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

pub use data_key::DataKey;
pub use keyring::{DerivedKey, KeyId, Keyring};
pub use root_key::{RootKey, RootKeyError};
pub use sealed::{Binding, Sealed};

/// An opened value: wiped when dropped, redacted in `Debug`.
pub type Plain = SecretSlice<u8>;

/// Why something could not be sealed or opened. No variant holds a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value was sealed under a root key that the keyring does not have.
    #[error("sealed under root key {key_id}, which was not given")]
    UnknownKey {
        /// Id in the header of the value.
        key_id: KeyId,
    },
    /// The tag does not fit. Changed bytes, and right bytes in another row or field, look the same.
    #[error("the sealed value was changed, or belongs to another place")]
    Tampered,
    /// Too short to be a sealed value.
    #[error("{length} bytes are too few for a sealed value")]
    Malformed {
        /// Bytes that were there.
        length: usize,
    },
    /// Sealed by a later version of this program, or not sealed at all.
    #[error("unknown format {0} of a sealed value")]
    UnknownFormat(u8),
    /// The opened bytes are not UTF-8, where text was asked for.
    #[error("the opened value is not text")]
    NotText,
    /// The check value in the database belongs to another root key.
    #[error(
        "wrong root key: the data was sealed under root key {sealed_under}, but the one given is {given}; \
         start with the original root key"
    )]
    WrongRootKey {
        /// Id of the root key that the data needs.
        sealed_under: KeyId,
        /// Id of the current root key.
        given: KeyId,
    },
    /// The system gave no random bytes, or the cryptographic library refused to work.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}

/// Seals `plaintext` for the place `binding`, under a fresh data key.
///
/// Where sealing must not fail later, make the data key ahead: [`Keyring::data_key`].
pub fn seal(keyring: &Keyring, binding: &Binding<'_>, plaintext: &[u8]) -> Result<Sealed, Error> {
    keyring.data_key()?.seal(binding, plaintext)
}

/// Opens what was sealed for the place `binding`. Costs two AES-GCM decryptions and no key derivation.
pub fn open(keyring: &Keyring, binding: &Binding<'_>, sealed: &Sealed) -> Result<Plain, Error> {
    let parts = sealed.parts()?;
    let data_key = keyring.unwrap_data_key(&parts)?;
    data_key::open_value(&data_key, binding, &parts)
}

/// Opens a value that is UTF-8 text.
pub fn open_text(keyring: &Keyring, binding: &Binding<'_>, sealed: &Sealed) -> Result<SecretString, Error> {
    let plain = open(keyring, binding, sealed)?;
    let text = str::from_utf8(plain.expose_secret()).map_err(|_| Error::NotText)?;
    Ok(SecretString::from(text))
}
