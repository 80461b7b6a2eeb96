//! What people ask for: runs by hand, and edits of the record between runs.

use keywheel_core::aws::{AccessKeyId, IamUserName, Identified, Partition, Region};
use keywheel_core::ids::{
    EnvironmentId, FolderId, IdEntropy, ManagedUserId, ProjectId, RotationId, SecretId,
};
use keywheel_core::key::{KeyState, ManagedKey};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{Change, Commit, Ledger, ManagedUser, UserIdentity};
use keywheel_core::names::{SecretName, Slug};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{MappedSecrets, Place, RotationSettings, SecretsMapping, Trigger};
use keywheel_core::run::{Adoption, Goal, NewRotation, due_at, hand_over};

use crate::aws::SIGNATURE_WINDOW_MS;
use crate::events::What;
use crate::faults::Role;
use crate::invariants::Fact;
use crate::plan::{Adopt, Command};
use crate::store::{Fencing, Row};
use crate::truth::Displaced;
use crate::world::{Item, World, user_name};

impl World {
    /// Somebody asks a node for something.
    pub(crate) fn ask(&mut self, number: usize) {
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(asked) = plan.commands.get(number) else {
            return;
        };
        let node = asked.node;
        if self.now < self.nodes[node].paused_until {
            self.at(self.nodes[node].paused_until + 1, Item::Ask(number));
            return;
        }
        if !self.nodes[node].alive || !self.has_database(node) {
            return; // The client gets an error.
        }
        self.note(Some(node), What::Ask, || {
            format!("user {}: {:?}", asked.user, asked.what)
        });
        if let Command::Create { adopt } = asked.what {
            return self.ask_create(node, asked.user, adopt);
        }
        let Some(row) = self.row_of(asked.user) else {
            return;
        };
        match &asked.what {
            Command::Create { .. } => {}
            Command::Rotate => self.ask_run(node, row, |ledger| {
                let rotation = ledger.rotation.as_ref().filter(|rotation| !rotation.revoking);
                rotation.map(|_| Goal::Rotate(Trigger::Manual))
            }),
            Command::Revoke { delete_secrets } => self.ask_run(node, row, |ledger| {
                let goal = Goal::Revoke {
                    delete_secrets: *delete_secrets,
                };
                ledger.rotation.as_ref().map(|_| goal)
            }),
            Command::RollBack { to } => {
                let other = if *to == Role::Displaced {
                    Role::Deactivated
                } else {
                    Role::Displaced
                };
                let key = self.key_in_role(asked.user, *to);
                let key = key.or_else(|| self.key_in_role(asked.user, other));
                self.ask_run(node, row, |ledger| {
                    let rotation = ledger.rotation.as_ref().filter(|rotation| !rotation.revoking);
                    rotation.and(key).map(|key| Goal::RollBack { key })
                });
            }
            Command::Retire { key } => {
                let key = self.key_in_role(asked.user, *key);
                self.ask_run(node, row, |_| key.map(|key| Goal::Retire { key }));
            }
            Command::Forget => {
                self.edit(node, row, forget);
            }
            Command::SetPolicy { policy } => self.set_policy(node, row, policy),
            Command::Release { key } => {
                let key = self.key_in_role(asked.user, *key);
                let released = self.edit_key(node, row, key.clone(), |key| key.held.take().is_some());
                let truth = key.and_then(|key| self.truth.keys.get_mut(&key));
                if let Some(truth) = truth.filter(|_| released) {
                    truth.needed = false;
                }
            }
            Command::Resolve { key } => {
                let key = self.key_in_role(asked.user, *key);
                let now = self.wall(node);
                self.edit_key(node, row, key, |key| {
                    key.state == KeyState::OrphanSuspect && key.become_state(KeyState::Unmanaged, now).is_ok()
                });
            }
            Command::HandOver => self.hand_over(node, asked.user, row),
        }
    }

    fn ask_run(&mut self, node: usize, row: usize, goal: impl FnOnce(&Ledger) -> Option<Goal>) {
        let lease_time = self.lease_time();
        if !self.rows[row].is_free(lease_time) {
            return; // In progress.
        }
        let fence = self.rows[row].claim(node, lease_time, self.timings.lease);
        match goal(&self.rows[row].load()) {
            Some(goal) => self.start(node, row, fence, goal, false),
            None => self.rows[row].release(fence),
        }
    }

