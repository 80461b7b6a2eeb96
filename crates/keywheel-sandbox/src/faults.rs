//! Switches that make calls go wrong. All are off until switched on; each is spent by the calls that it fits, in
//! the order they come, so that a run can be repeated.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultKind {
    /// `Throttling` 400, no effect.
    Throttle,
    /// The effect takes place, and the connection closes without an answer.
    AnswerLost,
    /// No effect, and the connection closes without an answer.
    RequestLost,
    /// The effect takes place, and the answer is `ServiceFailure` 500.
    ServiceFailure,
    /// `ServiceUnavailable` 503, no effect.
    Unavailable,
    /// `AccessDenied` 403, no effect.
    AccessDenied,
    /// `SignatureDoesNotMatch` 403, no effect.
    SignatureMismatch,
    /// The answer comes `delayMs` later.
    Latency,
    /// Nothing happens until the faults are released; if the client leaves first, nothing ever does.
    HoldRequest,
    /// The effect takes place; the answer waits until the faults are released or the client leaves.
    HoldAnswer,
    /// `ListAccessKeys` shows the state before the last change of the user's keys.
    StaleList,
    /// The connection closes without an answer, and the effect takes place `delayMs` later.
    LateLanding,
    /// `CreateAccessKey` does not ask the quota, as in the race that beats it.
    QuotaRace,
}

/// One switch. Absent conditions fit every call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only calls of this action, such as `CreateAccessKey`.
    #[serde(default)]
    pub action: Option<String>,
    /// Only calls that name this user.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Only calls signed with this access key.
    #[serde(default)]
    pub caller_key_id: Option<String>,
    /// Fitting calls that pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// Fitting calls that are harmed then.
    #[serde(default = "once")]
    pub count: u32,
    /// Harm every fitting call until cleared, whatever `count` says.
    #[serde(default)]
    pub forever: bool,
    /// Milliseconds, for [`FaultKind::Latency`] (real time) and [`FaultKind::LateLanding`] (time of the sandbox).
    #[serde(default)]
    pub delay_ms: u32,
}

const fn once() -> u32 {
    1
}

impl Fault {
    /// A fault of the next call of `action`.
    pub fn next(kind: FaultKind, action: &str) -> Self {
        Self {
            kind,
            action: Some(action.to_owned()),
            user_name: None,
            caller_key_id: None,
            skip: 0,
            count: 1,
            forever: false,
            delay_ms: 0,
        }
    }

    fn fits(&self, call: &Traits<'_>) -> bool {
        let on_action = self.action.as_deref().is_none_or(|a| a == call.action);
        let on_user = self
            .user_name
            .as_deref()
            .is_none_or(|u| call.user_name.is_some_and(|name| name.eq_ignore_ascii_case(u)));
        let on_caller = self
            .caller_key_id
            .as_deref()
            .is_none_or(|k| k == call.caller_key_id);
        let can_harm = match self.kind {
            FaultKind::StaleList => call.action == "ListAccessKeys",
            FaultKind::QuotaRace => call.action == "CreateAccessKey",
            _ => true,
        };
        on_action && on_user && on_caller && can_harm
    }

    /// Takes one fitting call into account; whether it is harmed.
    fn spend(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if !self.forever {
            self.count = self.count.saturating_sub(1);
        }
        true
    }
}

/// What faults look at in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits<'a> {
    pub(crate) action: &'a str,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) caller_key_id: &'a str,
}

/// What befalls one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Harm {
    /// All fitting latencies together.
    pub(crate) latency_ms: u64,
    /// The first fitting fault of another kind, with its delay.
    pub(crate) fault: Option<(FaultKind, u32)>,
}

/// The switches that are on, in the order they were switched on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Switches one on.
    pub fn add(&mut self, fault: Fault) {
        if fault.forever || fault.count > 0 {
            self.0.push(fault);
        }
    }

    /// Switches all off.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Decides what befalls a call, and spends the faults that did it. A call is harmed by one fault at a time,
    /// and late besides.
    pub(crate) fn take(&mut self, call: &Traits<'_>) -> Harm {
        let mut harm = Harm::default();
        for fault in self.0.iter_mut().filter(|fault| fault.fits(call)) {
            let is_latency = fault.kind == FaultKind::Latency;
            if (is_latency || harm.fault.is_none()) && fault.spend() {
                if is_latency {
                    harm.latency_ms += u64::from(fault.delay_ms);
                } else {
                    harm.fault = Some((fault.kind, fault.delay_ms));
                }
            }
        }
        self.0.retain(|fault| fault.forever || fault.count > 0);
        harm
    }
}
