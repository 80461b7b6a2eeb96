//! Step 8: one transaction in which both secrets change, the slots flip, the old key is displaced and the
//! next date is set. A first key brings its rotation with it.

use super::{AccessKeyId, Adoption, Effect, Goal, NewRotation, Outcome, Run, Then, due_at};
use crate::clock::{Millis, Moment};
use crate::ids::ManagedUserId;
use crate::key::{KeyState, ManagedKey};
use crate::ledger::{Change, Commit};
use crate::rotation::{Rotation, RotationStatus, Slots, Trigger};
use crate::timings::Timings;

/// A verification that ended longer ago than this is made again before the publish.
pub(super) const VERIFIED_FOR: Millis = Millis::from_secs(60);

impl Run {
    pub(super) fn publish(&mut self, now: Moment) -> Effect {
        let Some(target) = self.publish_target() else {
            return Effect::Finish(Outcome::Parked);
        };
        let stale = |at: Moment| (now - at).abs() > VERIFIED_FOR;
        if self.verified_at.is_none_or(stale) {
            return self.begin_verification(now, target);
        }
        // What is recorded now starts waits and sets the next date.
        if let Some(error) = self.clock_fault() {
            return self.fail(now, error);
        }
        let now = self.begins(now);
        let Some((rotation, mut changes)) = self.publish_changes(now, &target) else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut after = self.ledger.clone();
        for change in &changes {
            after.apply(change);
        }
        after.user.unfinished = None;
        let mut user = self.ledger.user.clone();
        user.rotation = Some(rotation.id);
        user.connection = Some(rotation.settings.connection);
        user.region = rotation.settings.region;
        user.unfinished = None;
        user.failures = 0;
        user.due_at = due_at(&after, &self.timings, now + self.retry_after(0));
        changes.push(Change::User(user));
        self.commit_all(
            Commit {
                changes,
                publish: Some(target),
                ..Commit::default()
            },
            Then::Finish(Outcome::Published),
        )
    }

    /// The key that this run is to publish.
    fn publish_target(&self) -> Option<AccessKeyId> {
        match &self.goal {
            Goal::RollBack { key } => Some(key.clone()),
            Goal::Create(draft) => match &draft.adoption {
                Adoption::Import { key, .. } => Some(key.clone()),
                _ => self.ledger.unpublished().map(|k| k.id.clone()),
            },
            _ => self.ledger.unpublished().map(|k| k.id.clone()),
        }
    }

    /// The keys that change places, and the rotation as it will be. None if a transition does not exist.
    fn publish_changes(&self, now: Moment, target: &AccessKeyId) -> Option<(Rotation, Vec<Change>)> {
        let mut changes = Vec::new();
        if let Some(mut old) = self.ledger.published().cloned() {
            old.become_state(KeyState::Displaced, now).ok()?;
            old.terms = Some(self.policy().retirement.terms(now, self.timings.day_length));
            changes.push(Change::Key(old));
        }
        let (imported, handed_over): (Option<ManagedKey>, Option<ManagedKey>) = match self.adopted_key(now) {
            Some(key) if key.id == *target => (Some(key), None),
            other => (None, other),
        };
        changes.extend(handed_over.map(Change::Key));
        let mut new = imported.or_else(|| self.ledger.keys.get(target).cloned())?;
        new.become_state(KeyState::Published, now).ok()?;
        changes.push(Change::Key(new));
        let (rotation, change) = self.rotation_after(now, target)?;
        changes.push(change);
        // The values of a key that was lost while it was published go with the new ones.
        let before = self.ledger.rotation.as_ref().and_then(|r| r.slots.active_key());
        let lost = before
            .and_then(|id| self.ledger.keys.get(id))
            .filter(|k| k.state.is_end());
        changes.extend(lost.map(|k| Change::EraseValues(k.id.clone())));
        Some((rotation, changes))
    }

    fn rotation_after(&self, now: Moment, target: &AccessKeyId) -> Option<(Rotation, Change)> {
        if let Goal::Create(draft) = &self.goal {
            let rotation = first(draft, self.ledger.user.id, target.clone(), now, &self.timings);
            return Some((rotation.clone(), Change::CreateRotation(rotation)));
        }
        let mut rotation = self.ledger.rotation.clone()?;
        match &self.goal {
            Goal::Rotate(trigger) => {
                rotation.note_published(target.clone(), trigger, now, self.timings.day_length);
            }
            Goal::RollBack { .. } => rotation.note_rolled_back(target.clone(), now),
            _ => return None,
        }
        Some((rotation.clone(), Change::UpdateRotation(rotation)))
    }
}

/// A rotation with its first key. Its creation counts as a run by hand (rotation contract, section 4).
fn first(
    draft: &NewRotation,
    user: ManagedUserId,
    key: AccessKeyId,
    now: Moment,
    timings: &Timings,
) -> Rotation {
    let mut rotation = Rotation {
        id: draft.id,
        place: draft.place,
        user,
        settings: draft.settings.clone(),
        secrets: draft.secrets,
        slots: Slots::first(key),
        status: RotationStatus::Success,
        last_message: None,
        last_job: None,
        last_attempted_at: now,
        last_rotated_at: now,
        last_manual: Trigger::Manual.is_manual(),
        anchor_at: now,
        slot_at: None,
        next_attempt_at: None,
        failures: 0,
        revoking: false,
        created_at: now,
        updated_at: now,
    };
    rotation.reschedule(timings.day_length);
    rotation
}
