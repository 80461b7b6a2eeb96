//! What may go wrong, as data: a fault and the moment or the effect that it strikes.

use keywheel_core::run::Effect;
use serde::{Deserialize, Serialize};

use crate::job::Stage;

/// The kinds of effects that faults are aimed at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the kinds of `Effect`")]
pub enum Call {
    Identify,
    List,
    Commit,
    Issue,
    Deactivate,
    Reactivate,
    Delete,
    LastUsed,
    Verify,
    Wait,
    Finish,
}

impl Call {
    /// How many kinds there are.
    pub const COUNT: usize = 11;

    /// The kind of an effect.
    pub const fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Identify => Self::Identify,
            Effect::List => Self::List,
            Effect::Commit(_) => Self::Commit,
            Effect::Issue(_) => Self::Issue,
            Effect::Deactivate(_) => Self::Deactivate,
            Effect::Reactivate(_) => Self::Reactivate,
            Effect::Delete(_) => Self::Delete,
            Effect::LastUsed(_) => Self::LastUsed,
            Effect::Verify { .. } => Self::Verify,
            Effect::Wait(_) => Self::Wait,
            Effect::Finish(_) => Self::Finish,
        }
    }

    /// The kind of the effect under way; none if its answer is.
    pub const fn of_stage(stage: &Stage) -> Option<Self> {
        match stage {
            Stage::Perform(effect) | Stage::Land(effect) => Some(Self::of(effect)),
            Stage::Answer(_) => None,
        }
    }

    /// Whether it changes something at AWS.
    pub const fn is_change(self) -> bool {
        matches!(
            self,
            Self::Issue | Self::Deactivate | Self::Reactivate | Self::Delete
        )
    }

    /// Whether it goes to AWS.
    pub const fn is_aws(self) -> bool {
        !matches!(self, Self::Commit | Self::Wait | Self::Finish)
    }
}

/// A key by the part that it plays when the act happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// The mapped secrets carry it.
    Published,
    /// It waits for retirement.
    Displaced,
    /// It is half retired.
    Deactivated,
    /// It was made and is not published yet.
    Unpublished,
    /// A create of ours could explain it.
    Suspect,
    /// Somebody else's.
    Foreign,
}

/// What somebody else does in the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "act", content = "key")]
pub enum Foreign {
    /// Makes a key, if there is room.
    Create,
    /// Makes a key in the race that beats the quota.
    CreatePastQuota,
    /// Deletes a key.
    Delete(Role),
    /// Deactivates a key.
    Deactivate(Role),
    /// Activates a key.
    Reactivate(Role),
    /// Uses a key: it has a last-used date then.
    Use(Role),
    /// Deletes the user with all keys.
    DeleteUser,
    /// Deletes the user and makes one of the same name.
    RecreateUser,
}

/// One fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "fault")]
#[expect(missing_docs, reason = "the fields are milliseconds, nodes and users")]
pub enum Fault {
    /// The process dies before the effect.
    CrashBefore { down_ms: i64 },
    /// The process dies after the effect, before it hears of it.
    CrashAfter { down_ms: i64 },
    /// The process stands still before the effect.
    PauseBefore { ms: i64 },
    /// The process stands still after it signed the request and before it sent it.
    PauseSent { ms: i64 },
    /// The process stands still after the effect.
    PauseAfter { ms: i64 },
    /// The effect takes place, its answer does not come.
    AnswerLost,
    /// The effect takes place, and the answer is 500.
    ServiceFailure,
    /// No effect and no answer.
    RequestLost,
    /// No answer, and the effect takes place later.
    LateLanding { ms: i64 },
    /// `Throttling`, no effect.
    Throttle,
    /// 503, no effect.
    Unavailable,
    /// `AccessDenied`, no effect.
    AccessDenied,
    /// The next checks of a key are refused with `SignatureDoesNotMatch`.
    WrongSignature { count: u8 },
    /// A list shows the keys as they were before their last change.
    StaleList,
    /// A new secret cannot be sealed.
    SealingFails,
    /// A commit is made, and reported as not made.
    CommitAmbiguous,
    /// A commit is not made.
    CommitUnavailable,
    /// The answer takes so long.
    Slow { ms: i64 },
    /// The call waits so long for its turn before it is sent.
    Queue { ms: i64 },
    /// The answer carries no `Date`.
    NoDate,
    /// Somebody else acts on a user.
    Foreign { user: usize, what: Foreign },
    /// A node dies, wherever it stands.
    Crash { node: usize, down_ms: i64 },
    /// A node stands still, wherever it stands.
    Pause { node: usize, ms: i64 },
    /// The wall clock of a node jumps, and is set right after a while.
    ClockJump { node: usize, ms: i64, for_ms: i64 },
    /// AWS refuses every call for lack of permission.
    Denied { ms: i64 },
    /// AWS is busy.
    Throttled { ms: i64 },
    /// Nobody can write to or read from the database.
    DatabaseDown { ms: i64 },
    /// One node cannot reach the database.
    CutOff { node: usize, ms: i64 },
}

