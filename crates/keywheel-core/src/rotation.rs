//! The rotation: the standing order to renew the keys of one IAM user, and the outcome of its last run.

pub mod backoff;
pub mod policy;
pub mod schedule;
pub mod state;

use serde::{Deserialize, Serialize};

use crate::aws::{AccessKeyId, IamUserName, Region};
use crate::clock::{Millis, Moment};
use crate::ids::{
    ConnectionId, EnvironmentId, FolderId, ManagedUserId, ProjectId, RotationId, RunId, SecretId,
};
use crate::names::{SecretName, Slug};
use policy::Policy;
use schedule::{IntervalDays, RotateAtUtc};

/// How the last run ended. There is no "running": the last known outcome stands until the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationStatus {
    /// The published key is the newest one.
    Success,
    /// The last attempt failed; the published key is unchanged.
    Failed,
}

impl RotationStatus {
    /// The word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Success, Self::Failed]
            .into_iter()
            .find(|s| s.as_str() == name)
    }
}

/// One of the two places that Infisical's contract shows credentials in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotIndex {
    /// The first place; taken by the first key.
    Zero,
    /// The second place.
    One,
}

impl SlotIndex {
    /// The other place.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }

    /// 0 or 1.
    pub const fn as_usize(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }

    /// From a stored number; anything but 1 is the first place.
    pub const fn from_stored(number: i64) -> Self {
        if number == 1 { Self::One } else { Self::Zero }
    }
}

/// The two places and which of them is published. The newest key goes into the place that is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slots {
    /// The keys; the second place is empty until the first rotation.
    pub keys: [Option<AccessKeyId>; 2],
    /// The place of the published key.
    pub active: SlotIndex,
}

impl Slots {
    /// The slots of a new rotation: its first key in the first place.
    pub fn first(key: AccessKeyId) -> Self {
        Self {
            keys: [Some(key), None],
            active: SlotIndex::Zero,
        }
    }

    /// The published key.
    pub fn active_key(&self) -> Option<&AccessKeyId> {
        self.keys[self.active.as_usize()].as_ref()
    }

    /// Puts a newly published key into the other place, which then is the active one.
    pub fn publish(&mut self, key: AccessKeyId) {
        self.active = self.active.other();
        self.keys[self.active.as_usize()] = Some(key);
    }

    /// Makes a key that was published before the active one again: where it is, or in the other place.
    pub fn roll_back(&mut self, key: AccessKeyId) {
        if self.keys[self.active.other().as_usize()].as_ref() == Some(&key) {
            self.active = self.active.other();
        } else {
            self.publish(key);
        }
    }
}

/// Which names the two secrets have. The names differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretsMapping {
    access_key_id: SecretName,
    secret_access_key: SecretName,
}

impl SecretsMapping {
    /// A pair of different names; none if they are equal.
    pub fn new(access_key_id: SecretName, secret_access_key: SecretName) -> Option<Self> {
        (access_key_id != secret_access_key).then_some(Self {
            access_key_id,
            secret_access_key,
        })
    }

    /// The secret that carries the access key id.
    pub fn access_key_id(&self) -> &SecretName {
        &self.access_key_id
    }

    /// The secret that carries the secret access key.
    pub fn secret_access_key(&self) -> &SecretName {
        &self.secret_access_key
    }
}

/// Which two secrets carry the published key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MappedSecrets {
    /// Carries the access key id.
    pub access_key_id: SecretId,
    /// Carries the secret access key.
    pub secret_access_key: SecretId,
}

/// What the owner of a rotation asks for; everything that a request can set.
#[derive(Clone, PartialEq, Debug)]
pub struct RotationSettings {
    /// Unique in its folder.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// Whose credentials the engine uses.
    pub connection: ConnectionId,
    /// The IAM user; fixed for the life of the rotation.
    pub user_name: IamUserName,
    /// Where new keys are verified; decides the partition.
    pub region: Region,
    /// The names of the two secrets.
    pub mapping: SecretsMapping,
    /// Whether runs start by themselves.
    pub automatic: bool,
    /// Days between two automatic runs.
    pub interval: IntervalDays,
    /// The time of day of automatic runs.
    pub rotate_at: RotateAtUtc,
    /// What goes beyond the contract.
    pub policy: Policy,
}

/// Where a rotation and its secrets lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The project.
    pub project: ProjectId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The folder.
    pub folder: FolderId,
}

/// A rotation with the outcome of its last run.
#[derive(Clone, PartialEq, Debug)]
pub struct Rotation {
    /// The rotation.
    pub id: RotationId,
    /// Where it lies.
    pub place: Place,
    /// Whose keys it renews.
    pub user: ManagedUserId,
    /// What its owner asks for.
    pub settings: RotationSettings,
    /// The two secrets that it writes.
    pub secrets: MappedSecrets,
    /// The two newest keys.
    pub slots: Slots,
    /// How the last run ended.
    pub status: RotationStatus,
    /// The text of the last failure; none after a success.
    pub last_message: Option<String>,
    /// The last run that the schedule started.
    pub last_job: Option<RunId>,
    /// When the last attempt ended.
    pub last_attempted_at: Moment,
    /// When a key was last published.
    pub last_rotated_at: Moment,
    /// Whether that run was asked for by a person or a client; true after creation.
    pub last_manual: bool,
    /// From when the interval counts: the last manual run, or the slot that the last scheduled run served.
    pub anchor_at: Moment,
    /// The slot that is due next by the schedule alone; none while automatic rotation is off.
    pub slot_at: Option<Moment>,
    /// When the next attempt is: the slot, or a retry. Shown as `nextRotationAt`.
    pub next_attempt_at: Option<Moment>,
    /// Failed scheduled attempts since the last success.
    pub failures: u32,
    /// Whether its keys are being revoked because it is being deleted.
    pub revoking: bool,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

impl Rotation {
    /// Sets slot and next attempt anew from the settings and the anchor: after creation, publish and PATCH.
    pub fn reschedule(&mut self, day_length: Millis) {
        let settings = &self.settings;
        let next = schedule::next_slot(
            self.anchor_at,
            settings.interval,
            settings.rotate_at,
            self.last_manual,
            day_length,
        );
        self.slot_at = (settings.automatic && !self.revoking).then_some(next);
        self.next_attempt_at = self.slot_at;
        self.failures = 0;
    }

