//! What people hear of a commit of the engine, besides that secrets changed and that a rotation failed.

use super::occurrence::{AboutRotation, Occurrence, StrangeKey};
use crate::aws::AccessKeyId;
use crate::clock::Moment;
use crate::key::{KeyState, ManagedKey, Terms};
use crate::ledger::{Alarm, Author, Change, Commit};

/// The rotation that a commit is about, as it is afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AffectedRotation {
    /// Which.
    pub about: AboutRotation,
    /// When its next attempt is.
    pub next_attempt_at: Option<Moment>,
    /// The date of its schedule that this is an attempt for: a retry is no date of its own.
    pub slot_at: Option<Moment>,
}

/// Something that is told once, however often it is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What happened.
    pub occurrence: Occurrence,
    /// What it is told of once: a key, or a rotation.
    pub subject: String,
    /// Which of several times in the life of the subject this is.
    pub mark: Moment,
}

/// Whether a commit may hold a notice: only then is it worth to look the rotation up.
pub fn may_notice(commit: &Commit) -> bool {
    let is_still_used = |alarm: &Alarm| matches!(alarm, Alarm::StillUsed { .. });
    commit.alarms.iter().any(is_still_used) || keys(commit).any(|key| strangeness(key).is_some())
}

/// Subjects of which nothing that was told once counts any more: of keys that are past all changes, or published again.
pub fn forgotten(commit: &Commit) -> impl Iterator<Item = String> {
    let is_back = |key: &ManagedKey| key.state == KeyState::Published && key.displaced_at.is_some();
    keys(commit)
        .filter(move |key| key.state.is_end() || is_back(key))
        .flat_map(|key| [key.id.to_string(), held(&key.id)])
}

/// That its use holds a key back is told beside what is told of its retirement: neither hides that the other was told.
fn held(key: &AccessKeyId) -> String {
    format!("{key}/held")
}

/// Why a key needs its owner's decision. Told by the state of the key and not by the alarm: what was found before there
/// was a rotation is told with the first commit after that.
fn strangeness(key: &ManagedKey) -> Option<StrangeKey> {
    if key.state == KeyState::OrphanSuspect {
        Some(StrangeKey::Suspect)
    } else {
        key.is_foreign().then_some(StrangeKey::Foreign)
    }
}

/// Keys that appeared, and displaced ones that are still used.
pub fn notices(commit: &Commit, rotation: &AffectedRotation) -> Vec<Notice> {
    let strange = keys(commit).filter_map(|key| {
        Some(Notice {
            occurrence: Occurrence::KeySuspect {
                rotation: rotation.about.clone(),
                key: key.id.clone(),
                kind: strangeness(key)?,
                created_at: key.aws_created_at,
            },
            subject: key.id.to_string(),
            // A key that is given back or resolved is no other key.
            mark: Moment::LONG_AGO,
        })
    });
    let used = commit.alarms.iter().filter_map(|alarm| match alarm {
        Alarm::StillUsed {
            key,
            is_ahead,
            kept_until,
        } => still_used(key_of(commit, key)?, rotation, *is_ahead, *kept_until),
        _ => None,
    });
    strange.chain(used).collect()
}

/// The publish of a commit that replaces the key of a rotation. The first key of a new rotation replaces none.
pub fn rotated(commit: &Commit, by: Author, rotation: &AffectedRotation) -> Option<Occurrence> {
    let key = commit.publish.as_ref()?;
    if !commit
        .changes
        .iter()
        .any(|change| matches!(change, Change::UpdateRotation(_)))
    {
        return None;
    }
    let previous = keys(commit).find(|key| key.state == KeyState::Displaced);
    Some(Occurrence::Rotated {
        rotation: rotation.about.clone(),
        by,
        key: key.clone(),
        previous: previous.map(|key| key.id.clone()),
        previous_retires_at: previous.and_then(|key| retires_at(key, rotation)),
        is_roll_back: key_of(commit, key).is_some_and(|key| key.displaced_at.is_some()),
    })
}