impl Fault {
    /// Its name in the table of coverage.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CrashBefore { .. } => "F1 crash before an effect",
            Self::CrashAfter { .. } => "F1 crash after an effect",
            Self::Crash { .. } => "F1 crash at a moment",
            Self::AnswerLost => "F2 answer lost",
            Self::ServiceFailure => "F3 500 after the effect",
            Self::RequestLost => "F4 no effect, no answer",
            Self::LateLanding { .. } => "F5 late landing",
            Self::Throttle => "F6 throttled call",
            Self::Throttled { .. } => "F6 throttled for a while",
            Self::Unavailable => "F6 503",
            Self::PauseBefore { .. } => "F8 pause before an effect",
            Self::PauseSent { .. } => "F8 pause between signing and sending",
            Self::PauseAfter { .. } => "F8 pause after an effect",
            Self::Pause { .. } => "F8 pause at a moment",
            Self::Queue { .. } => "F8 call waits for its turn",
            Self::Slow { .. } => "F8 slow answer",
            Self::Foreign { what, .. } => match what {
                Foreign::Create => "F9 foreign create",
                Foreign::CreatePastQuota => "F15 foreign create past the quota",
                Foreign::Delete(_) => "F10 foreign delete",
                Foreign::Deactivate(_) => "F11 foreign deactivate",
                Foreign::Reactivate(_) => "F12 foreign reactivate",
                Foreign::Use(_) => "F18 use of a key",
                Foreign::DeleteUser => "F13 user deleted",
                Foreign::RecreateUser => "F13 user made again",
            },
            Self::StaleList => "F14 stale list",
            Self::WrongSignature { .. } => "F17 SignatureDoesNotMatch",
            Self::ClockJump { .. } => "F19 clock jump",
            Self::NoDate => "F19 answer without Date",
            Self::CommitAmbiguous => "F20 ambiguous commit",
            Self::CommitUnavailable => "F21 commit not made",
            Self::DatabaseDown { .. } => "F21 database down",
            Self::SealingFails => "F21 sealing fails",
            Self::CutOff { .. } => "F22 node cut off from the database",
            Self::AccessDenied => "F23 call denied",
            Self::Denied { .. } => "F23 permission removed",
        }
    }

    /// Whether it can strike an effect of this kind.
    pub const fn fits(&self, call: Call) -> bool {
        match self {
            Self::CrashBefore { .. }
            | Self::CrashAfter { .. }
            | Self::PauseBefore { .. }
            | Self::PauseAfter { .. }
            | Self::Foreign { .. } => !matches!(call, Call::Finish),
            Self::PauseSent { .. } | Self::LateLanding { .. } => call.is_change(),
            Self::AnswerLost
            | Self::ServiceFailure
            | Self::RequestLost
            | Self::Throttle
            | Self::Unavailable
            | Self::AccessDenied
            | Self::Queue { .. }
            | Self::NoDate => call.is_aws(),
            Self::WrongSignature { .. } => matches!(call, Call::Verify),
            Self::StaleList => matches!(call, Call::List),
            Self::SealingFails => matches!(call, Call::Issue),
            Self::CommitAmbiguous | Self::CommitUnavailable => matches!(call, Call::Commit),
            Self::Slow { .. } => !matches!(call, Call::Wait | Call::Finish),
            Self::Crash { .. }
            | Self::Pause { .. }
            | Self::ClockJump { .. }
            | Self::Denied { .. }
            | Self::Throttled { .. }
            | Self::DatabaseDown { .. }
            | Self::CutOff { .. } => false,
        }
    }
}

/// When a fault strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "when")]
pub enum When {
    /// So many milliseconds after the start.
    At {
        /// The milliseconds.
        ms: i64,
    },
    /// At an effect: the one of this kind with this number, counted from zero over the whole schedule.
    Effect {
        /// The kind.
        call: Call,
        /// The number.
        nth: u32,
    },
}

/// A fault and when it strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedFault {
    /// When.
    pub when: When,
    /// What.
    pub what: Fault,
}
