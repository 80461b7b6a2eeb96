//! Deleting a rotation with its keys: the owner's word for all of them, so that no wait counts.

use super::{Effect, Goal, Run, Then};
use crate::clock::Moment;
use crate::key::{KeyState, ManagedKey, Terms};
use crate::ledger::{Change, Unfinished};

impl Run {
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
        user.due_at = Some(Moment::LONG_AGO);
        let mut changes = vec![Change::UpdateRotation(rotation), Change::User(user)];
        for key in self.ledger.keys.values().filter(|k| k.is_ours()) {
            let mut key = key.clone();
            // Deleting is the owner's word: nothing is published or held back any more.
            key.held = None;
            if key.state != KeyState::Published || key.become_state(KeyState::Displaced, now).is_ok() {
                key.terms = Some(Terms::AtOnce);
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
        self.finish_revoke(delete_secrets)
    }

    /// Whether the run is a deletion.
    pub(super) const fn is_revoking(&self) -> bool {
        matches!(self.goal, Goal::Revoke { .. })
    }
}
