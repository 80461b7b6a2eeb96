//! The account itself: users, keys, and the rules of AWS that a rotation meets.

use std::collections::BTreeMap;

use keywheel_core::aws::{
    AccessKeyId, Arn, AwsAccount, AwsFailure, CallerIdentity, IamUserId, IamUserName, Identified, KeyStatus,
    LastUse, ListedKey,
};
use keywheel_core::clock::Moment;
use keywheel_providers::{IamUser, IssuedKey};
use secrecy::{ExposeSecret, SecretString};

use super::Fault;

/// The account that [`FakeAws`](crate::support::FakeAws) lets connections into.
const ACCOUNT: &str = "123456789012";
/// Access keys of one user, inactive ones included (AWS: IAM quotas).
const KEYS_MAX: usize = 2;

type Answered<T> = Result<T, AwsFailure>;

/// A key as AWS has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub status: KeyStatus,
    pub last_use: Option<LastUse>,
    created_at: Moment,
}

struct User {
    id: String,
    keys: Vec<Key>,
}

/// Users and their keys. Ids count upwards, so that they sort by age.
#[derive(Default)]
pub(super) struct Account {
    users: BTreeMap<String, User>,
    made: u32,
}

impl Account {
    pub(super) fn add_user(&mut self, name: &str) {
        self.made += 1;
        let user = User {
            id: format!("AIDA{:016}", self.made),
            keys: Vec::new(),
        };
        self.users.insert(name.to_owned(), user);
    }

    pub(super) fn make_key(&mut self, user: &str, now: Moment) -> Answered<Key> {
        self.made += 1;
        let id = format!("AKIA{:016}", self.made);
        let key = Key {
            secret: format!("planted-secret-of-{id}"),
            id,
            status: KeyStatus::Active,
            last_use: None,
            created_at: whole_seconds(now),
        };
        let user = self.users.get_mut(user).ok_or_else(no_such_entity)?;
        if user.keys.len() >= KEYS_MAX {
            let text = "Cannot exceed quota for AccessKeysPerUser: 2";
            return Err(Fault::Refused("LimitExceeded", text).failure());
        }
        user.keys.push(key.clone());
        Ok(key)
    }

    /// The keys of a user, oldest first.
    pub(super) fn keys(&self, user: &str) -> Vec<Key> {
        self.users[user].keys.clone()
    }

    /// A key of any user.
    pub(super) fn key(&mut self, id: &str) -> Option<&mut Key> {
        let mut keys = self.users.values_mut().flat_map(|user| &mut user.keys);
        keys.find(|key| key.id == id)
    }

    pub(super) fn remove(&mut self, id: &str) {
        for user in self.users.values_mut() {
            user.keys.retain(|key| key.id != id);
        }
    }

    /// Whose key it is.
    pub(super) fn owner(&self, id: &str) -> Option<CallerIdentity> {
        let owns = |user: &User| user.keys.iter().any(|key| key.id == id);
        let (name, user) = self.users.iter().find(|(_, user)| owns(user))?;
        Some(CallerIdentity {
            account: AwsAccount::from_trusted(ACCOUNT),
            user_id: IamUserId::from_trusted(&user.id),
            arn: arn(name),
        })
    }

    pub(super) fn listed_users(&self) -> Vec<IamUser> {
        let shown = |name: &String| IamUser {
            user_name: IamUserName::from_trusted(name),
            arn: arn(name),
        };
        self.users.keys().map(shown).collect()
    }

    pub(super) fn identify(&mut self, name: &IamUserName, caller: CallerIdentity) -> Answered<Identified> {
        Ok(Identified {
            caller,
            user_id: IamUserId::from_trusted(&self.user(name)?.id),
            user_name: name.clone(),
            arn: arn(name.as_str()),
        })
    }

    pub(super) fn list(&mut self, user: &IamUserName) -> Answered<Vec<ListedKey>> {
        let listed = |key: &Key| ListedKey {
            id: AccessKeyId::from_trusted(&key.id),
            status: key.status,
            created_at: Some(key.created_at),
        };
        Ok(self.user(user)?.keys.iter().map(listed).collect())
    }

    pub(super) fn issue(&mut self, user: &IamUserName, now: Moment) -> Answered<IssuedKey> {
        let key = self.make_key(user.as_str(), now)?;
        Ok(IssuedKey {
            id: AccessKeyId::from_trusted(key.id),
            secret: key.secret.into(),
            created_at: Some(key.created_at),
            user_name: user.clone(),
        })
    }

    /// Who signs with a key and this secret.
    pub(super) fn sign(&mut self, id: &AccessKeyId, secret: &SecretString) -> Answered<CallerIdentity> {
        let unknown = Fault::Refused("InvalidClientTokenId", "The security token is invalid.");
        let key = self.key(id.as_str()).ok_or_else(|| unknown.failure())?;
        if key.status == KeyStatus::Inactive {
            return Err(unknown.failure());
        }
        if key.secret != secret.expose_secret() {
            let text = "The request signature does not match.";
            return Err(Fault::Refused("SignatureDoesNotMatch", text).failure());
        }
        self.owner(id.as_str()).ok_or_else(no_such_entity)
    }

    pub(super) fn key_of(&mut self, user: &IamUserName, id: &AccessKeyId) -> Answered<&mut Key> {
        let keys = &mut self.user(user)?.keys;
        let found = keys.iter_mut().find(|key| key.id == id.as_str());
        found.ok_or_else(no_such_entity)
    }

    fn user(&mut self, name: &IamUserName) -> Answered<&mut User> {
        self.users.get_mut(name.as_str()).ok_or_else(no_such_entity)
    }
}

/// As AWS tells times.
pub(super) fn whole_seconds(moment: Moment) -> Moment {
    Moment::from_millis(moment.as_secs() * 1_000)
}

fn arn(user: &str) -> Arn {
    Arn::from_trusted(format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
}

fn no_such_entity() -> AwsFailure {
    Fault::Refused("NoSuchEntity", "The user or its access key cannot be found.").failure()
}
