//! Links that somebody is handed: to set an instance up, and to choose a password. What counts in them stands behind a
//! `#`, which browsers send to nobody.

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use keywheel_core::clock::{Millis, Moment};
use secrecy::{ExposeSecret, SecretString};

use super::token::TokenSigner;
use crate::ambient::Entropy;

/// Random bytes of a link: nobody guesses one.
const TOKEN_BYTES: usize = 32;
/// How long an invitation is good: over a week that somebody is away for.
pub const INVITATION_LASTS: Millis = Millis::DAY.times(7);
/// How long a link to a new password is good: who asks for it is waiting.
pub const RESET_LASTS: Millis = Millis::DAY;
/// How long the link to set up is good. Each start of the server prints a new one.
pub const SETUP_LASTS: Millis = Millis::DAY;
/// What the proof in a link to set up is for.
const SETUP: &str = "set-up link";
/// Bytes of a moment in it.
const MOMENT_BYTES: usize = 8;

/// A one-time link.
pub struct Link {
    /// What it is redeemed by; shown once and kept nowhere.
    pub token: SecretString,
    /// What is kept of it.
    pub hash: String,
    /// When it ends.
    pub expires_at: Moment,
}

impl Link {
    /// A new one.
    pub fn make(entropy: &dyn Entropy, expires_at: Moment) -> Self {
        let token = SecretString::from(BASE64.encode(entropy.bytes::<TOKEN_BYTES>()));
        Self {
            hash: hash(&token),
            token,
            expires_at,
        }
    }

    /// Where it leads on any server.
    pub fn path(&self) -> SecretString {
        format!("/join#{}", self.token.expose_secret()).into()
    }
}

/// What is kept of a token: it is random, so a slow hash would add nothing.
pub fn hash(token: &SecretString) -> String {
    hex::encode(digest::digest(&digest::SHA256, token.expose_secret().as_bytes()))
}

/// The token of a link to set the instance up. It is made of the key that the nodes of a database have in common, so that
/// each of them takes it and none has to keep it.
pub fn setup_token(signer: &TokenSigner, expires_at: Moment) -> SecretString {
    let moment = expires_at.as_millis().to_be_bytes();
    BASE64
        .encode([moment.as_slice(), &signer.prove(SETUP, &moment)].concat())
        .into()
}

/// Whether a token was made by [`setup_token`] and has not ended.
pub fn is_setup_token(signer: &TokenSigner, token: &SecretString, now: Moment) -> bool {
    let Ok(bytes) = BASE64.decode(token.expose_secret()) else {
        return false;
    };
    let Some((moment, proof)) = bytes.split_first_chunk::<MOMENT_BYTES>() else {
        return false;
    };
    let is_ours = constant_time::verify_slices_are_equal(proof, &signer.prove(SETUP, moment)).is_ok();
    is_ours && now < Moment::from_millis(i64::from_be_bytes(*moment))
}
