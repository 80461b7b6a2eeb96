//! Last use of a key: the first use in each span of 15 minutes is recorded and becomes visible after a lag.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// IAM records the first use within a span of this length (AWS: credential report fields).
const SPAN_MS: i64 = 15 * 60 * 1_000;

/// Spans kept per key: with 15 minutes each more than a day, which is more than any lag worth trying.
const SPANS_KEPT: usize = 128;

/// One recorded use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// When.
    pub at: Moment,
    /// `iam` or `sts`.
    pub service: String,
    /// The region that the request was signed for.
    pub region: String,
}

/// The recorded uses of one key, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Uses(Vec<Use>);

impl Uses {
    /// Records a use; `false` if its span has one already.
    pub(super) fn record(&mut self, at: Moment, service: &str, region: &str) -> bool {
        let span = |moment: Moment| moment.as_millis().div_euclid(SPAN_MS);
        if self.0.last().is_some_and(|last| span(last.at) == span(at)) {
            return false;
        }
        if self.0.len() == SPANS_KEPT {
            self.0.remove(0);
        }
        self.0.push(Use {
            at,
            service: service.to_owned(),
            region: region.to_owned(),
        });
        true
    }

    /// The newest use, visible or not.
    pub(super) fn last(&self) -> Option<&Use> {
        self.0.last()
    }

    /// The newest use that is visible at `now`.
    pub(super) fn newest(&self, now: Moment, lag_ms: i64) -> Option<&Use> {
        self.0.iter().rev().find(|used| now.since(used.at) >= lag_ms)
    }
}
