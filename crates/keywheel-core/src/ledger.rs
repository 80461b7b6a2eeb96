//! The durable record of one IAM user's keys: what is known, what was announced, and what a list of AWS adds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::{
    AccessKeyId, Arn, AwsAccount, IamUserId, IamUserName, KeyStatus, ListedKey, Partition, Region,
};
use crate::clock::Moment;
use crate::ids::{ConnectionId, IdentityId, IntentId, ManagedUserId, RotationId, SecretVersionId};
use crate::intent::{Intent, IntentKind, IntentOutcome};
use crate::key::{KeyState, ManagedKey, Origin, Terms};
use crate::rotation::Rotation;
use crate::timings::Timings;

/// What tells one IAM user from all others for ever: names are reused, this is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserIdentity {
    /// The partition.
    pub partition: Partition,
    /// The account.
    pub account: AwsAccount,
    /// The unique id.
    pub user_id: IamUserId,
}

/// A run that a person or a client started and that has not ended: after a crash it is taken up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "run", rename_all = "snake_case")]
pub enum Unfinished {
    /// A rotation asked for by hand.
    Rotate,
    /// A deletion that revokes the keys.
    Revoke {
        /// Whether the two secrets go with the rotation.
        delete_secrets: bool,
    },
}

/// An IAM user whose keys are recorded. Outlives its rotation; at most one rotation points at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagedUser {
    /// The row.
    pub id: ManagedUserId,
    /// Pinned when the user was first seen; checked before every change.
    pub identity: UserIdentity,
    /// The name, a label.
    pub name: IamUserName,
    /// The name with account and path.
    pub arn: Arn,
    /// Where keys of this user are verified.
    pub region: Region,
    /// Whose credentials reach it; none once that connection is deleted.
    pub connection: Option<ConnectionId>,
    /// The rotation of its keys, if one exists.
    pub rotation: Option<RotationId>,
    /// Until then a create may still land.
    pub settles_at: Option<Moment>,
    /// A run that was started by hand and has not ended.
    pub unfinished: Option<Unfinished>,
    /// Failures in a row of work that no rotation asks for.
    pub failures: u32,
    /// When the scheduler has to look at it next; the only thing that it looks for.
    pub due_at: Option<Moment>,
}

/// Everything that a run needs to know of a user.
#[derive(Clone, PartialEq, Debug)]
pub struct Ledger {
    /// The user.
    pub user: ManagedUser,
    /// Its keys: all that live, and the ones that ended last.
    pub keys: BTreeMap<AccessKeyId, ManagedKey>,
    /// The open intent, if there is one.
    pub open_intent: Option<Intent>,
    /// The latest creates, open one included: they may explain a key that nobody recorded.
    pub creates: Vec<Intent>,
    /// The rotation of its keys.
    pub rotation: Option<Rotation>,
}

/// How many ended keys are loaded with a ledger. They only tell a returned id from a new one.
pub const ENDED_KEYS_LOADED: u32 = 20;
/// How many creates are loaded with a ledger. A key that none of them explains is not Keywheel's.
pub const CREATES_LOADED: u32 = 20;

/// One change of the record. All changes of a [`Commit`] take effect in one transaction, or none does.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Replaces the user's row.
    User(ManagedUser),
    /// Inserts or replaces a key's row.
    Key(ManagedKey),
    /// Opens an intent.
    OpenIntent(Intent),
    /// Closes the open intent.
    CloseIntent {
        /// Which.
        id: IntentId,
        /// How it ended.
        outcome: IntentOutcome,
        /// When.
        at: Moment,
    },
    /// Inserts a rotation together with its two secrets.
    CreateRotation(Rotation),
    /// Replaces the rotation's row.
    UpdateRotation(Rotation),
    /// Removes the rotation. Its secrets become ordinary ones, or go with it.
    RemoveRotation {
        /// Which.
        id: RotationId,
        /// Whether the secrets go too.
        delete_secrets: bool,
    },
    /// Erases the values that a dead key left in the version history of secrets.
    EraseValues(AccessKeyId),
}

/// Changes that belong together, and what people should hear of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Commit {
    /// In this order.
    pub changes: Vec<Change>,
    /// The key whose values the two mapped secrets get in the same transaction.
    pub publish: Option<AccessKeyId>,
    /// What somebody has to know or to decide.
    pub alarms: Vec<Alarm>,
}

