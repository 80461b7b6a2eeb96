//! Step 7: a key has to work several times in a row in every region of its rotation, then AWS gets time to
//! settle.
//!
//! IAM is eventually consistent and not monotonic: a key that worked once may fail a moment later, and one that
//! works in a region may not work in another.

use super::publish::VERIFIED_FOR;
use super::{AccessKeyId, Adoption, Effect, Goal, Outcome, Phase, Region, Run, RunError, RunErrorCode, Then};
use crate::aws::{Answer, AwsFailure, CallerIdentity, FailureKind};
use crate::clock::Moment;
use crate::key::KeyState;
use crate::ledger::Change;

/// How far the verification of a key has come.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Verification {
    key: AccessKeyId,
    started_at: Moment,
    /// When the last check was answered.
    checked_at: Option<Moment>,
    /// Regions in which the key worked in this round.
    regions_passed: usize,
    /// Rounds in a row in which it worked in every region.
    rounds: u32,
    /// Refusals of its secret.
    secret_refusals: u32,
}

impl Run {
    /// Starts to verify a key: a new one, an imported one, or one that is rolled back to.
    pub(super) fn begin_verification(&mut self, now: Moment, key: AccessKeyId) -> Effect {
        let mark = self.ledger.keys.get(&key).and_then(|k| k.settles_at);
        if let Some(settles_at) = mark.filter(|at| !self.is_over(now, *at)) {
            return self.wait_until(now, settles_at);
        }
        self.verify(Verification {
            key,
            started_at: now,
            checked_at: None,
            regions_passed: 0,
            rounds: 0,
            secret_refusals: 0,
        })
    }

    pub(super) fn verify(&mut self, verification: Verification) -> Effect {
        let key = verification.key.clone();
        let mut regions = self.verify_regions();
        let region = regions.swap_remove(verification.regions_passed.min(regions.len() - 1));
        self.phase = Phase::Verifying(verification);
        Effect::Verify { key, region }
    }

    /// The region of the rotation first; never empty.
    fn verify_regions(&self) -> Vec<Region> {
        let settings = self.settings();
        let own = settings.map_or(&self.ledger.user.region, |s| &s.region);
        let mut regions = vec![own.clone()];
        for region in settings.iter().flat_map(|s| &s.policy.verify_regions) {
            if !regions.contains(region) {
                regions.push(region.clone());
            }
        }
        regions
    }

    pub(super) fn on_verified(
        &mut self,
        now: Moment,
        mut verification: Verification,
        answer: Answer<CallerIdentity>,
    ) -> Effect {
        let found = match answer {
            Ok(observed) => observed.value,
            Err(failure) => return self.on_verification_failed(now, verification, &failure),
        };
        if !self.is_target(&found) {
            let text = format!(
                "access key {} belongs to {}, not to IAM user {}; it was not published",
                verification.key, found.arn, self.ledger.user.name
            );
            return self.fail(now, RunError::new(RunErrorCode::IdentityChanged, text));
        }
        // A row with a gap in it, because this server slept, is none.
        if verification
            .checked_at
            .is_some_and(|at| (now - at).abs() > VERIFIED_FOR)
        {
            verification.rounds = 0;
            verification.regions_passed = 0;
        }
        verification.checked_at = Some(now);
        verification.regions_passed += 1;
        if verification.regions_passed < self.verify_regions().len() {
            return self.verify(verification);
        }
        verification.regions_passed = 0;
        verification.rounds += 1;
        if verification.rounds >= self.timings.verify_successes {
            let until = now + self.timings.verify_settle;
            self.phase = Phase::Settling { verification, until };
            return Effect::Wait(until);
        }
        self.verify_later(now, verification)
    }

    fn on_verification_failed(
        &mut self,
        now: Moment,
        mut verification: Verification,
        failure: &AwsFailure,
    ) -> Effect {
        // A refusal breaks the row; silence says nothing about the key.
        if failure.kind == FailureKind::Refused {
            verification.rounds = 0;
            verification.regions_passed = 0;
        }
        if self.refuses_for_good(&verification.key, failure) {
            verification.secret_refusals += 1;
            if verification.secret_refusals >= self.timings.signature_tries {
                return self.give_up(now, verification.key, failure);
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

    /// Whether waiting does not help. A key that its owner brings is known everywhere for long.
    fn refuses_for_good(&self, key: &AccessKeyId, failure: &AwsFailure) -> bool {
        failure.is("SignatureDoesNotMatch")
            || (self.imported_secret(key).is_some() && failure.kind == FailureKind::Refused)
    }

    /// A new key whose secret AWS refuses is useless and goes; any other stays as it was.
    fn give_up(&mut self, now: Moment, key: AccessKeyId, failure: &AwsFailure) -> Effect {
        let text = format!("AWS refuses the secret of access key {key}: {failure}");
        let error = RunError::new(RunErrorCode::VerifyRefused, text);
        if self.ledger.unpublished().is_none_or(|k| k.id != key) {
            return self.fail(now, error);
        }
        self.ending = Some(error);
        self.issue.refused = Some(key);
        self.decide(now)
    }

    fn verify_later(&mut self, now: Moment, verification: Verification) -> Effect {
        self.phase = Phase::WaitingToVerify(verification);
        Effect::Wait(now + self.timings.verify_spacing)
    }

    /// The key has proven itself: this is recorded, then it is published. An imported key has no record of its
    /// own before the publish.
    ///
    /// If this server slept or its clock jumped meanwhile, the checks prove nothing any more.
    pub(super) fn on_settled(&mut self, now: Moment, verification: &Verification, until: Moment) -> Effect {
        if (now - until).abs() > VERIFIED_FOR {
            return self.begin_verification(now, verification.key.clone());
        }
        // Counted from when the checks were over, and not from when this server looked again.
        self.verified_at = Some(until);
        if self.imports(&verification.key) {
            return self.publish(now);
        }
        let Some(mut key) = self.ledger.keys.get(&verification.key).cloned() else {
            return Effect::Finish(Outcome::Parked);
        };
        if key.state == KeyState::Pending && key.become_state(KeyState::Verified, now).is_err() {
            return Effect::Finish(Outcome::Parked);
        }
        key.verified_at = Some(now);
        self.commit(vec![Change::Key(key)], Then::Publish)
    }

    /// Whether the goal is a rotation that starts with this key of its owner.
    pub(super) fn imports(&self, id: &AccessKeyId) -> bool {
        matches!(&self.goal, Goal::Create(draft)
            if matches!(&draft.adoption, Adoption::Import { key, .. } if key == id))
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
