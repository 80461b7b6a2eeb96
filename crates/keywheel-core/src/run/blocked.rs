//! No room for a new key, and none that may be made: which keys are in the way, and the ways out.

use super::evidence::is_own_use;
use super::{Effect, Goal, Run, RunError, RunErrorCode};
use crate::clock::{Millis, Moment};
use crate::key::{KeyState, ManagedKey, Terms};

impl Run {
    /// Ends the run. AWS is asked for the last use of each key in the way first: its owner has to decide.
    pub(super) fn fail_blocked(&mut self, now: Moment) -> Effect {
        let unasked = self
            .in_the_way()
            .find(|key| !self.evidence.contains_key(&key.id))
            .map(|key| key.id.clone());
        if let Some(key) = unasked {
            return self.look_up_use(key);
        }
        let error = self.blocked(now);
        self.fail(now, error)
    }

    fn in_the_way(&self) -> impl Iterator<Item = &ManagedKey> {
        self.ledger
            .keys
            .values()
            .filter(|k| !k.state.is_end() && k.state != KeyState::Published)
    }

    fn blocked(&self, now: Moment) -> RunError {
        let creating = matches!(self.goal, Goal::Create(_));
        let any = |test: &dyn Fn(&ManagedKey) -> bool| self.in_the_way().any(test);
        let in_grace =
            |k: &ManagedKey| k.held.is_none() && k.yields_at().is_some_and(|at| !self.is_over(now, at));
        let (code, way_out) = if any(&|k| k.state == KeyState::OrphanSuspect) {
            (
                RunErrorCode::OrphanSuspect,
                if creating {
                    "If nobody uses it, hand it over by its id with \"retireAtOnce\": true; otherwise make room in IAM."
                } else {
                    "If nobody uses it, resolve it as \"ours\" by its id, and Keywheel retires it; otherwise resolve it \
                 as \"theirs\" and make room in IAM."
                },
            )
        } else if creating {
            (
                RunErrorCode::AdoptionBlocked,
                "Import one of them with its secret, or hand one over by its id with \"retireAtOnce\": true, because \
                 it has to go before its successor can come, or delete one in IAM.",
            )
        } else if any(&|k| k.state == KeyState::Unmanaged) {
            (
                RunErrorCode::PreflightUnmanaged,
                "Hand it over by its id if it may be retired, or delete it in IAM once nothing uses it.",
            )
        } else if any(&in_grace) {
            (
                RunErrorCode::GraceHoldsSlot,
                "It keeps its slot until its grace time and quarantine are over; retire it now by its id if nothing \
                 uses it any more.",
            )
        } else if any(&|k| k.held.is_none() && k.use_waits_since.is_some()) {
            (
                RunErrorCode::KeyHeld,
                "It goes by itself when it is not used any more, or when the bound of its policy is reached; retire it by \
                 its id if it may go now.",
            )
        } else {
            (
                RunErrorCode::KeyHeld,
                "Release it or retire it by its id once nothing uses it any more, or roll back to it.",
            )
        };
        let use_is_known = |key: &ManagedKey| self.is_use_known(&key.id);
        let named: Vec<String> = self
            .in_the_way()
            .map(|key| describe(key, use_is_known(key), now))
            .collect();
        let unchanged = if self.changed_aws {
            ""
        } else {
            "Nothing was changed at AWS. "
        };
        let text = format!(
            "IAM user {} has no room for a new access key: {}. {unchanged}{way_out}",
            self.ledger.user.name,
            named.join("; ")
        );
        RunError::new(code, text)
    }
}

/// A key in a text: id, what it is, status, age and last use.
fn describe(key: &ManagedKey, use_is_known: bool, now: Moment) -> String {
    let what = match (key.state, key.terms()) {
        (KeyState::Unmanaged, _) => "not created by Keywheel".to_owned(),
        (KeyState::OrphanSuspect, _) => "possibly created by Keywheel, its secret is lost".to_owned(),
        _ if key.held.is_some() => format!("held: {}", key.held.as_deref().unwrap_or_default()),
        (KeyState::Displaced, Terms::Grace { until, .. }) => {
            format!("displaced, in its grace time until {until}")
        }
        (KeyState::Displaced, _) if key.use_waits_since.is_some() => "displaced, still used".to_owned(),
        (state, _) => state.as_str().to_owned(),
    };
    let age = key
        .aws_created_at
        .map_or_else(|| "of unknown age".to_owned(), |at| age(now - at));
    let used = match &key.last_used {
        Some(used) if is_own_use(key) => format!("last used {} by a check of Keywheel's", used.at),
        Some(used) => format!("last used {} with {} in {}", used.at, used.service, used.region),
        None if use_is_known => "never used as far as AWS knows".to_owned(),
        None => "last use unknown".to_owned(),
    };
    format!("{} ({what}, {:?}, {age}, {used})", key.id, key.aws_status)
}

fn age(age: Millis) -> String {
    let hours = age.get().max(0) / Millis::from_hours(1).get();
    match hours {
        0 => "less than an hour old".to_owned(),
        1..48 => format!("{hours} h old"),
        _ => format!("{} days old", hours / 24),
    }
}
