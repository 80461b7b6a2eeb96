//! How a run ends when it does not publish.

use super::{Effect, Goal, Outcome, Run, RunError, RunErrorCode, Then, Unfinished, due_at};
use crate::clock::{Millis, Moment};
use crate::ledger::{Change, Commit, FailedRotation};
use crate::rotation::{Rotation, RotationStatus, Trigger, backoff};

impl Run {
    /// Ends the run with a failure and records it: status, message, next attempt. The published key stays.
    ///
    /// Work on single keys does not touch the status: the rotation itself has not failed.
    pub(super) fn fail(&mut self, now: Moment, mut error: RunError) -> Effect {
        error.before_change = !self.changed_aws;
        let now = self.time_of_failure(now);
        let mut after = self.ledger.clone();
        let mut changes = self.given_back(now);
        for change in &changes {
            after.apply(change);
        }
        let unconfirmed = self.is_clock_wrong() || self.is_clock_unknown();
        let trigger = match self.goal {
            // A clock that is wrong, or that AWS did not confirm, sets no date of the schedule.
            Goal::Rotate(_) if unconfirmed => Some(Trigger::Manual),
            // The waits of a displaced key are as its owner wants them.
            Goal::Rotate(Trigger::Manual) if error.code == RunErrorCode::GraceHoldsSlot => None,
            Goal::Rotate(trigger) => Some(trigger),
            Goal::Revoke { .. } => Some(Trigger::Manual),
            Goal::Create(_) | Goal::RollBack { .. } | Goal::Retire { .. } | Goal::Settle => None,
        };
        let failures = match (trigger, &after.rotation) {
            (Some(Trigger::Scheduled { .. }), Some(rotation)) => rotation.failures,
            _ => after.user.failures,
        };
        let retry_at = now + self.retry_after(failures);
        if let (Some(trigger), Some(rotation)) = (trigger, after.rotation.as_mut()) {
            rotation.note_failed(error.text.clone(), &trigger, now, retry_at - now);
            changes.push(Change::UpdateRotation(rotation.clone()));
        }
        after.user.unfinished = self.unfinished_after();
        let due_at = due_at(&after, &self.timings, retry_at);
        // A clock that may be wrong may take any date for past. What is still to come keeps its date.
        after.user.due_at = due_at.map(|at| if unconfirmed && at <= now { retry_at } else { at });
        // What comes later than a retry is no retry: its date is right however far off it is.
        let is_retried = after.user.due_at.is_some_and(|at| at <= retry_at);
        after.user.failures = if is_retried {
            after.user.failures.saturating_add(1)
        } else {
            0
        };
        changes.push(Change::User(after.user));
        let commit = Commit {
            changes,
            failed: self.told_failure(trigger.is_some(), error.code),
            ..Commit::default()
        };
        self.commit_all(commit, Then::Finish(Outcome::Failed(error)))
    }

    /// A failed rotation that others are told of: each that was asked for by hand, and of the schedule's the first in
    /// a row, since it tries again until it succeeds.
    fn told_failure(&self, is_noted: bool, code: RunErrorCode) -> Option<FailedRotation> {
        let is_manual = match &self.goal {
            Goal::Rotate(trigger) if is_noted => trigger.is_manual(),
            _ => return None,
        };
        let failed_before = |rotation: &Rotation| rotation.status == RotationStatus::Failed;
        let is_news = is_manual || !self.ledger.rotation.as_ref().is_some_and(failed_before);
        is_news.then_some(FailedRotation { code, is_manual })
    }

    /// Ends the run because a call may still land. Nothing of the rotation's state changes.
    pub(super) fn wait_until(&mut self, now: Moment, settles_at: Moment) -> Effect {
        let mut user = self.ledger.user.clone();
        // A run that was taken up after a crash is taken up again; a new one was answered and is over.
        user.unfinished = self.unfinished_before;
        user.due_at = Some(self.over_at(now, settles_at));
        let mut error = RunError::new(
            RunErrorCode::InProgress,
            format!(
                "a call to AWS for IAM user {} went unanswered and may still take effect until {settles_at}; \
                 Keywheel continues by itself then",
                self.ledger.user.name
            ),
        );
        error.before_change = !self.changed_aws;
        self.commit(vec![Change::User(user)], Then::Finish(Outcome::Failed(error)))
    }

    /// Ends a run that only had to put things in order.
    pub(super) fn settle(&mut self, now: Moment) -> Effect {
        let mut after = self.ledger.clone();
        after.user.unfinished = self.unfinished_after();
        after.user.failures = 0;
        // What this server's clock calls due and AWS's does not is looked at again when both do.
        after.user.due_at =
            due_at(&after, &self.timings, now + self.retry_after(0)).map(|at| self.over_at(now, at));
        self.commit(vec![Change::User(after.user)], Then::Finish(Outcome::Settled))
    }

    /// Whether a run was only to heal what works again, as the list shows: the slot of the schedule is not yet due.
    pub(super) fn is_healed(&self, trigger: &Trigger) -> bool {
        let Trigger::Scheduled { started_at, .. } = trigger else {
            return false;
        };
        let early = |r: &Rotation| r.slot_at.is_some_and(|slot| slot > *started_at);
        self.ledger.rotation.as_ref().is_some_and(early)
            && self.ledger.published_works()
            && self.ledger.unpublished().is_none()
    }

    /// Ends such a run: the schedule is as if nothing had been wrong.
    pub(super) fn settle_healed(&mut self, now: Moment) -> Effect {
        let mut after = self.ledger.clone();
        let mut changes = Vec::new();
        if let Some(rotation) = after.rotation.as_mut() {
            rotation.next_attempt_at = rotation.slot_at;
            rotation.failures = 0;
            changes.push(Change::UpdateRotation(rotation.clone()));
        }
        after.user.failures = 0;
        after.user.due_at = due_at(&after, &self.timings, now);
        changes.push(Change::User(after.user));
        self.commit(changes, Then::Finish(Outcome::Settled))
    }

    /// The run that is still to be taken up when this one ends: work on a single key that comes between leaves it.
    fn unfinished_after(&self) -> Option<Unfinished> {
        match self.goal {
            Goal::RollBack { .. } | Goal::Retire { .. } => self.unfinished_before,
            Goal::Create(_) | Goal::Rotate(_) | Goal::Revoke { .. } | Goal::Settle => None,
        }
    }

    /// The last commit of a deletion.
    pub(super) fn finish_revoke(&mut self, delete_secrets: bool) -> Effect {
        let Some(rotation) = self.ledger.rotation.as_ref().map(|r| r.id) else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut user = self.ledger.user.clone();
        user.rotation = None;
        user.unfinished = None;
        user.failures = 0;
        // No key is left that Keywheel looks after.
        user.due_at = None;
        let remove = Change::RemoveRotation {
            id: rotation,
            delete_secrets,
        };
        self.commit(vec![remove, Change::User(user)], Then::Finish(Outcome::Revoked))
    }

    pub(super) fn retry_after(&self, failures: u32) -> Millis {
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