fn still_used(
    key: &ManagedKey,
    rotation: &AffectedRotation,
    is_ahead: bool,
    kept_until: Option<Moment>,
) -> Option<Notice> {
    let used = key.last_used.as_ref()?;
    let held_since = key.use_waits_since.filter(|_| kept_until.is_some());
    let planned = match key.terms() {
        Terms::NextRotation => rotation.slot_at,
        Terms::Grace { until, .. } => Some(until),
        Terms::AtOnce => None,
    };
    // A rotation by hand retires it before its date: now.
    let now = key.use_checked_at.filter(|_| !is_ahead);
    let retirement = planned.filter(|planned| now.is_none_or(|now| *planned <= now));
    let (subject, mark) = match held_since {
        Some(since) => (held(&key.id), since),
        // For each date at which it retires.
        None => (
            key.id.to_string(),
            retirement
                .or(now)
                .or(key.displaced_at)
                .unwrap_or(Moment::LONG_AGO),
        ),
    };
    Some(Notice {
        occurrence: Occurrence::KeyRetiringInUse {
            rotation: rotation.about.clone(),
            key: key.id.clone(),
            retires_at: now
                .filter(|_| held_since.is_none())
                .or_else(|| retires_at(key, rotation)),
            is_held: held_since.is_some(),
            kept_until,
            used_at: used.at,
            service: used.service.clone(),
        },
        subject,
        mark,
    })
}

/// When a displaced key is deactivated at the earliest.
fn retires_at(key: &ManagedKey, rotation: &AffectedRotation) -> Option<Moment> {
    match key.terms() {
        Terms::Grace { until, .. } => Some(until),
        Terms::NextRotation => rotation.next_attempt_at,
        Terms::AtOnce => None,
    }
}

fn keys(commit: &Commit) -> impl Iterator<Item = &ManagedKey> {
    commit.changes.iter().filter_map(|change| match change {
        Change::Key(key) => Some(key),
        _ => None,
    })
}

