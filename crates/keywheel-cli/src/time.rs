//! Moments as people read them. The only file that asks the system for the time.

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The time of day of this machine.
pub(crate) fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the system"
    )]
    Timestamp::now()
}

/// A length in its largest unit: `40 s`, `5 min`, `7 h`, `3 d`.
pub(crate) fn length(seconds: i64) -> String {
    let seconds = seconds.abs();
    match seconds {
        ..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// How long ago a moment of the API was, or how far ahead it is: `3 d`, `in 3 d`. Empty for none.
pub(crate) fn since(moment: Option<&str>, now: Timestamp) -> String {
    let Some(moment) = moment.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return String::new();
    };
    let seconds = now.as_second() - moment.as_second();
    if seconds < 0 {
        format!("in {}", length(seconds))
    } else {
        length(seconds)
    }
}

/// Milliseconds as a length with a meaning: `12 ms`, `3.4 s`, `5 min`.
pub(crate) fn took(milliseconds: i64) -> String {
    match milliseconds {
        ..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => length(milliseconds / 1_000),
    }
}

/// A moment that was given on the command line: a date, a moment with its zone, or how long ago (`30min`, `12h`, `7d`).
pub(crate) fn given(text: &str) -> Result<Timestamp, String> {
    moment(text, now())
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expected = || {
        format!("{text:?} is not a date (2026-11-01), a moment (2026-11-01T10:00:00Z) or an age (7d, 12h)")
    };
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let start = day.to_datetime(jiff::civil::Time::midnight());
        return jiff::tz::Offset::UTC.to_timestamp(start).map_err(|_| expected());
    }
    let units = [("min", MINUTE), ("h", HOUR), ("d", DAY)];
    let age = units.iter().find_map(|(unit, seconds)| {
        let count: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        (count >= 0).then(|| count.checked_mul(*seconds))?
    });
    let age = age.ok_or_else(expected)?;
    now.checked_sub(SignedDuration::from_secs(age))
        .map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let now: Timestamp = NOW.parse().unwrap();
        for (moment, told) in [
            ("2026-11-21T11:59:20Z", "40 s"),
            ("2026-11-21T11:00:01Z", "59 min"),
            ("2026-11-21T05:00:00Z", "7 h"),
            ("2026-11-18T12:00:00Z", "3 d"),
            ("2026-11-24T12:00:00.000Z", "in 3 d"),
        ] {
            assert_eq!(since(Some(moment), now), told);
        }
        assert_eq!(since(None, now), "");
    }

    #[test]
    fn durations_keep_what_matters() {
        assert_eq!([took(12), took(3_456), took(61_000)], ["12 ms", "3.4 s", "1 min"]);
    }

    #[test]
    fn a_moment_is_given_as_a_date_or_as_an_age() {
        let now: Timestamp = NOW.parse().unwrap();
        let read = |text| moment(text, now).map(|moment| moment.to_string());
        assert_eq!(read("2026-11-01"), Ok("2026-11-01T00:00:00Z".to_owned()));
        assert_eq!(read("7d"), Ok("2026-11-14T12:00:00Z".to_owned()));
        assert_eq!(read("30min"), Ok("2026-11-21T11:30:00Z".to_owned()));
        assert!(read("yesterday").is_err() && read("-1d").is_err());
    }
}
