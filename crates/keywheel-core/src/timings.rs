//! The waits and bounds of the engine, with their floors.
//!
//! The floors are what AWS demands: IAM answers late and not monotonically, and a signed request is good for
//! five minutes (AWS: IAM User Guide, eventual consistency; request signing).

use crate::clock::Millis;

/// Waits and bounds of the engine. Every one of them is a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timings {
    /// One attempt of one call to AWS.
    pub call_timeout: Millis,
    /// How long a claim lasts without renewal.
    pub lease: Millis,
    /// How long after its deadline a call may still take effect at AWS.
    pub late_landing: Millis,
    /// The most that AWS's clock and ours may differ.
    pub clock_skew_max: Millis,
    /// Two lists this far apart that agree are a settled list.
    pub list_gap: Millis,
    /// Successful checks of a new key, in a row, before it is published.
    pub verify_successes: u32,
    /// The distance between two checks.
    pub verify_spacing: Millis,
    /// The wait between the last check and the publish.
    pub verify_settle: Millis,
    /// When an attempt to verify gives up.
    pub verify_deadline: Millis,
    /// How often `SignatureDoesNotMatch` is believed to be passing.
    pub signature_tries: u32,
    /// The first retry of a failed scheduled run comes within this time.
    pub retry_first: Millis,
    /// No retry comes later than this after the failure.
    pub retry_cap: Millis,
    /// How long a key that was never published is kept for a next attempt.
    pub pending_max: Millis,
    /// A use of a displaced key within this time is recent. AWS shows a use up to four hours late.
    pub last_used_quiet: Millis,
    /// How long AWS must know of no use of a suspect before the owner's standing promise makes it Keywheel's;
    /// then it is inactive for as long again before it is deleted.
    pub suspect_quiet: Millis,
    /// The length of a day in the rotation interval; 24 hours outside of trials.
    pub day_length: Millis,
}

/// A timing below what AWS demands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimingFault {
    /// The setting's name.
    pub setting: &'static str,
    /// What was expected.
    pub expected: String,
}

impl Timings {
    /// The defaults; every one of them is within the floors.
    pub const DEFAULT: Self = Self {
        call_timeout: Millis::from_secs(10),
        lease: Millis::from_secs(60),
        late_landing: Millis::from_secs(330),
        clock_skew_max: Millis::from_secs(30),
        list_gap: Millis::from_secs(10),
        verify_successes: 3,
        verify_spacing: Millis::from_secs(2),
        verify_settle: Millis::from_secs(10),
        verify_deadline: Millis::from_secs(120),
        signature_tries: 3,
        retry_first: Millis::from_secs(60),
        retry_cap: Millis::from_secs(3_600),
        pending_max: Millis::from_hours(24),
        last_used_quiet: Millis::from_hours(6),
        suspect_quiet: Millis::from_hours(24),
        day_length: Millis::DAY,
    };

    /// What lies below the floors. Empty for settings that are safe with real AWS.
    pub fn below_floors(&self) -> Vec<TimingFault> {
        let secs = Millis::from_secs;
        let mut faults = Vec::new();
        let mut at_least = |setting, value: Millis, floor: Millis| {
            if value < floor {
                faults.push(TimingFault {
                    setting,
                    expected: format!("at least {} ms", floor.get()),
                });
            }
        };
        at_least("call_timeout", self.call_timeout, secs(1));
        at_least("lease", self.lease, self.call_timeout.times(3));
        at_least("late_landing", self.late_landing, secs(300) + self.clock_skew_max);
        at_least("clock_skew_max", self.clock_skew_max, secs(1));
        at_least("list_gap", self.list_gap, secs(2));
        at_least("verify_spacing", self.verify_spacing, secs(2));
        at_least("verify_settle", self.verify_settle, secs(10));
        at_least("verify_deadline", self.verify_deadline, secs(30));
        at_least("retry_first", self.retry_first, secs(1));
        at_least("pending_max", self.pending_max, Millis::from_hours(1));
        at_least("last_used_quiet", self.last_used_quiet, Millis::from_hours(5));
        at_least("suspect_quiet", self.suspect_quiet, Millis::from_hours(24));
        at_least("day_length", self.day_length, Millis::DAY);
        if self.verify_successes < 3 {
            faults.push(TimingFault {
                setting: "verify_successes",
                expected: "at least 3".to_owned(),
            });
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_safe_with_real_aws() {
        assert_eq!(Timings::DEFAULT.below_floors(), []);
    }

    #[test]
    fn each_timing_below_its_floor_is_named() {
        let hasty = Timings {
            verify_successes: 2,
            late_landing: Millis::from_secs(329),
            day_length: Millis::from_secs(60),
            ..Timings::DEFAULT
        };
        let named: Vec<_> = hasty.below_floors().into_iter().map(|f| f.setting).collect();
        assert_eq!(named, ["late_landing", "day_length", "verify_successes"]);
    }

    #[test]
    fn the_floors_themselves_are_allowed() {
        let secs = Millis::from_secs;
        let floors = Timings {
            call_timeout: secs(1),
            lease: secs(3),
            late_landing: secs(301),
            clock_skew_max: secs(1),
            list_gap: secs(2),
            verify_successes: 3,
            verify_spacing: secs(2),
            verify_settle: secs(10),
            verify_deadline: secs(30),
            retry_first: secs(1),
            pending_max: Millis::from_hours(1),
            last_used_quiet: Millis::from_hours(5),
            suspect_quiet: Millis::from_hours(24),
            ..Timings::DEFAULT
        };
        assert_eq!(floors.below_floors(), []);
        let below = Timings {
            late_landing: secs(301) + Millis::new(-1),
            ..floors
        };
        assert_eq!(below.below_floors()[0].expected, "at least 301000 ms");
    }
}
