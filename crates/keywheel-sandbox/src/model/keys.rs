//! Access keys: two per user, each with the history of its status.

use serde::{Deserialize, Serialize};

use super::grouped::OfUser;
use super::last_used::Uses;
use super::propagation::Propagation;
use super::{Account, Answer, Code, Freshness, Page, Quota, Refusal, Secret, Use, User, paged};
use crate::clock::Moment;

/// Keys per user; inactive ones count (AWS: quotas of IAM).
const KEYS_PER_USER_MAX: usize = 2;

/// How long a deleted key is remembered, until the next one of its user: longer than any propagation worth trying.
const TOMBSTONE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whether requests signed with a key are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the two words of AWS")]
pub enum KeyStatus {
    Active,
    Inactive,
}

impl KeyStatus {
    /// As AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "Active" => Ok(Self::Active),
            "Inactive" => Ok(Self::Inactive),
            other => Err(Refusal::constraint(
                other,
                "status",
                "satisfy enum value set: [Active, Inactive]",
            )),
        }
    }
}

/// One change of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Change {
    /// Its place among all changes of the account's keys.
    number: u64,
    at: Moment,
    /// The new status; none if the key was deleted.
    to: Option<KeyStatus>,
}

/// An access key, alive or deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessKey {
    pub(super) id: String,
    pub(super) user_id: String,
    /// Kept for the rules of propagation, which outlive the user.
    user_name: String,
    pub(super) secret: Secret,
    pub(super) uses: Uses,
    /// Never empty; the first is the creation.
    history: Vec<Change>,
}

impl OfUser for AccessKey {
    fn user_id(&self) -> &str {
        &self.user_id
    }
}

/// A key with its secret, shown once.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields of `AccessKey` in AWS's API model")]
pub struct NewKey {
    pub user_name: String,
    pub access_key_id: String,
    pub status: KeyStatus,
    pub secret_access_key: Secret,
    pub create_date: Moment,
}

/// A key without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields of `AccessKeyMetadata` in AWS's API model")]
pub struct ListedKey {
    pub user_name: String,
    pub access_key_id: String,
    pub status: KeyStatus,
    pub create_date: Moment,
}

impl AccessKey {
    /// The status that the control plane knows; none if the key was deleted.
    pub(super) fn status(&self) -> Option<KeyStatus> {
        self.history.last().and_then(|change| change.to)
    }

    /// The status that the data plane of a region goes by; none if it knows no such key.
    pub(super) fn seen_in(&self, rules: &Propagation, region: &str, now: Moment) -> Option<KeyStatus> {
        let seen = |change: &&Change| rules.is_seen(&self.id, &self.user_name, region, change.at, now);
        self.history.iter().rev().find(seen).and_then(|change| change.to)
    }

    /// The status before the change of this number.
    fn status_before(&self, number: u64) -> Option<KeyStatus> {
        self.history
            .iter()
            .rev()
            .find(|change| change.number < number)
            .and_then(|change| change.to)
    }

    fn first(&self) -> (u64, Moment) {
        self.history
            .first()
            .map_or((0, Moment::default()), |c| (c.number, c.at))
    }

    fn last_change(&self) -> (u64, Moment) {
        self.history
            .last()
            .map_or((0, Moment::default()), |c| (c.number, c.at))
    }
}

