//! Who still uses a key: asked before a key that was published is deactivated, and of every suspect.
//!
//! AWS shows a use up to four hours late, so it proves use and never its absence. What is recorded here can
//! only hold a retirement back, or give a key back to its owner; it never condemns a key by itself.

use super::{AccessKeyId, Effect, Goal, Outcome, Phase, Run, Then};
use crate::aws::{Answer, LastUse};
use crate::clock::{Millis, Moment};
use crate::key::{KeyState, ManagedKey, Proof, Terms};
use crate::ledger::{Alarm, Change, Commit, Ledger};
use crate::rotation::policy::{Hours, WhenStillUsed};
use crate::timings::Timings;

/// AWS stamps the first use of a span of 15 minutes, so a check of ours may be stamped this far from it.
const STAMP_SPAN: Millis = Millis::from_secs(15 * 60);
/// How often AWS is asked again whether a key is still used whose retirement waits for that.
pub(super) const USE_AGAIN: Millis = Millis::from_hours(1);
/// The services that our own checks of a key call.
const OWN_SERVICES: [&str; 2] = ["sts", "iam"];
/// Why a proven key that was used is left to its owner.
const HELD_CONTRADICTION: &str = "it is proven to be Keywheel's, and yet somebody used it";

/// What this run learned of the use of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Evidence {
    /// Whether the ledger has what AWS knows, or AWS did not say.
    pub(super) is_read: bool,
    /// Whether the retirement of the key had not come when AWS was asked: then it is asked again.
    is_ahead: bool,
}

impl Run {
    /// The suspect whose use decides what becomes of it, if this run has not asked yet. The owner's word needs
    /// no evidence.
    pub(super) fn suspect_to_look_up(&self) -> Option<AccessKeyId> {
        if self.is_revoking() {
            return None;
        }
        let open = |k: &&ManagedKey| {
            k.state == KeyState::OrphanSuspect
                && k.held.is_none()
                && k.proof != Some(Proof::Owner)
                && !self.evidence.contains_key(&k.id)
                && self.is_listed(&k.id)
        };
        self.ledger.keys.values().find(open).map(|k| k.id.clone())
    }

    /// The displaced key whose retirement its use holds back, if AWS is to be asked again.
    pub(super) fn held_to_look_up(&self, now: Moment) -> Option<AccessKeyId> {
        let is_over = |at: Option<Moment>| at.is_some_and(|at| self.is_over(now, at));
        let open = |k: &&ManagedKey| {
            self.is_held_by_use(now, k)
                && self.needs_evidence(k)
                && is_over(k.retires_at(self.timings.pending_max))
                && is_over(k.use_checked_at.map(|at| at + USE_AGAIN))
        };
        self.ledger.keys.values().find(open).map(|k| k.id.clone())
    }

    /// The displaced key that retires soon, if it is time to look whether people have to be told that it is still used.
    /// One that is about to be published again does not retire.
    pub(super) fn retiring_to_look_up(&self, now: Moment) -> Option<AccessKeyId> {
        let is_wanted_back = |k: &ManagedKey| matches!(&self.goal, Goal::RollBack { key } if *key == k.id);
        let open = |k: &&ManagedKey| {
            self.needs_evidence(k)
                && !is_wanted_back(k)
                && !self.evidence.contains_key(&k.id)
                && looks_ahead_at(k, &self.ledger, &self.timings).is_some_and(|at| self.is_over(now, at))
        };
        self.ledger.keys.values().find(open).map(|k| k.id.clone())
    }

    /// Asks AWS for the last use of a key.
    pub(super) fn look_up_use(&mut self, key: AccessKeyId) -> Effect {
        self.phase = Phase::LookingUp(key.clone());
        Effect::LastUsed(key)
    }

    /// Whether AWS has to be asked before the next step of this key: others may have used it. Of a suspect that only a
    /// promise made Keywheel's, AWS may know more at the end of the quarantine than at its beginning.
    pub(super) fn needs_evidence(&self, key: &ManagedKey) -> bool {
        (key.state == KeyState::Displaced || is_promised_away(key))
            && key.terms() != Terms::AtOnce
            && !self.is_revoking()
            && self.evidence.get(&key.id).is_none_or(|known| known.is_ahead)
    }

