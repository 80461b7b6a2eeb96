//! Step 7: the new key has to work several times in a row, then AWS gets time to settle.
//!
//! IAM is eventually consistent and not monotonic: a key that worked once may fail a moment later.

use super::{AccessKeyId, Effect, Phase, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, AwsFailure, CallerIdentity, FailureKind};
use crate::clock::Moment;
use crate::key::KeyState;
use crate::ledger::Change;

/// How far the verification of a key has come.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Verification {
    key: AccessKeyId,
    started_at: Moment,
    successes: u32,
    signature_failures: u32,
}

impl Run {
    /// Starts to verify a key that was created, by this run or an earlier one.
    pub(super) fn begin_verification(&mut self, now: Moment, key: AccessKeyId) -> Effect {
        let mark = self
            .ledger
            .keys
            .get(&key)
            .and_then(|k| k.settles_at)
            .filter(|at| now < *at);
        if let Some(settles_at) = mark {
            return self.wait_until(now, settles_at);
        }
        self.verify(Verification {
            key,
            started_at: now,
            successes: 0,
            signature_failures: 0,
        })
    }

    pub(super) fn verify(&mut self, verification: Verification) -> Effect {
        let key = verification.key.clone();
        self.phase = Phase::Verifying(verification);
        Effect::Verify(key)
    }

    pub(super) fn on_verified(
        &mut self,
        now: Moment,
        mut verification: Verification,
        answer: Answer<CallerIdentity>,
    ) -> Effect {
        match answer {
            Ok(observed) => {
                if !self.is_target(&observed.value) {
                    let text = format!(
                        "access key {} belongs to {}, not to IAM user {}; it was not published",
                        verification.key, observed.value.arn, self.ledger.user.name
                    );
                    return self.fail(now, RunError::new(RunErrorCode::IdentityChanged, text));
                }
                verification.successes += 1;
                if verification.successes >= self.timings.verify_successes {
                    self.phase = Phase::Settling(verification);
                    return Effect::Wait(now + self.timings.verify_settle);
                }
                self.verify_later(now, verification)
            }
            Err(failure) => self.on_verification_failed(now, verification, &failure),
        }
    }

    fn on_verification_failed(
        &mut self,
        now: Moment,
        mut verification: Verification,
        failure: &AwsFailure,
    ) -> Effect {
        // A refusal breaks the row; silence says nothing about the key.
        if failure.kind == FailureKind::Refused {
            verification.successes = 0;
        }
        if failure.is("SignatureDoesNotMatch") {
            verification.signature_failures += 1;
            if verification.signature_failures >= self.timings.signature_tries {
                let text = format!(
                    "AWS refuses the secret of access key {}: {failure}",
                    verification.key
                );
                self.ending = Some(RunError::new(RunErrorCode::VerifyRefused, text));
                self.issue.refused = Some(verification.key);
                return self.decide(now);
            }
        }
        if now >= verification.started_at + self.timings.verify_deadline {
            let text = format!(
                "access key {} does not work yet: {failure}. It was not published and will be checked again.",
                verification.key
            );
            return self.fail(now, RunError::new(RunErrorCode::VerifyTimeout, text));
        }
        self.verify_later(now, verification)
    }

    fn verify_later(&mut self, now: Moment, verification: Verification) -> Effect {
        self.phase = Phase::WaitingToVerify(verification);
        Effect::Wait(now + self.timings.verify_spacing)
    }

    /// The key has proven itself: this is recorded, then it is published.
    pub(super) fn on_settled(&mut self, now: Moment, verification: &Verification) -> Effect {
        let Some(mut key) = self.ledger.keys.get(&verification.key).cloned() else {
            return Effect::Finish(super::Outcome::Parked);
        };
        if key.state != KeyState::Verified && key.become_state(KeyState::Verified, now).is_err() {
            return Effect::Finish(super::Outcome::Parked);
        }
        key.verified_at = Some(now);
        self.verified_at = Some(now);
        self.commit(vec![Change::Key(key)], Then::Publish)
    }

    /// Whether an identity is the user that step 0 found.
    fn is_target(&self, identity: &CallerIdentity) -> bool {
        self.identified.as_ref().is_some_and(|target| {
            identity.user_id == target.user_id
                && identity.arn == target.arn
                && target.arn.account().as_ref() == Some(&identity.account)
        })
    }
}
