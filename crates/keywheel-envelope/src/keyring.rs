//! The root keys in use, and the only code that uses them.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, Prk, Salt};
use secrecy::SecretBox;
use zeroize::Zeroizing;

use crate::data_key::{self, DataKey};
use crate::root_key::RootKey;
use crate::sealed::{Binding, FORMAT, KEY_BYTES, Parts, Sealed, WRAPPED_KEY_BYTES, Wrapping};
use crate::{Error, open, seal};

/// A key derived by label: wiped when dropped, redacted in `Debug`.
pub type DerivedKey = SecretBox<[u8; KEY_BYTES]>;

/// Public name of a root key, derived from it one way: it tells keys apart and tells nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KeyId::BYTES]);

impl KeyId {
    /// Length. Two of a handful of keys share an id with odds below one to 10¹⁷.
    pub const BYTES: usize = 8;

    /// The id that stands in sealed bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// As it stands in sealed bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// One current root key, which seals, and old ones, which only open.
///
/// It keeps what is derived from the root keys, not the root keys themselves.
#[derive(Debug)]
pub struct Keyring {
    current: Member,
    old: Vec<Member>,
}

/// The constant that the check value seals, and its place.
const CHECK_TEXT: &[u8] = b"keywheel root key";
const CHECK_PLACE: Binding<'static> = Binding {
    table: "keywheel",
    row: "root key",
    field: "check value",
};

impl Keyring {
    /// Derives everything that the keys are used for, once. The root keys are not needed afterwards.
    pub fn new(current: &RootKey, old: &[RootKey]) -> Result<Self, Error> {
        Ok(Self {
            current: Member::new(current)?,
            old: old.iter().map(Member::new).collect::<Result<_, _>>()?,
        })
    }

    /// Which root key seals.
    pub fn current_id(&self) -> KeyId {
        self.current.id
    }

    /// Every root key that opens, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        std::iter::once(&self.current)
            .chain(&self.old)
            .map(|member| member.id)
    }

    /// A key of its own for another purpose, such as signing tokens. The same root key and label give the
    /// same key; keys of different labels tell nothing of each other.
    pub fn derive(&self, from: KeyId, label: &str) -> Result<DerivedKey, Error> {
        let derivation = &self.member(from)?.derivation;
        let bytes: Zeroizing<[u8; KEY_BYTES]> = expand(derivation, &[b"derived/", label.as_bytes()])?;
        Ok(DerivedKey::init_with_mut(|key| {
            key.copy_from_slice(bytes.as_slice());
        }))
    }

    /// A fresh data key under the current root key, for one value that is sealed later.
    pub fn data_key(&self) -> Result<DataKey, Error> {
        DataKey::generate(|bytes| self.current.wrap(bytes))
    }

    /// The same value under the current root key, or nothing when it already is. The value is not decrypted.
    pub fn rewrap(&self, sealed: &Sealed) -> Result<Option<Sealed>, Error> {
        let parts = sealed.parts()?;
        if parts.wrapping.key_id == self.current.id {
            return Ok(None);
        }
        let data_key = self.member(parts.wrapping.key_id)?.unwrap(&parts.wrapping)?;
        let wrapping = self.current.wrap(&data_key)?;
        Ok(Some(Sealed::join(&wrapping, &parts.value)))
    }

    /// A sealed constant to keep beside the data, made when the data is new.
    pub fn check_value(&self) -> Result<Sealed, Error> {
        seal(self, &CHECK_PLACE, CHECK_TEXT)
    }

    /// Whether this keyring opens data that was sealed beside `check_value`. Ask at start, before anything
    /// else, so that a wrong root key is one clear message and not a thousand unreadable values.
    pub fn matches(&self, check_value: &Sealed) -> Result<(), Error> {
        match open(self, &CHECK_PLACE, check_value) {
            Ok(_) => Ok(()),
            Err(Error::UnknownKey { key_id }) => Err(Error::WrongRootKey {
                sealed_under: key_id,
                given: self.current.id,
            }),
            Err(other) => Err(other),
        }
    }

    /// Readies the data key of a sealed value.
    pub(crate) fn unwrap_data_key(&self, parts: &Parts<'_>) -> Result<LessSafeKey, Error> {
        let bytes = self.member(parts.wrapping.key_id)?.unwrap(&parts.wrapping)?;
        data_key::cipher(bytes.as_slice())
    }

    fn member(&self, id: KeyId) -> Result<&Member, Error> {
        std::iter::once(&self.current)
            .chain(&self.old)
            .find(|member| member.id == id)
            .ok_or(Error::UnknownKey { key_id: id })
    }
}

/// What the keyring keeps of one root key.
struct Member {
    id: KeyId,
    wrapper: RandomizedNonceKey,
    derivation: Prk,
}

impl Member {
    fn new(root: &RootKey) -> Result<Self, Error> {
        let derivation = Salt::new(HKDF_SHA256, b"keywheel root key").extract(root.expose());
        let wrapping_key: Zeroizing<[u8; KEY_BYTES]> = expand(&derivation, &[b"wrap data keys"])?;
        Ok(Self {
            id: KeyId(*expand(&derivation, &[b"key id"])?),
            wrapper: RandomizedNonceKey::new(&AES_256_GCM, wrapping_key.as_slice())?,
            derivation,
        })
    }

    fn wrap(&self, data_key: &[u8; KEY_BYTES]) -> Result<Wrapping, Error> {
        let mut wrapped_key = Zeroizing::new([0; WRAPPED_KEY_BYTES]);
        let (plain, tag_place) = wrapped_key.split_at_mut(KEY_BYTES);
        plain.copy_from_slice(data_key);
        let (nonce, tag) = self
            .wrapper
            .seal_in_place_separate_tag(wrapping_data(self.id), plain)?;
        tag_place.copy_from_slice(tag.as_ref());
        Ok(Wrapping {
            key_id: self.id,
            nonce: *nonce.as_ref(),
            wrapped_key: *wrapped_key,
        })
    }

    fn unwrap(&self, wrapping: &Wrapping) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
        let mut bytes = Zeroizing::new(wrapping.wrapped_key);
        let nonce = Nonce::assume_unique_for_key(wrapping.nonce);
        let opened = self
            .wrapper
            .open_in_place(nonce, wrapping_data(self.id), bytes.as_mut_slice())
            .map_err(|_| Error::Tampered)?;
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        data_key.copy_from_slice(opened);
        Ok(data_key)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey([REDACTED], {})", self.id)
    }
}

/// What the tag of a wrapped data key also authenticates.
fn wrapping_data(id: KeyId) -> Aad<Vec<u8>> {
    Aad::from([b"keywheel data key".as_slice(), &[FORMAT], &id.0].concat())
}

/// HKDF-Expand to `N` bytes. The `info` texts are listed on the crate's front page; none begins another.
fn expand<const N: usize>(from: &Prk, info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, Error> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut bytes = Zeroizing::new([0; N]);
    from.expand(info, Length(N))?.fill(bytes.as_mut_slice())?;
    Ok(bytes)
}
