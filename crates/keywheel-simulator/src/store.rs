//! The ledgers of all users, with leases and fences as the SQL store has them.

use std::collections::BTreeMap;

use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::intent::{Intent, IntentKind};
use keywheel_core::key::ManagedKey;
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Change, Commit, Ledger, ManagedUser};
use keywheel_core::rotation::Rotation;
use keywheel_core::run::CommitFault;

/// Who holds a user, until when by the clock of the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lease {
    /// The node.
    pub node: usize,
    /// The end.
    pub until: Moment,
}

/// The two mapped secrets: what applications read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Mapped {
    /// The value of the secret that carries the access key id.
    pub access_key_id: String,
    /// The value of the secret that carries the secret access key.
    pub secret_access_key: String,
}

/// A user with everything that is recorded of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The user.
    pub user: ManagedUser,
    /// Its keys.
    pub keys: BTreeMap<AccessKeyId, ManagedKey>,
    /// Its intents, oldest first.
    pub intents: Vec<Intent>,
    /// Its rotation.
    pub rotation: Option<Rotation>,
    /// What its rotation has published.
    pub mapped: Option<Mapped>,
    /// Who holds it.
    pub lease: Option<Lease>,
    /// The number of the last claim.
    pub fence: i64,
}

/// What the driver is to do differently from the server, to see that it would be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fencing {
    /// A write under an older fence fails.
    Kept,
    /// It does not. A deliberate defect.
    Ignored,
}

impl Row {
    /// A user that was never seen before.
    pub fn new(user: ManagedUser) -> Self {
        Self {
            user,
            keys: BTreeMap::new(),
            intents: Vec::new(),
            rotation: None,
            mapped: None,
            lease: None,
            fence: 0,
        }
    }

    /// The intents that are open. There should be one at most.
    pub fn open_intents(&self) -> impl Iterator<Item = &Intent> {
        self.intents
            .iter()
            .rev()
            .filter(|intent| intent.outcome.is_none())
    }

    /// Whether somebody may claim the user.
    pub fn is_free(&self, now: Moment) -> bool {
        self.lease.is_none_or(|lease| lease.until <= now)
    }

    /// Takes the lease; the fence grows.
    pub fn claim(&mut self, node: usize, now: Moment, length: Millis) -> Fence {
        self.lease = Some(Lease {
            node,
            until: now + length,
        });
        self.fence += 1;
        Fence::from_stored(self.fence)
    }

    /// Moves the end of the lease; `false` if a later claim exists.
    pub fn renew(&mut self, fence: Fence, until: Moment) -> bool {
        match self.lease.as_mut() {
            Some(lease) if fence.get() == self.fence => {
                lease.until = until;
                true
            }
            _ => false,
        }
    }

    /// Gives the lease back, if it is still this one.
    pub fn release(&mut self, fence: Fence) {
        if fence.get() == self.fence {
            self.lease = None;
        }
    }

    /// A node has started: leases in its name belong to a process that is dead.
    pub fn release_all(&mut self, node: usize) {
        if self.lease.is_some_and(|lease| lease.node == node) {
            self.lease = None;
            self.fence += 1;
        }
    }

    /// The record as a run gets it.
    pub fn load(&self) -> Ledger {
        let mut user = self.user.clone();
        user.rotation = self.rotation.as_ref().map(|rotation| rotation.id);
        let is_create = |intent: &&Intent| intent.kind == IntentKind::Create;
        Ledger {
            user,
            keys: self.keys.clone(),
            open_intent: self.open_intents().next().cloned(),
            creates: self.intents.iter().rev().filter(is_create).cloned().collect(),
            rotation: self.rotation.clone(),
        }
    }

    /// Whether a commit would be made: its fence is current, and it opens no second intent.
    pub fn admits(&self, fence: Fence, commit: &Commit, fencing: Fencing) -> Result<(), CommitFault> {
        if fencing == Fencing::Ignored {
            return Ok(());
        }
        if fence.get() != self.fence || self.lease.is_none() {
            return Err(CommitFault::Stale);
        }
        let opens_second = commit.changes.iter().any(|change| match change {
            Change::OpenIntent(new) => self.opens_second(new, commit),
            _ => false,
        });
        // The unique index of open intents.
        if opens_second {
            Err(CommitFault::Unavailable)
        } else {
            Ok(())
        }
    }

    /// Makes a commit that was admitted.
    pub fn make(&mut self, commit: &Commit, values: Option<Mapped>) {
        for change in &commit.changes {
            self.apply(change);
        }
        if let (Some(values), true) = (values, self.rotation.is_some()) {
            self.mapped = Some(values);
        }
    }

    fn opens_second(&self, new: &Intent, commit: &Commit) -> bool {
        let closes = |id| {
            let closing = |c: &Change| matches!(c, Change::CloseIntent { id: closed, .. } if *closed == id);
            commit.changes.iter().any(closing)
        };
        let opened = commit.changes.iter().filter_map(|change| match change {
            Change::OpenIntent(intent) => Some(intent),
            _ => None,
        });
        self.open_intents()
            .chain(opened)
            .any(|open| open.id != new.id && !closes(open.id))
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::User(user) => self.user = user.clone(),
            Change::Key(key) => {
                let first_seen_at = self.keys.get(&key.id).map(|known| known.first_seen_at);
                let mut key = key.clone();
                key.first_seen_at = first_seen_at.unwrap_or(key.first_seen_at);
                self.keys.insert(key.id.clone(), key);
            }
            Change::OpenIntent(intent) => {
                if !self.intents.iter().any(|known| known.id == intent.id) {
                    self.intents.push(intent.clone());
                }
            }
            Change::CloseIntent { id, outcome, at } => {
                for intent in self.intents.iter_mut().filter(|intent| intent.id == *id) {
                    intent.outcome = Some(*outcome);
                    intent.closed_at = Some(*at);
                }
            }
            Change::CreateRotation(rotation) => {
                if self.rotation.is_none() {
                    self.rotation = Some(rotation.clone());
                }
            }
            Change::UpdateRotation(rotation) => {
                if self
                    .rotation
                    .as_ref()
                    .is_some_and(|known| known.id == rotation.id)
                {
                    self.rotation = Some(rotation.clone());
                }
            }
            Change::RemoveRotation { .. } => {
                self.rotation = None;
                self.mapped = None;
            }
            // The simulated store has no secrets besides those of its rotation.
            Change::EraseValues(_)
            | Change::RewriteSecret { .. }
            | Change::References(_)
            | Change::ClearNames { .. } => {}
        }
    }
}