    /// Finds the user at AWS, reserves it, and starts the run.
    fn ask_create(&mut self, node: usize, user: usize, adopt: Adopt) {
        let busy = self.now < self.denied_until || self.now < self.throttled_until;
        if busy || self.nodes[node].ahead_ms.abs() > SIGNATURE_WINDOW_MS {
            return;
        }
        let Ok(found) = self.aws.identify(self.now, &user_name(user)) else {
            return;
        };
        let row = self.reserve(node, found);
        if self.rows[row].rotation.is_some() {
            return; // Taken.
        }
        let Some(draft) = self.draft(node, user, adopt) else {
            return;
        };
        if let Some(truth) = draft.adoption.key().and_then(|key| self.truth.keys.get_mut(key)) {
            truth.given = true;
        }
        let promised = draft.settings.policy.exclusive_since.is_some();
        self.truth.users[row].promises.push((self.now, promised));
        self.ask_run(node, row, |_| Some(Goal::Create(Box::new(draft))));
    }

    /// The row of a user that AWS named; a new one if it was never seen.
    fn reserve(&mut self, node: usize, found: Identified) -> usize {
        let known = |row: &Row| row.user.identity.user_id == found.user_id;
        if let Some(row) = self.rows.iter().position(known) {
            return row;
        }
        let id = ManagedUserId::new(self.wall(node), &self.rng.bytes());
        let identity = UserIdentity {
            partition: Partition::from_trusted("aws"),
            account: found.caller.account,
            user_id: found.user_id,
        };
        self.add_row(Row::new(ManagedUser {
            id,
            identity,
            name: found.user_name,
            arn: found.arn,
            region: Region::default(),
            connection: Some(self.connection),
            rotation: None,
            settles_at: None,
            unfinished: None,
            failures: 0,
            due_at: None,
        }))
    }

    /// A rotation that does not exist yet. None if a name is not of the right form, which does not happen.
    fn draft(&mut self, node: usize, user: usize, adopt: Adopt) -> Option<NewRotation> {
        let now = self.wall(node);
        let mut bytes = || -> IdEntropy { self.rng.bytes() };
        let id = RotationId::new(now, &bytes());
        let place = Place {
            project: ProjectId::new(now, &bytes()),
            environment: EnvironmentId::new(now, &bytes()),
            folder: FolderId::new(now, &bytes()),
        };
        let secrets = MappedSecrets {
            access_key_id: SecretId::new(now, &bytes()),
            secret_access_key: SecretId::new(now, &bytes()),
        };
        let planned = self.plan.users.get(user)?;
        let settings = RotationSettings {
            name: Slug::parse("name", &user_name(user)).ok()?,
            description: None,
            connection: self.connection,
            user_name: IamUserName::from_trusted(user_name(user)),
            region: Region::default(),
            mapping: SecretsMapping::new(SecretName::parse("ID").ok()?, SecretName::parse("SECRET").ok()?)?,
            automatic: true,
            interval: IntervalDays::new(planned.interval_days)?,
            rotate_at: RotateAtUtc::MIDNIGHT,
            policy: Policy {
                exclusive_since: planned.policy.exclusive_since.map(|_| now),
                ..planned.policy.clone()
            },
        };
        let adoption = self.adoption(user, adopt);
        Some(NewRotation {
            id,
            place,
            settings,
            secrets,
            adoption,
        })
    }

    fn adoption(&self, user: usize, adopt: Adopt) -> Adoption {
        let Some(key) = self.key_in_role(user, Role::Foreign) else {
            return Adoption::None;
        };
        let hand_over = |key: AccessKeyId, at_once| Adoption::HandOver { key, at_once };
        match adopt {
            Adopt::Nothing => Adoption::None,
            Adopt::HandOver => hand_over(key, false),
            Adopt::HandOverAtOnce => hand_over(key, true),
            Adopt::Import => match self.truth.keys.get(&key) {
                Some(truth) => {
                    let secret = self.seal(key.as_str(), &truth.secret);
                    Adoption::Import { key, secret }
                }
                None => Adoption::None,
            },
        }
    }