    /// Notes a published key: slots, times, status and the next slot.
    pub fn note_published(&mut self, key: AccessKeyId, trigger: &Trigger, now: Moment, day_length: Millis) {
        self.slots.publish(key);
        self.status = RotationStatus::Success;
        self.last_message = None;
        self.last_attempted_at = now;
        self.last_rotated_at = now;
        self.updated_at = now;
        self.last_manual = trigger.is_manual();
        match trigger {
            Trigger::Manual => self.anchor_at = now,
            Trigger::Scheduled { job, started_at } => {
                self.last_job = Some(*job);
                self.anchor_at = schedule::served_slot(self.slot_at, *started_at, day_length);
            }
        }
        self.reschedule(day_length);
    }

    /// Notes that an earlier key is published again. The schedule stays; what went wrong before is of the past.
    pub fn note_rolled_back(&mut self, key: AccessKeyId, now: Moment) {
        self.slots.roll_back(key);
        self.status = RotationStatus::Success;
        self.last_message = None;
        self.updated_at = now;
    }

    /// Notes a failed attempt. A manual one leaves the schedule alone; a scheduled one is tried again after
    /// `retry_after` (rules D16 and D17 of the rotation contract).
    pub fn note_failed(&mut self, message: String, trigger: &Trigger, now: Moment, retry_after: Millis) {
        self.status = RotationStatus::Failed;
        self.last_message = Some(message);
        self.last_attempted_at = now;
        self.updated_at = now;
        if let Trigger::Scheduled { job, .. } = trigger {
            self.last_job = Some(*job);
            self.failures = self.failures.saturating_add(1);
            self.next_attempt_at = self.settings.automatic.then_some(now + retry_after);
        }
    }

    /// When the engine should start: the next attempt, spread by a part of a day that is fixed per rotation
    /// so that not all rotations of the default time start together. A retry is spread already.
    pub fn starts_at(&self, day_length: Millis) -> Option<Moment> {
        let spread = if self.failures == 0 {
            schedule::spread(self.id, day_length)
        } else {
            Millis::ZERO
        };
        self.next_attempt_at
            .filter(|_| !self.revoking)
            .map(|at| at + spread)
    }
}

/// Who asked for a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// A person or a client.
    Manual,
    /// The schedule.
    Scheduled {
        /// The run's id, shown as `lastRotationJobId`.
        job: RunId,
        /// When the run began.
        started_at: Moment,
    },
}

impl Trigger {
    /// Whether a person or a client asked.
    pub const fn is_manual(&self) -> bool {
        matches!(self, Self::Manual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_show_the_two_newest_keys_as_the_contract_numbers_them() {
        let key = |n: u8| AccessKeyId::from_trusted(format!("AKIA{n}"));
        let mut slots = Slots::first(key(1));
        let shown = |s: &Slots| {
            let ids: Vec<_> = s.keys.iter().flatten().map(|k| k.as_str().to_owned()).collect();
            (ids.join(" "), s.active.as_usize())
        };
        assert_eq!(shown(&slots), ("AKIA1".to_owned(), 0));
        slots.publish(key(2));
        assert_eq!(shown(&slots), ("AKIA1 AKIA2".to_owned(), 1));
        slots.publish(key(3));
        assert_eq!(shown(&slots), ("AKIA3 AKIA2".to_owned(), 0));
        slots.publish(key(4));
        assert_eq!(shown(&slots), ("AKIA3 AKIA4".to_owned(), 1));
    }

    #[test]
    fn a_mapping_has_two_different_names() {
        let name = |n: &str| SecretName::parse(n).unwrap();
        assert!(SecretsMapping::new(name("A"), name("A")).is_none());
        assert!(SecretsMapping::new(name("A"), name("B")).is_some());
    }

    #[test]
    fn the_word_of_a_status_is_kept_for_ever_and_reads_back() {
        for (status, word) in [
            (RotationStatus::Success, "success"),
            (RotationStatus::Failed, "failed"),
        ] {
            assert_eq!(
                (status.as_str(), RotationStatus::from_name(word)),
                (word, Some(status))
            );
        }
        assert_eq!(RotationStatus::from_name("running"), None);
    }

    #[test]
    fn a_slot_reads_back_from_its_number() {
        for slot in [SlotIndex::Zero, SlotIndex::One] {
            let number = i64::try_from(slot.as_usize()).unwrap();
            assert_eq!(SlotIndex::from_stored(number), slot);
        }
        assert_eq!(SlotIndex::from_stored(2), SlotIndex::Zero);
    }

    #[test]
    fn a_mapping_keeps_which_name_is_which() {
        let name = |n: &str| SecretName::parse(n).unwrap();
        let mapping = SecretsMapping::new(name("ID"), name("SECRET")).unwrap();
        assert_eq!(mapping.access_key_id().as_str(), "ID");
        assert_eq!(mapping.secret_access_key().as_str(), "SECRET");
    }
}
