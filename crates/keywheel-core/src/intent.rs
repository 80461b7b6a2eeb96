//! A durable note, committed before a call to AWS, of what the call will do.
//!
//! After a crash the open intent is all that recovery needs: it says which call may have been sent, on which
//! key, and until when it may still land.

use serde::{Deserialize, Serialize};

use crate::aws::{AccessKeyId, ListedKey};
use crate::clock::{Millis, Moment};
use crate::ids::IntentId;
use crate::lease::Fence;

/// The kinds of changing calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentKind {
    /// `CreateAccessKey`.
    Create,
    /// `UpdateAccessKey` to Inactive.
    Deactivate,
    /// `UpdateAccessKey` to Active, for a roll-back.
    Reactivate,
    /// `DeleteAccessKey`.
    Delete,
}

/// How an announced call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentOutcome {
    /// The effect is recorded.
    Done,
    /// AWS refused, or it is sure that nothing happened.
    NoEffect,
    /// A key may have been made whose secret is lost.
    Suspect,
}

impl IntentKind {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Delete => "delete",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Create, Self::Deactivate, Self::Reactivate, Self::Delete]
            .into_iter()
            .find(|k| k.as_str() == name)
    }
}

impl IntentOutcome {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NoEffect => "no_effect",
            Self::Suspect => "suspect",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Done, Self::NoEffect, Self::Suspect]
            .into_iter()
            .find(|o| o.as_str() == name)
    }
}

/// One announced call. A user has at most one open intent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// The intent.
    pub id: IntentId,
    /// The claim under which it was opened.
    pub fence: Fence,
    /// What the call does.
    pub kind: IntentKind,
    /// The key that it names; none for a create.
    pub key: Option<AccessKeyId>,
    /// The ids that AWS listed before a create; empty otherwise.
    pub snapshot: Vec<AccessKeyId>,
    /// When it was committed.
    pub opened_at: Moment,
    /// When the sender gives up waiting for an answer.
    pub call_deadline: Moment,
    /// How it ended; none while open.
    pub outcome: Option<IntentOutcome>,
    /// When it was closed.
    pub closed_at: Option<Moment>,
}

/// What is lost where AWS cuts two times to whole seconds.
const WHOLE_SECONDS: Millis = Millis::from_secs(2);

impl Intent {
    /// From then on the call cannot take effect any more, if it has not.
    pub fn settles_at(&self, late_landing: Millis) -> Moment {
        self.call_deadline + late_landing
    }

    /// Whether this intent, if it is a create, could have made a listed key that the ledger does not know.
    ///
    /// AWS gives the creation time by its own clock, which may be behind ours by `clock_skew_max`. Both that time and
    /// the `Date` by which the clocks were compared have whole seconds, so a key may look two seconds older. A key
    /// without a creation time cannot be told from ours, so it counts as explained and is left to a person.
    pub fn explains(&self, listed: &ListedKey, clock_skew_max: Millis, late_landing: Millis) -> bool {
        let from = self.opened_at - (clock_skew_max + WHOLE_SECONDS);
        let to = self.settles_at(late_landing);
        self.kind == IntentKind::Create
            && !self.snapshot.contains(&listed.id)
            && listed.created_at.is_none_or(|at| from <= at && at <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::KeyStatus;

    const SKEW: Millis = Millis::from_secs(30);
    const LATE: Millis = Millis::from_secs(330);

    fn create() -> Intent {
        Intent {
            id: IntentId::new(Moment::from_millis(0), &[0; 10]),
            fence: Fence::from_stored(1),
            kind: IntentKind::Create,
            key: None,
            snapshot: vec![AccessKeyId::from_trusted("AKIAOLD")],
            opened_at: Moment::from_millis(1_000_000),
            call_deadline: Moment::from_millis(1_010_000),
            outcome: None,
            closed_at: None,
        }
    }

    fn listed(id: &str, at: i64) -> ListedKey {
        ListedKey {
            id: AccessKeyId::from_trusted(id),
            status: KeyStatus::Active,
            created_at: Some(Moment::from_millis(at)),
        }
    }

    #[test]
    fn a_create_explains_new_keys_inside_its_window_only() {
        let explains = |key: &ListedKey| create().explains(key, SKEW, LATE);
        assert!(explains(&listed("AKIANEW", 1_000_000)));
        assert!(explains(&listed("AKIANEW", 968_000)));
        assert!(explains(&listed("AKIANEW", 1_340_000)));
        assert!(!explains(&listed("AKIANEW", 967_999)));
        assert!(!explains(&listed("AKIANEW", 1_340_001)));
        assert!(!explains(&listed("AKIAOLD", 1_000_000)), "it was there before");
    }

    #[test]
    fn no_other_intent_explains_a_key() {
        let delete = Intent {
            kind: IntentKind::Delete,
            ..create()
        };
        assert!(!delete.explains(&listed("AKIANEW", 1_000_000), SKEW, LATE));
    }

    #[test]
    fn a_key_without_a_date_is_left_to_a_person() {
        let undated = ListedKey {
            created_at: None,
            ..listed("AKIANEW", 0)
        };
        assert!(create().explains(&undated, SKEW, LATE));
    }

    #[test]
    fn the_names_of_kinds_and_outcomes_are_kept_for_ever_and_read_back() {
        for (kind, name) in [
            (IntentKind::Create, "create"),
            (IntentKind::Deactivate, "deactivate"),
            (IntentKind::Reactivate, "reactivate"),
            (IntentKind::Delete, "delete"),
        ] {
            assert_eq!((kind.as_str(), IntentKind::from_name(name)), (name, Some(kind)));
        }
        for (outcome, name) in [
            (IntentOutcome::Done, "done"),
            (IntentOutcome::NoEffect, "no_effect"),
            (IntentOutcome::Suspect, "suspect"),
        ] {
            assert_eq!(
                (outcome.as_str(), IntentOutcome::from_name(name)),
                (name, Some(outcome))
            );
        }
        assert_eq!(
            (IntentKind::from_name(""), IntentOutcome::from_name("")),
            (None, None)
        );
    }

    #[test]
    fn a_call_settles_when_its_deadline_and_the_late_landing_are_over() {
        assert_eq!(create().settles_at(LATE), Moment::from_millis(1_340_000));
    }
}
