//! What checks found.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Outcome {
    /// As it should be.
    #[default]
    Ok,
    /// It works, and should be looked at.
    Warn,
    /// It does not work.
    Fail,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check, one finding.
struct Finding {
    check: String,
    outcome: Outcome,
    message: String,
    /// How to mend it; empty if there is nothing to mend.
    remedy: String,
}

/// All findings, in the order in which they were made.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(check, Outcome::Ok, message, "");
    }

    pub(super) fn warn(&mut self, check: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Outcome::Warn, message, remedy);
    }

    pub(super) fn fail(&mut self, check: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Outcome::Fail, message, remedy);
    }

    fn add(&mut self, check: &str, outcome: Outcome, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            check: check.to_owned(),
            outcome,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// The worst of all.
    pub(super) fn worst(&self) -> Outcome {
        self.0
            .iter()
            .map(|finding| finding.outcome)
            .max()
            .unwrap_or_default()
    }

    /// One line each: `fail  root key: … -> how to mend it`.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|finding| {
            let remedy = match finding.remedy.as_str() {
                "" => String::new(),
                remedy => format!(" -> {remedy}"),
            };
            let line = format!(
                "{:<4}  {}: {}{remedy}",
                finding.outcome.name(),
                finding.check,
                finding.message
            );
            keywheel_cli::printable(&line)
        })
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let one = |finding: &Finding| {
            json!({
                "check": finding.check,
                "outcome": finding.outcome.name(),
                "message": finding.message,
                "remedy": finding.remedy,
            })
        };
        json!({"outcome": self.worst().name(), "checks": self.0.iter().map(one).collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let mut findings = Findings::default();
        assert_eq!(findings.worst(), Outcome::Ok);
        findings.ok("settings", "read");
        findings.warn("disk", "little is free", "make room");
        assert_eq!(findings.worst(), Outcome::Warn);
        findings.fail("root key", "not\nthis one", "give the other one");
        findings.ok("clock", "right");
        assert_eq!(findings.worst(), Outcome::Fail);
        let lines: Vec<_> = findings.lines().collect();
        assert_eq!(lines[0], "ok    settings: read");
        assert_eq!(lines[2], "fail  root key: not this one -> give the other one");
        assert_eq!(findings.json()["outcome"], "fail");
    }
}
