//! All sealed values under another root key.

use std::collections::BTreeMap;

use keywheel_store::dump::Cell;
use keywheel_store::sealed::{KEY_ID_AT, RewrapCursor, RootKeyId, WRAPPING_BYTES};
use keywheel_store::{Store, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::everything::everything;
use crate::world::{ROOT_KEY, sealed};

const NEW: RootKeyId = *b"new root";

/// Stands in for the envelope: another wrapping around the same value.
fn rewrap(sealed: &[u8]) -> Option<Vec<u8>> {
    let mut anew = sealed.to_vec();
    anew.get_mut(..WRAPPING_BYTES)?.fill(b'n');
    anew[KEY_ID_AT..][..NEW.len()].copy_from_slice(&NEW);
    Some(anew)
}

/// One pass over everything; how many values it wrote.
async fn pass(store: &dyn Store) -> u64 {
    let mut written = 0;
    for mut cursor in [RewrapCursor::values(), RewrapCursor::check_value()] {
        while !cursor.is_over() {
            written += store.rewrap_some(&mut cursor, NEW, &rewrap).await.unwrap();
        }
    }
    written
}

async fn under(store: &dyn Store, root_key: RootKeyId) -> u64 {
    let counts = store.sealed_counts().await.unwrap();
    counts
        .iter()
        .filter(|count| count.root_key == root_key)
        .map(|count| count.values)
        .sum()
}

/// All values of bytes, without their wrapping if they have one.
async fn values(url: &str) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut values: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut dump = keywheel_store::open_to_dump(url, false).await.unwrap();
    while let Some(rows) = dump.next().await.unwrap() {
        for cell in rows.rows.into_iter().flatten() {
            if let Cell::Bytes(bytes) = cell {
                let bytes = bytes
                    .get(WRAPPING_BYTES..)
                    .map_or_else(|| bytes.clone(), <[u8]>::to_vec);
                values.entry(rows.table.clone()).or_default().push(bytes);
            }
        }
    }
    values
}

pub async fn every_sealed_value_comes_under_the_new_root_key_and_stays_what_it_is(url: &str) {
    let store = keywheel_store::open(url).await.unwrap();
    everything(&store).await;
    let (before, revision) = (values(url).await, store.revision());
    let all = under(store.as_ref(), ROOT_KEY).await;
    assert!(all > 300, "{all}");
    assert_eq!(pass(store.as_ref()).await, all);
    assert_eq!(
        (
            under(store.as_ref(), ROOT_KEY).await,
            under(store.as_ref(), NEW).await
        ),
        (0, all)
    );
    assert_eq!(values(url).await, before);
    assert_eq!(store.revision(), revision, "what is kept in memory is still good");
    assert_eq!(pass(store.as_ref()).await, 0, "what is done is passed over");
}

pub async fn a_pass_that_was_given_up_is_taken_up_again(url: &str) {
    let store = keywheel_store::open(url).await.unwrap();
    everything(&store).await;
    let all = under(store.as_ref(), ROOT_KEY).await;
    let first = store
        .rewrap_some(&mut RewrapCursor::values(), NEW, &rewrap)
        .await
        .unwrap();
    assert!(first > 0 && first < all, "{first} of {all}");
    assert_eq!(under(store.as_ref(), NEW).await, first);
    assert_eq!(pass(store.as_ref()).await, all - first);
    assert_eq!(under(store.as_ref(), ROOT_KEY).await, 0);
}

/// PostgreSQL has several writers; of SQLite's one, nothing can be meanwhile.
pub async fn a_value_that_is_written_meanwhile_is_not_lost(url: &str) {
    let store = keywheel_store::open(url).await.unwrap();
    let world = everything(&store).await;
    if url.starts_with("sqlite") {
        return;
    }
    let mut other = PgConnection::connect(url).await.unwrap();
    let mut writing = other.begin().await.unwrap();
    let sql = format!(
        "UPDATE connections SET credentials = $1 WHERE id = '{}'",
        world.connection
    );
    let update = sqlx::query(AssertSqlSafe(sql)).bind(sealed("written meanwhile"));
    update.execute(&mut *writing).await.unwrap();
    let all = under(store.as_ref(), ROOT_KEY).await;
    assert_eq!(
        pass(store.as_ref()).await,
        all - 1,
        "it is passed over, and nobody waits"
    );
    writing.commit().await.unwrap();
    assert_eq!(pass(store.as_ref()).await, 1);
    let kept = store.connection(world.connection).await.unwrap().unwrap();
    assert_eq!(kept.credentials.sealed[WRAPPING_BYTES..], *b"written meanwhile");
    assert_eq!(kept.credentials.sealed[KEY_ID_AT..][..NEW.len()], NEW);
}

pub async fn a_value_that_cannot_be_wrapped_anew_stops_the_pass(url: &str) {
    let store = keywheel_store::open(url).await.unwrap();
    everything(&store).await;
    let all = under(store.as_ref(), ROOT_KEY).await;
    let refused = store
        .rewrap_some(&mut RewrapCursor::values(), NEW, &|_| None)
        .await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(under(store.as_ref(), ROOT_KEY).await, all);
}
