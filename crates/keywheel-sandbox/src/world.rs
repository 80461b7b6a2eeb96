//! An account together with what can go wrong around it: faults, a foreign actor, requests that land late, and the
//! record of every call. Pure like the model: the HTTP front and the simulator drive the same world.

use std::collections::VecDeque;

use serde::Serialize;

use crate::clock::Moment;
use crate::faults::{FaultKind, Faults, Harm, Traits};
use crate::foreign::{Planned, Side};
use crate::model::{Account, Answer, Call, Code, Credential, Refusal, Signer};

/// Calls that are remembered; enough for any test, and a bound for a sandbox that runs for weeks.
const CALLS_KEPT: usize = 100_000;

/// A call whose signature was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The access key that signed it.
    pub caller_key_id: String,
    /// Whose key that is.
    pub signer: Signer,
    /// The region that it was signed for.
    pub region: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// What is asked.
    pub call: Call,
}

/// What the client gets: an answer, or a connection that closes without one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// An answer of AWS.
    Answer(Result<Answer, Refusal>),
    /// Nothing.
    Closed,
}

/// What the driver does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Send this.
    Send(Reply),
    /// Send this as soon as the faults are released.
    HoldThenSend(Reply),
    /// Call [`World::resume`] as soon as the faults are released.
    HoldThenResume,
}

/// How a call is to be handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handling {
    /// Milliseconds to wait before anything is sent.
    pub latency_ms: u64,
    /// And then.
    pub next: Next,
    /// The number of the call in the record.
    pub number: u64,
}

/// One call in the record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// 1, 2, 3, …
    pub number: u64,
    /// When it came, by the clock of the sandbox, in milliseconds since the epoch.
    pub at: Moment,
    /// AWS's name of the action.
    pub action: String,
    /// The access key that signed it, or claimed to.
    pub caller_key_id: Option<String>,
    /// The user that it names.
    pub user_name: Option<String>,
    /// The access key that it names, or made.
    pub access_key_id: Option<String>,
    /// The region that it was signed for.
    pub region: Option<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// `ok`, AWS's error code, `closed` (no answer), or `held` (no answer yet).
    pub outcome: String,
    /// Whether it changed users or keys. Becomes true later for a request that lands late.
    pub effect: bool,
}

/// A request whose effect comes after its connection is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Landing {
    due: Moment,
    number: u64,
    request: Request,
}

/// The account and everything around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct World {
    /// The truth.
    pub account: Account,
    /// What goes wrong.
    pub faults: Faults,
    /// What the foreign actor waits to do.
    pub plan: Vec<Planned>,
    landings: Vec<Landing>,
    calls: VecDeque<Recorded>,
    numbered: u64,
}

