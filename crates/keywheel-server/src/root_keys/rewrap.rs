//! How everything that is stored comes under a new root key, while it is used.
//!
//! Only the wrapping of each value is made anew; what is done is passed over, so that it may be given up at any
//! time. What somebody writes meanwhile under the old root key is found by the next pass. The value that tells which
//! root key a server needs comes last: until then, nobody can do without the old one.

use std::collections::BTreeMap;
use std::sync::Arc;

use keywheel_core::clock::Millis;
use keywheel_envelope::{KeyId, Keyring, Sealed};
use keywheel_store::sealed::{RewrapCursor, SealedCount};
use keywheel_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ambient::Clock;
use crate::app::App;

/// Passes. The second finds what was written during the first, and one is for the check value; what the last ones
/// find, somebody keeps writing.
const PASSES_MAX: u32 = 4;
/// Between two steps of a server, each of which reads a thousand values at most: requests go first.
const SERVER_RESTS: Millis = Millis::new(50);
/// How often a server says how far it is.
const TOLD_EACH: u64 = 100_000;

/// How long to wait after each step, and by which clock.
pub type Rest<'a> = Option<(&'a dyn Clock, Millis)>;

/// Why not everything is under the current root key.
#[derive(Debug, thiserror::Error)]
pub enum RewrapFault {
    /// Values are sealed under a root key that is not there.
    #[error(
        "{values} values of {table}.{column} are sealed under root key {root_key}, which was not given: \
         name its file in more_root_key_files"
    )]
    NotGiven {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// How many.
        values: u64,
        /// The root key.
        root_key: KeyId,
    },
    /// Somebody seals under another root key all the time.
    #[error(
        "{0} values are still sealed under another root key after {PASSES_MAX} passes: a server seals under it. \
         Give every server the new one as its root_key_file, and run this again"
    )]
    Written(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many values are sealed under each root key.
pub fn by_root_key(counts: &[SealedCount]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for count in counts {
        *totals
            .entry(KeyId::from_bytes(count.root_key).to_string())
            .or_default() += count.values;
    }
    totals
}

/// How many values are not under the current root key.
pub fn left(counts: &[SealedCount], keyring: &Keyring) -> u64 {
    under_others(counts, keyring)
        .iter()
        .map(|count| count.values)
        .sum()
}

fn under_others<'a>(counts: &'a [SealedCount], keyring: &Keyring) -> Vec<&'a SealedCount> {
    let current = *keyring.current_id().as_bytes();
    counts.iter().filter(|count| count.root_key != current).collect()
}

/// Brings everything under the current root key; how many values were not. After each step, `each` is told how many
/// values it wrote, and others get their turn.
pub async fn rewrap(
    store: &dyn Store,
    keyring: &Keyring,
    rest: Rest<'_>,
    mut each: impl FnMut(u64) + Send,
) -> Result<u64, RewrapFault> {
    let mut written = 0;
    for _ in 0..PASSES_MAX {
        let counts = store.sealed_counts().await?;
        require_given(&counts, keyring)?;
        let others = under_others(&counts, keyring);
        if others.is_empty() {
            return Ok(written);
        }
        let only_check = others.iter().all(|count| count.is_check_value);
        let cursor = if only_check {
            RewrapCursor::check_value()
        } else {
            RewrapCursor::values()
        };
        written += pass(store, keyring, cursor, rest, &mut each).await?;
    }
    let counts = store.sealed_counts().await?;
    match left(&counts, keyring) {
        0 => Ok(written),
        left => Err(RewrapFault::Written(left)),
    }
}

async fn pass(
    store: &dyn Store,
    keyring: &Keyring,
    mut cursor: RewrapCursor,
    rest: Rest<'_>,
    each: &mut (impl FnMut(u64) + Send),
) -> Result<u64, RewrapFault> {
    let anew = |bytes: &[u8]| {
        let sealed = Sealed::from_bytes(bytes.to_vec()).ok()?;
        let rewrapped = keyring.rewrap(&sealed).ok()?;
        Some(rewrapped.unwrap_or(sealed).into_bytes())
    };
    let mut written = 0;
    while !cursor.is_over() {
        let some = store
            .rewrap_some(&mut cursor, *keyring.current_id().as_bytes(), &anew)
            .await?;
        written += some;
        each(some);
        if let Some((clock, length)) = rest {
            clock.sleep(length).await;
        }
    }
    Ok(written)
}

fn require_given(counts: &[SealedCount], keyring: &Keyring) -> Result<(), RewrapFault> {
    let lacking = counts
        .iter()
        .find(|count| !keyring.ids().any(|id| *id.as_bytes() == count.root_key));
    match lacking {
        None => Ok(()),
        Some(count) => Err(RewrapFault::NotGiven {
            table: count.table,
            column: count.column,
            values: count.values,
            root_key: KeyId::from_bytes(count.root_key),
        }),
    }
}

/// The work of a server that has its database alone, where nobody else can do it.
pub struct Rewrapping {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Rewrapping {
    /// Gives it up until the next start.
    pub async fn shut_down(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Begins to bring everything under the current root key, if there are further ones and nobody else writes.
pub fn start(app: &App) -> Rewrapping {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let keyring = Arc::clone(app.vault().keyring());
    if keyring.ids().count() > 1 && app.store().revision().is_some() {
        let (app, stop) = (app.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => tracing::info!("the new root key: goes on at the next start"),
                () = in_background(&app, &keyring) => {}
            }
        });
    }
    Rewrapping { stop, tasks }
}

async fn in_background(app: &App, keyring: &Keyring) {
    let mut written = 0;
    let done = rewrap(app.store(), keyring, Some((app.clock(), SERVER_RESTS)), |some| {
        if written == 0 && some > 0 {
            tracing::info!(root_key = %keyring.current_id(), "the new root key: stored values come under it");
        }
        if (written + some) / TOLD_EACH > written / TOLD_EACH {
            tracing::info!(
                values = written + some,
                "the new root key: values are under it so far"
            );
        }
        written += some;
    });
    match done.await {
        Ok(0) => {}
        Ok(values) => tracing::info!(
            values,
            root_key = %keyring.current_id(),
            "the new root key: everything is under it; the old one may be taken out of more_root_key_files, and \
             has to be kept for as long as backups from before are"
        ),
        Err(fault) => tracing::error!(%fault, "the new root key: not everything is under it"),
    }
}