    /// Changes the record under the lease that runs need too.
    fn edit(
        &mut self,
        node: usize,
        row: usize,
        change: impl FnOnce(&Self, &Ledger, usize) -> Option<Commit>,
    ) -> bool {
        let lease_time = self.lease_time();
        if !self.rows[row].is_free(lease_time) {
            return false;
        }
        let fence: Fence = self.rows[row].claim(node, lease_time, self.timings.lease);
        let commit = change(self, &self.rows[row].load(), node);
        let made = match commit {
            Some(commit) if self.rows[row].admits(fence, &commit, Fencing::Kept).is_ok() => {
                self.rows[row].make(&commit, None);
                true
            }
            _ => false,
        };
        self.rows[row].release(fence);
        self.check(&Fact::Changed);
        made
    }

    fn edit_key(
        &mut self,
        node: usize,
        row: usize,
        key: Option<AccessKeyId>,
        change: impl FnOnce(&mut ManagedKey) -> bool,
    ) -> bool {
        self.edit(node, row, |world, ledger, node| {
            let mut key = ledger.keys.get(&key?)?.clone();
            change(&mut key).then(|| {
                let mut after = ledger.clone();
                after.keys.insert(key.id.clone(), key.clone());
                after.user.due_at = due_at(&after, &world.timings, world.wall(node));
                commit(vec![Change::Key(key), Change::User(after.user)])
            })
        })
    }

    /// Whether AWS, if it were asked, would confirm the clock of a node.
    fn is_clock_confirmed(&self, node: usize) -> bool {
        self.nodes[node].ahead_ms.abs() <= self.timings.clock_skew_max.get()
    }

    fn set_policy(&mut self, node: usize, row: usize, policy: &Policy) {
        let promised = policy.exclusive_since.is_some();
        if promised && !self.is_clock_confirmed(node) {
            return; // Refused: the promise would cover what came before it.
        }
        let changed = self.edit(node, row, |world, ledger, node| {
            let mut rotation = ledger.rotation.clone().filter(|rotation| !rotation.revoking)?;
            if !policy.retirement.fits(rotation.settings.interval) {
                return None;
            }
            rotation.settings.policy = policy.clone();
            if promised {
                rotation.settings.policy.exclusive_since = Some(world.wall(node));
            }
            rotation.reschedule(world.timings.day_length);
            let mut after = ledger.clone();
            after.rotation = Some(rotation.clone());
            after.user.due_at = due_at(&after, &world.timings, world.wall(node));
            Some(commit(vec![
                Change::UpdateRotation(rotation),
                Change::User(after.user),
            ]))
        });
        if changed {
            self.truth.users[row].promises.push((self.now, promised));
        }
    }

    fn hand_over(&mut self, node: usize, user: usize, row: usize) {
        let Some(key) = self.key_in_role(user, Role::Foreign) else {
            return;
        };
        if !self.is_clock_confirmed(node) {
            return; // Refused: its grace time would begin at another moment.
        }
        let (now, day_length) = (self.wall(node), self.timings.day_length);
        let rotation = self.rows[row].rotation.clone();
        let Some(rotation) = rotation.filter(|rotation| !rotation.revoking) else {
            return;
        };
        let terms = rotation.settings.policy.retirement.terms(now, day_length);
        let given = self.edit_key(node, row, Some(key.clone()), |key| {
            key.state == KeyState::Unmanaged && hand_over(key, terms, now).is_some()
        });
        if let Some(truth) = self.truth.keys.get_mut(&key).filter(|_| given) {
            truth.given = true;
            truth.needed = false;
            truth.displaced = Some(Displaced {
                at: self.now,
                grace: crate::invariants::promised_grace(&rotation, day_length),
            });
        }
    }
}

/// The rotation goes, its keys stay as they are and are nobody's.
fn forget(world: &World, ledger: &Ledger, node: usize) -> Option<Commit> {
    let now = world.wall(node);
    let id = ledger.rotation.as_ref()?.id;
    let mut after = ledger.clone();
    let mut changes = Vec::new();
    for key in ledger.keys.values().filter(|key| key.is_ours()) {
        let mut key = key.clone();
        if key.become_state(KeyState::Unmanaged, now).is_ok() {
            after.keys.insert(key.id.clone(), key.clone());
            changes.push(Change::Key(key));
        }
    }
    after.rotation = None;
    after.user.rotation = None;
    after.user.unfinished = None;
    after.user.due_at = due_at(&after, &world.timings, now);
    changes.push(Change::RemoveRotation {
        id,
        delete_secrets: false,
    });
    changes.push(Change::User(after.user));
    Some(commit(changes))
}

fn commit(changes: Vec<Change>) -> Commit {
    Commit {
        changes,
        ..Commit::default()
    }
}
