//! Step 2: a key goes in two recorded steps, by id: deactivated, then deleted. Never in one.

use super::preflight::ListPurpose;
use super::{AccessKeyId, Effect, Goal, Phase, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, AwsFailure};
use crate::clock::Moment;
use crate::intent::{Intent, IntentKind, IntentOutcome};
use crate::key::{KeyState, ManagedKey};
use crate::ledger::{Change, Unfinished};

/// A run announces at most this many changes of old keys: two steps for each of two slots, and as many again
/// for what AWS contradicts.
const CHANGES_MAX: u32 = 8;

impl Run {
    /// A key that was created and never published, and that nobody waits for any more: too old, refused by
    /// AWS, or already half retired.
    pub(super) fn to_give_up(&self, now: Moment) -> Option<AccessKeyId> {
        let hopeless = |k: &&ManagedKey| match k.state {
            KeyState::Pending | KeyState::Verified => {
                k.first_seen_at + self.timings.pending_max <= now
                    || self.issue.refused.as_ref() == Some(&k.id)
            }
            KeyState::Deactivated => k.published_at.is_none() && k.held.is_none() && k.displaced_at.is_none(),
            KeyState::OrphanSuspect => k.proof.is_some() && k.held.is_none(),
            _ => false,
        };
        self.ledger.keys.values().find(hopeless).map(|k| k.id.clone())
    }

    /// Announces the next step of a key's retirement.
    pub(super) fn retire(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
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
        let (Some(kind), Some(mut key)) = (kind, self.ledger.keys.get(id).cloned()) else {
            let text =
                format!("access key {id} could not be retired: AWS and the ledger contradict each other");
            return self.fail(now, RunError::new(RunErrorCode::AwsUnavailable, text));
        };
        let intent = self.new_intent(kind, Some(id.clone()), now);
        key.settles_at = Some(intent.settles_at(self.timings.late_landing));
        self.commit(
            vec![Change::Key(key), Change::OpenIntent(intent)],
            Then::Change(kind, id.clone()),
        )
    }

    pub(super) fn send_change(&mut self, kind: IntentKind, key: AccessKeyId) -> Effect {
        let Some(intent) = self.ledger.open_intent.clone() else {
            return Effect::Finish(super::Outcome::Parked);
        };
        self.changed_aws = true;
        self.phase = Phase::Changing {
            intent,
            recovering: false,
        };
        if kind == IntentKind::Delete {
            Effect::Delete(key)
        } else {
            Effect::Deactivate(key)
        }
    }

    /// Records the answer. `recovering` says that an earlier holder sent the call too: what it sent may still
    /// land, so a refusal proves nothing and the mark on the key stays.
    pub(super) fn on_changed(
        &mut self,
        now: Moment,
        intent: &Intent,
        recovering: bool,
        answer: Answer<()>,
    ) -> Effect {
        let Some(mut key) = intent
            .key
            .as_ref()
            .and_then(|id| self.ledger.keys.get(id))
            .cloned()
        else {
            return Effect::Finish(super::Outcome::Parked);
        };
        if !recovering {
            key.settles_at = None;
        }
        let gone = |failure: &AwsFailure| failure.is("NoSuchEntity");
        match (intent.kind, answer) {
            (IntentKind::Delete, Err(failure)) if gone(&failure) => self.record_deleted(now, intent, key),
            (IntentKind::Delete, Ok(_)) => self.record_deleted(now, intent, key),
            (_, Ok(_)) => self.record_deactivated(now, intent, key, recovering),
            (_, Err(failure)) if gone(&failure) => {
                let close = close(intent, IntentOutcome::NoEffect, now);
                self.commit(vec![Change::Key(key), close], Then::List(ListPurpose::SETTLED))
            }
            (_, Err(failure)) => {
                let error = RunError::aws(&format!("retiring access key {}", key.id), &failure);
                if recovering || !Self::had_no_effect(failure.kind) {
                    return self.fail(now, error);
                }
                let close = close(intent, IntentOutcome::NoEffect, now);
                self.commit(vec![Change::Key(key), close], Then::Fail(Box::new(error)))
            }
        }
    }

    fn record_deactivated(
        &mut self,
        now: Moment,
        intent: &Intent,
        mut key: ManagedKey,
        recovering: bool,
    ) -> Effect {
        if key.state != KeyState::Deactivated && key.become_state(KeyState::Deactivated, now).is_err() {
            return Effect::Finish(super::Outcome::Parked);
        }
        key.aws_status = crate::aws::KeyStatus::Inactive;
        let then = if recovering {
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
            return Effect::Finish(super::Outcome::Parked);
        }
        let changes = vec![
            Change::Key(key),
            close(intent, IntentOutcome::Done, now),
            Change::EraseValues(id),
        ];
        self.commit(changes, Then::List(ListPurpose::PLAN))
    }

    /// Marks the rotation as going: out of the schedule, nothing published any more.
    pub(super) fn begin_revoke(&mut self, delete_secrets: bool, now: Moment) -> Effect {
        let Some(mut rotation) = self.ledger.rotation.clone() else {
            return Effect::Finish(super::Outcome::Parked);
        };
        rotation.revoking = true;
        rotation.updated_at = now;
        rotation.reschedule(self.timings.day_length);
        let mut user = self.ledger.user.clone();
        user.unfinished = Some(Unfinished::Revoke { delete_secrets });
        user.due_at = Some(now);
        let mut changes = vec![Change::UpdateRotation(rotation), Change::User(user)];
        for key in self.ledger.keys.values().filter(|k| k.is_ours()) {
            let mut key = key.clone();
            // Deleting is the owner's word: nothing is published or held back any more.
            key.held = None;
            if key.state != KeyState::Published || key.become_state(KeyState::Displaced, now).is_ok() {
                changes.push(Change::Key(key));
            }
        }
        self.commit(changes, Then::Identify)
    }

    /// Retires what is left, keys of the slots first; then the rotation goes.
    pub(super) fn decide_revoke(&mut self, delete_secrets: bool, now: Moment) -> Effect {
        let slots = self
            .ledger
            .rotation
            .iter()
            .flat_map(|r| r.slots.keys.iter().flatten());
        let others = self.ledger.keys.keys();
        let next = slots
            .chain(others)
            .find(|id| self.ledger.keys.get(*id).is_some_and(ManagedKey::is_ours));
        if let Some(id) = next.cloned() {
            return self.retire(now, &id);
        }
        self.finish_revoke(delete_secrets, now)
    }

    /// Whether the run is a deletion.
    pub(super) const fn is_revoking(&self) -> bool {
        matches!(self.goal, Goal::Revoke { .. })
    }
}

pub(super) fn close(intent: &Intent, outcome: IntentOutcome, at: Moment) -> Change {
    Change::CloseIntent {
        id: intent.id,
        outcome,
        at,
    }
}