    pub(super) fn on_last_used(
        &mut self,
        now: Moment,
        id: &AccessKeyId,
        answer: Answer<Option<LastUse>>,
    ) -> Effect {
        let Some(mut key) = self.ledger.keys.get(id).cloned() else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut alarms = Vec::new();
        let is_look_due =
            looks_ahead_at(&key, &self.ledger, &self.timings).is_some_and(|at| self.is_over(now, at));
        key.use_checked_at = Some(now);
        let evidence = Evidence {
            is_read: answer.is_ok(),
            is_ahead: self.is_ahead(now, &key),
        };
        self.evidence.insert(id.clone(), evidence);
        if let Ok(observed) = answer {
            key.last_used = observed.value;
        }
        match key.state {
            KeyState::OrphanSuspect => self.judge_suspect(now, &mut key, &mut alarms),
            KeyState::Displaced => self.judge_displaced(now, &mut key, is_look_due, &mut alarms),
            KeyState::Deactivated if is_promised_away(&key) && key.last_used.is_some() => {
                key.held = Some(HELD_CONTRADICTION.to_owned());
                alarms.push(Alarm::Contradiction(key.id.clone()));
            }
            _ => {}
        }
        let commit = Commit {
            changes: vec![Change::Key(key)],
            alarms,
            ..Commit::default()
        };
        self.commit_all(commit, Then::Decide)
    }

    /// A suspect that was ever used is somebody else's: the secret of ours died with its answer. One that was
    /// never used becomes ours only by a proof.
    fn judge_suspect(&self, now: Moment, key: &mut ManagedKey, alarms: &mut Vec<Alarm>) {
        match (&key.last_used, key.proof) {
            (Some(_), None) => {
                // The transition exists, so it cannot fail.
                let _ = key.become_state(KeyState::Unmanaged, now);
            }
            (Some(_), Some(_)) if key.held.is_some() => {}
            (Some(_), Some(_)) => {
                key.held = Some(HELD_CONTRADICTION.to_owned());
                alarms.push(Alarm::Contradiction(key.id.clone()));
            }
            (None, None) if self.is_exclusively_ours(now, key) => {
                key.proof = Some(Proof::Exclusive);
                key.terms = Some(Terms::Grace {
                    until: now,
                    quarantine: self.timings.suspect_quiet,
                });
            }
            (None, _) => {}
        }
    }

    /// Whether the standing promise of the owner proves a suspect: AWS has known of no use for long enough
    /// after the key was first seen.
    fn is_exclusively_ours(&self, now: Moment, key: &ManagedKey) -> bool {
        is_promised(&self.ledger, key)
            && key.aws_created_at.is_some()
            && self.is_use_known(&key.id)
            && self.is_over(now, key.first_seen_at + self.timings.suspect_quiet)
    }

    /// Tells people of a displaced key that is still used, and starts the clock of the bound. A look ahead of the
    /// retirement holds nothing back yet, and tells of it only when it is due: before that, what AWS shows may be from
    /// before the key was displaced. A key that its owner holds does not retire, so there is nothing to tell or to bound.
    fn judge_displaced(&self, now: Moment, key: &mut ManagedKey, is_look_due: bool, alarms: &mut Vec<Alarm>) {
        if key.held.is_some() {
            key.use_waits_since = None;
            return;
        }
        let (used, is_ahead) = (self.used_lately(now, key), self.is_ahead(now, key));
        if !is_ahead {
            let unknown = !self.is_use_known(&key.id);
            let holds = matches!(self.policy().when_still_used, WhenStillUsed::Hold { .. });
            key.use_waits_since = match key.use_waits_since {
                _ if !holds || !(used || unknown) => None,
                None => Some(self.begins(now)),
                since => since,
            };
        }
        if used && (!is_ahead || is_look_due) {
            alarms.push(Alarm::StillUsed {
                key: key.id.clone(),
                is_ahead,
                kept_until: self.kept_until(now, key),
            });
        }
    }

    /// Whether the retirement of a displaced key has not come yet. What waits for the next rotation goes with that alone.
    fn is_ahead(&self, now: Moment, key: &ManagedKey) -> bool {
        key.state == KeyState::Displaced
            && match key.terms() {
                Terms::Grace { until, .. } => !self.is_over(now, until),
                Terms::NextRotation => !matches!(self.goal, Goal::Rotate(_)),
                Terms::AtOnce => false,
            }
    }

