//! Steps 0 and 1, and recovery: who is it, what was left open, and what does AWS list.

use super::retire::close;
use super::{Effect, ListedKey, Outcome, Phase, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, FailureKind, Identified};
use crate::clock::Moment;
use crate::intent::{Intent, IntentKind, IntentOutcome};
use crate::key::KeyState;
use crate::ledger::{Change, Commit, ManagedUser, Reconciled};

/// How often a run asks for a list again before it leaves AWS alone for a while.
const LIST_TRIES_MAX: u32 = 5;

/// What a list is for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum ListPurpose {
    /// To plan from. With `first`, a list that was read before, it may become a settled one.
    Plan {
        first: Option<Vec<ListedKey>>,
        must_settle: bool,
        tries: u32,
    },
    /// To see whether anybody else made a key while we did.
    Created,
}

impl ListPurpose {
    /// A list of which a single reading is enough, unless it shows something odd.
    pub(super) const PLAN: Self = Self::Plan {
        first: None,
        must_settle: false,
        tries: 0,
    };
    /// A list that is read until two readings agree.
    pub(super) const SETTLED: Self = Self::Plan {
        first: None,
        must_settle: true,
        tries: 0,
    };
}

impl Run {
    /// Step 0. Everything that follows relies on it: the name still means the pinned user.
    pub(super) fn on_identified(&mut self, now: Moment, answer: Answer<Identified>) -> Effect {
        let identified = match answer {
            Ok(observed) => observed.value,
            Err(failure) => {
                let doing = format!("looking up IAM user {}", self.ledger.user.name);
                let error = RunError::aws(&doing, &failure);
                // AWS refuses every signature of a clock that is far from its own, in words of its own.
                let skew = self.clock_fault().filter(|_| !self.is_clock_unknown());
                return self.fail(now, skew.unwrap_or(error));
            }
        };
        if let Some(error) = identity_fault(&self.ledger.user, &identified).or_else(|| self.clock_fault()) {
            return self.fail(now, error);
        }
        self.identified = Some(identified);
        match self.ledger.open_intent.clone() {
            None => self.list(ListPurpose::PLAN),
            Some(intent) => self.recover(now, &intent),
        }
    }

    /// Acts on the intent that a run before this one left open.
    fn recover(&mut self, now: Moment, intent: &Intent) -> Effect {
        match (intent.kind, &intent.key) {
            (IntentKind::Create, _) => {
                let settles_at = intent.settles_at(self.timings.late_landing);
                if !self.is_over(now, settles_at) {
                    return self.wait_until(now, settles_at);
                }
                self.list(ListPurpose::SETTLED)
            }
            (_, Some(key)) => self.repeat_change(now, intent, key),
            // An intent that names no key could have touched none.
            (_, None) => {
                let close = close(intent, IntentOutcome::NoEffect, now);
                self.commit(vec![close], Then::List(ListPurpose::PLAN))
            }
        }
    }

    /// Whether this server stood still between the announcement of a call and its sending: it would land later than
    /// everybody waits for.
    pub(super) fn is_announced_too_long_ago(&self, now: Moment) -> bool {
        let limit = self.timings.call_timeout;
        self.announced_at.is_none_or(|at| (now - at).abs() > limit)
    }

    /// Stops before the call is sent, and takes the announcement back: nothing of this run is on its way. Whoever takes
    /// the user up begins anew. A repeated call stays announced, because an earlier one may be on its way.
    pub(super) fn withdraw(&mut self, now: Moment, then: &Then) -> Effect {
        let announced = self.ledger.open_intent.clone();
        let Some(intent) = announced.filter(|_| !matches!(then, Then::Repeat { .. })) else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut changes = vec![close(&intent, IntentOutcome::NoEffect, now)];
        if let Some(mut key) = intent
            .key
            .as_ref()
            .and_then(|id| self.ledger.keys.get(id))
            .cloned()
        {
            key.settles_at = None;
            changes.push(Change::Key(key));
        }
        if intent.kind == IntentKind::Create {
            let mut user = self.ledger.user.clone();
            user.settles_at = None;
            changes.push(Change::User(user));
        }
        self.commit(changes, Then::Finish(Outcome::Parked))
    }

