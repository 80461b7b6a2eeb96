//! Retirement: a key goes in two recorded steps, by id: deactivated, then deleted. Never in one.

use super::evidence::is_promised_away;
use super::preflight::ListPurpose;
use super::{AccessKeyId, Adoption, Effect, Goal, Outcome, Phase, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, AwsFailure, KeyStatus};
use crate::clock::Moment;
use crate::intent::{Intent, IntentKind, IntentOutcome};
use crate::key::{KeyState, ManagedKey, Proof, Terms};
use crate::ledger::Change;

/// A run announces at most this many changes of old keys: two steps for each of two slots, and as many again
/// for what AWS contradicts.
const CHANGES_MAX: u32 = 8;

/// How a changing call of a key is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sending {
    /// Whether an earlier holder opened the intent, so that this run has read no list yet.
    pub(super) repeated: bool,
    /// Whether what an earlier holder sent may still land.
    pub(super) earlier_may_land: bool,
}

impl Sending {
    /// By the run that announced it.
    pub(super) const FIRST: Self = Self {
        repeated: false,
        earlier_may_land: false,
    };
}

impl Run {
    /// The owner's word for one key: its waits are over, it is held no longer, and it goes.
    pub(super) fn begin_retire(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        let Some(mut key) = self.ledger.keys.get(id).cloned() else {
            return self.fail(now, RunError::not_eligible(id, None, "retired"));
        };
        match key.state {
            KeyState::Displaced | KeyState::Deactivated => key.terms = Some(Terms::AtOnce),
            KeyState::OrphanSuspect => {
                key.proof = Some(Proof::Owner);
                key.terms = Some(Terms::AtOnce);
            }
            _ => return self.fail(now, RunError::not_eligible(id, Some(&key), "retired")),
        }
        key.held = None;
        let mut user = self.ledger.user.clone();
        // Given once, the word counts: should this run die, the schedule goes on with it.
        user.due_at = Some(Moment::LONG_AGO);
        self.commit(vec![Change::Key(key), Change::User(user)], Then::Identify)
    }

    /// The word was taken down; now the steps follow, until the key is gone.
    pub(super) fn decide_retire(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        let Some(key) = self.ledger.keys.get(id).filter(|key| key.is_ours()) else {
            return self.settle(now);
        };
        if key.held.is_none() {
            return match key.retires_at(self.timings.pending_max) {
                Some(_) => self.retire(now, id),
                None => self.fail(now, contradiction(id)),
            };
        }
        // Somebody reactivated it meanwhile. The word that was just given counts for that too.
        let mut key = key.clone();
        key.held = None;
        key.terms = Some(Terms::AtOnce);
        self.commit(vec![Change::Key(key)], Then::Decide)
    }

    /// The key whose next step is due by time alone: nobody waits for it any more.
    ///
    /// A rotation does not tie up other ends: should that fail, what it was asked for would fail with it. It
    /// only gives up a key of its own that will not be published.
    pub(super) fn due_for_retirement(&self, now: Moment) -> Option<AccessKeyId> {
        let all = matches!(self.goal, Goal::Settle) || self.ending.is_some();
        let own = matches!(self.goal, Goal::Rotate(_) | Goal::Create(_));
        // A create changes no key that it does not hand over itself.
        let named = |id: &AccessKeyId| {
            matches!(&self.goal, Goal::Create(draft)
                if matches!(&draft.adoption, Adoption::HandOver { key, .. } if key == id))
        };
        let due = |k: &&ManagedKey| {
            let Some(at) = k.retires_at(self.timings.pending_max) else {
                return false;
            };
            let unpublished = matches!(k.state, KeyState::Pending | KeyState::Verified);
            let refused = self.issue.refused.as_ref() == Some(&k.id);
            let over = self.is_over(now, at) && !self.is_held_by_use(now, k);
            (all || (own && unpublished) || named(&k.id)) && (refused || over)
        };
        self.ledger.keys.values().find(due).map(|k| k.id.clone())
    }

    /// The key whose slot a rotation may take: of those that may go, the one displaced first.
    pub(super) fn retirable(&self, now: Moment) -> Option<AccessKeyId> {
        self.ledger
            .keys
            .values()
            .filter(|k| self.is_retirable(now, k))
            .min_by_key(|k| k.displaced_at)
            .map(|k| k.id.clone())
    }

