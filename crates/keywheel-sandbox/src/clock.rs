//! The sandbox's own time: real, shifted, or driven by a test. It is what `Date`, `CreateDate` and the check of
//! `X-Amz-Date` go by, so that a client can be shown an AWS whose clock differs from its own.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment moved by `millis`, which may be negative; stops at the ends of the scale.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// In UTC, by the directives of `strftime`; whole seconds since the epoch if it is no date.
    pub fn format(self, directives: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| self.0.div_euclid(1_000).to_string(),
            |at| at.strftime(directives).to_string(),
        )
    }

    /// As AWS writes dates in XML: whole seconds, `2026-11-21T09:30:00Z`.
    pub fn iso(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }
}

/// What the clock shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    /// The time of the system, shifted.
    Real { offset_ms: i64 },
    /// Stands still until it is moved.
    Fixed(Moment),
}

/// A clock that is shared: who holds a copy sees and moves the same hands.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mutex<Reading>>);

impl Clock {
    /// The time of the system.
    pub fn real() -> Self {
        Self(Arc::new(Mutex::new(Reading::Real { offset_ms: 0 })))
    }

    /// A clock that stands at `at` until it is moved.
    pub fn fixed(at: Moment) -> Self {
        Self(Arc::new(Mutex::new(Reading::Fixed(at))))
    }

    /// What it shows.
    pub fn now(&self) -> Moment {
        match *self.reading() {
            Reading::Real { offset_ms } => system_time().plus(offset_ms),
            Reading::Fixed(at) => at,
        }
    }

    /// Moves it by `millis`, forwards or backwards.
    pub fn advance(&self, millis: i64) {
        let mut reading = self.reading();
        *reading = match *reading {
            Reading::Real { offset_ms } => Reading::Real {
                offset_ms: offset_ms.saturating_add(millis),
            },
            Reading::Fixed(at) => Reading::Fixed(at.plus(millis)),
        };
    }

    /// Lets it follow the system at a distance.
    pub fn follow_system(&self, offset_ms: i64) {
        *self.reading() = Reading::Real { offset_ms };
    }

    /// Stops it at `at`.
    pub fn stop_at(&self, at: Moment) {
        *self.reading() = Reading::Fixed(at);
    }

    fn reading(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the sandbox that asks the system"
)]
fn system_time() -> Moment {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment(since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
