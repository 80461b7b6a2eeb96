//! Takes typed values out of the layers and notes every fault on the way.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use keywheel_core::clock::Millis;

use super::layers::{Given, Layers};

/// The fault is in the list already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Noted;

/// A value, or a fault that was noted.
pub(super) type Read<T> = Result<T, Noted>;

pub(super) struct Reader<'a> {
    layers: &'a Layers,
    faults: Vec<String>,
    warnings: Vec<String>,
    /// For the test that compares the default file with what is read.
    #[cfg(test)]
    pub(super) asked: std::collections::BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            faults: layers.faults().to_vec(),
            warnings: layers.warnings().to_vec(),
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        }
    }

    /// The faults, or without any the warnings.
    pub(super) fn outcome(self) -> Result<Vec<String>, Vec<String>> {
        if self.faults.is_empty() {
            Ok(self.warnings)
        } else {
            Err(self.faults)
        }
    }

    pub(super) fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }

    /// Notes that the value given for `key` will not do.
    pub(super) fn refuse(&mut self, key: &str, expected: &str) -> Noted {
        let place = self
            .layers
            .get(key)
            .map_or_else(|| key.to_owned(), ToString::to_string);
        self.faults.push(format!("{place}: expected {expected}"));
        Noted
    }

    fn given(&mut self, key: &'static str) -> Read<&'a Given> {
        #[cfg(test)]
        self.asked.insert(key);
        match self.layers.get(key) {
            Some(given) => Ok(given),
            None => Err(self.refuse(key, "a default")),
        }
    }

    /// A value in the form that `parse` knows.
    pub(super) fn checked<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Read<T> {
        let given = self.given(key)?;
        parse(given.text.trim()).ok_or_else(|| self.refuse(key, expected))
    }

    pub(super) fn parsed<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Read<T> {
        self.checked(key, expected, |text| text.parse().ok())
    }

    /// A text; empty means not given.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<String> {
        let given = self.given(key).ok()?;
        Some(given.text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Several values with commas between them; none if the text is empty.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Read<Vec<T>> {
        self.checked(key, expected, |text| {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(parse).collect()
        })
    }

    pub(super) fn path(&mut self, key: &'static str) -> Read<PathBuf> {
        self.checked(key, "a path", |text| (!text.is_empty()).then(|| text.into()))
    }

    pub(super) fn switch(&mut self, key: &'static str) -> Read<bool> {
        self.checked(key, "true or false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Read<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.checked(key, &expected, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// A length of time; the range is in milliseconds.
    pub(super) fn length(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Read<Millis> {
        let (least, most) = (show_millis(*range.start()), show_millis(*range.end()));
        let expected = format!("a length of time such as 500ms, 2s, 5m or 24h, from {least} to {most}");
        self.checked(key, &expected, |text| {
            parse_millis(text)
                .filter(|ms| range.contains(ms))
                .map(Millis::new)
        })
    }
}

/// The units of a length of time, longest first.
const UNITS: [(&str, i64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `500ms`, `2s`, `5m`, `24h`, `90d`: a whole number and a unit.
fn parse_millis(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that keeps the number whole.
fn show_millis(ms: i64) -> String {
    let fits = |factor: i64| ms != 0 && ms % factor == 0;
    UNITS.iter().find(|(_, factor)| fits(*factor)).map_or_else(
        || format!("{ms}ms"),
        |(unit, factor)| format!("{}{unit}", ms / factor),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_whole_number_and_a_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("90d", 7_776_000_000),
        ] {
            assert_eq!(parse_millis(text), Some(ms), "{text}");
            assert_eq!(parse_millis(&show_millis(ms)), Some(ms), "{text}");
        }
        for bad in ["", "2", "s", "2 s", "-2s", "2.5s", "2x", "99999999999999d"] {
            assert_eq!(parse_millis(bad), None, "{bad:?}");
        }
    }
}
