//! The history of runs: what each did, when, and how it ended.

use async_trait::async_trait;
use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{ManagedUserId, RotationId, RunId};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::Author;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Most runs that are kept of one user; older ones go. A rotation that fails every hour fills it in four days.
pub const RUNS_KEPT: u32 = 100;

/// One run, as far as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunRecord {
    /// The run.
    pub id: RunId,
    /// Whose keys it works on.
    pub user: ManagedUserId,
    /// The rotation, if the user has one or is about to get it.
    pub rotation: Option<RotationId>,
    /// The claim that it runs under. A run without an end whose claim is not the current one was interrupted.
    pub fence: Fence,
    /// The node that drives it.
    pub node: String,
    /// What it is to reach: `create`, `rotate`, `revoke`, `roll-back`, `retire`, `settle`.
    pub goal: String,
    /// Who asked for it.
    pub author: Author,
    /// When it began.
    pub started_at: Moment,
    /// How it ended; none while it runs, and for ever if it was interrupted.
    pub end: Option<RunEnd>,
    /// What it did, in order.
    pub steps: Vec<RunStep>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunEnd {
    /// When.
    pub at: Moment,
    /// `published`, `revoked`, `settled`, `failed` or `parked`.
    pub outcome: String,
    /// The code of a failure.
    pub code: Option<String>,
    /// The text of a failure.
    pub message: Option<String>,
}

/// One effect of a run and what came of it. Repeats of the same are counted, not listed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStep {
    /// When it began.
    pub at: Moment,
    /// How long it took; with repeats, up to the end of the last one.
    pub took: Millis,
    /// `identify`, `list`, `record`, `create`, `deactivate`, `reactivate`, `delete`, `last-used`, `verify`,
    /// `wait` or `publish`.
    pub step: String,
    /// The key that it is about.
    pub key: Option<AccessKeyId>,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// How many times in a row.
    pub times: u32,
}

/// The history of runs. A run is recorded with each commit ([`crate::ledgers::Ledgers::commit`]) and at its end.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Records a run as it stands, and removes what is too old of the same user.
    async fn record_run(&self, run: &RunRecord) -> Result<()>;

    /// The runs of a rotation, latest first, at most `limit`, and only those before a run if one is named.
    async fn runs(&self, rotation: RotationId, before: Option<RunId>, limit: u32) -> Result<Vec<RunRecord>>;
}
