//! Roll-back: an earlier key is published again, after it has proven itself like a new one.

use super::{AccessKeyId, Effect, Run, RunError, RunErrorCode};
use crate::clock::Moment;
use crate::intent::IntentKind;
use crate::key::KeyState;

impl Run {
    /// What is still to be done: bring the key back if it is inactive, verify it, publish it.
    ///
    /// A run that dies on the way leaves the key displaced, under the terms that it had: nothing that
    /// applications read has changed, and the roll-back can be asked for again.
    pub(super) fn decide_roll_back(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        let going = self.ledger.rotation.as_ref().is_none_or(|r| r.revoking);
        if going {
            let text = format!("access key {id} cannot be rolled back to: its rotation is being deleted");
            return self.fail(now, RunError::new(RunErrorCode::KeyNotEligible, text));
        }
        let key = self.ledger.keys.get(id);
        let state = key
            .filter(|k| k.secret.is_some() && self.is_listed(id))
            .map(|k| k.state);
        match state {
            Some(KeyState::Displaced) => self.begin_verification(now, id.clone()),
            Some(KeyState::Deactivated) => self.reactivate(now, id),
            _ => {
                let error = RunError::not_eligible(id, key, "rolled back to");
                self.fail(now, error)
            }
        }
    }

    fn reactivate(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        let mark = self.ledger.keys.get(id).and_then(|k| k.settles_at);
        if let Some(settles_at) = mark.filter(|at| !self.is_over(now, *at)) {
            return self.wait_until(now, settles_at);
        }
        if let Some(error) = self.clock_fault() {
            return self.fail(now, error);
        }
        self.announce(now, IntentKind::Reactivate, id)
    }
}
