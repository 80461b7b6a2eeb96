//! Somebody else in the same account: creates, deletes, deactivates and reactivates keys, and replaces users, at
//! once or just before or after a call of the one who is watched.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::model::{Account, Answer, Call, NewKey, Page, Refusal, Signer};

/// What the foreign actor does. It has every permission.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "do",
    deny_unknown_fields
)]
#[expect(missing_docs, reason = "the fields name users and keys")]
pub enum ForeignAct {
    /// Creates a key; with `pastQuota` even a third one.
    CreateKey {
        user_name: String,
        #[serde(default)]
        past_quota: bool,
    },
    /// Sets a key to Active.
    ActivateKey {
        user_name: String,
        access_key_id: String,
    },
    /// Sets a key to Inactive.
    DeactivateKey {
        user_name: String,
        access_key_id: String,
    },
    /// Deletes a key.
    DeleteKey {
        user_name: String,
        access_key_id: String,
    },
    /// Deletes a user with all its keys.
    DeleteUser { user_name: String },
    /// Deletes a user with all its keys and makes one of the same name, path and policy: another `UserId`.
    RecreateUser { user_name: String },
}

/// On which side of the watched call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Just before it.
    Before,
    /// Just after its effect, before its answer.
    After,
}

/// An act that waits for a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Planned {
    /// On which side of the call.
    pub side: Side,
    /// The action that is waited for.
    pub action: String,
    /// Calls of it that pass first.
    #[serde(default)]
    pub skip: u32,
    /// What is done then.
    pub act: ForeignAct,
}

impl ForeignAct {
    /// Does it; gives the key if one was made.
    pub fn perform(&self, account: &mut Account, now: Moment) -> Result<Option<NewKey>, Refusal> {
        let set = |account: &mut Account, user: &str, key: &str, status: &str| {
            let call = Call::UpdateAccessKey {
                user_name: Some(user.to_owned()),
                access_key_id: key.to_owned(),
                status: status.to_owned(),
            };
            account.perform(now, &Signer::Root, &call).map(|_| None)
        };
        match self {
            Self::CreateKey {
                user_name,
                past_quota,
            } => create_key(account, now, user_name, *past_quota),
            Self::ActivateKey {
                user_name,
                access_key_id,
            } => set(account, user_name, access_key_id, "Active"),
            Self::DeactivateKey {
                user_name,
                access_key_id,
            } => set(account, user_name, access_key_id, "Inactive"),
            Self::DeleteKey {
                user_name,
                access_key_id,
            } => delete_key(account, now, user_name, access_key_id).map(|()| None),
            Self::DeleteUser { user_name } => delete_user(account, now, user_name).map(|()| None),
            Self::RecreateUser { user_name } => recreate_user(account, now, user_name).map(|()| None),
        }
    }
}

fn create_key(
    account: &mut Account,
    now: Moment,
    user_name: &str,
    past_quota: bool,
) -> Result<Option<NewKey>, Refusal> {
    let call = Call::CreateAccessKey {
        user_name: Some(user_name.to_owned()),
    };
    let answer = if past_quota {
        account.create_key_past_quota(now, &Signer::Root, &call)
    } else {
        account.perform(now, &Signer::Root, &call)
    };
    answer.map(|answer| match answer {
        Answer::NewKey(key) => Some(key),
        _ => None,
    })
}

fn delete_key(account: &mut Account, now: Moment, user_name: &str, key: &str) -> Result<(), Refusal> {
    let call = Call::DeleteAccessKey {
        user_name: Some(user_name.to_owned()),
        access_key_id: key.to_owned(),
    };
    account.perform(now, &Signer::Root, &call).map(|_| ())
}

fn delete_user(account: &mut Account, now: Moment, user_name: &str) -> Result<(), Refusal> {
    let list = Call::ListAccessKeys {
        user_name: Some(user_name.to_owned()),
        page: Page::default(),
    };
    if let Answer::Keys { page, .. } = account.perform(now, &Signer::Root, &list)? {
        for key in page.items {
            delete_key(account, now, user_name, &key.access_key_id)?;
        }
    }
    account.delete_user(user_name).map(|_| ())
}

fn recreate_user(account: &mut Account, now: Moment, user_name: &str) -> Result<(), Refusal> {
    let before = account.user(user_name).cloned();
    delete_user(account, now, user_name)?;
    if let Some(user) = before {
        account.create_user(now, &user.name, Some(&user.path))?;
        account.set_user_policy(&user.name, user.policy)?;
    }
    Ok(())
}
