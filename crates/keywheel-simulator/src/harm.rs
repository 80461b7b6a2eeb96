//! Faults strike: at effects, at moments, and somebody else acts.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::key::KeyState;
use keywheel_core::run::Effect;
use keywheel_sandbox::foreign::ForeignAct;

use crate::events::What;
use crate::faults::{Call, Fault, Foreign, Role, When};
use crate::invariants::Fact;
use crate::job::Stage;
use crate::world::{Item, World, short, user_name};

impl World {
    /// Counts an effect, and says what befalls it. Somebody else acts at once, just before it.
    pub(crate) fn harm_of(&mut self, call: Call) -> Option<Fault> {
        let nth = self.effects[call as usize];
        self.effects[call as usize] += 1;
        if self.calm || self.forced.is_some() {
            return self.forced.take();
        }
        let plan = std::sync::Arc::clone(&self.plan);
        let here = When::Effect { call, nth };
        let mut harm = None;
        for planned in plan.faults.iter().filter(|planned| planned.when == here) {
            match planned.what {
                Fault::Foreign { user, what } => self.foreign(user, what),
                other => {
                    if harm.is_none() {
                        self.coverage.note("fault", other.name());
                        self.note(None, What::Fault, || format!("{other:?} at {call:?} {nth}"));
                        harm = Some(other);
                    }
                }
            }
        }
        harm
    }

    /// A fault strikes at its moment.
    pub(crate) fn strike_now(&mut self, fault: Fault) {
        if self.calm {
            return;
        }
        if !matches!(fault, Fault::Foreign { .. }) {
            self.coverage.note("fault", fault.name());
            self.note(None, What::Fault, || format!("{fault:?}"));
        }
        match fault {
            Fault::Crash { node, down_ms } => self.crash(node, down_ms),
            Fault::Pause { node, ms } => self.pause(node, ms),
            Fault::ClockJump { node, ms, for_ms } => {
                self.nodes[node].ahead_ms += ms;
                self.at(self.now + for_ms, Item::SetClock(node));
            }
            Fault::Denied { ms } => self.denied_until = self.now + ms,
            Fault::Throttled { ms } => self.throttled_until = self.now + ms,
            Fault::DatabaseDown { ms } => self.down_until = self.now + ms,
            Fault::CutOff { node, ms } => self.nodes[node].cut_off_until = self.now + ms,
            Fault::Foreign { user, what } => self.foreign(user, what),
            _ => {}
        }
    }

    /// A process dies. What it sent is on its way.
    pub(crate) fn crash(&mut self, node: usize, down_ms: i64) {
        if !self.nodes[node].alive {
            return;
        }
        self.note(Some(node), What::Crash, String::new);
        let mut number = 0;
        while number < self.jobs.len() {
            if self.jobs[number].node != node {
                number += 1;
                continue;
            }
            let at = self.jobs[number].at;
            if let Stage::Land(effect) = self.jobs[number].stage.clone() {
                self.let_go(number, at);
                if let Effect::Commit(commit) = effect
                    && self.rng.chance(50)
                {
                    // Sent in full before the end; whether it is made interests nobody here any more.
                    let _ = self.commit(number, &commit, None);
                    self.check(&Fact::Changed);
                }
            }
            self.jobs.swap_remove(number);
        }
        self.nodes[node].alive = false;
        self.at(self.now + down_ms, Item::Restart(node));
    }

    /// A process starts again. Leases in its name belong to a dead one.
    pub(crate) fn restart(&mut self, number: usize) {
        let reaches_database = self.has_database(number);
        let node = &mut self.nodes[number];
        if node.alive {
            return;
        }
        node.alive = true;
        node.paused_until = self.now;
        node.mistrusted_until = 0;
        node.looks_at = self.now;
        if reaches_database {
            for row in &mut self.rows {
                row.release_all(number);
            }
            self.recall_failed();
        }
        self.note(Some(number), What::Restart, String::new);
    }

    /// A process stands still.
    pub(crate) fn pause(&mut self, node: usize, ms: i64) {
        self.nodes[node].paused_until = self.nodes[node].paused_until.max(self.now + ms);
        self.note(Some(node), What::Pause, || format!("{ms} ms"));
    }

