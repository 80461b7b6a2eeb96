//! Who may act on a user: one lease at a time, and a fence that grows with each claim.
//!
//! AWS knows no fence, so the holder also checks, directly before each changing call, that the answer will
//! be in before its lease can end (`docs/engine.md`, lease and fence).

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// A number that grows with each claim of a user. Every write carries it and fails if a later claim exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(i64);

impl Fence {
    /// A fence read from storage.
    pub const fn from_stored(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A held lease, by the holder's own monotonic clock, which no jump of the wall clock moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The fence of the claim.
    pub fence: Fence,
    /// When the claim or its last renewal was *asked for*, in monotonic milliseconds of this process.
    pub renewed_at: Millis,
    /// How long it lasts from there.
    pub length: Millis,
}

impl Lease {
    /// Whether a changing call that is answered or abandoned within `call_timeout` ends before the lease does.
    pub fn may_send(&self, monotonic_now: Millis, call_timeout: Millis) -> bool {
        (monotonic_now + call_timeout).get() < (self.renewed_at + self.length).get()
    }

    /// The same lease after a renewal that was asked for at the given moment.
    #[must_use]
    pub fn renewed(self, monotonic_now: Millis) -> Self {
        Self {
            renewed_at: monotonic_now,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease {
            fence: Fence::from_stored(1),
            renewed_at: Millis::new(1_000),
            length: Millis::new(60_000),
        }
    }

    #[test]
    fn a_call_is_sent_only_if_it_ends_before_the_lease() {
        let timeout = Millis::new(10_000);
        assert!(lease().may_send(Millis::new(50_999), timeout));
        assert!(!lease().may_send(Millis::new(51_000), timeout));
    }

    #[test]
    fn a_renewal_moves_the_end() {
        let renewed = lease().renewed(Millis::new(30_000));
        assert!(renewed.may_send(Millis::new(51_000), Millis::new(10_000)));
    }

    #[test]
    fn a_fence_is_its_number() {
        assert_eq!(Fence::from_stored(7).get(), 7);
        assert!(Fence::from_stored(7) < Fence::from_stored(8));
    }
}
