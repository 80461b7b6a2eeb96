//! Moments and durations in milliseconds. There is no way to ask for "now" here: time is an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

/// A length of time in milliseconds; negative if it points backwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(i64);

impl Moment {
    /// Before everything: what is due since then is due at once, whatever a clock says.
    pub const LONG_AGO: Self = Self(0);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// A day of 24 hours.
    pub const DAY: Self = Self(86_400_000);

    /// From milliseconds.
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole hours.
    pub const fn from_hours(hours: i64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// From whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// As milliseconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The distance without its direction.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This length `factor` times, at most `i64::MAX` milliseconds.
    #[must_use]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// For timers; a negative length is none.
    pub fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Add<Millis> for Moment {
    type Output = Self;

    fn add(self, length: Millis) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub<Millis> for Moment {
    type Output = Self;

    fn sub(self, length: Millis) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}

impl Sub for Moment {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Millis {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`, as every answer of the API shows times (contract rule R14). What is
/// beyond the years that RFC 3339 has is shown as the last moment of them.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = jiff::Timestamp::from_millisecond(self.0);
        write!(f, "{:.3}", timestamp.unwrap_or(jiff::Timestamp::MAX))
    }
}

impl FromStr for Moment {
    type Err = jiff::Error;

    /// Reads RFC 3339.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_with_milliseconds_and_z() {
        assert_eq!(Moment::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Moment::from_millis(1_773_135_000_120).to_string(),
            "2026-03-10T09:30:00.120Z"
        );
    }

    #[test]
    fn a_moment_beyond_the_calendar_is_still_shown_as_a_date() {
        let shown = Moment::from_millis(i64::MAX).to_string();
        assert_eq!(shown, "9999-12-30T22:00:00.999Z");
        assert!(shown.parse::<Moment>().is_ok());
    }

    #[test]
    fn a_shown_moment_reads_back() {
        let moment = Moment::from_millis(1_773_135_000_120);
        assert_eq!(moment.to_string().parse::<Moment>().unwrap(), moment);
    }

    #[test]
    fn arithmetic_stops_at_the_ends_instead_of_wrapping() {
        assert_eq!(
            Moment::from_millis(i64::MAX) + Millis::DAY,
            Moment::from_millis(i64::MAX)
        );
        assert_eq!(Millis::DAY.times(i64::MAX).get(), i64::MAX);
    }

    #[test]
    fn seconds_are_cut_and_not_rounded() {
        for (millis, secs) in [(1_999, 1), (2_000, 2), (-1, -1), (0, 0)] {
            assert_eq!(Moment::from_millis(millis).as_secs(), secs, "{millis}");
        }
    }

    #[test]
    fn lengths_of_time_are_what_they_say() {
        assert_eq!(Millis::from_hours(2).get(), 7_200_000);
        assert_eq!(Millis::from_secs(3) + Millis::new(5), Millis::new(3_005));
        assert_eq!(Millis::new(-7).abs(), Millis::new(7));
        assert_eq!(
            Millis::new(1_500).as_std(),
            std::time::Duration::from_millis(1_500)
        );
        assert_eq!(Millis::new(-1).as_std(), std::time::Duration::ZERO);
        let moment = Moment::from_millis(10);
        assert_eq!(moment - Millis::new(3), Moment::from_millis(7));
        assert_eq!(moment - Moment::from_millis(25), Millis::new(-15));
    }
}
