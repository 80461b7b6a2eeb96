//! One access key in the ledger: its state and the only transitions that exist.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::aws::{AccessKeyId, KeyStatus, LastUse};
use crate::clock::{Millis, Moment};
use crate::ids::IntentId;

/// Where a key stands. The names are kept in the database and shown to operators.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Created by Keywheel; its secret is sealed in the ledger; not verified.
    Pending,
    /// Verified, not published.
    Verified,
    /// The mapped secrets carry it. Never deactivated or deleted in this state.
    Published,
    /// Was published; waits for retirement.
    Displaced,
    /// First half of retirement: inactive at AWS, can be brought back.
    Deactivated,
    /// Second half of retirement: gone. An end.
    Deleted,
    /// Unknown id that a create of ours could explain; its secret is lost.
    OrphanSuspect,
    /// Not Keywheel's. Never touched.
    Unmanaged,
    /// Vanished without Keywheel's doing. An end.
    Lost,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Verified,
        Self::Published,
        Self::Displaced,
        Self::Deactivated,
        Self::Deleted,
        Self::OrphanSuspect,
        Self::Unmanaged,
        Self::Lost,
    ];

    /// The name in the database and on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Published => "published",
            Self::Displaced => "displaced",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::OrphanSuspect => "orphan_suspect",
            Self::Unmanaged => "unmanaged",
            Self::Lost => "lost",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// Whether the key is past all changes.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Deleted | Self::Lost)
    }

    /// Whether the transition exists. The table is the whole truth: no other code decides it.
    pub const fn may_become(self, next: Self) -> bool {
        use KeyState::{
            Deactivated, Deleted, Displaced, Lost, OrphanSuspect, Pending, Published, Unmanaged, Verified,
        };
        match (self, next) {
            (Pending, Verified)
            | (Verified | Displaced, Published)
            | (Published | Unmanaged | Deactivated, Displaced)
            | (Pending | Verified | Displaced | OrphanSuspect, Deactivated)
            | (Deactivated, Deleted)
            // Not ours after all; or ours no longer, because the rotation went without a revoke; or an
            // ended id that AWS lists again, which is somebody else's doing.
            | (
                OrphanSuspect | Pending | Verified | Published | Displaced | Deactivated | Deleted | Lost,
                Unmanaged,
            ) => true,
            (from, Lost) => !from.is_end(),
            _ => false,
        }
    }
}

/// How a key came into the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Keywheel created it.
    Created,
    /// The owner gave its id and secret.
    Imported,
    /// The owner named its id and gave it over.
    HandedOver,
    /// It was seen in a list.
    Unknown,
}

/// Why Keywheel may treat a key without a recorded create as its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The answer to our create named it; only the secret could not be kept.
    CreateResponse,
    /// The trail of AWS names our intent as its creator.
    CloudTrail,
    /// The owner said so, naming the id.
    Owner,
    /// The owner had promised that nobody else makes keys on this user.
    Exclusive,
}

/// What is to happen to a key that is not needed any more. Fixed when it is displaced: a later change of the
/// rotation's policy counts for later displacements only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "when", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Terms {
    /// It stays active until the next rotation needs its slot.
    NextRotation,
    /// Active until a moment, then inactive for a quarantine, then deleted.
    Grace {
        /// The end of the grace time.
        until: Moment,
        /// How long it is inactive before it is deleted.
        quarantine: Millis,
    },
    /// Its owner's word: both steps, one after the other, as soon as possible.
    AtOnce,
}

/// A secret access key as the ledger keeps it: sealed bytes that this crate can neither make nor open.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// Bytes made by the envelope.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret({} bytes)", self.0.len())
    }
}

