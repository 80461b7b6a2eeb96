//! Entries by their own name, and by that of the user they are of: an account with thousands of users is not searched
//! for each call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is of a user.
pub(super) trait OfUser {
    /// The unique id of the user, which never changes.
    fn user_id(&self) -> &str;
}

/// A map with a second way in. On disk it is the map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Grouped<T> {
    entries: BTreeMap<String, T>,
    names: BTreeMap<String, BTreeSet<String>>,
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }
}

impl<T: OfUser> Grouped<T> {
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.entries.get_mut(name)
    }

    /// All, by name.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// Those of a user, by name.
    pub(super) fn of_user(&self, user_id: &str) -> impl Iterator<Item = &T> {
        let names = self.names.get(user_id).into_iter().flatten();
        names.filter_map(|name| self.entries.get(name))
    }

    pub(super) fn insert(&mut self, name: String, entry: T) {
        let names = self.names.entry(entry.user_id().to_owned()).or_default();
        names.insert(name.clone());
        self.entries.insert(name, entry);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let Some(entry) = self.entries.remove(name) else {
            return;
        };
        if let Some(names) = self.names.get_mut(entry.user_id()) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(entry.user_id());
            }
        }
    }
}

impl<T: OfUser> From<BTreeMap<String, T>> for Grouped<T> {
    fn from(entries: BTreeMap<String, T>) -> Self {
        let mut grouped = Self::default();
        for (name, entry) in entries {
            grouped.insert(name, entry);
        }
        grouped
    }
}

impl<T: Serialize> Serialize for Grouped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl<'de, T: OfUser + Deserialize<'de>> Deserialize<'de> for Grouped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}
