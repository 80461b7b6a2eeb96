//! How far a command is, for who waits for it.

use keywheel_core::clock::Millis;

use crate::ambient::{Clock, SystemClock};

/// Between two lines. What takes less says nothing.
const TOLD_EACH: Millis = Millis::from_secs(2);

/// Counts, and now and then says how much it was.
pub(super) struct Progress {
    clock: SystemClock,
    what: &'static str,
    count: u64,
    told_at: Millis,
}

impl Progress {
    /// Begins to count, in words such as "rows are written".
    pub(super) fn of(what: &'static str) -> Self {
        Self {
            clock: SystemClock::start(),
            what,
            count: 0,
            told_at: Millis::new(0),
        }
    }

    pub(super) fn add(&mut self, count: u64) {
        self.count += count;
        let now = self.clock.monotonic();
        if now.get() - self.told_at.get() >= TOLD_EACH.get() {
            self.told_at = now;
            self.tell();
        }
    }

    #[expect(clippy::print_stderr, reason = "for who waits, and no part of the answer")]
    fn tell(&self) {
        eprintln!("{} {} so far", self.count, self.what);
    }

    /// How long it has taken.
    pub(super) fn took(&self) -> String {
        let millis = self.clock.monotonic().get();
        format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
    }
}

/// A length in the unit that people read it in.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let fitting = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    fitting.map_or_else(
        || format!("{bytes} bytes"),
        |(name, unit)| format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10)),
    )
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn lengths_are_shown_in_the_unit_that_fits() {
        let shown = [0, 999, 1_000, 12_345, 2_500_000, 7_090_000_000].map(size);
        assert_eq!(
            shown,
            ["0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "2.5 MB", "7.0 GB"]
        );
    }
}
