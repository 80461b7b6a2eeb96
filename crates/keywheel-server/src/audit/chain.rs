//! The key of the chain, and the hashes.
//!
//! The hash of a record covers its number, its text and the hash before it, and is made with a key that is sealed
//! under the root key. So who has the database alone can neither change a record nor make one.

use aws_lc_rs::hmac;
use keywheel_store::audit::{ChainHash, ChainPoint};
use keywheel_store::setup::setting;
use keywheel_store::{Store, StoreError};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::ambient::Entropy;
use crate::http::errors::ApiError;
use crate::vault::Vault;

/// As long as the hash (RFC 2104, section 3).
const KEY_BYTES: usize = 32;
/// What a hash is for; the same bytes of another kind have another hash.
const RECORD: &[u8] = b"keywheel audit record";
const START: &[u8] = b"keywheel audit start";

/// Makes and checks the hashes of the chain.
#[derive(Debug)]
pub struct ChainKey(hmac::Key);

impl ChainKey {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The key of the instance, made if there is none. Of several servers that make one, the first wins.
    pub async fn of_instance(
        store: &dyn Store,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self, ApiError> {
        let fresh = Zeroizing::new(entropy.bytes::<KEY_BYTES>());
        let sealed = vault.seal_audit_key(fresh.as_slice())?;
        let kept = store.keep_setting(setting::AUDIT_KEY, &sealed).await?;
        Ok(Self::new(vault.open_audit_key(&kept)?.expose_secret()))
    }

    /// The key of the instance, if it has one.
    pub async fn find(store: &dyn Store, vault: &Vault) -> anyhow::Result<Option<Self>> {
        let sealed: Result<_, StoreError> = store.setting(setting::AUDIT_KEY).await;
        let Some(sealed) = sealed? else {
            return Ok(None);
        };
        Ok(Some(Self::new(vault.open_audit_key(&sealed)?.expose_secret())))
    }

    /// The hash of a record.
    pub fn link(&self, seq: i64, previous: &ChainHash, body: &str) -> ChainHash {
        self.hash([RECORD, &seq.to_be_bytes(), previous, body.as_bytes()])
    }

    /// What proves that a place was made the start of the chain by the server.
    pub fn prove_start(&self, start: ChainPoint) -> ChainHash {
        self.hash([START, &start.seq.to_be_bytes(), &start.hash, &[]])
    }

    /// Each part but the last has a length of its own, so that no two lists of parts are the same bytes.
    fn hash(&self, parts: [&[u8]; 4]) -> ChainHash {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut hash = ChainHash::default();
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}