/// Who caused a new version of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Author {
    /// The engine, on schedule.
    Platform,
    /// A machine identity.
    Identity(IdentityId),
}

/// The sealed values of a publish, made outside of the core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedValues {
    /// The key that both belong to.
    pub key: AccessKeyId,
    /// The new version of the secret that carries the access key id.
    pub access_key_id: SealedVersion,
    /// The new version of the secret that carries the secret access key.
    pub secret_access_key: SealedVersion,
    /// Who caused it.
    pub author: Author,
}

/// A sealed value and the id of the version that it is bound to.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// The version.
    pub id: SecretVersionId,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for SealedVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedVersion({}, {} bytes)", self.id, self.sealed.len())
    }
}

/// Something that a person should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The published key is gone at AWS.
    PublishedLost(AccessKeyId),
    /// Somebody deactivated the published key.
    PublishedInactive(AccessKeyId),
    /// A key of Keywheel's vanished without its doing.
    KeyLost(AccessKeyId),
    /// A key appeared that a create of ours could explain; only its owner can tell.
    OrphanSuspected(AccessKeyId),
    /// Somebody brought a deactivated key back: it is held until its owner speaks.
    Reactivated(AccessKeyId),
    /// An id that had ended is listed again.
    Returned(AccessKeyId),
    /// A displaced key was used lately; somebody may not have moved over.
    StillUsed(AccessKeyId),
    /// A key is proven to be ours and was used all the same: its owner has to decide.
    Contradiction(AccessKeyId),
}

/// What a list adds to the record.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reconciled {
    /// The rows that change.
    pub keys: Vec<ManagedKey>,
    /// What somebody has to know.
    pub alarms: Vec<Alarm>,
    /// Whether something is so odd that one list is not believed.
    pub needs_settled_list: bool,
}

/// Why a foreign reactivation holds a key.
const HELD_REACTIVATED: &str = "somebody reactivated it at AWS";

impl Ledger {
    /// A user without keys, intents and rotation.
    pub fn new(user: ManagedUser) -> Self {
        Self {
            user,
            keys: BTreeMap::new(),
            open_intent: None,
            creates: Vec::new(),
            rotation: None,
        }
    }

    /// The published key.
    pub fn published(&self) -> Option<&ManagedKey> {
        self.in_state(KeyState::Published).next()
    }

    /// Whether what applications read works at AWS, as far as the record knows.
    pub fn published_works(&self) -> bool {
        self.published()
            .is_some_and(|k| k.aws_status == KeyStatus::Active)
    }

    /// The key that was created and not published yet. There is at most one.
    pub fn unpublished(&self) -> Option<&ManagedKey> {
        self.in_state(KeyState::Pending)
            .chain(self.in_state(KeyState::Verified))
            .next()
    }

    fn in_state(&self, state: KeyState) -> impl Iterator<Item = &ManagedKey> {
        self.keys.values().filter(move |k| k.state == state)
    }

    /// The ids that hold a slot at AWS as far as the record knows.
    pub fn live_ids(&self) -> Vec<AccessKeyId> {
        self.keys
            .values()
            .filter(|k| !k.state.is_end())
            .map(|k| k.id.clone())
            .collect()
    }

