//! The bytes at rest: a header, the wrapped data key, the encrypted value. The crate's front page has the table.

use std::fmt;

use crate::Error;
use crate::keyring::KeyId;

/// The only format so far.
pub(crate) const FORMAT: u8 = 1;
/// AES-256-GCM: key.
pub(crate) const KEY_BYTES: usize = 32;
/// AES-256-GCM: nonce.
pub(crate) const NONCE_BYTES: usize = 12;
/// AES-256-GCM: tag.
pub(crate) const TAG_BYTES: usize = 16;
/// A data key, encrypted, with its tag.
pub(crate) const WRAPPED_KEY_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// How much longer a sealed value is than the value.
pub const OVERHEAD_BYTES: usize =
    1 + KeyId::BYTES + NONCE_BYTES + WRAPPED_KEY_BYTES + NONCE_BYTES + TAG_BYTES;

/// A sealed value, as it is stored. Its header has been read; whether it opens, only the keyring can tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes bytes out of storage, and checks the length and the format.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let sealed = Self(bytes);
        sealed.parts()?;
        Ok(sealed)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Which root key opens this value.
    pub fn key_id(&self) -> Result<KeyId, Error> {
        Ok(self.parts()?.wrapping.key_id)
    }

    /// Joins the parts of a value that was just sealed.
    pub(crate) fn join(wrapping: &Wrapping, value: &Value<'_>) -> Self {
        let mut bytes = Vec::with_capacity(OVERHEAD_BYTES + value.ciphertext.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(wrapping.key_id.as_bytes());
        bytes.extend_from_slice(&wrapping.nonce);
        bytes.extend_from_slice(&wrapping.wrapped_key);
        bytes.extend_from_slice(value.nonce);
        bytes.extend_from_slice(value.ciphertext);
        bytes.extend_from_slice(value.tag);
        Self(bytes)
    }

    /// Takes the bytes apart. Every cut is checked; there is no index into the bytes anywhere.
    pub(crate) fn parts(&self) -> Result<Parts<'_>, Error> {
        let malformed = Error::Malformed { length: self.0.len() };
        let (&format, rest) = self.0.split_first().ok_or(Error::Malformed { length: 0 })?;
        if format != FORMAT {
            return Err(Error::UnknownFormat(format));
        }
        split_format_1(rest).ok_or(malformed)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A data key under a root key.
#[derive(Clone, Copy)]
pub(crate) struct Wrapping {
    pub(crate) key_id: KeyId,
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) wrapped_key: [u8; WRAPPED_KEY_BYTES],
}

/// A value under a data key.
pub(crate) struct Value<'a> {
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8; TAG_BYTES],
}

/// A sealed value, taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) wrapping: Wrapping,
    pub(crate) value: Value<'a>,
}

/// Cuts everything behind the format byte; nothing if it is too short.
fn split_format_1(bytes: &[u8]) -> Option<Parts<'_>> {
    let (key_id, bytes) = bytes.split_first_chunk()?;
    let (wrap_nonce, bytes) = bytes.split_first_chunk()?;
    let (wrapped_key, bytes) = bytes.split_first_chunk()?;
    let (nonce, bytes) = bytes.split_first_chunk()?;
    let (ciphertext, tag) = bytes.split_last_chunk()?;
    Some(Parts {
        wrapping: Wrapping {
            key_id: KeyId::from_bytes(*key_id),
            nonce: *wrap_nonce,
            wrapped_key: *wrapped_key,
        },
        value: Value {
            nonce,
            ciphertext,
            tag,
        },
    })
}

/// The one place where a value belongs. Sealed bytes that are copied into another row or field do not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding<'a> {
    /// Table, such as `secret_versions`.
    pub table: &'static str,
    /// Primary key of the row, as text.
    pub row: &'a str,
    /// Column, or the field within it.
    pub field: &'static str,
}

impl Binding<'_> {
    /// The associated data. Lengths stand before the texts, so that no two places give the same bytes.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        let mut bytes = b"keywheel value".to_vec();
        bytes.push(FORMAT);
        for part in [self.table, self.row, self.field] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_read_the_same_when_joined_are_told_apart() {
        let one = Binding {
            table: "ab",
            row: "c",
            field: "d",
        };
        let two = Binding {
            table: "a",
            row: "bc",
            field: "d",
        };
        let three = Binding {
            table: "ab",
            row: "",
            field: "cd",
        };
        assert_ne!(one.associated_data(), two.associated_data());
        assert_ne!(one.associated_data(), three.associated_data());
    }

    #[test]
    fn the_shortest_sealed_value_is_the_overhead_alone() {
        let bytes = |length: usize| {
            let mut bytes = vec![0; length];
            bytes[0] = FORMAT;
            bytes
        };
        assert!(Sealed::from_bytes(bytes(OVERHEAD_BYTES)).is_ok());
        let length = OVERHEAD_BYTES - 1;
        assert_eq!(
            Sealed::from_bytes(bytes(length)),
            Err(Error::Malformed { length })
        );
        assert_eq!(Sealed::from_bytes(vec![]), Err(Error::Malformed { length: 0 }));
    }

    #[test]
    fn a_later_format_is_named_and_not_guessed_at() {
        assert_eq!(Sealed::from_bytes(vec![2; 200]), Err(Error::UnknownFormat(2)));
    }
}