impl World {
    /// A world in which nothing goes wrong.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            faults: Faults::default(),
            plan: Vec::new(),
            landings: Vec::new(),
            calls: VecDeque::new(),
            numbered: 0,
        }
    }

    /// Back to an empty account in which nothing goes wrong, and an empty record. The account stays to be told from
    /// the one before: its revision goes on.
    pub fn reset(&mut self, seed: u64) {
        let account = self.account.emptied(seed);
        *self = Self::new(account);
    }

    /// The record of all calls, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = &Recorded> {
        self.calls.iter()
    }

    /// Lets requests land whose time has come. Called by every other way in; a driver that only looks calls it too.
    pub fn settle(&mut self, now: Moment) {
        let (mut due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.landings)
            .into_iter()
            .partition(|landing| landing.due <= now);
        self.landings = waiting;
        due.sort_by_key(|landing| (landing.due, landing.number));
        for landing in due {
            // The client is gone: what the call says interests nobody, only what it does.
            let _ = self.carry_out(landing.due, &landing.request, landing.number, None);
        }
    }

    /// The credential behind an access key id, as a region sees it.
    pub fn credential(
        &mut self,
        access_key_id: &str,
        session_token: Option<&str>,
        region: &str,
        now: Moment,
    ) -> Result<Credential, Refusal> {
        self.settle(now);
        self.account.credential(access_key_id, session_token, region, now)
    }

    /// Records a request that was refused before it was a call, and gives its number.
    pub fn record_refused(&mut self, mut entry: Recorded, refusal: &Refusal) -> u64 {
        refusal.code.as_str().clone_into(&mut entry.outcome);
        self.record(entry)
    }

    /// Takes a call: decides what befalls it, carries it out or not, and says what the client gets.
    pub fn call(&mut self, now: Moment, request: &Request) -> Handling {
        self.settle(now);
        let call = &request.call;
        self.account
            .record_use(&request.caller_key_id, call.service(), &request.region, now);
        let number = self.record(Recorded::of(now, request));
        let Harm { latency_ms, fault } = self.faults.take(&Traits {
            action: call.action(),
            user_name: call.user_name(),
            caller_key_id: &request.caller_key_id,
        });
        let kind = fault.map(|(kind, _)| kind);
        let next = match fault {
            Some((FaultKind::HoldRequest, _)) => Next::HoldThenResume,
            Some((FaultKind::LateLanding, delay_ms)) => {
                self.landings.push(Landing {
                    due: now.plus(i64::from(delay_ms)),
                    number,
                    request: request.clone(),
                });
                Next::Send(Reply::Closed)
            }
            Some((FaultKind::RequestLost, _)) => Next::Send(Reply::Closed),
            _ => match kind.and_then(|kind| refused_by(kind, &self.account, request)) {
                Some(refusal) => Next::Send(Reply::Answer(Err(refusal))),
                None => self.answer(now, request, number, kind),
            },
        };
        self.note_outcome(number, &next);
        Handling {
            latency_ms,
            next,
            number,
        }
    }

    /// Carries out a call that was held before its effect.
    pub fn resume(&mut self, now: Moment, request: &Request, number: u64) -> Reply {
        self.settle(now);
        let reply = Reply::Answer(self.carry_out(now, request, number, None));
        self.note_outcome(number, &Next::Send(reply.clone()));
        reply
    }

    /// Notes that an answer that was held has been sent.
    pub fn note_sent(&mut self, number: u64, reply: &Reply) {
        self.note_outcome(number, &Next::Send(reply.clone()));
    }

    /// Carries out a call and bends its answer.
    fn answer(&mut self, now: Moment, request: &Request, number: u64, kind: Option<FaultKind>) -> Next {
        let answer = self.carry_out(now, request, number, kind);
        match kind {
            Some(FaultKind::AnswerLost) => Next::Send(Reply::Closed),
            Some(FaultKind::ServiceFailure) => Next::Send(Reply::Answer(Err(Refusal::new(
                Code::ServiceFailure,
                "The request processing has failed because of an unknown error, exception or failure.",
            )))),
            Some(FaultKind::HoldAnswer) => Next::HoldThenSend(Reply::Answer(answer)),
            _ => Next::Send(Reply::Answer(answer)),
        }
    }

    /// The effect itself, with what the foreign actor does on either side of it.
    fn carry_out(
        &mut self,
        now: Moment,
        request: &Request,
        number: u64,
        kind: Option<FaultKind>,
    ) -> Result<Answer, Refusal> {
        let (signer, call) = (&request.signer, &request.call);
        self.foreign(now, call.action(), Side::Before);
        let answer = match kind {
            Some(FaultKind::QuotaRace) => self.account.create_key_past_quota(now, signer, call),
            Some(FaultKind::StaleList) => self.account.list_keys_stale(now, signer, call),
            _ => self.account.perform(now, signer, call),
        };
        self.foreign(now, call.action(), Side::After);
        if let (Ok(answer), Some(entry)) = (&answer, self.recorded(number)) {
            entry.effect = call.is_change();
            if let Answer::NewKey(key) = answer {
                entry.access_key_id = Some(key.access_key_id.clone());
            }
        }
        answer
    }

    fn foreign(&mut self, now: Moment, action: &str, side: Side) {
        let mut acts = Vec::new();
        self.plan.retain_mut(|planned| {
            let meant = planned.side == side && planned.action == action;
            if meant && planned.skip == 0 {
                acts.push(planned.act.clone());
                return false;
            }
            if meant {
                planned.skip -= 1;
            }
            true
        });
        for act in acts {
            if let Err(refusal) = act.perform(&mut self.account, now) {
                tracing::warn!(?act, %refusal, "a planned act of the foreign actor was refused");
            }
        }
    }

    fn record(&mut self, mut entry: Recorded) -> u64 {
        self.numbered += 1;
        entry.number = self.numbered;
        if self.calls.len() == CALLS_KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(entry);
        self.numbered
    }

    fn recorded(&mut self, number: u64) -> Option<&mut Recorded> {
        // Numbers have no gaps, so the place follows from the distance to the newest.
        let from_end = usize::try_from(self.numbered.checked_sub(number)?).ok()?;
        let place = self.calls.len().checked_sub(from_end + 1)?;
        self.calls.get_mut(place)
    }

    fn note_outcome(&mut self, number: u64, next: &Next) {
        let outcome = match next {
            Next::Send(Reply::Answer(Ok(_))) => "ok",
            Next::Send(Reply::Answer(Err(refusal))) => refusal.code.as_str(),
            Next::Send(Reply::Closed) => "closed",
            Next::HoldThenSend(_) | Next::HoldThenResume => "held",
        };
        if let Some(entry) = self.recorded(number) {
            outcome.clone_into(&mut entry.outcome);
        }
    }
}

impl Recorded {
    fn of(now: Moment, request: &Request) -> Self {
        let call = &request.call;
        Self {
            number: 0,
            at: now,
            action: call.action().to_owned(),
            caller_key_id: Some(request.caller_key_id.clone()),
            user_name: call.user_name().map(str::to_owned),
            access_key_id: call.access_key_id().map(str::to_owned),
            region: Some(request.region.clone()),
            user_agent: request.user_agent.clone(),
            outcome: String::new(),
            effect: false,
        }
    }
}

/// The refusal of faults that refuse before any effect.
fn refused_by(kind: FaultKind, account: &Account, request: &Request) -> Option<Refusal> {
    match kind {
        FaultKind::Throttle => Some(Refusal::new(Code::Throttling, "Rate exceeded")),
        FaultKind::Unavailable => Some(Refusal::new(
            Code::ServiceUnavailable,
            "The request has failed due to a temporary failure of the server.",
        )),
        FaultKind::AccessDenied => Some(account.as_if_denied(&request.signer, &request.call)),
        FaultKind::SignatureMismatch => Some(Refusal::wrong_signature()),
        _ => None,
    }
}