/// One row of the ledger. Rows are never removed; ended ones keep id, times and proof, and no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManagedKey {
    /// The key.
    pub id: AccessKeyId,
    /// Where it stands.
    pub state: KeyState,
    /// How it came here.
    pub origin: Origin,
    /// Why it may be treated as ours without a recorded create.
    pub proof: Option<Proof>,
    /// Its secret; none for keys that Keywheel did not create or import, and for ended ones.
    pub secret: Option<SealedSecret>,
    /// The status that AWS showed last.
    pub aws_status: KeyStatus,
    /// When AWS says it was created.
    pub aws_created_at: Option<Moment>,
    /// When it came into the ledger.
    pub first_seen_at: Moment,
    /// When it last passed verification.
    pub verified_at: Option<Moment>,
    /// When it was last published.
    pub published_at: Option<Moment>,
    /// When it was last displaced.
    pub displaced_at: Option<Moment>,
    /// When it was last deactivated.
    pub deactivated_at: Option<Moment>,
    /// When it was deleted or found lost.
    pub ended_at: Option<Moment>,
    /// What is to happen to it, once it is displaced.
    pub terms: Option<Terms>,
    /// Why its retirement is held back until its owner speaks, if it is.
    pub held: Option<String>,
    /// Its last use as AWS told it.
    pub last_used: Option<LastUse>,
    /// When AWS was asked for its last use.
    pub use_checked_at: Option<Moment>,
    /// Since when its retirement waits because it may still be used.
    pub use_waits_since: Option<Moment>,
    /// Until then a call on it may still land; what contradicts that call waits.
    pub settles_at: Option<Moment>,
    /// The create that could have made it.
    pub explained_by: Option<IntentId>,
}

/// A transition that does not exist.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("access key {id} cannot go from {} to {}", .from.as_str(), .to.as_str())]
pub struct IllegalTransition {
    /// The key.
    pub id: AccessKeyId,
    /// Where it stands.
    pub from: KeyState,
    /// Where it was to go.
    pub to: KeyState,
}

impl ManagedKey {
    /// A key that Keywheel has just created and whose secret is sealed (T1).
    pub fn created(
        id: AccessKeyId,
        secret: SealedSecret,
        aws_created_at: Option<Moment>,
        now: Moment,
    ) -> Self {
        Self {
            state: KeyState::Pending,
            origin: Origin::Created,
            secret: Some(secret),
            ..Self::seen(id, KeyStatus::Active, aws_created_at, now)
        }
    }

    /// A key that a list showed and that no create of ours explains (T4).
    pub fn seen(id: AccessKeyId, status: KeyStatus, aws_created_at: Option<Moment>, now: Moment) -> Self {
        Self {
            id,
            state: KeyState::Unmanaged,
            origin: Origin::Unknown,
            proof: None,
            secret: None,
            aws_status: status,
            aws_created_at,
            first_seen_at: now,
            verified_at: None,
            published_at: None,
            displaced_at: None,
            deactivated_at: None,
            ended_at: None,
            terms: None,
            held: None,
            last_used: None,
            use_checked_at: None,
            use_waits_since: None,
            settles_at: None,
            explained_by: None,
        }
    }

    /// A key that a list showed and that a create of ours could explain (T5).
    pub fn suspected(
        id: AccessKeyId,
        status: KeyStatus,
        aws_created_at: Option<Moment>,
        explained_by: IntentId,
        now: Moment,
    ) -> Self {
        Self {
            state: KeyState::OrphanSuspect,
            explained_by: Some(explained_by),
            ..Self::seen(id, status, aws_created_at, now)
        }
    }

    /// Takes the key to its next state and notes the time. The secret goes with the last right to use it.
    pub fn become_state(&mut self, next: KeyState, now: Moment) -> Result<(), IllegalTransition> {
        if !self.state.may_become(next) {
            return Err(IllegalTransition {
                id: self.id.clone(),
                from: self.state,
                to: next,
            });
        }
        self.state = next;
        match next {
            KeyState::Pending | KeyState::OrphanSuspect => {}
            KeyState::Verified => self.verified_at = Some(now),
            KeyState::Published => {
                self.published_at = Some(now);
                self.terms = None;
                self.held = None;
                self.use_waits_since = None;
            }
            KeyState::Displaced => {
                self.displaced_at = Some(now);
                self.use_waits_since = None;
            }
            KeyState::Deactivated => {
                self.deactivated_at = Some(now);
                self.aws_status = KeyStatus::Inactive;
            }
            KeyState::Deleted | KeyState::Lost => {
                self.ended_at = Some(now);
                self.secret = None;
            }
            KeyState::Unmanaged => {
                self.ended_at = None;
                self.secret = None;
                self.proof = None;
                self.terms = None;
                self.held = None;
                self.use_waits_since = None;
            }
        }
        Ok(())
    }

