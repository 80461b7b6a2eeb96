//! How a run ends when it does not publish, and when its user is due next.

use super::{Effect, Goal, Outcome, Run, RunError, RunErrorCode, Then};
use crate::clock::{Millis, Moment};
use crate::intent::IntentKind;
use crate::key::KeyState;
use crate::ledger::{Change, Ledger};
use crate::rotation::{Trigger, backoff};
use crate::timings::Timings;

impl Run {
    /// Ends the run with a failure and records it: status, message, next attempt. The published key stays.
    pub(super) fn fail(&mut self, now: Moment, mut error: RunError) -> Effect {
        error.before_change = !self.changed_aws;
        let mut after = self.ledger.clone();
        let mut changes = Vec::new();
        let failures = match (&self.goal, &after.rotation) {
            (Goal::Rotate(Trigger::Scheduled { .. }), Some(rotation)) => rotation.failures,
            _ => after.user.failures,
        };
        let retry_after = self.retry_after(failures);
        let trigger = match self.goal {
            Goal::Rotate(trigger) => Some(trigger),
            Goal::Revoke { .. } => Some(Trigger::Manual),
            Goal::Create(_) | Goal::Settle => None,
        };
        if let (Some(trigger), Some(rotation)) = (trigger, after.rotation.as_mut()) {
            rotation.note_failed(error.text.clone(), &trigger, now, retry_after);
            changes.push(Change::UpdateRotation(rotation.clone()));
        }
        after.user.unfinished = None;
        after.user.failures = after.user.failures.saturating_add(1);
        after.user.due_at = due_at(&after, &self.timings, now + retry_after);
        changes.push(Change::User(after.user));
        self.commit(changes, Then::Finish(Outcome::Failed(error)))
    }

    /// Ends the run because a call may still land. Nothing of the rotation's state changes.
    pub(super) fn wait_until(&mut self, now: Moment, settles_at: Moment) -> Effect {
        let mut user = self.ledger.user.clone();
        // A run that was taken up after a crash is taken up again; a new one was answered and is over.
        user.unfinished = self.unfinished_before;
        user.due_at = Some(settles_at);
        let mut error = RunError::new(
            RunErrorCode::InProgress,
            format!(
                "a call to AWS for IAM user {} went unanswered and may still take effect until {settles_at}; \
                 Keywheel continues by itself then",
                self.ledger.user.name
            ),
        );
        error.before_change = !self.changed_aws;
        debug_assert!(now < settles_at, "there is something to wait for");
        self.commit(vec![Change::User(user)], Then::Finish(Outcome::Failed(error)))
    }

    /// Ends a run that only had to put things in order.
    pub(super) fn settle(&mut self, now: Moment) -> Effect {
        let mut after = self.ledger.clone();
        after.user.unfinished = None;
        after.user.failures = 0;
        after.user.due_at = due_at(&after, &self.timings, now + self.retry_after(0));
        self.commit(vec![Change::User(after.user)], Then::Finish(Outcome::Settled))
    }

    /// The last commit of a deletion.
    pub(super) fn finish_revoke(&mut self, delete_secrets: bool, now: Moment) -> Effect {
        let Some(rotation) = self.ledger.rotation.as_ref().map(|r| r.id) else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut after = self.ledger.clone();
        after.rotation = None;
        after.user.rotation = None;
        after.user.unfinished = None;
        after.user.failures = 0;
        after.user.due_at = due_at(&after, &self.timings, now + self.retry_after(0));
        let remove = Change::RemoveRotation {
            id: rotation,
            delete_secrets,
        };
        self.commit(
            vec![remove, Change::User(after.user)],
            Then::Finish(Outcome::Revoked),
        )
    }

    fn retry_after(&self, failures: u32) -> Millis {
        let entropy = self
            .entropy
            .iter()
            .fold(0_u64, |sum, byte| (sum << 7) ^ u64::from(*byte));
        backoff::after_failures(
            failures,
            self.timings.retry_first,
            self.timings.retry_cap,
            entropy,
        )
    }
}

/// When a user has to be looked at next: the earliest of what is left to do. None if that is nothing.
///
/// `retry_at` is when work that just failed may be tried again.
pub fn due_at(ledger: &Ledger, timings: &Timings, retry_at: Moment) -> Option<Moment> {
    let intent = ledger.open_intent.as_ref().map(|intent| match intent.kind {
        IntentKind::Create => intent.settles_at(timings.late_landing).max(retry_at),
        IntentKind::Deactivate | IntentKind::Delete => retry_at,
    });
    let rotation = ledger
        .rotation
        .as_ref()
        .and_then(|r| r.starts_at(timings.day_length));
    let leftovers = ledger.keys.values().filter_map(|key| match key.state {
        KeyState::Pending | KeyState::Verified => {
            Some((key.first_seen_at + timings.pending_max).max(retry_at))
        }
        KeyState::Deactivated if key.published_at.is_none() && key.displaced_at.is_none() => Some(retry_at),
        KeyState::OrphanSuspect if key.proof.is_some() => Some(retry_at),
        _ => None,
    });
    intent.into_iter().chain(rotation).chain(leftovers).min()
}
