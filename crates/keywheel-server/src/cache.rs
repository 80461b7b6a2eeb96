//! Answers of the store, kept while nothing was written since they were read.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

/// Entries of one cache. At a few hundred bytes each this is a few MB; when it is full it starts anew, which
/// costs one database read per entry and keeps the bookkeeping out of the fast path.
const ENTRIES_MAX: usize = 8_192;

/// A bounded map whose entries are good for one revision of the store: the one that was current before the
/// read that filled them. Plain secrets are never put here, only their sealed bytes.
pub struct Cache<K, V>(RwLock<Kept<K, V>>);

struct Kept<K, V> {
    revision: u64,
    entries: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// Without entries.
    pub fn new() -> Self {
        Self(RwLock::new(Kept {
            revision: 0,
            entries: HashMap::new(),
        }))
    }

    /// The entry, if it was read at this revision. A store without revisions gets nothing.
    pub fn get(&self, key: &K, revision: Option<u64>) -> Option<V> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if Some(kept.revision) == revision {
            kept.entries.get(key).cloned()
        } else {
            None
        }
    }

    /// Keeps what was read after the store was at this revision.
    pub fn put(&self, key: K, value: V, revision: Option<u64>) {
        let Some(revision) = revision else { return };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if revision < kept.revision {
            return;
        }
        if revision > kept.revision || kept.entries.len() >= ENTRIES_MAX {
            kept.entries.clear();
            kept.revision = revision;
        }
        kept.entries.insert(key, value);
    }
}

impl<K: Hash + Eq, V: Clone> Default for Cache<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_gone_as_soon_as_anything_was_written() {
        let cache = Cache::new();
        cache.put("k", 1, Some(7));
        assert_eq!(cache.get(&"k", Some(7)), Some(1));
        assert_eq!(cache.get(&"k", Some(8)), None);
        assert_eq!(cache.get(&"k", None), None);
    }

    #[test]
    fn what_was_read_before_a_write_never_replaces_what_was_read_after_it() {
        let cache = Cache::new();
        cache.put("k", 2, Some(8));
        cache.put("k", 1, Some(7));
        assert_eq!(cache.get(&"k", Some(8)), Some(2));
        assert_eq!(cache.get(&"k", Some(7)), None);
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::new();
        for key in 0..=ENTRIES_MAX {
            cache.put(key, key, Some(1));
        }
        assert!(cache.0.read().unwrap().entries.len() <= ENTRIES_MAX);
        assert_eq!(cache.get(&ENTRIES_MAX, Some(1)), Some(ENTRIES_MAX));
    }
}
