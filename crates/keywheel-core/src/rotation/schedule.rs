//! When a rotation is due.
//!
//! The day of the last run, plus the interval, at the time of day that the owner chose; all in UTC, where
//! every day has the same length (rotation contract, section 8; rules D5 and D16; section 17, point 5).
//! A trial may shorten the day: interval and time of day shrink with it.

use crate::clock::{Millis, Moment};
use crate::ids::RotationId;

/// Days between two automatic runs: 1 to 36500 (rule D4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IntervalDays(u32);

impl IntervalDays {
    /// A hundred years.
    pub const MAX: u32 = 36_500;
    /// The longest interval.
    pub const LONGEST: Self = Self(Self::MAX);

    /// A whole number of days from 1 to 36500; none otherwise.
    pub fn new(days: i64) -> Option<Self> {
        u32::try_from(days)
            .ok()
            .filter(|d| (1..=Self::MAX).contains(d))
            .map(Self)
    }

    /// The number of days.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The time of day: hours 0 to 23 and minutes 0 to 59, fractions allowed and kept as given (rule D5).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RotateAtUtc {
    hours: f64,
    minutes: f64,
}

impl RotateAtUtc {
    /// The default of the contract.
    pub const MIDNIGHT: Self = Self {
        hours: 0.0,
        minutes: 0.0,
    };

    /// None if a number lies outside of its range or is not finite.
    pub fn new(hours: f64, minutes: f64) -> Option<Self> {
        ((0.0..=23.0).contains(&hours) && (0.0..=59.0).contains(&minutes)).then_some(Self { hours, minutes })
    }

    /// The hours as given.
    pub const fn hours(self) -> f64 {
        self.hours
    }

    /// The minutes as given.
    pub const fn minutes(self) -> f64 {
        self.minutes
    }

    /// How far into a day of the given length it lies, cut to whole milliseconds.
    fn within_day(self, day_length: Millis) -> Millis {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 23 h 59 min, as the constructor sees to: so many milliseconds fit both types exactly"
        )]
        let of_24_hours = ((self.hours * 60.0 + self.minutes) * 60_000.0).floor() as i64;
        if day_length == Millis::DAY {
            return Millis::new(of_24_hours);
        }
        let scaled = i128::from(of_24_hours) * i128::from(day_length.get()) / i128::from(Millis::DAY.get());
        Millis::new(i64::try_from(scaled).unwrap_or(0))
    }
}

/// The slot that follows `anchor`.
///
/// After a manual run whose time of day is at or past the chosen one, a day is added: the distance to the
/// next run is never shorter than the interval.
pub fn next_slot(
    anchor: Moment,
    interval: IntervalDays,
    rotate_at: RotateAtUtc,
    manual: bool,
    day_length: Millis,
) -> Moment {
    let at = rotate_at.within_day(day_length);
    let day_start = start_of_day(anchor, day_length);
    let extra = i64::from(manual && anchor - day_start >= at);
    day_start + day_length.times(i64::from(interval.get()) + extra) + at
}

/// The slots that follow a rotation that is asked for at `now`, one after the other: what the schedule would do if every run
/// began on time.
pub fn slots_after(
    now: Moment,
    interval: IntervalDays,
    rotate_at: RotateAtUtc,
    day_length: Millis,
) -> impl Iterator<Item = Moment> {
    let first = next_slot(now, interval, rotate_at, true, day_length);
    let next = move |slot: &Moment| {
        let anchor = served_slot(Some(*slot), *slot, day_length);
        Some(next_slot(anchor, interval, rotate_at, false, day_length))
    };
    std::iter::successors(Some(first), next)
}

/// From when the interval counts after a scheduled run: the slot that it served, if it began within a day after
/// it; otherwise the run itself. So a run that ends after midnight does not shift all later ones, and one that
/// healed a rotation before its slot begins a new interval.
pub fn served_slot(slot: Option<Moment>, started_at: Moment, day_length: Millis) -> Moment {
    slot.filter(|slot| (Millis::ZERO..=day_length).contains(&(started_at - *slot)))
        .unwrap_or(started_at)
}