    /// Step 1, and the reading of every later list.
    pub(super) fn on_listed(
        &mut self,
        now: Moment,
        purpose: &ListPurpose,
        answer: Answer<Vec<ListedKey>>,
    ) -> Effect {
        let mut listed = match answer {
            Ok(observed) => observed.value,
            Err(failure) => {
                let doing = format!("listing the access keys of IAM user {}", self.ledger.user.name);
                return self.fail(now, RunError::aws(&doing, &failure));
            }
        };
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        let (settled, must_settle) = match &purpose {
            ListPurpose::Plan {
                first, must_settle, ..
            } => (first.as_ref() == Some(&listed), *must_settle),
            ListPurpose::Created => (false, false),
        };
        let read = self
            .ledger
            .reconcile(&listed, settled, self.begins(now), &self.timings);
        if let ListPurpose::Plan { tries, .. } = purpose
            && (read.needs_settled_list || (must_settle && !settled))
        {
            return self.list_again(now, listed, must_settle, *tries + 1);
        }
        self.listed = listed;
        self.record_list(now, read)
    }

    fn list_again(&mut self, now: Moment, seen: Vec<ListedKey>, must_settle: bool, tries: u32) -> Effect {
        if tries >= LIST_TRIES_MAX {
            let error = RunError::new(
                RunErrorCode::AwsUnavailable,
                format!(
                    "the lists of access keys of IAM user {} do not agree with each other yet",
                    self.ledger.user.name
                ),
            );
            return self.fail(now, error);
        }
        self.phase = Phase::WaitingToList(ListPurpose::Plan {
            first: Some(seen),
            must_settle,
            tries,
        });
        Effect::Wait(now + self.timings.list_gap)
    }

    /// Keeps what the list showed, and closes a create that was left open: by now its key is listed, or there
    /// is none.
    fn record_list(&mut self, now: Moment, read: Reconciled) -> Effect {
        let suspect_of = |intent: &Intent| {
            read.keys
                .iter()
                .chain(self.ledger.keys.values())
                .any(|k| k.explained_by == Some(intent.id))
        };
        let close = self
            .ledger
            .open_intent
            .as_ref()
            .filter(|i| i.kind == IntentKind::Create)
            .map(|i| {
                let outcome = if suspect_of(i) {
                    IntentOutcome::Suspect
                } else {
                    IntentOutcome::NoEffect
                };
                Change::CloseIntent {
                    id: i.id,
                    outcome,
                    at: now,
                }
            });
        let lost = read.keys.iter().filter(|k| k.state == KeyState::Lost);
        let erased: Vec<Change> = lost.map(|k| Change::EraseValues(k.id.clone())).collect();
        let keys = read.keys.into_iter().map(Change::Key);
        let changes: Vec<Change> = keys.chain(close).chain(erased).collect();
        if changes.is_empty() && read.alarms.is_empty() {
            return self.decide(now);
        }
        self.commit_all(
            Commit {
                changes,
                alarms: read.alarms,
                ..Commit::default()
            },
            Then::Decide,
        )
    }

    /// Whether a call of this failure kind certainly left AWS as it was.
    pub(super) const fn had_no_effect(kind: FailureKind) -> bool {
        matches!(kind, FailureKind::Refused | FailureKind::Unavailable)
    }
}

/// Why a connection cannot serve a user: it acts as the user itself, or reaches another one.
pub fn identity_fault(user: &ManagedUser, found: &Identified) -> Option<RunError> {
    let pinned = &user.identity;
    if found.caller.user_id == found.user_id {
        return Some(RunError::new(
            RunErrorCode::SelfRotation,
            format!(
                "the connection acts as IAM user {} itself; give it a principal of its own, because a \
                 rotation would cut off the branch that it sits on",
                found.user_name
            ),
        ));
    }
    let same = found.user_id == pinned.user_id && found.arn.account().as_ref() == Some(&pinned.account);
    (!same).then(|| {
        RunError::new(
            RunErrorCode::IdentityChanged,
            format!(
                "IAM user {} is not the user that this rotation was made for: expected {} in account {}, \
                 found {}. It was deleted and made again, or the connection reaches another account. \
                 Nothing was changed.",
                user.name, pinned.user_id, pinned.account, found.arn
            ),
        )
    })
}
