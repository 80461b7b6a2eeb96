//! How a rotation treats keys beyond what Infisical's contract knows: retirement, use, verification.

use serde::{Deserialize, Serialize};

use super::schedule::IntervalDays;
use crate::aws::Region;
use crate::clock::{Millis, Moment};
use crate::key::Terms;

/// A number of whole hours, at least one, at most a hundred years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hours(u32);

impl Hours {
    /// As many as the longest interval has.
    pub const MAX: u32 = IntervalDays::MAX * 24;
    /// The longest that use may hold a retirement back: a bound that nobody reaches is none.
    pub const HOLD_MAX: u32 = 30 * 24;
    /// The default of both waits of `grace`.
    pub const A_DAY: Self = Self(24);
    /// How long before a displaced key retires AWS is asked whether it is still used. A day is time to act; the hour more
    /// keeps the looks of tomorrow's rotations out of the hour in which today's run.
    pub const LOOK_AHEAD: Self = Self(25);
    /// How long recent use holds a retirement back, unless its owner says otherwise: a week.
    pub const A_WEEK: Self = Self(168);

    /// None outside of 1 to [`Hours::MAX`].
    pub fn new(hours: i64) -> Option<Self> {
        u32::try_from(hours)
            .ok()
            .filter(|h| (1..=Self::MAX).contains(h))
            .map(Self)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// As a length of time. An hour is a part of a day, and shrinks with it in a trial with short days.
    pub fn length(self, day_length: Millis) -> Millis {
        const HOURS_A_DAY: i64 = 24;
        Millis::new(day_length.times(i64::from(self.0)).get() / HOURS_A_DAY)
    }
}

/// When a displaced key is retired.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Retirement {
    /// When the next rotation needs its slot: two active keys at all other times.
    NextRotation,
    /// After a time of its own: one active key in the steady state (CIS AWS 1.13).
    Grace {
        /// How long the displaced key stays active.
        grace_hours: Hours,
        /// How long it is inactive before it is deleted.
        quarantine_hours: Hours,
    },
}

/// What recent use of a displaced key does to its retirement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum WhenStillUsed {
    /// People are told; the key is retired.
    Warn,
    /// People are told; the key is kept, but not longer than this.
    Hold {
        /// Counted from when it was to be retired first.
        hours_max: Hours,
    },
}

/// What the owner of a rotation may choose beyond the contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// When a displaced key is retired.
    pub retirement: Retirement,
    /// What recent use of it does.
    pub when_still_used: WhenStillUsed,
    /// Regions, besides the rotation's own, in which a new key has to work before it is published.
    pub verify_regions: Vec<Region>,
    /// Since when its owner promises that nobody else makes keys on this user.
    pub exclusive_since: Option<Moment>,
}

/// More regions to verify in would not fit into the deadline of a verification.
pub const VERIFY_REGIONS_MAX: usize = 8;

impl Default for Policy {
    fn default() -> Self {
        Self {
            retirement: Retirement::NextRotation,
            when_still_used: WhenStillUsed::Warn,
            verify_regions: Vec::new(),
            exclusive_since: None,
        }
    }
}

/// How rotations treat displaced keys whose request says nothing of it. Its owner is who administers the instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementDefault {
    /// When a displaced key is retired.
    pub retirement: Retirement,
    /// What recent use of it does.
    pub when_still_used: WhenStillUsed,
}

impl Default for RetirementDefault {
    /// What the contract knows.
    fn default() -> Self {
        let Policy {
            retirement,
            when_still_used,
            ..
        } = Policy::default();
        Self {
            retirement,
            when_still_used,
        }
    }
}

impl RetirementDefault {
    /// The policy of a new rotation whose owner says nothing.
    pub fn policy(self) -> Policy {
        Policy {
            retirement: self.retirement,
            when_still_used: self.when_still_used,
            ..Policy::default()
        }
    }
}

