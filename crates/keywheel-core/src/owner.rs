//! What an owner says of one key between runs: each word becomes a commit, or the reason why it cannot.
//!
//! Words that need AWS at once, to retire a key or to roll back to one, are goals of a [`crate::run`].

use crate::aws::AccessKeyId;
use crate::clock::Moment;
use crate::key::{KeyState, ManagedKey};
use crate::ledger::{Change, Commit, Ledger};
use crate::run::{RunError, RunErrorCode, due_at, given};
use crate::timings::Timings;

/// A word about one key, named by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// A suspect is somebody else's (T15).
    Theirs,
    /// A key that is not Keywheel's, or of which that is not known, is from now on; it is retired by the rotation's
    /// policy (T16).
    HandOver,
    /// Its retirement waits until the owner speaks again.
    Hold {
        /// Why; for people.
        reason: String,
    },
    /// It waits no longer.
    Release,
}

/// Takes an owner's word down. No call to AWS follows from it directly; the schedule looks at the user again.
///
/// Fails with `KEY_NOT_ELIGIBLE` if the word does not fit the key, and with `IN_PROGRESS` while an announced call
/// on the key may be under way.
pub fn take(
    ledger: &Ledger,
    id: &AccessKeyId,
    word: &Word,
    now: Moment,
    timings: &Timings,
) -> Result<Commit, RunError> {
    let Some(mut key) = ledger.keys.get(id).cloned() else {
        return Err(RunError::not_eligible(id, None, word.participle()));
    };
    if ledger
        .open_intent
        .as_ref()
        .is_some_and(|i| i.key.as_ref() == Some(id))
    {
        let text = format!("a change of access key {id} is under way; try again when it is recorded");
        return Err(RunError::new(RunErrorCode::InProgress, text));
    }
    if word.apply(&mut key, ledger, now, timings).is_none() {
        let text = format!(
            "access key {id} ({}) cannot be {}: {}",
            key.state.as_str(),
            word.participle(),
            word.demand()
        );
        return Err(RunError::new(RunErrorCode::KeyNotEligible, text));
    }
    let mut after = ledger.clone();
    let change = Change::Key(key);
    after.apply(&change);
    after.user.due_at = due_at(&after, timings, now);
    Ok(Commit {
        changes: vec![change, Change::User(after.user)],
        ..Commit::default()
    })
}