    /// Whether Keywheel may ever change this key at AWS: created and recorded, given by its owner, or proven.
    pub fn is_ours(&self) -> bool {
        match self.state {
            KeyState::Pending
            | KeyState::Verified
            | KeyState::Published
            | KeyState::Displaced
            | KeyState::Deactivated => true,
            KeyState::OrphanSuspect => self.proof.is_some(),
            KeyState::Unmanaged | KeyState::Deleted | KeyState::Lost => false,
        }
    }

    /// Whether it appeared, and nobody has said what it is: a key that was given back is known, and so is a suspect that
    /// its owner called somebody else's. A suspect that was used is somebody else's by itself.
    pub fn is_foreign(&self) -> bool {
        let is_unexplained = self.explained_by.is_none() || self.last_used.is_some();
        self.state == KeyState::Unmanaged && self.origin == Origin::Unknown && is_unexplained
    }

    /// What is to happen to it. A key that was never displaced was never published, so nobody waits for it.
    pub fn terms(&self) -> Terms {
        match self.terms {
            Some(terms) => terms,
            None if self.displaced_at.is_some() => Terms::NextRotation,
            None => Terms::AtOnce,
        }
    }

    /// From when the next step of its retirement is due, whether or not its slot is needed. None if nothing
    /// retires it by time alone. `pending_max` is how long a key waits for its first publish.
    pub fn retires_at(&self, pending_max: Millis) -> Option<Moment> {
        if self.held.is_some() {
            return None;
        }
        match (self.state, self.terms()) {
            (KeyState::Pending | KeyState::Verified, _) => Some(self.first_seen_at + pending_max),
            (KeyState::OrphanSuspect, _) => self.proof.map(|_| self.first_seen_at),
            (KeyState::Displaced, Terms::Grace { until, .. }) => Some(until),
            (KeyState::Deactivated, Terms::Grace { quarantine, .. }) => {
                self.deactivated_at.map(|at| at + quarantine)
            }
            (KeyState::Displaced | KeyState::Deactivated, Terms::AtOnce) => Some(self.first_seen_at),
            _ => None,
        }
    }