    /// Until when its use keeps a displaced key at most, from its retirement on. None if it goes all the same.
    fn kept_until(&self, now: Moment, key: &ManagedKey) -> Option<Moment> {
        let WhenStillUsed::Hold { hours_max } = self.policy().when_still_used else {
            return None;
        };
        let since = key
            .use_waits_since
            .or_else(|| displaced_until(key, &self.ledger, &self.timings))?;
        let until = since + hours_max.length(self.timings.day_length);
        (!self.is_over(now, until)).then_some(until)
    }

    /// Whether AWS told this run of the use of a key.
    pub(super) fn is_use_known(&self, key: &AccessKeyId) -> bool {
        self.evidence.get(key).is_some_and(|known| known.is_read)
    }

    /// Whether recent use, or not knowing of it, holds the retirement of a displaced key back. Not for ever:
    /// the policy has a bound.
    pub(super) fn is_held_by_use(&self, now: Moment, key: &ManagedKey) -> bool {
        let WhenStillUsed::Hold { hours_max } = self.policy().when_still_used else {
            return false;
        };
        let Some(since) = key.use_waits_since else {
            return false;
        };
        key.state == KeyState::Displaced
            && key.terms() != Terms::AtOnce
            && !self.is_revoking()
            && !self.is_over(now, since + hours_max.length(self.timings.day_length))
    }

    /// Whether somebody else used the key within the quiet time.
    fn used_lately(&self, now: Moment, key: &ManagedKey) -> bool {
        let recent = |used: &LastUse| now - used.at < self.timings.last_used_quiet;
        key.last_used.as_ref().is_some_and(recent) && !is_own_use(key)
    }
}

/// When AWS is asked, ahead of its retirement, whether a displaced key is still used, so that people have time to act:
/// [`Hours::LOOK_AHEAD`] before, and not while what AWS shows may be from before the key was displaced. None if there is no
/// such time, or it was asked since.
pub(super) fn looks_ahead_at(key: &ManagedKey, ledger: &Ledger, timings: &Timings) -> Option<Moment> {
    let ends_at = displaced_until(key, ledger, timings)?;
    let ahead = Hours::LOOK_AHEAD.length(timings.day_length);
    let at = (ends_at - ahead).max(key.displaced_at? + timings.last_used_quiet);
    let is_open = at < ends_at && key.use_checked_at.is_none_or(|checked| checked < at);
    is_open.then_some(at)
}

/// When the retirement of a displaced key begins, unless its use holds it back. None if nothing says so, or at once.
fn displaced_until(key: &ManagedKey, ledger: &Ledger, timings: &Timings) -> Option<Moment> {
    let rotation = ledger.rotation.as_ref().filter(|rotation| !rotation.revoking)?;
    if key.state != KeyState::Displaced || key.held.is_some() {
        return None;
    }
    match key.terms() {
        Terms::Grace { until, .. } => Some(until),
        Terms::NextRotation => rotation.starts_at(timings.day_length),
        Terms::AtOnce => None,
    }
}

/// Whether the last use that AWS tells of is a check of ours: a stamp near it, of a service that our checks call.
pub fn is_own_use(key: &ManagedKey) -> bool {
    let near = |at: Moment, used: &LastUse| (used.at - at).abs() <= STAMP_SPAN;
    key.last_used.as_ref().is_some_and(|used| {
        let checked = key.verified_at.is_some_and(|at| near(at, used));
        checked && OWN_SERVICES.contains(&used.service.as_str())
    })
}

/// Whether a key is in quarantine because of its owner's standing promise alone.
pub(super) fn is_promised_away(key: &ManagedKey) -> bool {
    key.state == KeyState::Deactivated && key.proof == Some(Proof::Exclusive)
}

/// Whether the owner had promised, before the create was announced that could have made this key, that nobody
/// else makes keys on this user.
pub(super) fn is_promised(ledger: &Ledger, key: &ManagedKey) -> bool {
    let promised = ledger
        .rotation
        .as_ref()
        .and_then(|rotation| rotation.settings.policy.exclusive_since);
    let announced = ledger
        .creates
        .iter()
        .find(|intent| key.explained_by == Some(intent.id))
        .map(|intent| intent.opened_at);
    matches!((promised, announced), (Some(since), Some(at)) if since <= at)
}