impl Word {
    const fn participle(&self) -> &'static str {
        match self {
            Self::Theirs => "resolved",
            Self::HandOver => "handed over",
            Self::Hold { .. } => "held",
            Self::Release => "released",
        }
    }

    const fn demand(&self) -> &'static str {
        match self {
            Self::Theirs => "only a suspect can be",
            Self::HandOver => "only a live key that is not Keywheel's can be",
            Self::Hold { .. } => "only a key of Keywheel's that waits for its retirement can be",
            Self::Release => "it is not held",
        }
    }

    fn apply(&self, key: &mut ManagedKey, ledger: &Ledger, now: Moment, timings: &Timings) -> Option<()> {
        match self {
            Self::Theirs => {
                (key.state == KeyState::OrphanSuspect).then_some(())?;
                key.proof = None;
                key.held = None;
                key.become_state(KeyState::Unmanaged, now).ok()
            }
            Self::HandOver => {
                let policy = &ledger.rotation.as_ref()?.settings.policy;
                let terms = policy.retirement.terms(now, timings.day_length);
                *key = given(key, terms, now)?;
                Some(())
            }
            Self::Hold { reason } => {
                let waits = matches!(
                    key.state,
                    KeyState::Displaced | KeyState::Deactivated | KeyState::OrphanSuspect
                );
                (waits && key.is_ours()).then_some(())?;
                key.held = Some(reason.clone());
                Some(())
            }
            Self::Release => key.held.take().map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Arn, AwsAccount, IamUserId, IamUserName, KeyStatus, Partition, Region};
    use crate::ids::{IntentId, ManagedUserId};
    use crate::intent::{Intent, IntentKind};
    use crate::key::{Proof, SealedSecret};
    use crate::lease::Fence;
    use crate::ledger::{ManagedUser, UserIdentity};

    const NOW: Moment = Moment::from_millis(10_000_000);

    fn id() -> AccessKeyId {
        AccessKeyId::from_trusted("AKIA1")
    }

    fn ledger(state: KeyState) -> Ledger {
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
        let mut key = ManagedKey::created(id(), SealedSecret::from_bytes(vec![1]), None, NOW);
        key.state = state;
        key.aws_status = KeyStatus::Active;
        ledger.keys.insert(id(), key);
        ledger
    }

    fn after(ledger: &Ledger, word: &Word) -> Option<ManagedKey> {
        let commit = take(ledger, &id(), word, NOW, &Timings::DEFAULT).ok()?;
        let mut after = ledger.clone();
        commit.changes.iter().for_each(|change| after.apply(change));
        after.keys.remove(&id())
    }

    #[test]
    fn only_a_suspect_can_be_resolved_as_theirs() {
        for state in KeyState::ALL {
            let mut ledger = ledger(state);
            ledger
                .keys
                .values_mut()
                .for_each(|key| key.proof = Some(Proof::CreateResponse));
            let taken = after(&ledger, &Word::Theirs);
            assert_eq!(taken.is_some(), state == KeyState::OrphanSuspect, "{state:?}");
            assert!(
                taken.is_none_or(|k| k.state == KeyState::Unmanaged && k.proof.is_none() && !k.is_ours())
            );
        }
    }

    #[test]
    fn only_a_key_that_waits_for_its_retirement_can_be_held() {
        let word = Word::Hold {
            reason: "migration".to_owned(),
        };
        for state in KeyState::ALL {
            let held = after(&ledger(state), &word);
            let waits = matches!(state, KeyState::Displaced | KeyState::Deactivated);
            assert_eq!(held.is_some(), waits, "{state:?}");
            assert!(held.is_none_or(|k| k.held.as_deref() == Some("migration") && k.yields_at().is_none()));
        }
    }

    #[test]
    fn a_held_key_is_released_once() {
        let mut ledger = ledger(KeyState::Displaced);
        assert!(after(&ledger, &Word::Release).is_none());
        ledger
            .keys
            .values_mut()
            .for_each(|key| key.held = Some("x".to_owned()));
        assert!(after(&ledger, &Word::Release).is_some_and(|k| k.held.is_none()));
    }

    #[test]
    fn a_refusal_names_the_key_its_state_and_what_it_would_have_to_be() {
        let hold = Word::Hold {
            reason: String::new(),
        };
        for (word, text) in [
            (
                Word::Theirs,
                "access key AKIA1 (published) cannot be resolved: only a suspect can be",
            ),
            (
                Word::HandOver,
                "cannot be handed over: only a live key that is not Keywheel's can be",
            ),
            (
                hold,
                "cannot be held: only a key of Keywheel's that waits for its retirement can be",
            ),
            (Word::Release, "cannot be released: it is not held"),
        ] {
            let refused =
                take(&ledger(KeyState::Published), &id(), &word, NOW, &Timings::DEFAULT).unwrap_err();
            assert!(refused.text.contains(text), "{refused}");
            let unknown = AccessKeyId::from_trusted("AKIA2");
            let refused = take(
                &ledger(KeyState::Published),
                &unknown,
                &word,
                NOW,
                &Timings::DEFAULT,
            )
            .unwrap_err();
            assert!(refused.text.contains("is not a key of this user"), "{refused}");
        }
    }

    #[test]
    fn a_key_without_a_rotation_that_could_retire_it_is_not_handed_over() {
        assert!(after(&ledger(KeyState::Unmanaged), &Word::HandOver).is_none());
    }

    #[test]
    fn no_word_is_taken_while_an_announced_call_may_be_under_way() {
        let mut ledger = ledger(KeyState::Displaced);
        ledger.open_intent = Some(Intent {
            id: IntentId::new(NOW, &[1; 10]),
            fence: Fence::from_stored(1),
            kind: IntentKind::Deactivate,
            key: Some(id()),
            snapshot: Vec::new(),
            opened_at: NOW,
            call_deadline: NOW,
            outcome: None,
            closed_at: None,
        });
        let word = Word::Hold {
            reason: String::new(),
        };
        let refused = take(&ledger, &id(), &word, NOW, &Timings::DEFAULT).unwrap_err();
        assert_eq!(refused.code, RunErrorCode::InProgress);
    }
}
