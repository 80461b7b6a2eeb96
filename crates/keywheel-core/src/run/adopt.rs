//! Adoption: what a new rotation does with keys that its user already has. A key that the request does not
//! name is never changed.

use super::{AccessKeyId, Effect, Goal, Outcome, Run, RunError};
use crate::aws::KeyStatus;
use crate::clock::Moment;
use crate::intent::IntentKind;
use crate::key::{KeyState, ManagedKey, Origin, SealedSecret, Terms};
use crate::ledger::Change;

/// What the owner says of a key that the user already has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Adoption {
    /// Nothing: such a key is left alone.
    #[default]
    None,
    /// It becomes the published key, with the secret that its owner gives; nothing changes at AWS.
    Import {
        /// The key.
        key: AccessKeyId,
        /// Its secret, sealed.
        secret: SealedSecret,
    },
    /// It is Keywheel's from now on, and is retired like a displaced key of its own.
    HandOver {
        /// The key.
        key: AccessKeyId,
        /// Whether it goes before its successor exists, which a user with two keys needs.
        at_once: bool,
    },
}

impl Adoption {
    /// The key that it names.
    pub const fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::None => None,
            Self::Import { key, .. } | Self::HandOver { key, .. } => Some(key),
        }
    }
}

impl Run {
    /// What a create does, once the keys of the user are known.
    pub(super) fn decide_create(&mut self, now: Moment, adoption: &Adoption) -> Effect {
        if let Some(id) = adoption.key().filter(|id| !self.may_adopt(id, adoption)) {
            let error = RunError::not_adoptable(id, self.ledger.keys.get(id));
            return self.fail(now, error);
        }
        match adoption {
            Adoption::Import { key, .. } => self.begin_verification(now, key.clone()),
            Adoption::HandOver { key, at_once: true } if !self.is_handed_over(key) => {
                self.take_at_once(now, key)
            }
            Adoption::None | Adoption::HandOver { .. } => self.decide_new_key(now),
        }
    }

    /// Whether the named key is there and is nobody's yet. A key that this run took already is past that.
    fn may_adopt(&self, id: &AccessKeyId, adoption: &Adoption) -> bool {
        let Some(key) = self.ledger.keys.get(id) else {
            return false;
        };
        match (adoption, key.state) {
            (Adoption::Import { .. }, KeyState::Unmanaged) => {
                self.is_listed(id) && key.aws_status == KeyStatus::Active
            }
            (Adoption::HandOver { .. }, KeyState::Unmanaged | KeyState::OrphanSuspect) => self.is_listed(id),
            (Adoption::HandOver { at_once: true, .. }, _) => self.is_handed_over(id),
            _ => false,
        }
    }

    fn is_handed_over(&self, id: &AccessKeyId) -> bool {
        let given = |k: &ManagedKey| k.origin == Origin::HandedOver && k.state != KeyState::Unmanaged;
        self.ledger.keys.get(id).is_some_and(given)
    }

    /// Takes a key so that it goes before its successor comes: its owner named it and said so. It is taken and its
    /// deactivation announced in one commit, so that a create that fails before leaves nothing of the word behind.
    fn take_at_once(&mut self, now: Moment, id: &AccessKeyId) -> Effect {
        if let Some(error) = self.clock_fault() {
            return self.fail(now, error);
        }
        match self
            .ledger
            .keys
            .get(id)
            .and_then(|key| given(key, Terms::AtOnce, now))
        {
            Some(key) => self.announce_row(now, IntentKind::Deactivate, key),
            None => Effect::Finish(Outcome::Parked),
        }
    }

    /// The keys that a failed create took and did not change: they are their owner's again.
    pub(super) fn given_back(&self, now: Moment) -> Vec<Change> {
        let taken = |key: &&ManagedKey| {
            let announced = self.ledger.open_intent.as_ref().and_then(|i| i.key.as_ref());
            key.origin == Origin::HandedOver && key.state == KeyState::Displaced && announced != Some(&key.id)
        };
        if !matches!(self.goal, Goal::Create(_)) {
            return Vec::new();
        }
        let back = |key: &ManagedKey| {
            let mut key = key.clone();
            key.become_state(KeyState::Unmanaged, now).ok()?;
            Some(Change::Key(key))
        };
        self.ledger.keys.values().filter(taken).filter_map(back).collect()
    }

    /// The rows that a create's adoption changes in the commit that publishes: either the imported key, which is
    /// published itself, or the handed-over one.
    pub(super) fn adopted_key(&self, now: Moment) -> Option<ManagedKey> {
        let Goal::Create(draft) = &self.goal else {
            return None;
        };
        match &draft.adoption {
            Adoption::None => None,
            Adoption::Import { key, secret } => {
                let mut key = self.ledger.keys.get(key)?.clone();
                key.become_state(KeyState::Displaced, now).ok()?;
                key.origin = Origin::Imported;
                key.secret = Some(secret.clone());
                key.verified_at = Some(now);
                Some(key)
            }
            Adoption::HandOver { key, .. } => {
                let retirement = draft.settings.policy.retirement;
                let terms = retirement.terms(self.begins(now), self.timings.day_length);
                given(self.ledger.keys.get(key)?, terms, now)
            }
        }
    }

    /// The secret that the owner gave with a key to import.
    pub(super) fn imported_secret(&self, id: &AccessKeyId) -> Option<&SealedSecret> {
        match &self.goal {
            Goal::Create(draft) => match &draft.adoption {
                Adoption::Import { key, secret } if key == id => Some(secret),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A key that its owner gives: an unmanaged one, or a suspect, which by this word was the owner's (T15). None for any
/// other.
pub fn given(key: &ManagedKey, terms: Terms, now: Moment) -> Option<ManagedKey> {
    let mut key = key.clone();
    if key.state == KeyState::OrphanSuspect {
        key.become_state(KeyState::Unmanaged, now).ok()?;
    }
    (key.state == KeyState::Unmanaged).then_some(())?;
    hand_over(&mut key, terms, now)?;
    Some(key)
}

/// T16: an unmanaged key becomes Keywheel's because its owner named it. None if the key is not unmanaged.
pub fn hand_over(key: &mut ManagedKey, terms: Terms, now: Moment) -> Option<()> {
    key.become_state(KeyState::Displaced, now).ok()?;
    key.origin = Origin::HandedOver;
    key.terms = Some(terms);
    Some(())
}
