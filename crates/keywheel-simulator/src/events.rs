//! What happens in a schedule, one line for each event. Kept only where somebody will read it.

use serde::{Deserialize, Serialize};

/// What kind of event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "one word for each kind of line")]
pub enum What {
    Ask,
    Claim,
    Send,
    Land,
    Answer,
    Finish,
    Crash,
    Restart,
    Pause,
    Lease,
    Clock,
    Foreign,
    Fault,
    Calm,
    Violation,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Milliseconds after the start, by AWS's clock.
    pub at: i64,
    /// Where, if it is a node's.
    pub node: Option<usize>,
    /// What.
    pub what: What,
    /// In words.
    pub text: String,
    /// The keys of all users after it: id, state in the ledger, status at AWS.
    pub keys: String,
}

/// A violation of one of the promises.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The id of the invariant: `I1` to `I13`, `L1` to `L3`, or `readers`.
    pub invariant: String,
    /// What was seen.
    pub text: String,
    /// Milliseconds after the start.
    pub at: i64,
}

/// The events of one schedule.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Whether events are kept.
    pub enabled: bool,
    /// The events.
    pub events: Vec<Event>,
}
