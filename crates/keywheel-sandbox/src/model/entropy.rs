//! Ids and secrets from a seed: the same seed and the same calls give the same texts, so a failing run can be
//! repeated. The secrets are of the right form and guard nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Length of a secret access key (AWS: identifiers of IAM).
const SECRET_CHARS: usize = 40;
/// AWS names no length for session tokens; long enough that a client with a short buffer is found out.
const TOKEN_CHARS: usize = 356;

/// A stream of pseudo-random words (`SplitMix64`); its state is part of the account's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Entropy(u64);

impl Entropy {
    pub(super) const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn text<const N: usize>(&mut self, alphabet: &[u8; N], chars: usize) -> String {
        let size = N as u64;
        (0..chars)
            .filter_map(|_| usize::try_from(self.next() % size).ok())
            .filter_map(|index| alphabet.get(index).copied().map(char::from))
            .collect()
    }

    /// `AKIA…` or `ASIA…`: 20 characters.
    pub(super) fn access_key_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.text(ID_ALPHABET, 16))
    }

    /// `AIDA…` or `AROA…`: 21 characters.
    pub(super) fn principal_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.text(ID_ALPHABET, 17))
    }

    pub(super) fn secret(&mut self) -> Secret {
        Secret(self.text(SECRET_ALPHABET, SECRET_CHARS))
    }

    pub(super) fn session_token(&mut self) -> Secret {
        Secret(self.text(SECRET_ALPHABET, TOKEN_CHARS))
    }
}

/// A secret of the sandbox. It guards nothing, and is kept out of logs all the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself: to compute a signature, or to answer the call that made it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