impl Retirement {
    /// The terms of a key that is displaced now.
    pub fn terms(self, now: Moment, day_length: Millis) -> Terms {
        match self {
            Self::NextRotation => Terms::NextRotation,
            Self::Grace {
                grace_hours,
                quarantine_hours,
            } => Terms::Grace {
                until: now + grace_hours.length(day_length),
                quarantine: quarantine_hours.length(day_length),
            },
        }
    }

    /// The same, or with the next rotation where the waits are too long for the interval.
    #[must_use]
    pub fn within(self, interval: IntervalDays) -> Self {
        if self.fits(interval) {
            self
        } else {
            Self::NextRotation
        }
    }

    /// Whether both waits end at least an hour before the next rotation needs the slot.
    pub fn fits(self, interval: IntervalDays) -> bool {
        const HOURS_A_DAY: u64 = 24;
        match self {
            Self::NextRotation => true,
            Self::Grace {
                grace_hours,
                quarantine_hours,
            } => {
                u64::from(grace_hours.get()) + u64::from(quarantine_hours.get())
                    < u64::from(interval.get()) * HOURS_A_DAY
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grace(grace: i64, quarantine: i64) -> Retirement {
        Retirement::Grace {
            grace_hours: Hours::new(grace).unwrap(),
            quarantine_hours: Hours::new(quarantine).unwrap(),
        }
    }

    #[test]
    fn a_default_that_does_not_fit_into_an_interval_leaves_keys_to_the_next_rotation() {
        let within = |days| grace(24, 24).within(IntervalDays::new(days).unwrap());
        assert_eq!(within(3), grace(24, 24));
        assert_eq!(within(2), Retirement::NextRotation);
        assert_eq!(RetirementDefault::default().policy(), Policy::default());
    }

    #[test]
    fn hours_are_whole_and_within_a_century() {
        for bad in [i64::MIN, -1, 0, i64::from(Hours::MAX) + 1, i64::MAX] {
            assert!(Hours::new(bad).is_none(), "{bad}");
        }
        assert_eq!(Hours::new(i64::from(Hours::MAX)).unwrap().get(), Hours::MAX);
        assert_eq!(Hours::HOLD_MAX, 720, "thirty days");
    }

    #[test]
    fn grace_and_quarantine_end_an_hour_before_the_next_rotation() {
        let two_days = IntervalDays::new(2).unwrap();
        assert!(grace(24, 23).fits(two_days));
        assert!(!grace(24, 24).fits(two_days));
        assert!(Retirement::NextRotation.fits(IntervalDays::new(1).unwrap()));
    }

    #[test]
    fn terms_are_fixed_from_the_moment_of_displacement() {
        let terms = grace(24, 48).terms(Moment::from_millis(5), Millis::DAY);
        let expected = Terms::Grace {
            until: Moment::from_millis(5) + Millis::DAY,
            quarantine: Millis::DAY.times(2),
        };
        assert_eq!(terms, expected);
        assert_eq!(
            Retirement::NextRotation.terms(Moment::from_millis(5), Millis::DAY),
            Terms::NextRotation
        );
    }

    #[test]
    fn hours_shrink_with_the_day_of_a_trial() {
        assert_eq!(Hours::A_DAY.length(Millis::from_secs(60)), Millis::from_secs(60));
        assert_eq!(
            Hours::new(6).unwrap().length(Millis::from_secs(60)),
            Millis::from_secs(15)
        );
    }

    #[test]
    fn a_policy_reads_back_from_its_stored_form() {
        let policy = Policy {
            retirement: grace(24, 48),
            when_still_used: WhenStillUsed::Hold {
                hours_max: Hours::A_WEEK,
            },
            verify_regions: vec![Region::default()],
            exclusive_since: Some(Moment::from_millis(9)),
        };
        let stored = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&stored).unwrap(), policy);
        assert!(
            stored.contains(r#""retirement":{"mode":"grace","graceHours":24,"quarantineHours":48}"#),
            "{stored}"
        );
    }

    #[test]
    fn the_longest_wait_is_as_long_as_the_longest_interval() {
        assert_eq!(Hours::MAX, 876_000);
    }
}