fn key_of<'a>(commit: &'a Commit, id: &AccessKeyId) -> Option<&'a ManagedKey> {
    keys(commit).find(|key| key.id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{KeyStatus, LastUse};
    use crate::clock::Millis;
    use crate::ids::{IntentId, RotationId};
    use crate::key::SealedSecret;

    const NOW: Moment = Moment::from_millis(10_000_000);

    fn affected() -> AffectedRotation {
        AffectedRotation {
            about: AboutRotation {
                id: RotationId::new(NOW, &[1; 10]),
                name: "demo".to_owned(),
                user: "demo-app".to_owned(),
            },
            next_attempt_at: Some(NOW + Millis::DAY),
            slot_at: Some(NOW + Millis::DAY),
        }
    }

    fn id(text: &str) -> AccessKeyId {
        AccessKeyId::from_trusted(text)
    }

    fn displaced(terms: Terms) -> ManagedKey {
        let secret = SealedSecret::from_bytes(vec![1]);
        let mut key = ManagedKey::created(id("AKIA1"), secret, None, NOW);
        for state in [KeyState::Verified, KeyState::Published, KeyState::Displaced] {
            key.become_state(state, NOW).unwrap();
        }
        key.terms = Some(terms);
        key.last_used = Some(LastUse {
            at: NOW,
            service: "s3".to_owned(),
            region: "eu-west-1".to_owned(),
        });
        key
    }

    fn told(keys: Vec<ManagedKey>, alarms: Vec<Alarm>) -> Vec<Notice> {
        let commit = Commit {
            changes: keys.into_iter().map(Change::Key).collect(),
            alarms,
            ..Commit::default()
        };
        assert_eq!(may_notice(&commit), !notices(&commit, &affected()).is_empty());
        notices(&commit, &affected())
    }

    #[test]
    fn a_suspect_and_a_foreign_key_are_told_of_by_their_ids() {
        let foreign = ManagedKey::seen(id("AKIA2"), KeyStatus::Active, Some(NOW), NOW);
        let create = IntentId::new(NOW, &[1; 10]);
        let suspect = ManagedKey::suspected(id("AKIA3"), KeyStatus::Active, None, create, NOW);
        // Told by its state: its alarm may have been before there was a rotation.
        let found = told(vec![suspect, foreign], Vec::new());
        let kinds: Vec<_> = found
            .iter()
            .map(|notice| match &notice.occurrence {
                Occurrence::KeySuspect { kind, .. } => (notice.subject.as_str(), *kind),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            kinds,
            [("AKIA3", StrangeKey::Suspect), ("AKIA2", StrangeKey::Foreign)]
        );
    }

    fn still_used(key: &ManagedKey, is_ahead: bool, kept_until: Option<Moment>) -> Notice {
        let alarm = Alarm::StillUsed {
            key: key.id.clone(),
            is_ahead,
            kept_until,
        };
        let [notice] = told(vec![key.clone()], vec![alarm]).try_into().unwrap();
        notice
    }

    #[test]
    fn a_key_that_is_still_used_is_told_of_with_when_it_retires() {
        let until = NOW + Millis::from_hours(3);
        let quarantine = Millis::DAY;
        for (terms, expected, date) in [
            (Terms::Grace { until, quarantine }, Some(until), until),
            (Terms::NextRotation, Some(NOW + Millis::DAY), NOW + Millis::DAY),
            (Terms::AtOnce, None, NOW),
        ] {
            let notice = still_used(&displaced(terms), true, None);
            let Occurrence::KeyRetiringInUse {
                retires_at,
                used_at,
                is_held,
                ..
            } = notice.occurrence
            else {
                panic!("{notice:?}");
            };
            assert_eq!((retires_at, used_at, is_held), (expected, NOW, false));
            assert_eq!(notice.mark, date, "another date is another retirement");
        }
    }

    #[test]
    fn a_rotation_by_hand_retires_a_key_now_whatever_the_schedule_says() {
        let mut key = displaced(Terms::NextRotation);
        let retires = |notice: &Notice| match notice.occurrence {
            Occurrence::KeyRetiringInUse { retires_at, .. } => (retires_at, notice.mark),
            _ => panic!("{notice:?}"),
        };
        let slot = NOW + Millis::DAY;
        for checked in [NOW, slot, slot + Millis::from_hours(1)] {
            key.use_checked_at = Some(checked);
            assert_eq!(retires(&still_used(&key, true, None)), (Some(slot), slot));
            let date = checked.min(slot);
            assert_eq!(retires(&still_used(&key, false, None)), (Some(checked), date));
        }
    }

    #[test]
    fn that_its_use_holds_a_key_back_is_told_once_more_and_only_while_it_does() {
        let mut key = displaced(Terms::NextRotation);
        let bound = Some(NOW + Millis::DAY.times(7));
        let ahead = still_used(&key, true, bound);
        let at_retirement = NOW + Millis::DAY + Millis::from_hours(1);
        (key.use_waits_since, key.use_checked_at) = (Some(at_retirement), Some(at_retirement));
        let is_held = |notice: &Notice| {
            matches!(
                notice.occurrence,
                Occurrence::KeyRetiringInUse { is_held: true, .. }
            )
        };
        let held = still_used(&key, false, bound);
        assert!(is_held(&held) && !is_held(&ahead) && held.subject != ahead.subject);
        let over = still_used(&key, false, None);
        assert!(!is_held(&over));
        assert_eq!(
            (over.subject, over.mark),
            (ahead.subject, ahead.mark),
            "told already"
        );
    }

    #[test]
    fn nothing_else_is_told_once() {
        assert!(told(vec![displaced(Terms::NextRotation)], Vec::new()).is_empty());
        // A rotation that was deleted gave its keys back: its owner knows.
        let mut given_back = displaced(Terms::NextRotation);
        given_back.become_state(KeyState::Unmanaged, NOW).unwrap();
        assert!(told(vec![given_back], Vec::new()).is_empty());
        // So does the owner of a suspect that somebody else made.
        let create = IntentId::new(NOW, &[1; 10]);
        let mut theirs = ManagedKey::suspected(id("AKIA3"), KeyStatus::Active, None, create, NOW);
        theirs.become_state(KeyState::Unmanaged, NOW).unwrap();
        assert!(told(vec![theirs], Vec::new()).is_empty());
    }
}
