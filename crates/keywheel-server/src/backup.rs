//! Backups: one state of a database, sealed under the root key, in one file.
//!
//! A file begins with `MAGIC`, a format and a random id. Then come frames: a kind, a length, and as many sealed
//! bytes. Each is sealed for its place: the id of the backup, its number and its kind. So nothing can be changed, left
//! out, moved, or taken from another backup; and as the last frame counts all rows, nothing can be cut off.
//! The front page of `keywheel-envelope` has the bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`writer`] | makes the file: whole and read back, or not at all |
//! | [`reader`] | reads it, and refuses what is not as it was written |
//! | `rows` | rows as bytes |

pub mod reader;
mod rows;
pub mod writer;

use std::collections::{BTreeMap, BTreeSet};

use keywheel_core::clock::Moment;
use keywheel_envelope::{Binding, KeyId};
use keywheel_store::dump::Rows;
use keywheel_store::sealed;
use serde::{Deserialize, Serialize};

/// What every backup begins with.
const MAGIC: &[u8; 15] = b"keywheel backup";
/// The only format so far.
const FORMAT: u8 = 1;
/// Length of the random id of a backup: two never have the same.
const ID_BYTES: usize = 16;

/// What a backup says of itself in front.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the schema that the rows are of.
    pub schema: i64,
    /// The version of the program that wrote it.
    pub program: String,
    /// The organization of the instance, by its id; none before the bootstrap.
    pub organization: Option<String>,
    /// Of which moment it is.
    pub taken_at: i64,
}

impl Header {
    /// Of which moment it is.
    pub fn moment(&self) -> Moment {
        Moment::from_millis(self.taken_at)
    }
}

/// What a backup says of itself at its end.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// How many rows there are of each table.
    pub rows: BTreeMap<String, u64>,
    /// The ids of the root keys that the values in it are sealed under.
    pub root_keys: BTreeSet<String>,
    /// The newest record of the audit log: its number and its hash.
    pub audit_head: (i64, String),
}

impl Contents {
    /// All rows.
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }

    /// Takes down what rows bring.
    fn count(&mut self, some: &Rows) {
        *self.rows.entry(some.table.clone()).or_default() += some.len();
        let root_keys = sealed::root_keys_of(some).map(|id| KeyId::from_bytes(id).to_string());
        self.root_keys.extend(root_keys);
    }
}

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Header,
    Rows,
    End,
}

impl Kind {
    const ALL: [(u8, &'static str, Self); 3] = [
        (b'h', "header", Self::Header),
        (b'r', "rows", Self::Rows),
        (b'e', "end", Self::End),
    ];

    fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, ..)| *known == byte)
            .map(|(_, _, kind)| kind)
    }

    const fn byte(self) -> u8 {
        Self::ALL[self as usize].0
    }

    const fn field(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Where the next frame belongs.
struct Place {
    backup: String,
    number: u64,
}

impl Place {
    fn first(id: [u8; ID_BYTES]) -> Self {
        Self {
            backup: hex::encode(id),
            number: 0,
        }
    }

    /// Calls with the place of this frame; the next one has another.
    fn take<T>(&mut self, kind: Kind, call: impl FnOnce(&Binding<'_>) -> T) -> T {
        let row = format!("{}/{}", self.backup, self.number);
        self.number += 1;
        call(&Binding {
            table: "backup",
            row: &row,
            field: kind.field(),
        })
    }
}

#[cfg(test)]
mod tests;
