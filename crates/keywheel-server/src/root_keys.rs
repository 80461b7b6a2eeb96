//! The root keys that the settings name, and whether they are those of a database.

pub mod rewrap;

use std::path::Path;

use anyhow::Context;
use keywheel_envelope::{Keyring, RootKey, Sealed};
use keywheel_store::Store;
use keywheel_store::sealed::root_key_of;
use keywheel_store::setup::setting;
use secrecy::ExposeSecret;

use crate::config::{RootKeySource, RootKeys};

/// Reads the root keys, or makes the current one at the first start, and checks that they are those of this database.
pub async fn open_keyring(keys: &RootKeys, store: &dyn Store) -> anyhow::Result<Keyring> {
    let is_new = store.setting(setting::ROOT_KEY_CHECK).await?.is_none();
    let keyring = keyring(keys, is_new)?;
    let fresh = keyring.check_value()?.into_bytes();
    let kept = store.keep_setting(setting::ROOT_KEY_CHECK, &fresh).await?;
    if root_key_of(&kept).is_some_and(|id| id != *keyring.current_id().as_bytes()) {
        // A server that has its database alone brings everything under the key by itself.
        let wanted = if store.revision().is_some() {
            "it comes under this one while the server runs"
        } else {
            "run keywheel root-key rotate"
        };
        tracing::warn!(
            root_key = %keyring.current_id(),
            "what is stored is sealed under another root key than this server seals with: {wanted}; or this server \
             still has the root_key_file of before"
        );
    }
    check(&keyring, kept)?;
    Ok(keyring)
}

/// Reads the root keys of a database that has been used, and checks that they are its own. Nothing is written.
pub async fn find_keyring(keys: &RootKeys, store: &dyn Store) -> anyhow::Result<Keyring> {
    let kept = kept_check(store).await?;
    let keyring = read_keyring(keys)?;
    check(&keyring, kept)?;
    Ok(keyring)
}

/// Reads the root keys, whatever database they are for. None is made.
pub fn read_keyring(keys: &RootKeys) -> anyhow::Result<Keyring> {
    keyring(keys, false)
}

/// Checks that root keys are those of a database.
pub async fn check_database(keyring: &Keyring, store: &dyn Store) -> anyhow::Result<()> {
    check(keyring, kept_check(store).await?)
}

async fn kept_check(store: &dyn Store) -> anyhow::Result<Vec<u8>> {
    let kept = store.setting(setting::ROOT_KEY_CHECK).await?;
    kept.context("no server has used this database yet")
}

fn check(keyring: &Keyring, kept: Vec<u8>) -> anyhow::Result<()> {
    let hint =
        "the root keys that are given do not open this database; more_root_key_files may name further ones";
    keyring.matches(&Sealed::from_bytes(kept)?).context(hint)
}

fn keyring(keys: &RootKeys, is_new: bool) -> anyhow::Result<Keyring> {
    let current = root_key(&keys.current, is_new)?;
    let more = keys.more.iter().map(|path| RootKey::from_file(path));
    Ok(Keyring::new(&current, &more.collect::<Result<Vec<_>, _>>()?)?)
}

/// A root key is made for a new database only: for another one it could open nothing.
fn root_key(source: &RootKeySource, is_new: bool) -> anyhow::Result<RootKey> {
    match source {
        RootKeySource::Given(text) => Ok(RootKey::from_text(text.expose_secret())?),
        RootKeySource::Made(path) if is_new && !path.exists() => {
            let root_key = make(path)?;
            tracing::warn!(
                path = %path.display(),
                "a new root key was made: back this file up, apart from the database; without it no stored \
                 secret can be read"
            );
            Ok(root_key)
        }
        RootKeySource::File(path) | RootKeySource::Made(path) => {
            let hint = "the database was sealed under a root key: give that one";
            RootKey::from_file(path).map_err(|fault| {
                if is_new {
                    fault.into()
                } else {
                    anyhow::Error::new(fault).context(hint)
                }
            })
        }
    }
}

/// Makes a root key in a new file.
pub fn make(path: &Path) -> anyhow::Result<RootKey> {
    let root_key = RootKey::generate()?;
    root_key.write_new_file(path)?;
    Ok(root_key)
}