    pub(super) fn is_retirable(&self, now: Moment, key: &ManagedKey) -> bool {
        key.yields_at().is_some_and(|at| self.is_over(now, at)) && !self.is_held_by_use(now, key)
    }

    /// Announces the next step of a key's retirement, after a look at who still uses it.
    pub(super) fn retire(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        if let Some(key) = self.ledger.keys.get(id).filter(|key| self.needs_evidence(key)) {
            return self.look_up_use(key.id.clone());
        }
        let unreadable = self.evidence.get(id).is_some_and(|known| !known.is_read);
        if unreadable && self.ledger.keys.get(id).is_some_and(is_promised_away) {
            let text = format!("AWS does not tell whether access key {id} is used, so it is not deleted yet");
            return self.fail(now, RunError::new(RunErrorCode::AwsUnavailable, text));
        }
        // A reactivation that may still land contradicts what comes now.
        let displaced = self
            .ledger
            .keys
            .get(id)
            .filter(|k| k.state == KeyState::Displaced);
        let mark = displaced.and_then(|k| k.settles_at);
        if let Some(settles_at) = mark.filter(|at| !self.is_over(now, *at)) {
            return self.wait_until(now, settles_at);
        }
        self.retirements += 1;
        if let Some(error) = self.clock_fault() {
            return self.fail(now, error);
        }
        let kind = match self.ledger.keys.get(id) {
            Some(key) if self.retirements > CHANGES_MAX || !key.is_ours() || key.held.is_some() => None,
            Some(key) if key.state == KeyState::Deactivated => Some(IntentKind::Delete),
            Some(key) if key.state.may_become(KeyState::Deactivated) => Some(IntentKind::Deactivate),
            _ => None,
        };
        match kind {
            Some(kind) => self.announce(now, kind, id),
            None => self.fail(now, contradiction(id)),
        }
    }

    /// Opens the intent of a change of one key, and marks the key: until then the call may land.
    pub(super) fn announce(&mut self, now: Moment, kind: IntentKind, id: &AccessKeyId) -> Effect {
        match self.ledger.keys.get(id).cloned() {
            Some(key) => self.announce_row(now, kind, key),
            None => Effect::Finish(Outcome::Parked),
        }
    }

    /// The same with a row that changes in the same commit.
    pub(super) fn announce_row(&mut self, now: Moment, kind: IntentKind, mut key: ManagedKey) -> Effect {
        self.announced_at = Some(now);
        let intent = self.new_intent(kind, Some(key.id.clone()), now);
        let settles_at = intent.settles_at(self.timings.late_landing);
        key.settles_at = Some(settles_at);
        let user = Change::User(self.user_due_by(settles_at));
        self.commit(
            vec![Change::Key(key), user, Change::OpenIntent(intent)],
            Then::Change,
        )
    }

    /// Repeats the call of an intent that an earlier holder left open. What is sent now may land as late as what
    /// was sent then, so the mark of the key moves first. A key that was given back since is not touched.
    pub(super) fn repeat_change(&mut self, now: Moment, intent: &Intent, id: &AccessKeyId) -> Effect {
        let Some(mut key) = self.ledger.keys.get(id).filter(|key| key.is_ours()).cloned() else {
            let close = close(intent, IntentOutcome::NoEffect, now);
            return self.commit(vec![close], Then::List(ListPurpose::PLAN));
        };
        // Bringing a key back that its owner wants gone helps nobody. The call may still land: the mark stays.
        let unwanted =
            intent.kind == IntentKind::Reactivate && (self.is_revoking() || key.terms() == Terms::AtOnce);
        if unwanted {
            let close = close(intent, IntentOutcome::NoEffect, now);
            return self.commit(vec![close], Then::List(ListPurpose::PLAN));
        }
        self.announced_at = Some(now);
        let earlier_may_land = key.settles_at.is_some_and(|at| !self.is_over(now, at));
        let settles_at = self.begins(now) + self.timings.call_timeout + self.timings.late_landing;
        key.settles_at = key.settles_at.max(Some(settles_at));
        let user = Change::User(self.user_due_by(settles_at));
        self.commit(vec![Change::Key(key), user], Then::Repeat { earlier_may_land })
    }