    /// From when a rotation that needs its slot may take the next step of its retirement. None if it may not.
    pub fn yields_at(&self) -> Option<Moment> {
        let waits_for_slot = self.held.is_none()
            && matches!(self.state, KeyState::Displaced | KeyState::Deactivated)
            && self.terms() == Terms::NextRotation;
        if waits_for_slot {
            return Some(self.first_seen_at);
        }
        match self.state {
            // A key that waits for its first publish is used, not retired, by a rotation that needs a key.
            KeyState::Pending | KeyState::Verified => None,
            _ => self.retires_at(Millis::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ManagedKey {
        ManagedKey::created(
            AccessKeyId::from_trusted("AKIA0000000000000001"),
            SealedSecret::from_bytes(vec![1, 2, 3]),
            None,
            Moment::from_millis(1),
        )
    }

    #[test]
    fn a_published_key_reaches_deletion_only_through_displaced_and_deactivated() {
        assert!(!KeyState::Published.may_become(KeyState::Deactivated));
        assert!(!KeyState::Published.may_become(KeyState::Deleted));
        assert!(!KeyState::Displaced.may_become(KeyState::Deleted));
        for from in KeyState::ALL {
            assert_eq!(
                from.may_become(KeyState::Deleted),
                from == KeyState::Deactivated,
                "{from:?}"
            );
        }
    }

    #[test]
    fn only_a_verified_or_a_displaced_key_can_be_published() {
        for from in KeyState::ALL {
            let expected = matches!(from, KeyState::Verified | KeyState::Displaced);
            assert_eq!(from.may_become(KeyState::Published), expected, "{from:?}");
        }
    }

    #[test]
    fn an_unmanaged_key_is_touched_only_after_its_owner_gives_it() {
        for to in KeyState::ALL {
            let expected = matches!(to, KeyState::Displaced | KeyState::Lost);
            assert_eq!(KeyState::Unmanaged.may_become(to), expected, "{to:?}");
        }
    }

    #[test]
    fn a_refused_transition_changes_nothing() {
        let mut key = key();
        let before = key.clone();
        assert!(
            key.become_state(KeyState::Published, Moment::from_millis(2))
                .is_err()
        );
        assert_eq!(key, before);
    }

    #[test]
    fn the_secret_is_erased_when_a_key_ends_or_is_given_back() {
        for path in [
            &[KeyState::Deactivated, KeyState::Deleted][..],
            &[KeyState::Lost],
            &[KeyState::Unmanaged],
        ] {
            let mut key = key();
            for state in path {
                assert!(key.secret.is_some());
                key.become_state(*state, Moment::from_millis(2)).unwrap();
            }
            assert!(key.secret.is_none(), "{path:?}");
        }
    }

    #[test]
    fn a_suspect_without_proof_is_not_ours() {
        let id = AccessKeyId::from_trusted("AKIA0000000000000002");
        let intent = IntentId::new(Moment::from_millis(1), &[0; 10]);
        let mut suspect = ManagedKey::suspected(id, KeyStatus::Active, None, intent, Moment::from_millis(1));
        assert!(
            !suspect.is_ours() && suspect.retires_at(Millis::ZERO).is_none() && suspect.yields_at().is_none()
        );
        suspect.proof = Some(Proof::Owner);
        assert!(
            suspect.is_ours() && suspect.retires_at(Millis::ZERO).is_some() && suspect.yields_at().is_some()
        );
    }

    fn displaced(terms: Terms) -> ManagedKey {
        let mut key = key();
        for state in [KeyState::Verified, KeyState::Published, KeyState::Displaced] {
            key.become_state(state, Moment::from_millis(2)).unwrap();
        }
        key.terms = Some(terms);
        key
    }

    #[test]
    fn a_displaced_key_stays_until_its_slot_is_needed_unless_its_terms_say_otherwise() {
        let key = displaced(Terms::NextRotation);
        assert_eq!(key.retires_at(Millis::ZERO), None);
        assert!(key.yields_at().is_some());
    }

    #[test]
    fn in_grace_both_waits_run_and_no_rotation_shortens_them() {
        let terms = Terms::Grace {
            until: Moment::from_millis(1_000),
            quarantine: Millis::new(50),
        };
        let mut key = displaced(terms);
        assert_eq!(key.retires_at(Millis::ZERO), Some(Moment::from_millis(1_000)));
        assert_eq!(key.yields_at(), key.retires_at(Millis::ZERO));
        key.become_state(KeyState::Deactivated, Moment::from_millis(1_200))
            .unwrap();
        assert_eq!(key.retires_at(Millis::ZERO), Some(Moment::from_millis(1_250)));
        assert_eq!(key.yields_at(), key.retires_at(Millis::ZERO));
    }

    #[test]
    fn a_held_key_waits_for_its_owner() {
        for terms in [Terms::NextRotation, Terms::AtOnce] {
            let mut key = displaced(terms);
            key.held = Some("needed".to_owned());
            assert_eq!((key.retires_at(Millis::ZERO), key.yields_at()), (None, None));
        }
    }

    #[test]
    fn a_key_that_waits_for_its_first_publish_yields_to_nobody_and_ends_after_its_time() {
        assert_eq!(key().yields_at(), None);
        assert_eq!(key().retires_at(Millis::new(9)), Some(Moment::from_millis(10)));
    }

    #[test]
    fn debug_shows_no_sealed_bytes() {
        assert!(format!("{:?}", key()).contains("SealedSecret(3 bytes)"));
    }

    #[test]
    fn the_name_of_a_state_is_kept_for_ever_and_reads_back() {
        let names: Vec<_> = KeyState::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "pending verified published displaced deactivated deleted orphan_suspect unmanaged lost"
        );
        for state in KeyState::ALL {
            assert_eq!(KeyState::from_name(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(KeyState::from_name("gone"), None);
    }

    #[test]
    fn a_sealed_secret_is_kept_byte_for_byte() {
        assert_eq!(SealedSecret::from_bytes(vec![1, 2, 3]).as_bytes(), [1, 2, 3]);
    }

    #[test]
    fn a_displaced_key_without_terms_waits_for_the_next_rotation_and_one_never_published_does_not() {
        let mut old = displaced(Terms::AtOnce);
        old.terms = None;
        assert_eq!(old.terms(), Terms::NextRotation);
        assert_eq!(key().terms(), Terms::AtOnce);
    }

    #[test]
    fn a_refused_transition_says_from_where_to_where() {
        let error = key()
            .become_state(KeyState::Deleted, Moment::from_millis(2))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "access key AKIA0000000000000001 cannot go from pending to deleted"
        );
    }
}
