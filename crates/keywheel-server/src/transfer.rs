//! How an empty database is filled, from a backup or from another database, and what proves that it is whole.

use std::sync::Arc;

use anyhow::Context;
use keywheel_envelope::Keyring;
use keywheel_store::Store;
use keywheel_store::audit::ChainHash;
use keywheel_store::dump::Rows;

use crate::audit::chain::ChainKey;
use crate::audit::verify::{Proven, verify};
use crate::root_keys::check_database;
use crate::vault::Vault;

/// What was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// Rows of all tables.
    pub rows: u64,
    /// The audit log, whose chain holds.
    pub audit: Proven,
}

/// Fills the empty database of a URL with what `next` gives, which a database of this schema was read as. Before any
/// of it is there for others, the audit log is proven, and that the root keys open it; or nothing is left of it.
pub async fn fill(
    url: &str,
    schema: i64,
    keyring: &Arc<Keyring>,
    mut next: impl AsyncFnMut() -> anyhow::Result<Option<Rows>>,
) -> anyhow::Result<Loaded> {
    let mut load = keywheel_store::open_to_load(url, schema)
        .await
        .context("cannot open the database that is to be filled")?;
    let mut rows = 0;
    while let Some(some) = next().await? {
        load.add(&some).await.context("cannot write what was read")?;
        rows += some.len();
    }
    check_database(keyring, load.store()).await?;
    let audit = prove(load.store(), Arc::clone(keyring), None).await?;
    load.commit()
        .await
        .context("cannot complete the database that was filled")?;
    // What was of an older version is brought up to date, as at a start.
    let store = keywheel_store::open(url)
        .await
        .context("the database is filled, but cannot be opened; start the server")?;
    if let Err(error) = store.analyze().await {
        tracing::warn!(%error, "the database plans by what it held before, until it looks by itself");
    }
    Ok(Loaded { rows, audit })
}

/// Proves the audit log of a database. Nothing is written.
pub async fn prove(
    store: &dyn Store,
    keyring: Arc<Keyring>,
    expected: Option<ChainHash>,
) -> anyhow::Result<Proven> {
    let key = ChainKey::find(store, &Vault::new(keyring))
        .await
        .context("the key of the audit log cannot be opened")?;
    verify(store, key.as_ref(), expected)
        .await
        .context("the audit log does not hold")
}