    /// Sends the call of the open intent.
    pub(super) fn send_change(&mut self, sending: Sending) -> Effect {
        let Some(intent) = self.ledger.open_intent.clone() else {
            return Effect::Finish(Outcome::Parked);
        };
        let Some(key) = intent.key.clone() else {
            return Effect::Finish(Outcome::Parked);
        };
        let effect = match intent.kind {
            IntentKind::Deactivate => Effect::Deactivate(key),
            IntentKind::Reactivate => Effect::Reactivate(key),
            IntentKind::Delete => Effect::Delete(key),
            IntentKind::Create => return Effect::Finish(Outcome::Parked),
        };
        self.changed_aws = true;
        self.phase = Phase::Changing { intent, sending };
        effect
    }

    /// Records the answer. If what an earlier holder sent may still land, a refusal proves nothing, and the mark on
    /// the key stays.
    pub(super) fn on_changed(
        &mut self,
        now: Moment,
        intent: &Intent,
        sending: Sending,
        answer: Answer<()>,
    ) -> Effect {
        let Some(mut key) = intent
            .key
            .as_ref()
            .and_then(|id| self.ledger.keys.get(id))
            .cloned()
        else {
            return Effect::Finish(Outcome::Parked);
        };
        if !sending.earlier_may_land {
            key.settles_at = None;
        }
        let gone = |failure: &AwsFailure| failure.is("NoSuchEntity");
        match (intent.kind, answer) {
            (IntentKind::Delete, Err(failure)) if gone(&failure) => self.record_deleted(now, intent, key),
            (IntentKind::Delete, Ok(_)) => self.record_deleted(now, intent, key),
            (_, Ok(_)) => self.record_switched(now, intent, key, sending),
            (_, Err(failure)) if gone(&failure) => {
                let close = close(intent, IntentOutcome::NoEffect, now);
                self.commit(vec![Change::Key(key), close], Then::List(ListPurpose::SETTLED))
            }
            (_, Err(failure)) => {
                let doing = match intent.kind {
                    IntentKind::Reactivate => "reactivating",
                    _ => "retiring",
                };
                let error = RunError::aws(&format!("{doing} access key {}", key.id), &failure);
                if sending.earlier_may_land || !Self::had_no_effect(failure.kind) {
                    return self.fail(now, error);
                }
                let close = close(intent, IntentOutcome::NoEffect, now);
                self.commit(vec![Change::Key(key), close], Then::Fail(Box::new(error)))
            }
        }
    }

    /// The key is inactive now, or active again.
    fn record_switched(
        &mut self,
        now: Moment,
        intent: &Intent,
        mut key: ManagedKey,
        sending: Sending,
    ) -> Effect {
        let (state, status) = if intent.kind == IntentKind::Reactivate {
            (KeyState::Displaced, KeyStatus::Active)
        } else {
            (KeyState::Deactivated, KeyStatus::Inactive)
        };
        if key.state != state && key.become_state(state, self.begins(now)).is_err() {
            return Effect::Finish(Outcome::Parked);
        }
        key.aws_status = status;
        let then = if sending.repeated {
            Then::List(ListPurpose::PLAN)
        } else {
            Then::Decide
        };
        self.commit(
            vec![Change::Key(key), close(intent, IntentOutcome::Done, now)],
            then,
        )
    }

    fn record_deleted(&mut self, now: Moment, intent: &Intent, mut key: ManagedKey) -> Effect {
        let id = key.id.clone();
        if key.become_state(KeyState::Deleted, now).is_err() {
            return Effect::Finish(Outcome::Parked);
        }
        let changes = vec![
            Change::Key(key),
            close(intent, IntentOutcome::Done, now),
            Change::EraseValues(id),
        ];
        self.commit(changes, Then::List(ListPurpose::PLAN))
    }
}

fn contradiction(id: &AccessKeyId) -> RunError {
    let text = format!("access key {id} could not be retired: AWS and the ledger contradict each other");
    RunError::new(RunErrorCode::AwsUnavailable, text)
}

pub(super) fn close(intent: &Intent, outcome: IntentOutcome, at: Moment) -> Change {
    Change::CloseIntent {
        id: intent.id,
        outcome,
        at,
    }
}