    /// Makes a change in memory, as the store makes it in the database.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::User(user) => self.user = user.clone(),
            Change::Key(key) => {
                self.keys.insert(key.id.clone(), key.clone());
            }
            Change::OpenIntent(intent) => {
                self.open_intent = Some(intent.clone());
                if intent.kind == IntentKind::Create {
                    self.creates.push(intent.clone());
                }
            }
            Change::CloseIntent { id, outcome, at } => {
                if self.open_intent.as_ref().is_some_and(|i| i.id == *id) {
                    self.open_intent = None;
                }
                for create in self.creates.iter_mut().filter(|i| i.id == *id) {
                    create.outcome = Some(*outcome);
                    create.closed_at = Some(*at);
                }
            }
            Change::CreateRotation(rotation) | Change::UpdateRotation(rotation) => {
                self.rotation = Some(rotation.clone());
            }
            Change::RemoveRotation { .. } => self.rotation = None,
            Change::EraseValues(_) => {}
        }
    }

    /// Compares a list with the record.
    ///
    /// From one list alone only this is believed: an unknown id (it becomes a suspect or unmanaged, and is
    /// not touched either way), and a status that makes a key less usable. That a key is gone, came back, or
    /// works again needs a settled list, because lists of IAM lag behind.
    pub fn reconcile(
        &self,
        listed: &[ListedKey],
        settled: bool,
        now: Moment,
        timings: &Timings,
    ) -> Reconciled {
        let mut result = Reconciled::default();
        for line in listed {
            match self.keys.get(&line.id) {
                None => self.record_unknown(line, now, timings, &mut result),
                Some(key) => compare(key, line, settled, now, timings, &mut result),
            }
        }
        for key in self.keys.values().filter(|k| !k.state.is_end()) {
            if !listed.iter().any(|line| line.id == key.id) {
                self.record_absent(key, settled, now, timings, &mut result);
            }
        }
        result
    }

    fn record_unknown(&self, line: &ListedKey, now: Moment, timings: &Timings, result: &mut Reconciled) {
        let explained = self
            .creates
            .iter()
            .find(|i| i.explains(line, timings.clock_skew_max, timings.late_landing));
        let (id, status, created) = (line.id.clone(), line.status, line.created_at);
        result.keys.push(match explained {
            Some(intent) => {
                result.alarms.push(Alarm::OrphanSuspected(id.clone()));
                ManagedKey::suspected(id, status, created, intent.id, now)
            }
            None => ManagedKey::seen(id, status, created, now),
        });
    }

    fn record_absent(
        &self,
        key: &ManagedKey,
        settled: bool,
        now: Moment,
        timings: &Timings,
        result: &mut Reconciled,
    ) {
        let being_deleted = self
            .open_intent
            .as_ref()
            .is_some_and(|i| i.kind == IntentKind::Delete && i.key.as_ref() == Some(&key.id));
        if being_deleted {
            return;
        }
        // A key that we have just made may be missing for a while, however often one asks: it is there. Where its
        // owner wants it gone, its absence is as good.
        let young = key.origin == Origin::Created && now < key.first_seen_at + timings.late_landing;
        if young && key.terms != Some(Terms::AtOnce) {
            return;
        }
        if !settled {
            result.needs_settled_list = true;
            return;
        }
        let mut lost = key.clone();
        if lost.become_state(KeyState::Lost, now).is_ok() {
            match key.state {
                KeyState::Published => result.alarms.push(Alarm::PublishedLost(key.id.clone())),
                KeyState::Unmanaged => {}
                _ => result.alarms.push(Alarm::KeyLost(key.id.clone())),
            }
            result.keys.push(lost);
        }
    }
}