    /// The key of a user that plays a part now; the newest if there are several.
    pub(crate) fn key_in_role(&self, user: usize, role: Role) -> Option<AccessKeyId> {
        let name = user_name(user);
        let row = self.row_of(user);
        if role == Role::Foreign {
            let id = self.aws.user_id(&name)?;
            let foreign =
                |key: &crate::truth::KeyTruth| key.alive && key.user_id == id && key.made_by.is_none();
            let mut all = self.truth.keys.iter().filter(|(_, key)| foreign(key));
            return all.next().map(|(id, _)| id.clone());
        }
        let wanted = |state: KeyState| match role {
            Role::Published => state == KeyState::Published,
            Role::Displaced => state == KeyState::Displaced,
            Role::Deactivated => state == KeyState::Deactivated,
            Role::Unpublished => matches!(state, KeyState::Pending | KeyState::Verified),
            Role::Suspect => state == KeyState::OrphanSuspect,
            Role::Foreign => false,
        };
        let keys = self.rows[row?].keys.values().filter(|key| wanted(key.state));
        keys.max_by_key(|key| key.displaced_at).map(|key| key.id.clone())
    }

    /// The row of the store for the user who has this name now, or had it last.
    pub(crate) fn row_of(&self, user: usize) -> Option<usize> {
        let name = user_name(user);
        let of_name = |row: &crate::store::Row| row.user.name.as_str() == name;
        let id = self.aws.user_id(&name);
        let exact = self
            .rows
            .iter()
            .position(|row| of_name(row) && id == Some(row.user.identity.user_id.as_str()));
        exact.or_else(|| self.rows.iter().rposition(of_name))
    }

    /// Somebody else makes a key.
    pub(crate) fn foreign_key(&mut self, user: usize, at: i64, past_quota: bool) {
        let act = ForeignAct::CreateKey {
            user_name: user_name(user),
            past_quota,
        };
        if let Ok(Some(key)) = self.aws.foreign(at, &act) {
            let user_id = self.aws.user_id(&key.user_name).unwrap_or_default().to_owned();
            let id = AccessKeyId::from_trusted(key.access_key_id);
            let secret = key.secret_access_key.expose().to_owned();
            self.truth.born(id, user_id, secret, None);
        }
    }

    /// Somebody else acts, if there is a key of the kind that the act needs.
    pub(crate) fn foreign(&mut self, user: usize, what: Foreign) {
        let user_name = user_name(user);
        let key = match what {
            Foreign::Delete(role)
            | Foreign::Deactivate(role)
            | Foreign::Reactivate(role)
            | Foreign::Use(role) => match self.key_in_role(user, role) {
                Some(key) => Some(key),
                None => return,
            },
            _ => None,
        };
        self.coverage.note("fault", Fault::Foreign { user, what }.name());
        let named = key.clone();
        self.note(None, What::Foreign, || {
            format!(
                "{what:?} {}",
                named.as_ref().map_or("", |key| short(key.as_str()))
            )
        });
        match (what, key) {
            (Foreign::Create, _) => self.foreign_key(user, self.now, false),
            (Foreign::CreatePastQuota, _) => self.foreign_key(user, self.now, true),
            (Foreign::Use(_), Some(key)) => {
                if self
                    .truth
                    .keys
                    .get(&key)
                    .is_some_and(|truth| truth.alive && truth.active)
                {
                    self.aws.note_use(self.now, &key, "s3", "us-east-1");
                    if let Some(truth) = self.truth.keys.get_mut(&key) {
                        truth.used_at = Some(self.now);
                    }
                }
            }
            (Foreign::DeleteUser | Foreign::RecreateUser, _) => self.foreign_end_of_user(&user_name, what),
            (_, Some(key)) => self.foreign_change(user_name, &key, what),
            (_, None) => {}
        }
        self.check(&Fact::Changed);
    }

    fn foreign_change(&mut self, user_name: String, key: &AccessKeyId, what: Foreign) {
        let access_key_id = key.as_str().to_owned();
        let act = match what {
            Foreign::Deactivate(_) => ForeignAct::DeactivateKey {
                user_name,
                access_key_id,
            },
            Foreign::Reactivate(_) => ForeignAct::ActivateKey {
                user_name,
                access_key_id,
            },
            _ => ForeignAct::DeleteKey {
                user_name,
                access_key_id,
            },
        };
        if self.aws.foreign(self.now, &act).is_err() {
            return;
        }
        match what {
            Foreign::Deactivate(_) => self.truth.switched(key, false, true, self.now),
            Foreign::Reactivate(_) => self.truth.switched(key, true, true, self.now),
            _ => self.truth.died(key, true),
        }
    }

    fn foreign_end_of_user(&mut self, name: &str, what: Foreign) {
        let Some(user_id) = self.aws.user_id(name).map(str::to_owned) else {
            return;
        };
        let user_name = name.to_owned();
        let act = match what {
            Foreign::DeleteUser => ForeignAct::DeleteUser { user_name },
            _ => ForeignAct::RecreateUser { user_name },
        };
        if self.aws.foreign(self.now, &act).is_ok() {
            self.truth.user_died(&user_id);
        }
    }
}
