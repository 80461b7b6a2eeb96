//! How a rotation stands, in one word for people.

use crate::clock::{Millis, Moment};

/// Ages of access keys in days that people are asked about: ninety is the limit that auditors know.
pub const KEY_AGE_DAYS: [u32; 3] = [30, 60, 90];

/// How late a run may begin before its rotation is overdue: far longer than the spread of five minutes and a restart,
/// and soon enough to be told of on the same day.
const LATE_AFTER: Millis = Millis::from_hours(1);

/// From when a rotation is overdue: whatever was to begin before this moment. A trial whose day is shorter than an hour
/// has a day's patience.
pub fn late_before(now: Moment, day_length: Millis) -> Moment {
    now - LATE_AFTER.min(day_length)
}

/// How a rotation stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// The last run succeeded, and the next one is ahead.
    Healthy,
    /// Somebody works on its keys at this moment.
    Rotating,
    /// The last attempt failed.
    Failing,
    /// Its run should have begun long ago.
    Overdue,
    /// It rotates only when it is asked to.
    Paused,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Rotating,
        Self::Failing,
        Self::Overdue,
        Self::Paused,
    ];

    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Rotating => "rotating",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
            Self::Paused => "paused",
        }
    }
}

/// What is known of the next run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NextRun {
    /// Automatic rotation is off.
    Off,
    /// It is ahead, or not late enough to matter.
    Ahead,
    /// It should have begun: see [`late_before`].
    Late,
}

/// What the state of a rotation follows from. Stores count rotations by it, so that the rule is here alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Standing {
    /// Whether somebody holds the lease of its user.
    pub is_held: bool,
    /// Whether the last attempt failed.
    pub has_failed: bool,
    /// Its schedule.
    pub next_run: NextRun,
}

impl Standing {
    /// Every standing that there is, in the order of [`Standing::code`].
    pub const ALL: [Self; 12] = {
        let runs = [NextRun::Off, NextRun::Ahead, NextRun::Late];
        let mut all = [Self::of(false, false, NextRun::Off); 12];
        let mut code = 0;
        while code < all.len() {
            all[code] = Self::of(code >= 6, code % 6 >= 3, runs[code % 3]);
            code += 1;
        }
        all
    };

    const fn of(is_held: bool, has_failed: bool, next_run: NextRun) -> Self {
        Self {
            is_held,
            has_failed,
            next_run,
        }
    }

    /// The standing as a number below 12: 6 if it is held, 3 if it has failed, and 0 for off, 1 for ahead, 2 for late.
    pub const fn code(self) -> i64 {
        let next_run = match self.next_run {
            NextRun::Off => 0,
            NextRun::Ahead => 1,
            NextRun::Late => 2,
        };
        self.is_held as i64 * 6 + self.has_failed as i64 * 3 + next_run
    }

    /// The standing of a number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.code() == code)
    }

    /// The state: what happens now wins over what went wrong, and that over what is late or off.
    pub const fn state(self) -> State {
        match self {
            Self { is_held: true, .. } => State::Rotating,
            Self { has_failed: true, .. } => State::Failing,
            Self {
                next_run: NextRun::Late,
                ..
            } => State::Overdue,
            Self {
                next_run: NextRun::Off,
                ..
            } => State::Paused,
            Self {
                next_run: NextRun::Ahead,
                ..
            } => State::Healthy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_has_its_number() {
        for (code, standing) in (0..).zip(Standing::ALL) {
            assert_eq!(
                (standing.code(), Standing::from_code(code)),
                (code, Some(standing))
            );
        }
        assert_eq!((Standing::from_code(-1), Standing::from_code(12)), (None, None));
    }

    #[test]
    fn what_happens_now_wins_over_what_went_wrong_and_that_over_what_is_late_or_off() {
        for (is_held, has_failed, next_run, state) in [
            (false, false, NextRun::Ahead, State::Healthy),
            (false, false, NextRun::Late, State::Overdue),
            (false, false, NextRun::Off, State::Paused),
            (false, true, NextRun::Ahead, State::Failing),
            (false, true, NextRun::Late, State::Failing),
            (false, true, NextRun::Off, State::Failing),
            (true, true, NextRun::Late, State::Rotating),
            (true, false, NextRun::Off, State::Rotating),
        ] {
            assert_eq!(Standing::of(is_held, has_failed, next_run).state(), state);
        }
    }

    #[test]
    fn a_run_is_late_after_an_hour_or_a_shorter_day() {
        let now = Moment::from_millis(10_000_000);
        assert_eq!(late_before(now, Millis::DAY), Moment::from_millis(6_400_000));
        assert_eq!(
            late_before(now, Millis::from_secs(10)),
            Moment::from_millis(9_990_000)
        );
    }
}
