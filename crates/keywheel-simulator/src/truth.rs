//! What really happened, as an observer sees it who knows both sides: the account, and who asked for what.

use std::collections::BTreeMap;

use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::IntentId;
use keywheel_core::run::RunErrorCode;

/// A key that exists or existed.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct KeyTruth {
    /// Whose, by the id that is never used again.
    pub user_id: String,
    /// The create of Keywheel that made it; none if somebody else did.
    pub made_by: Option<IntentId>,
    /// Its owner named it: imported, handed over, or resolved as Keywheel's.
    pub given: bool,
    /// Its owner said that it may go without a wait.
    pub word: bool,
    /// Whether it exists.
    pub alive: bool,
    /// Whether it is active.
    pub active: bool,
    /// Somebody else deactivated or deleted it.
    pub harmed: bool,
    /// Somebody else brought it back after it was deactivated: its waits are theirs to answer for.
    pub revived: bool,
    /// The same, and its owner has not spoken since.
    pub needed: bool,
    /// When somebody else used it last.
    pub used_at: Option<i64>,
    /// Its secret.
    pub secret: String,
    /// When it was displaced, and for how long it was to stay active then.
    pub displaced: Option<Displaced>,
    /// When it became inactive.
    pub inactive_since: Option<i64>,
}

/// What was promised to those who use a key when it was displaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Displaced {
    /// When.
    pub at: i64,
    /// The grace time and the quarantine; none if it stays until its slot is needed.
    pub grace: Option<(i64, i64)>,
}

/// The last failure of a user's runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastFailure {
    /// When.
    pub at: i64,
    /// Why.
    pub code: RunErrorCode,
}

/// What an observer knows of a user.
#[derive(Clone, Debug, Default)]
pub struct UserTruth {
    /// When its rotation was published last, by the schedule or otherwise.
    pub published_at: Option<i64>,
    /// How often it was published.
    pub publishes: u32,
    /// The last failure of a run.
    pub failure: Option<LastFailure>,
    /// Failures since everything is calm.
    pub failures_in_calm: u32,
    /// Creates that were sent and have neither landed nor been given up by AWS.
    pub creates_in_flight: u32,
    /// What applications read did not work, as far as the store knew, when a run of the schedule began; until the
    /// next publish.
    pub heals: bool,
    /// When the owner promised that nobody else makes keys, and when that was taken back.
    pub promises: Vec<(i64, bool)>,
}

impl UserTruth {
    /// Whether the owner's promise covered what was announced at a moment, up to a difference of clocks.
    pub fn promised_at(&self, moment: i64, slack: i64) -> bool {
        let mut latest_first = self.promises.iter().rev();
        let last = latest_first.find(|(at, _)| *at <= moment + slack);
        last.is_some_and(|(_, promised)| *promised)
    }
}

/// Everything that the observer knows.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Every key that ever was.
    pub keys: BTreeMap<AccessKeyId, KeyTruth>,
    /// By the row of the user in the store.
    pub users: Vec<UserTruth>,
}

impl Truth {
    /// Notes a new key.
    pub fn born(&mut self, id: AccessKeyId, user_id: String, secret: String, made_by: Option<IntentId>) {
        let key = KeyTruth {
            user_id,
            made_by,
            given: false,
            word: false,
            alive: true,
            active: true,
            harmed: false,
            revived: false,
            needed: false,
            used_at: None,
            secret,
            displaced: None,
            inactive_since: None,
        };
        self.keys.insert(id, key);
    }

    /// Notes a new status.
    pub fn switched(&mut self, id: &AccessKeyId, active: bool, by_others: bool, now: i64) {
        if let Some(key) = self.keys.get_mut(id) {
            // What others do in between neither shortens nor prolongs a quarantine.
            if key.active && !active && (!by_others || key.inactive_since.is_none()) {
                key.inactive_since = Some(now);
            }
            key.revived |= by_others && active && !key.active;
            if active && !by_others {
                key.needed = false; // Its owner rolls back to it; that somebody did the same is not seen.
            } else {
                key.needed |= by_others && active && !key.active;
            }
            key.active = active;
            key.harmed = by_others && !active;
        }
    }

    /// Notes that a key is gone.
    pub fn died(&mut self, id: &AccessKeyId, by_others: bool) {
        if let Some(key) = self.keys.get_mut(id) {
            key.alive = false;
            key.harmed |= by_others;
        }
    }

    /// Notes that a user is gone with all its keys.
    pub fn user_died(&mut self, user_id: &str) {
        for key in self.keys.values_mut().filter(|key| key.user_id == user_id) {
            if key.alive {
                key.alive = false;
                key.harmed = true;
            }
        }
    }
}