/// A delay that is fixed per rotation, up to a 288th of a day: five minutes of a real one.
pub fn spread(rotation: RotationId, day_length: Millis) -> Millis {
    const PARTS_OF_A_DAY: i64 = 288;
    let window = (day_length.get() / PARTS_OF_A_DAY).max(1);
    // The last bytes of a version 7 UUID are random.
    let (_, low) = rotation.as_uuid().as_u64_pair();
    let point = i64::try_from(low & 0x7fff_ffff).unwrap_or(0);
    Millis::new(point % window)
}

fn start_of_day(at: Moment, day_length: Millis) -> Moment {
    let length = day_length.get().max(1);
    Moment::from_millis(at.as_millis().div_euclid(length).saturating_mul(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(anchor: &str, days: i64, hours: f64, minutes: f64, manual: bool) -> String {
        next_slot(
            anchor.parse().unwrap(),
            IntervalDays::new(days).unwrap(),
            RotateAtUtc::new(hours, minutes).unwrap(),
            manual,
            Millis::DAY,
        )
        .to_string()
    }

    #[test]
    fn the_worked_examples_of_the_contract_hold() {
        for (event, days, hours, minutes, manual, expected) in [
            (
                "2026-03-10T09:30:00Z",
                30,
                0.0,
                0.0,
                true,
                "2026-04-10T00:00:00.000Z",
            ),
            (
                "2026-03-10T09:30:00Z",
                30,
                11.0,
                0.0,
                true,
                "2026-04-09T11:00:00.000Z",
            ),
            (
                "2026-04-09T11:00:02Z",
                30,
                11.0,
                0.0,
                false,
                "2026-05-09T11:00:00.000Z",
            ),
            (
                "2026-03-10T11:00:00Z",
                30,
                11.0,
                0.0,
                true,
                "2026-04-10T11:00:00.000Z",
            ),
            (
                "2026-03-10T23:30:00Z",
                1,
                0.0,
                0.0,
                true,
                "2026-03-12T00:00:00.000Z",
            ),
            (
                "2028-02-28T12:00:00Z",
                1,
                12.0,
                30.0,
                true,
                "2028-02-29T12:30:00.000Z",
            ),
            (
                "2026-03-10T09:30:00Z",
                7,
                0.0,
                0.0,
                true,
                "2026-03-18T00:00:00.000Z",
            ),
        ] {
            assert_eq!(next(event, days, hours, minutes, manual), expected, "{event}");
        }
    }

    #[test]
    fn the_slots_after_a_manual_run_are_an_interval_apart() {
        let slots = |now: &str, hours| -> Vec<String> {
            let interval = IntervalDays::new(30).unwrap();
            let at = RotateAtUtc::new(hours, 0.0).unwrap();
            let slots = slots_after(now.parse().unwrap(), interval, at, Millis::DAY);
            slots.take(3).map(|slot| slot.to_string()).collect()
        };
        assert_eq!(
            slots("2026-03-10T09:30:00Z", 11.0),
            [
                "2026-04-09T11:00:00.000Z",
                "2026-05-09T11:00:00.000Z",
                "2026-06-08T11:00:00.000Z"
            ]
        );
        assert_eq!(slots("2026-03-10T09:30:00Z", 0.0)[0], "2026-04-10T00:00:00.000Z");
    }

    #[test]
    fn fractions_of_hours_and_minutes_are_added_exactly() {
        for (event, expected) in [
            ("2026-03-10T11:45:00Z", "2026-04-09T11:59:30.000Z"),
            ("2026-03-10T11:59:29Z", "2026-04-09T11:59:30.000Z"),
            ("2026-03-10T11:59:30Z", "2026-04-10T11:59:30.000Z"),
            ("2026-03-10T12:00:00Z", "2026-04-10T11:59:30.000Z"),
        ] {
            assert_eq!(next(event, 30, 11.5, 29.5, true), expected, "{event}");
        }
    }

    #[test]
    fn a_scheduled_run_that_ends_after_midnight_does_not_shift_the_next_one() {
        let slot: Moment = "2026-04-09T23:59:00Z".parse().unwrap();
        let started: Moment = "2026-04-10T00:00:30Z".parse().unwrap();
        let anchor = served_slot(Some(slot), started, Millis::DAY);
        assert_eq!(
            next(&anchor.to_string(), 30, 23.0, 59.0, false),
            "2026-05-09T23:59:00.000Z"
        );
    }

    #[test]
    fn a_run_more_than_a_day_late_counts_from_itself() {
        let slot: Moment = "2026-04-09T11:00:00Z".parse().unwrap();
        let within: Moment = "2026-04-10T11:00:00Z".parse().unwrap();
        let beyond: Moment = "2026-04-10T11:00:00.001Z".parse().unwrap();
        assert_eq!(served_slot(Some(slot), within, Millis::DAY), slot);
        assert_eq!(served_slot(Some(slot), beyond, Millis::DAY), beyond);
    }

    #[test]
    fn a_run_before_its_slot_counts_from_itself() {
        let slot: Moment = "2026-04-09T11:00:00Z".parse().unwrap();
        let before = slot - Millis::new(1);
        assert_eq!(served_slot(Some(slot), before, Millis::DAY), before);
    }

    #[test]
    fn a_short_day_shrinks_interval_and_time_of_day() {
        let minute = Millis::from_secs(60);
        let slot = next_slot(
            Moment::from_millis(600_000),
            IntervalDays::new(2).unwrap(),
            RotateAtUtc::new(12.0, 0.0).unwrap(),
            false,
            minute,
        );
        assert_eq!(slot, Moment::from_millis(600_000 + 120_000 + 30_000));
    }

    #[test]
    fn intervals_are_whole_days_within_a_century() {
        for bad in [i64::MIN, -1, 0, 36_501, i64::MAX] {
            assert!(IntervalDays::new(bad).is_none());
        }
        assert_eq!(IntervalDays::new(36_500).unwrap().get(), 36_500);
    }

    #[test]
    fn times_of_day_outside_of_the_clock_are_refused() {
        for (hours, minutes) in [
            (-0.1, 0.0),
            (23.1, 0.0),
            (0.0, 59.1),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(RotateAtUtc::new(hours, minutes).is_none(), "{hours} {minutes}");
        }
    }

    #[test]
    fn the_spread_is_fixed_per_rotation_and_below_five_minutes() {
        let ids: Vec<_> = (0..100_u8)
            .map(|n| RotationId::new(Moment::from_millis(0), &[n.wrapping_mul(37); 10]))
            .collect();
        let spreads: Vec<_> = ids.iter().map(|id| spread(*id, Millis::DAY)).collect();
        assert!(spreads.iter().all(|s| (0..300_000).contains(&s.get())));
        assert!(spreads.iter().any(|s| *s != spreads[0]));
        assert_eq!(spread(ids[0], Millis::DAY), spreads[0]);
    }

    #[test]
    fn a_time_of_day_is_kept_as_it_was_given() {
        let at = RotateAtUtc::new(11.5, 29.25).unwrap();
        assert!((at.hours() - 11.5).abs() < f64::EPSILON);
        assert!((at.minutes() - 29.25).abs() < f64::EPSILON);
    }

    #[test]
    fn the_spread_fills_its_window() {
        let spreads: Vec<_> = (0..200_u8)
            .map(|n| RotationId::new(Moment::from_millis(0), &[n.wrapping_mul(37); 10]))
            .map(|id| spread(id, Millis::DAY).get())
            .collect();
        for quarter in 0..4 {
            let window = quarter * 75_000..(quarter + 1) * 75_000;
            assert!(spreads.iter().any(|s| window.contains(s)), "{window:?}");
        }
    }
}
