//! Two clocks: this server's, and AWS's as the `Date` of its answers tells. A wait is over when both say so,
//! and nothing is changed while they differ too much (invariant I13, protocol C.5 rule 6).

use super::{Event, Run, RunError, RunErrorCode};
use crate::aws::Answer;
use crate::clock::{Millis, Moment};

/// `Date` has whole seconds: AWS's clock is up to this far ahead of it.
const DATE_RESOLUTION: Millis = Millis::new(999);
/// A wait that this server's clock calls over and AWS's does not is looked at again after this.
const LOOK_AGAIN: Millis = Millis::from_secs(1);

/// What a run knows of AWS's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Clocks {
    /// The latest `Date`.
    aws_date: Option<Moment>,
    /// How far this server's clock is ahead of AWS's; negative if it is behind.
    ahead: Millis,
}

impl Clocks {
    /// Reads the `Date` of an answer.
    pub(super) fn note(&mut self, now: Moment, event: &Event) {
        let date = match event {
            Event::Identified(answer) => date_of(answer),
            Event::Listed(answer) => date_of(answer),
            Event::Changed(answer) => date_of(answer),
            Event::Issued(answer) => date_of(answer),
            Event::LastUsed(answer) => date_of(answer),
            Event::Verified(answer) => date_of(answer),
            _ => None,
        };
        if let Some(date) = date {
            self.aws_date = Some(date);
            self.ahead = if now < date {
                now - date
            } else {
                (now - (date + DATE_RESOLUTION)).max(Millis::ZERO)
            };
        }
    }

    /// Whether a wait is over by both clocks. Without an answer of AWS it is not.
    fn both_past(self, now: Moment, until: Moment) -> bool {
        let by_aws = self.aws_date.is_some_and(|date| date + DATE_RESOLUTION >= until);
        now >= until && by_aws
    }

    /// When, by this server's clock, both clocks will say that a wait is over.
    fn both_past_at(self, now: Moment, until: Moment) -> Moment {
        until.max(now + LOOK_AGAIN) + self.ahead.max(Millis::ZERO)
    }
}

fn date_of<T>(answer: &Answer<T>) -> Option<Moment> {
    match answer {
        Ok(observed) => observed.aws_date,
        Err(failure) => failure.aws_date,
    }
}

impl Run {
    /// Whether a wait is over by both clocks.
    pub(super) fn is_over(&self, now: Moment, until: Moment) -> bool {
        self.clocks.both_past(now, until)
    }

    /// When a wait that is recorded now begins: a clock that has just jumped back does not shorten it.
    pub(super) fn begins(&self, now: Moment) -> Moment {
        self.clocks.aws_date.map_or(now, |date| date.max(now))
    }

    /// When to look again at a wait.
    pub(super) fn over_at(&self, now: Moment, until: Moment) -> Moment {
        self.clocks.both_past_at(now, until)
    }

    /// The time to record with a failure, whatever failed: AWS's, if ours is wrong. A date that a wrong clock set could
    /// be a year away.
    pub(super) fn time_of_failure(&self, now: Moment) -> Moment {
        self.clocks
            .aws_date
            .filter(|_| self.is_clock_wrong())
            .unwrap_or(now)
    }

    /// Whether AWS's clock was never seen in this run.
    pub(super) fn is_clock_unknown(&self) -> bool {
        self.clocks.aws_date.is_none()
    }

    /// Whether an answer of AWS showed that this server's clock is wrong: whoever schedules should not trust it.
    pub fn is_clock_wrong(&self) -> bool {
        self.clocks.ahead.abs() > self.timings.clock_skew_max
    }

    /// Refuses every change while the clocks differ, or while AWS's is not known: AWS judges signatures by its
    /// own, and every wait counts by both.
    pub(super) fn clock_fault(&self) -> Option<RunError> {
        if self.is_clock_unknown() {
            let text = "the answers of AWS carry no Date, so its clock is not known; nothing was changed. Something \
                        between this server and AWS removes it.";
            return Some(RunError::new(RunErrorCode::AwsUnavailable, text));
        }
        let text = if self.is_clock_wrong() {
            format!(
                "the clock of this server and the clock of AWS differ by {} s, more than the {} s allowed; \
                 nothing was changed. Synchronize this server's clock.",
                self.clocks.ahead.abs().get() / 1_000,
                self.timings.clock_skew_max.get() / 1_000
            )
        } else {
            return None;
        };
        Some(RunError::new(RunErrorCode::ClockSkew, text))
    }
}
