//! Step 8: one transaction in which both secrets change, the slots flip, the old key is displaced and the
//! next date is set. A first key brings its rotation with it.

use super::{Effect, Goal, NewRotation, Outcome, Run, Then};
use crate::clock::{Millis, Moment};
use crate::ids::ManagedUserId;
use crate::key::{KeyState, ManagedKey};
use crate::ledger::{Change, Commit};
use crate::rotation::{Rotation, RotationStatus, Slots, Trigger};
use crate::timings::Timings;

/// A verification that ended longer ago than this is made again before the publish.
const VERIFIED_FOR: Millis = Millis::from_secs(60);

impl Run {
    pub(super) fn publish(&mut self, now: Moment) -> Effect {
        let Some(verified) = self.ledger.unpublished().cloned() else {
            return Effect::Finish(Outcome::Parked);
        };
        if self.verified_at.is_none_or(|at| now - at > VERIFIED_FOR) {
            return self.begin_verification(now, verified.id);
        }
        let Some((rotation, changes)) = self.publish_changes(now, verified.clone()) else {
            return Effect::Finish(Outcome::Parked);
        };
        let mut user = self.ledger.user.clone();
        user.rotation = Some(rotation.id);
        user.connection = Some(rotation.settings.connection);
        user.region = rotation.settings.region.clone();
        user.unfinished = None;
        user.failures = 0;
        user.due_at = rotation.starts_at(self.timings.day_length);
        let changes = changes.into_iter().chain([Change::User(user)]).collect();
        self.commit_all(
            Commit {
                changes,
                publish: Some(verified.id),
                alarms: Vec::new(),
            },
            Then::Finish(Outcome::Published),
        )
    }

    /// The keys that change places, and the rotation as it will be. None if a transition does not exist.
    fn publish_changes(&self, now: Moment, mut new: ManagedKey) -> Option<(Rotation, Vec<Change>)> {
        let mut changes = Vec::new();
        if let Some(mut old) = self.ledger.published().cloned() {
            old.become_state(KeyState::Displaced, now).ok()?;
            changes.push(Change::Key(old));
        }
        new.become_state(KeyState::Published, now).ok()?;
        let id = new.id.clone();
        changes.push(Change::Key(new));
        let rotation = match &self.goal {
            Goal::Create(draft) => {
                let rotation = first(draft, self.ledger.user.id, id, now, &self.timings);
                changes.push(Change::CreateRotation(rotation.clone()));
                rotation
            }
            Goal::Rotate(trigger) => {
                let mut rotation = self.ledger.rotation.clone()?;
                rotation.note_published(id, trigger, now, self.timings.day_length);
                changes.push(Change::UpdateRotation(rotation.clone()));
                rotation
            }
            Goal::Revoke { .. } | Goal::Settle => return None,
        };
        Some((rotation, changes))
    }
}

/// A rotation with its first key. Its creation counts as a run by hand (rotation contract, section 4).
fn first(
    draft: &NewRotation,
    user: ManagedUserId,
    key: crate::aws::AccessKeyId,
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
