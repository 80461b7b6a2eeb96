//! One run of the engine on one node, as the driver of the server holds it: the machine, the lease, the clock, and
//! the effect that is under way.

use keywheel_core::aws::{AccessKeyId, ListedKey};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::IntentId;
use keywheel_core::lease::{Fence, Lease};
use keywheel_core::run::{Effect, Event, Goal, Run};

use crate::faults::Fault;

/// A change at AWS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A new key.
    Create(IntentId),
    /// Active or not.
    Switch {
        /// The key.
        key: AccessKeyId,
        /// The new status.
        active: bool,
    },
    /// Gone.
    Delete(AccessKeyId),
}

impl Change {
    /// The change that an effect makes, if it makes one.
    pub fn of(effect: &Effect) -> Option<Self> {
        let switch = |key: &AccessKeyId, active| Self::Switch {
            key: key.clone(),
            active,
        };
        match effect {
            Effect::Issue(intent) => Some(Self::Create(*intent)),
            Effect::Deactivate(key) => Some(switch(key, false)),
            Effect::Reactivate(key) => Some(switch(key, true)),
            Effect::Delete(key) => Some(Self::Delete(key.clone())),
            _ => None,
        }
    }

    /// The key that it names.
    pub const fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Create(_) => None,
            Self::Switch { key, .. } | Self::Delete(key) => Some(key),
        }
    }

    /// Whether it takes a working key away.
    pub const fn is_harmful(&self) -> bool {
        matches!(self, Self::Switch { active: false, .. } | Self::Delete(_))
    }
}

/// A signed request on its way to AWS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flight {
    /// What it does.
    pub change: Change,
    /// The row of the user.
    pub row: usize,
    /// The name that it carries.
    pub user_name: String,
    /// The time of its signature, by the wall clock of its node.
    pub signed_at: i64,
}

/// Where the effect under way is.
#[derive(Clone, PartialEq, Debug)]
pub enum Stage {
    /// Not begun.
    Perform(Effect),
    /// On its way; nothing has happened yet.
    Land(Effect),
    /// It has happened; the answer is on its way.
    Answer(Event),
}

/// What the world has shown to this run. The invariants judge by it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// The name means the pinned user.
    pub identified: bool,
    /// Whether the last list was stale.
    pub stale_before: bool,
    /// The last list.
    pub listed: Option<Vec<ListedKey>>,
    /// Successful checks in a row: key, region, time.
    pub successes: Vec<(AccessKeyId, String, i64)>,
    /// A created key that is not recorded yet.
    pub unrecorded: Option<AccessKeyId>,
}

/// A run under way.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its node.
    pub node: usize,
    /// The row of its user.
    pub row: usize,
    /// What it is to reach.
    pub goal: Goal,
    /// Whether the schedule started it.
    pub scheduled: bool,
    /// A digest of what it was started with and was told since; for the exhaustive search.
    pub trace: u64,
    /// The machine.
    pub run: Run,
    /// The claim.
    pub fence: Fence,
    /// The wall clock at its start.
    pub wall_start: i64,
    /// The monotonic clock at its start.
    pub mono_start: i64,
    /// When the last renewal that succeeded was asked for, by the monotonic clock.
    pub renewed_at: i64,
    /// When the next renewal is due.
    pub renew_at: i64,
    /// Whether a renewal was refused.
    pub lost: bool,
    /// The effect under way.
    pub stage: Stage,
    /// When its stage ends.
    pub at: i64,
    /// When the machine asked for the effect under way.
    pub decided_at: i64,
    /// When the effect under way was begun.
    pub sent_at: i64,
    /// The request that is out, if the effect changes something at AWS.
    pub flight: Option<Flight>,
    /// What befalls the effect under way.
    pub harm: Option<Fault>,
    /// Whether that was decided already.
    pub struck: bool,
    /// For the invariants.
    pub seen: Seen,
}

impl Job {
    /// The time of this run: the wall clock at its start and the monotonic time since.
    pub fn now(&self, now: i64) -> Moment {
        Moment::from_millis(self.wall_start + now - self.mono_start)
    }

    /// Whether a changing call is answered or abandoned before the lease can end.
    pub fn may_send(&self, now: i64, length: Millis, call_timeout: Millis) -> bool {
        let lease = Lease {
            fence: self.fence,
            renewed_at: Millis::new(self.renewed_at),
            length,
        };
        !self.lost && lease.may_send(Millis::new(now), call_timeout)
    }
}

impl Job {
    /// Whether what happens next does not need its process: a request is out.
    pub const fn is_out(&self) -> bool {
        matches!(self.stage, Stage::Land(_))
    }
}
