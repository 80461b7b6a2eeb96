//! The durable record of one IAM user's keys: what is known, what was announced, and what a list of AWS adds.

mod changes;
mod reconcile;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::changes::{
    Alarm, Author, Change, Commit, FailedRotation, PublishedValues, ReferencesSeen, SealedVersion,
};
pub use self::reconcile::Reconciled;
use crate::aws::{AccessKeyId, Arn, AwsAccount, IamUserId, IamUserName, KeyStatus, Partition, Region};
use crate::clock::Moment;
use crate::ids::{ConnectionId, ManagedUserId, RotationId};
use crate::intent::{Intent, IntentKind};
use crate::key::{KeyState, ManagedKey};
use crate::rotation::Rotation;

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
    /// Failures in a row of what is tried again before long.
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
            Change::EraseValues(_)
            | Change::RewriteSecret { .. }
            | Change::References(_)
            | Change::ClearNames { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IntentId;
    use crate::intent::IntentOutcome;
    use crate::key::SealedSecret;
    use crate::lease::Fence;
    use crate::timings::Timings;

    pub(super) const NOW: Moment = Moment::from_millis(10_000_000);

    pub(super) fn ledger(keys: &[(&str, KeyState)]) -> Ledger {
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
}
