//! Compares what AWS lists with the record.

use super::{Alarm, Ledger};
use crate::aws::{KeyStatus, ListedKey};
use crate::clock::Moment;
use crate::intent::IntentKind;
use crate::key::{KeyState, ManagedKey, Origin, Terms};
use crate::timings::Timings;

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
    use crate::aws::AccessKeyId;
    use crate::ids::IntentId;
    use crate::intent::Intent;
    use crate::lease::Fence;
    use crate::ledger::tests::{NOW, ledger};

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
}
