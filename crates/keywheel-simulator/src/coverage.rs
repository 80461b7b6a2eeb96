//! How often each fault struck, and each effect, outcome and error code occurred: what never happens was not checked.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<(&'static str, &'static str), u64>);

impl Coverage {
    /// Counts one.
    pub fn note(&mut self, kind: &'static str, name: &'static str) {
        *self.0.entry((kind, name)).or_default() += 1;
    }

    /// How often it was counted.
    pub fn count(&self, kind: &'static str, name: &'static str) -> u64 {
        self.0.get(&(kind, name)).copied().unwrap_or(0)
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(*name).or_default() += count;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, name), count) in &self.0 {
            writeln!(f, "{kind:<8} {name:<40} {count:>12}")?;
        }
        Ok(())
    }
}
