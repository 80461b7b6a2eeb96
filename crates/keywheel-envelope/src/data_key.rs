//! One fresh key per value.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use secrecy::{ExposeSecretMut as _, SecretSlice};
use zeroize::Zeroizing;

use crate::sealed::{Binding, KEY_BYTES, NONCE_BYTES, Parts, Sealed, TAG_BYTES, Value, Wrapping};
use crate::{Error, Plain};

/// A key that will seal one value, and is already wrapped by the root key.
///
/// Everything that can fail for want of something — random bytes, the root key — has happened when this value
/// exists. Make it *before* a call whose answer must be sealed: sealing then only computes.
pub struct DataKey {
    key: LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    wrapping: Wrapping,
}

impl DataKey {
    /// A new key; `wrap` encrypts it under the root key.
    pub(crate) fn generate(
        wrap: impl FnOnce(&[u8; KEY_BYTES]) -> Result<Wrapping, Error>,
    ) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice())?;
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce)?;
        Ok(Self {
            key: cipher(bytes.as_slice())?,
            nonce,
            wrapping: wrap(&bytes)?,
        })
    }

    /// Seals `plaintext` for the place `binding`. Takes the key along, so that it cannot seal a second value:
    /// that is what makes it safe to have drawn the nonce ahead.
    pub fn seal(self, binding: &Binding<'_>, plaintext: &[u8]) -> Result<Sealed, Error> {
        let mut ciphertext = vec![0; plaintext.len()];
        let mut tag = [0; TAG_BYTES];
        self.key.seal_out_of_place_scatter(
            Nonce::assume_unique_for_key(self.nonce),
            Aad::from(binding.associated_data()),
            plaintext,
            &mut ciphertext,
            &[],
            &mut tag,
        )?;
        let value = Value {
            nonce: &self.nonce,
            ciphertext: &ciphertext,
            tag: &tag,
        };
        Ok(Sealed::join(&self.wrapping, &value))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey([REDACTED], under {})", self.wrapping.key_id)
    }
}

/// Readies a data key for use. The library wipes its own copy when the cipher is dropped.
pub(crate) fn cipher(data_key: &[u8]) -> Result<LessSafeKey, Error> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, data_key)?))
}

/// Opens a value with its unwrapped data key. The plaintext is in wiped memory from its first byte on, also
/// when the tag turns out not to fit.
pub(crate) fn open_value(
    data_key: &LessSafeKey,
    binding: &Binding<'_>,
    parts: &Parts<'_>,
) -> Result<Plain, Error> {
    let value = &parts.value;
    let mut plain = SecretSlice::from(vec![0; value.ciphertext.len()]);
    data_key
        .open_separate_gather(
            Nonce::assume_unique_for_key(*value.nonce),
            Aad::from(binding.associated_data()),
            value.ciphertext,
            value.tag,
            plain.expose_secret_mut(),
        )
        .map_err(|_| Error::Tampered)?;
    Ok(plain)
}