/// Compares a known key with its line in a list.
fn compare(
    key: &ManagedKey,
    line: &ListedKey,
    settled: bool,
    now: Moment,
    timings: &Timings,
    result: &mut Reconciled,
) {
    let returned = key.state.is_end();
    let reactivated = key.state == KeyState::Deactivated && line.status == KeyStatus::Active;
    // A key that we have just deleted may be listed for a while, and one that we have just deactivated may be
    // shown as active, however often one asks. Where its owner wants it gone, it goes either way.
    let reactivated_maybe = reactivated && key.terms() != Terms::AtOnce;
    let recent = |at: Option<Moment>| at.is_some_and(|at| now < at + timings.late_landing);
    let lagging = (returned && recent(key.ended_at)) || (reactivated_maybe && recent(key.deactivated_at));
    if lagging || ((returned || reactivated) && !settled) {
        result.needs_settled_list = true;
        return;
    }
    let (next, alarm) = match (key.state, line.status) {
        _ if returned => (Some(KeyState::Unmanaged), Some(Alarm::Returned(key.id.clone()))),
        _ if reactivated => (
            Some(KeyState::Displaced),
            Some(Alarm::Reactivated(key.id.clone())),
        ),
        (KeyState::Displaced, KeyStatus::Inactive) => (Some(KeyState::Deactivated), None),
        (KeyState::Published, KeyStatus::Inactive) => (None, Some(Alarm::PublishedInactive(key.id.clone()))),
        _ => (None, None),
    };
    let mut changed = key.clone();
    if next.is_some_and(|next| changed.become_state(next, now).is_err()) {
        return;
    }
    changed.aws_status = line.status;
    changed.aws_created_at = changed.aws_created_at.or(line.created_at);
    if reactivated {
        changed.held = Some(HELD_REACTIVATED.to_owned());
    }
    result.alarms.extend(alarm);
    if changed != *key {
        result.keys.push(changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SealedSecret;
    use crate::lease::Fence;

    const NOW: Moment = Moment::from_millis(10_000_000);

    fn ledger(keys: &[(&str, KeyState)]) -> Ledger {
        let mut ledger = Ledger::new(ManagedUser {
            id: ManagedUserId::new(NOW, &[0; 10]),
            identity: UserIdentity {
                partition: Partition::from_trusted("aws"),
                account: AwsAccount::from_trusted("111122223333"),
                user_id: IamUserId::from_trusted("AIDAUSER"),
            },
            name: IamUserName::from_trusted("app"),
            arn: Arn::from_trusted("arn:aws:iam::111122223333:user/app"),
            region: Region::default(),
            connection: None,
            rotation: None,
            settles_at: None,
            unfinished: None,
            failures: 0,
            due_at: None,
        });
        for (id, state) in keys {
            let id = AccessKeyId::from_trusted(*id);
            let long_ago = NOW - Timings::DEFAULT.late_landing;
            let mut key = ManagedKey::created(id.clone(), SealedSecret::from_bytes(vec![1]), None, long_ago);
            key.state = *state;
            ledger.keys.insert(id, key);
        }
        ledger
    }

    fn line(id: &str, status: KeyStatus) -> ListedKey {
        ListedKey {
            id: AccessKeyId::from_trusted(id),
            status,
            created_at: None,
        }
    }

    fn read(ledger: &Ledger, lines: &[ListedKey], settled: bool) -> Reconciled {
        ledger.reconcile(lines, settled, NOW, &Timings::DEFAULT)
    }

    #[test]
    fn a_key_is_lost_only_after_a_settled_list() {
        let ledger = ledger(&[("AKIA1", KeyState::Published)]);
        let once = read(&ledger, &[], false);
        assert!(once.needs_settled_list && once.keys.is_empty() && once.alarms.is_empty());
        let settled = read(&ledger, &[], true);
        assert_eq!(settled.keys[0].state, KeyState::Lost);
        assert_eq!(
            settled.alarms,
            [Alarm::PublishedLost(AccessKeyId::from_trusted("AKIA1"))]
        );
    }

    #[test]
    fn a_key_that_was_just_made_is_not_lost_however_often_lists_lag() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Pending)]);
        for key in ledger.keys.values_mut() {
            key.first_seen_at = NOW;
        }
        assert_eq!(read(&ledger, &[], true), Reconciled::default());
    }

    #[test]
    fn a_key_that_was_just_deactivated_and_is_shown_as_active_is_a_lagging_list() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Deactivated)]);
        for key in ledger.keys.values_mut() {
            key.deactivated_at = Some(NOW);
            key.displaced_at = Some(NOW);
        }
        let seen = read(&ledger, &[line("AKIA1", KeyStatus::Active)], true);
        assert!(seen.needs_settled_list && seen.keys.is_empty());
    }

    #[test]
    fn a_key_that_is_being_deleted_is_not_lost() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Deactivated)]);
        ledger.open_intent = Some(Intent {
            id: IntentId::new(NOW, &[1; 10]),
            fence: Fence::from_stored(1),
            kind: IntentKind::Delete,
            key: Some(AccessKeyId::from_trusted("AKIA1")),
            snapshot: Vec::new(),
            opened_at: NOW,
            call_deadline: NOW,
            outcome: None,
            closed_at: None,
        });
        assert_eq!(read(&ledger, &[], true), Reconciled::default());
    }

    #[test]
    fn a_deleted_key_that_is_still_listed_is_a_lagging_list_until_nothing_can_lag_so_long() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Deleted)]);
        let lines = [line("AKIA1", KeyStatus::Inactive)];
        let set_end = |ledger: &mut Ledger, at| {
            ledger.keys.values_mut().for_each(|key| key.ended_at = Some(at));
        };
        set_end(&mut ledger, NOW);
        assert!(read(&ledger, &lines, true).needs_settled_list);
        set_end(&mut ledger, NOW - Timings::DEFAULT.late_landing);
        assert_eq!(read(&ledger, &lines, true).keys[0].state, KeyState::Unmanaged);
    }

    #[test]
    fn a_deactivated_key_that_works_again_is_held_after_a_settled_list() {
        let ledger = ledger(&[("AKIA1", KeyState::Deactivated)]);
        let lines = [line("AKIA1", KeyStatus::Active)];
        assert!(read(&ledger, &lines, false).needs_settled_list);
        let settled = read(&ledger, &lines, true);
        assert_eq!(settled.keys[0].state, KeyState::Displaced);
        assert!(settled.keys[0].held.is_some() && settled.keys[0].yields_at().is_none());
    }

    #[test]
    fn a_displaced_key_that_somebody_deactivated_has_half_of_its_retirement_behind_it() {
        let ledger = ledger(&[("AKIA1", KeyState::Displaced)]);
        let seen = read(&ledger, &[line("AKIA1", KeyStatus::Inactive)], false);
        assert_eq!(seen.keys[0].state, KeyState::Deactivated);
    }

    #[test]
    fn what_applications_read_works_only_while_it_is_active() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Published)]);
        assert!(ledger.published_works());
        ledger
            .keys
            .values_mut()
            .for_each(|key| key.aws_status = KeyStatus::Inactive);
        assert!(!ledger.published_works());
        ledger.keys.clear();
        assert!(!ledger.published_works());
    }

    #[test]
    fn keys_that_ended_hold_no_slot() {
        let all: Vec<_> = KeyState::ALL.iter().map(|s| (s.as_str(), *s)).collect();
        let live = ledger(&all).live_ids();
        assert_eq!(live.len(), 7);
        assert!(!live.iter().any(|id| ["deleted", "lost"].contains(&id.as_str())));
    }

    #[test]
    fn only_a_key_that_is_itself_being_deleted_may_be_absent() {
        let mut ledger = ledger(&[("AKIA1", KeyState::Deactivated), ("AKIA2", KeyState::Displaced)]);
        let deleting = Intent {
            id: IntentId::new(NOW, &[1; 10]),
            fence: Fence::from_stored(1),
            kind: IntentKind::Delete,
            key: Some(AccessKeyId::from_trusted("AKIA1")),
            snapshot: Vec::new(),
            opened_at: NOW,
            call_deadline: NOW,
            outcome: None,
            closed_at: None,
        };
        ledger.open_intent = Some(deleting.clone());
        let lost = |ledger: &Ledger| -> Vec<String> {
            let read = read(ledger, &[], true);
            read.keys.iter().map(|k| k.id.as_str().to_owned()).collect()
        };
        assert_eq!(lost(&ledger), ["AKIA2"]);
        ledger.open_intent = Some(Intent {
            kind: IntentKind::Deactivate,
            ..deleting
        });
        assert_eq!(lost(&ledger), ["AKIA1", "AKIA2"]);
    }

    #[test]
    fn nobody_is_told_of_a_foreign_key_that_is_gone() {
        let ledger = ledger(&[("AKIA1", KeyState::Unmanaged), ("AKIA2", KeyState::Displaced)]);
        let alarms = read(&ledger, &[], true).alarms;
        assert_eq!(alarms, [Alarm::KeyLost(AccessKeyId::from_trusted("AKIA2"))]);
    }

    #[test]
    fn only_the_intent_that_is_named_is_closed() {
        let mut ledger = ledger(&[]);
        let create = |n: u8| Intent {
            id: IntentId::new(NOW, &[n; 10]),
            fence: Fence::from_stored(1),
            kind: IntentKind::Create,
            key: None,
            snapshot: Vec::new(),
            opened_at: NOW,
            call_deadline: NOW,
            outcome: None,
            closed_at: None,
        };
        ledger.apply(&Change::OpenIntent(create(1)));
        ledger.apply(&Change::OpenIntent(create(2)));
        let close = |n| Change::CloseIntent {
            id: create(n).id,
            outcome: IntentOutcome::Suspect,
            at: NOW,
        };
        ledger.apply(&close(1));
        assert_eq!(ledger.open_intent.as_ref().map(|i| i.id), Some(create(2).id));
        let outcomes: Vec<_> = ledger.creates.iter().map(|i| i.outcome).collect();
        assert_eq!(outcomes, [Some(IntentOutcome::Suspect), None]);
        ledger.apply(&close(2));
        assert_eq!(ledger.open_intent, None);
    }

    #[test]
    fn debug_shows_no_sealed_value() {
        let version = SealedVersion {
            id: SecretVersionId::new(NOW, &[1; 10]),
            sealed: vec![104, 105],
        };
        assert_eq!(
            format!("{version:?}"),
            format!("SealedVersion({}, 2 bytes)", version.id)
        );
    }
}