impl Account {
    pub(super) fn living_key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id).filter(|key| key.status().is_some())
    }

    /// The living keys of a user, in no particular order.
    pub(super) fn keys_of(&self, user_id: &str) -> impl Iterator<Item = &AccessKey> {
        self.keys.of_user(user_id).filter(|key| key.status().is_some())
    }

    pub(crate) fn create_key(&mut self, now: Moment, user_id: &str, quota: Quota) -> Result<NewKey, Refusal> {
        let user = self.user_by_id(user_id).ok_or_else(Refusal::invalid_token)?;
        let user_name = user.name.clone();
        if quota == Quota::Kept && self.keys_of(user_id).count() >= KEYS_PER_USER_MAX {
            return Err(Refusal::new(
                Code::LimitExceeded,
                format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER_MAX}"),
            ));
        }
        let change = self.next_change(now, Some(KeyStatus::Active));
        let key = AccessKey {
            id: self.entropy.access_key_id("AKIA"),
            user_id: user_id.to_owned(),
            user_name: user_name.clone(),
            secret: self.entropy.secret(),
            uses: Uses::default(),
            history: vec![change],
        };
        let created = NewKey {
            user_name,
            access_key_id: key.id.clone(),
            status: KeyStatus::Active,
            secret_access_key: key.secret.clone(),
            create_date: now,
        };
        self.forget_deleted(now, user_id);
        self.keys.insert(key.id.clone(), key);
        Ok(created)
    }

    fn forget_deleted(&mut self, now: Moment, user_id: &str) {
        let is_old =
            |key: &&AccessKey| key.status().is_none() && now.since(key.last_change().1) >= TOMBSTONE_MS;
        let old = self.keys.of_user(user_id).filter(is_old);
        let old: Vec<String> = old.map(|key| key.id.clone()).collect();
        for id in old {
            self.keys.remove(&id);
        }
    }

    /// Sets the status of a living key, or deletes it (`to` is none).
    pub(super) fn update_key(
        &mut self,
        now: Moment,
        user_id: &str,
        id: &str,
        to: Option<KeyStatus>,
    ) -> Result<Answer, Refusal> {
        let status = self
            .living_key(id)
            .filter(|key| key.user_id == user_id)
            .ok_or_else(|| Refusal::no_such_key(id))?
            .status();
        if status != to {
            let change = self.next_change(now, to);
            if let Some(key) = self.keys.get_mut(id) {
                key.history.push(change);
            }
        }
        Ok(Answer::Done)
    }

    fn next_change(&mut self, at: Moment, to: Option<KeyStatus>) -> Change {
        self.changes += 1;
        self.revision += 1;
        Change {
            number: self.changes,
            at,
            to,
        }
    }

    pub(super) fn list_keys(
        &self,
        user: &User,
        page: &Page,
        freshness: Freshness,
    ) -> Result<Answer, Refusal> {
        let mut all: Vec<&AccessKey> = self.keys.of_user(&user.id).collect();
        all.sort_by_key(|key| key.first().0);
        let last = all.iter().map(|key| key.last_change().0).max().unwrap_or(0);
        let entries = all.into_iter().filter_map(|key| {
            let (number, create_date) = key.first();
            let status = match freshness {
                Freshness::Fresh => key.status(),
                Freshness::BeforeLastChange => key.status_before(last),
            }?;
            let listed = ListedKey {
                user_name: user.name.clone(),
                access_key_id: key.id.clone(),
                status,
                create_date,
            };
            // Of one width, so that the order of the markers is the order of creation.
            Some((format!("{number:020}"), listed))
        });
        let user_name = user.name.clone();
        Ok(Answer::Keys {
            user_name,
            page: paged(entries, page)?,
        })
    }

    pub(super) fn last_used(&self, id: &str, now: Moment) -> Result<Answer, Refusal> {
        let key = self.living_key(id).ok_or_else(|| Refusal::no_such_key(id))?;
        Ok(Answer::LastUsed {
            user_name: key.user_name.clone(),
            used: key.uses.newest(now, self.last_used_lag_ms).cloned(),
        })
    }

    /// The truth about the living keys of a user, oldest first: each with its last use, without lag.
    pub fn keys_of_user(&self, name: &str) -> Vec<(ListedKey, Option<Use>)> {
        let Some(user) = self.user(name) else {
            return Vec::new();
        };
        let mut keys: Vec<&AccessKey> = self.keys_of(&user.id).collect();
        keys.sort_by_key(|key| key.first().0);
        let shown = |key: &AccessKey| {
            let listed = ListedKey {
                user_name: user.name.clone(),
                access_key_id: key.id.clone(),
                status: key.status()?,
                create_date: key.first().1,
            };
            Some((listed, key.uses.last().cloned()))
        };
        keys.into_iter().filter_map(shown).collect()
    }
}
