//! Sealed values as bytes: under which root key each is, and how they come under another one.
//!
//! The store still knows nothing of cryptography. It knows where the id of the root key stands in sealed bytes, and
//! which part of them a new root key changes (`keywheel-envelope`, whose front page has the table).

use async_trait::async_trait;

use crate::dump::Rows;
use crate::error::Result;

/// The part of sealed bytes in front that a new root key changes.
pub const WRAPPING_BYTES: usize = 69;
/// Where in it the id of the root key begins.
pub const KEY_ID_AT: usize = 1;
/// Length of the id of a root key.
pub const KEY_ID_BYTES: usize = 8;

/// The id of a root key, as it stands in sealed bytes.
pub type RootKeyId = [u8; KEY_ID_BYTES];

/// Makes of sealed bytes the same under the current root key; none if they are not what they should be.
pub type Rewrap<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'a;

/// Under which root keys the sealed values of rows are.
pub fn root_keys_of(rows: &Rows) -> impl Iterator<Item = RootKeyId> {
    crate::sql::sealed_values(rows).filter_map(root_key_of)
}

/// Under which root key sealed bytes are; none if they are too few.
pub fn root_key_of(sealed: &[u8]) -> Option<RootKeyId> {
    let rest = sealed.get(..WRAPPING_BYTES)?.get(KEY_ID_AT..)?;
    rest.first_chunk().copied()
}

/// What of sealed bytes stays the same under every root key.
pub(crate) fn unwrapped(sealed: &[u8]) -> &[u8] {
    sealed.get(WRAPPING_BYTES..).unwrap_or(sealed)
}

/// How many values of a column are sealed under a root key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedCount {
    /// The table.
    pub table: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The root key.
    pub root_key: RootKeyId,
    /// How many.
    pub values: u64,
    /// Whether it is the value that tells which root key a server needs.
    pub is_check_value: bool,
}

/// How far a pass over all sealed values has come.
#[derive(Clone, Debug)]
pub struct RewrapCursor {
    pub(crate) of_check_value: bool,
    pub(crate) place: usize,
    pub(crate) after: Vec<String>,
    pub(crate) is_over: bool,
}

impl RewrapCursor {
    /// Over all values but the check value.
    pub fn values() -> Self {
        Self {
            of_check_value: false,
            place: 0,
            after: Vec::new(),
            is_over: false,
        }
    }

    /// Over the value that tells which root key a server needs: the last one, when no other is under the old one.
    pub fn check_value() -> Self {
        Self {
            of_check_value: true,
            ..Self::values()
        }
    }

    /// Whether every value has been looked at.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

/// All sealed values, whatever they are of.
#[async_trait]
pub trait SealedValues: Send + Sync {
    /// How many values there are of each column under each root key. Reads all of them.
    async fn sealed_counts(&self) -> Result<Vec<SealedCount>>;

    /// Brings the next few values under the current root key, those that are not; how many. Each is written as it
    /// was read: what somebody is writing meanwhile is passed over, and found by the next pass. No new
    /// [`crate::Store::revision`]: what was kept of before opens to the same.
    async fn rewrap_some(
        &self,
        cursor: &mut RewrapCursor,
        current: RootKeyId,
        rewrap: &Rewrap<'_>,
    ) -> Result<u64>;
}
