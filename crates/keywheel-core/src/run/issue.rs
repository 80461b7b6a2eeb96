//! Steps 3 to 6: announce the create, send it once, seal and record the key, look again.

use super::preflight::ListPurpose;
use super::{AccessKeyId, Effect, Issued, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, KeyStatus};
use crate::clock::{Millis, Moment};
use crate::ids::IntentId;
use crate::intent::{IntentKind, IntentOutcome};
use crate::key::{ManagedKey, Proof};
use crate::ledger::{Alarm, Change, Commit};

/// How long to wait before a created key that could not be recorded is recorded again.
const RECORD_AGAIN: Millis = Millis::from_secs(1);

/// What this run knows of its own create.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct IssueProgress {
    /// Whether the create was sent. A run sends at most one.
    sent: bool,
    /// When its answer came.
    answered_at: Option<Moment>,
    /// The key that AWS will not accept, for good.
    pub(super) refused: Option<AccessKeyId>,
}

impl Run {
    /// Step 3. The room for the key was seen in the last list.
    pub(super) fn open_create(&mut self, now: Moment) -> Effect {
        if let Some(settles_at) = self.ledger.user.settles_at.filter(|at| !self.is_over(now, *at)) {
            return self.wait_until(now, settles_at);
        }
        if let Some(error) = self.clock_fault() {
            return self.fail(now, error);
        }
        if self.issue.sent {
            let text = "the new access key is gone before it could be published";
            return self.fail(now, RunError::new(RunErrorCode::AwsUnavailable, text));
        }
        self.announced_at = Some(now);
        let mut intent = self.new_intent(IntentKind::Create, None, now);
        intent.snapshot = self.listed.iter().map(|line| line.id.clone()).collect();
        let settles_at = intent.settles_at(self.timings.late_landing);
        let mut user = self.user_due_by(settles_at);
        user.settles_at = Some(settles_at);
        let then = Then::Issue(intent.id);
        self.issue.sent = true;
        self.commit(vec![Change::User(user), Change::OpenIntent(intent)], then)
    }

    /// Steps 4 and 5. The answer is worth more than anything: nothing is done before it is recorded.
    pub(super) fn on_issued(&mut self, now: Moment, intent: IntentId, answer: Answer<Issued>) -> Effect {
        self.issue.answered_at = Some(now);
        let close = |outcome| Change::CloseIntent {
            id: intent,
            outcome,
            at: now,
        };
        let mut user = self.ledger.user.clone();
        user.settles_at = None;
        match answer {
            Ok(observed) => match observed.value {
                Issued {
                    id,
                    secret: Some(secret),
                    created_at,
                } => {
                    let key = ManagedKey::created(id, secret, created_at, self.begins(now));
                    let changes = vec![Change::Key(key), Change::User(user), close(IntentOutcome::Done)];
                    self.commit(changes, Then::List(ListPurpose::Created))
                }
                Issued {
                    id,
                    secret: None,
                    created_at,
                } => {
                    let mut key = ManagedKey::suspected(
                        id.clone(),
                        KeyStatus::Active,
                        created_at,
                        intent,
                        self.begins(now),
                    );
                    key.proof = Some(Proof::CreateResponse);
                    let text =
                        format!("the secret of access key {id} could not be sealed; the key is retired");
                    self.ending = Some(RunError::new(RunErrorCode::SealingFailed, text));
                    let changes = vec![
                        Change::Key(key),
                        Change::User(user),
                        close(IntentOutcome::Suspect),
                    ];
                    self.commit_all(
                        Commit {
                            changes,
                            alarms: vec![Alarm::OrphanSuspected(id)],
                            ..Commit::default()
                        },
                        Then::Decide,
                    )
                }
            },
            Err(failure) if Self::had_no_effect(failure.kind) => {
                let changes = vec![Change::User(user), close(IntentOutcome::NoEffect)];
                let doing = format!("creating an access key for IAM user {}", self.ledger.user.name);
                let mut error = RunError::aws(&doing, &failure);
                if failure.is("LimitExceeded") {
                    // Somebody was faster. What they made is recorded from a fresh list, and not touched.
                    error.code = RunErrorCode::NoFreeSlot;
                    self.ending = Some(error);
                    return self.commit(changes, Then::List(ListPurpose::PLAN));
                }
                self.commit(changes, Then::Fail(Box::new(error)))
            }
            Err(failure) => {
                let text = format!(
                    "AWS did not say whether an access key was created for IAM user {} ({failure}). Keywheel \
                     will look for it once the request cannot take effect any more.",
                    self.ledger.user.name
                );
                self.fail(now, RunError::new(RunErrorCode::OutcomeUnknown, text))
            }
        }
    }

    /// When to try again to record a created key: until the lease could end.
    pub(super) fn may_record_again(&self, now: Moment, then: &Then) -> Option<Moment> {
        let records_key = matches!(then, Then::List(ListPurpose::Created));
        let until = self.issue.answered_at? + self.timings.lease - self.timings.call_timeout;
        (records_key && now < until).then(|| now + RECORD_AGAIN)
    }
}
