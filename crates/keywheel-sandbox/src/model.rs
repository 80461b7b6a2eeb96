//! One AWS account as a pure function: (state, now, request) -> (state', answer). No clock and no randomness of its
//! own: `now` is an argument, and ids come from a seed that is part of the state.

mod entropy;
mod grouped;
mod keys;
mod last_used;
mod policies;
mod propagation;
mod refusal;
mod roles;
mod users;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use entropy::Entropy;
use grouped::Grouped;
use policies::Verdict;

pub use entropy::Secret;
pub use keys::{AccessKey, KeyStatus, ListedKey, NewKey};
pub use last_used::Use;
pub use policies::{Effect, OneOrMany, PolicyDocument, Statement};
pub use propagation::{Propagation, PropagationRule};
pub use refusal::{Code, Refusal};
pub use roles::{AssumeRole, Role, Session};
pub use users::{User, UserView};

/// The account's root key: fixed, of the right form, and obviously not a real one.
pub const ROOT_ACCESS_KEY_ID: &str = "AKIASANDBOXROOT00000";
/// The secret of the root key. It guards nothing.
pub const ROOT_SECRET_ACCESS_KEY: &str = "sandbox-root-secret-of-no-real-account-0";

/// Entries of one page where the request does not say (AWS: `MaxItems`).
const PAGE_DEFAULT: usize = 100;
/// Most entries of one page (AWS: `MaxItems`).
const PAGE_MAX: usize = 1_000;

/// An account with all that it remembers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    id: String,
    entropy: Entropy,
    /// Counts changes of keys; gives each its place in their order even within one millisecond.
    changes: u64,
    /// Counts changes of anything, so that the holder knows when to save.
    #[serde(skip)]
    revision: u64,
    /// By name in lower case: names are unique without regard to case.
    users: Grouped<User>,
    /// By id; deleted keys stay for a while, because regions may still see them.
    keys: Grouped<AccessKey>,
    /// By name in lower case.
    roles: BTreeMap<String, Role>,
    /// By access key id.
    sessions: BTreeMap<String, Session>,
    propagation: Propagation,
    last_used_lag_ms: i64,
}

/// A request, after its form was read and before anything of it is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "the names are those of the parameters in AWS's API models"
)]
pub enum Call {
    GetCallerIdentity,
    AssumeRole(AssumeRole),
    CreateUser {
        user_name: String,
        path: Option<String>,
    },
    GetUser {
        user_name: Option<String>,
    },
    ListUsers {
        path_prefix: Option<String>,
        page: Page,
    },
    DeleteUser {
        user_name: String,
    },
    CreateAccessKey {
        user_name: Option<String>,
    },
    ListAccessKeys {
        user_name: Option<String>,
        page: Page,
    },
    UpdateAccessKey {
        user_name: Option<String>,
        access_key_id: String,
        status: String,
    },
    DeleteAccessKey {
        user_name: Option<String>,
        access_key_id: String,
    },
    GetAccessKeyLastUsed {
        access_key_id: String,
    },
}

impl Call {
    /// AWS's name of the action.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::AssumeRole(_) => "AssumeRole",
            Self::CreateUser { .. } => "CreateUser",
            Self::GetUser { .. } => "GetUser",
            Self::ListUsers { .. } => "ListUsers",
            Self::DeleteUser { .. } => "DeleteUser",
            Self::CreateAccessKey { .. } => "CreateAccessKey",
            Self::ListAccessKeys { .. } => "ListAccessKeys",
            Self::UpdateAccessKey { .. } => "UpdateAccessKey",
            Self::DeleteAccessKey { .. } => "DeleteAccessKey",
            Self::GetAccessKeyLastUsed { .. } => "GetAccessKeyLastUsed",
        }
    }

    /// `iam` or `sts`: what the request must be signed for.
    pub const fn service(&self) -> &'static str {
        match self {
            Self::GetCallerIdentity | Self::AssumeRole(_) => "sts",
            _ => "iam",
        }
    }

    /// Whether it changes users or keys.
    pub const fn is_change(&self) -> bool {
        matches!(
            self,
            Self::CreateUser { .. }
                | Self::DeleteUser { .. }
                | Self::CreateAccessKey { .. }
                | Self::UpdateAccessKey { .. }
                | Self::DeleteAccessKey { .. }
        )
    }

    /// The user that it names.
    pub fn user_name(&self) -> Option<&str> {
        match self {
            Self::CreateUser { user_name, .. } | Self::DeleteUser { user_name } => Some(user_name),
            Self::GetUser { user_name }
            | Self::CreateAccessKey { user_name }
            | Self::ListAccessKeys { user_name, .. }
            | Self::UpdateAccessKey { user_name, .. }
            | Self::DeleteAccessKey { user_name, .. } => user_name.as_deref(),
            _ => None,
        }
    }

    /// The access key that it names.
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::UpdateAccessKey { access_key_id, .. }
            | Self::DeleteAccessKey { access_key_id, .. }
            | Self::GetAccessKeyLastUsed { access_key_id } => Some(access_key_id),
            _ => None,
        }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Where the page before ended.
    pub marker: Option<String>,
    /// Most entries.
    pub max_items: Option<usize>,
}

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paged<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub marker: Option<String>,
}

/// A yes.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "one for each kind of result in AWS's API models")]
pub enum Answer {
    Identity(Identity),
    Session {
        session: Session,
        arn: String,
        role_id: String,
    },
    User(UserView),
    Users(Paged<UserView>),
    NewKey(NewKey),
    Keys {
        user_name: String,
        page: Paged<ListedKey>,
    },
    LastUsed {
        user_name: String,
        used: Option<Use>,
    },
    Done,
}

/// Who signed, as `GetCallerIdentity` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// The unique id: `AIDA…`, `AROA…:session`, or the account for its root.
    pub user_id: String,
    /// The name.
    pub arn: String,
}

/// Who signed, by the credential used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signer {
    /// The account's root.
    Root,
    /// A user, by `UserId`.
    User(String),
    /// A session of a role, by its access key id.
    Session(String),
}

/// A credential that a region accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// Whose it is.
    pub signer: Signer,
    /// What the signature must have been made with.
    pub secret: Secret,
}

impl Account {
    /// An empty account. `id` is twelve digits.
    pub fn new(id: impl Into<String>, seed: u64) -> Self {
        Self {
            id: id.into(),
            entropy: Entropy::from_seed(seed),
            changes: 0,
            revision: 0,
            users: Grouped::default(),
            keys: Grouped::default(),
            roles: BTreeMap::new(),
            sessions: BTreeMap::new(),
            propagation: Propagation::default(),
            last_used_lag_ms: 0,
        }
    }

    /// The same account without anything in it; a change like any other.
    #[must_use]
    pub fn emptied(&self, seed: u64) -> Self {
        let mut empty = Self::new(self.id.clone(), seed);
        empty.revision = self.revision + 1;
        empty
    }

    /// Twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A number that grows with every change of the state.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Replaces the rules of propagation.
    pub fn set_propagation(&mut self, propagation: Propagation) {
        self.propagation = propagation;
        self.revision += 1;
    }

    /// How long after a use `GetAccessKeyLastUsed` tells of it; AWS: usually up to four hours.
    pub fn set_last_used_lag_ms(&mut self, lag_ms: i64) {
        self.last_used_lag_ms = lag_ms.max(0);
        self.revision += 1;
    }

    /// The credential behind an access key id, as the data plane of `region` sees it at `now`.
    pub fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        region: &str,
        now: Moment,
    ) -> Result<Credential, Refusal> {
        if let Some(session) = self.sessions.get(access_key_id) {
            return session.credential(session_token, now);
        }
        if session_token.is_some() {
            return Err(Refusal::invalid_token());
        }
        if access_key_id == ROOT_ACCESS_KEY_ID {
            return Ok(Credential {
                signer: Signer::Root,
                secret: Secret::from(ROOT_SECRET_ACCESS_KEY.to_owned()),
            });
        }
        let key = self.keys.get(access_key_id).ok_or_else(Refusal::invalid_token)?;
        match key.seen_in(&self.propagation, region, now) {
            Some(KeyStatus::Active) => Ok(Credential {
                signer: Signer::User(key.user_id.clone()),
                secret: key.secret.clone(),
            }),
            Some(KeyStatus::Inactive) | None => Err(Refusal::invalid_token()),
        }
    }

    /// Records that a request signed with this key was accepted.
    pub fn record_use(&mut self, access_key_id: &str, service: &str, region: &str, now: Moment) {
        if let Some(key) = self.keys.get_mut(access_key_id)
            && key.uses.record(now, service, region)
        {
            self.revision += 1;
        }
    }

    /// Performs a call for a signer whose signature was checked.
    pub fn perform(&mut self, now: Moment, signer: &Signer, call: &Call) -> Result<Answer, Refusal> {
        let caller = self.identity(signer)?;
        self.authorize(signer, &caller, call)?;
        let user = |name: &Option<String>| self.user_or_self(name.as_deref(), signer);
        match call {
            Call::GetCallerIdentity => Ok(Answer::Identity(caller)),
            Call::AssumeRole(request) => self.assume_role(now, signer, &caller, request),
            Call::CreateUser { user_name, path } => self.create_user(now, user_name, path.as_deref()),
            Call::GetUser { user_name } => Ok(Answer::User(self.view(user(user_name)?))),
            Call::ListUsers { path_prefix, page } => self.list_users(path_prefix.as_deref(), page),
            Call::DeleteUser { user_name } => self.delete_user(user_name),
            Call::CreateAccessKey { user_name } => {
                let user_id = user(user_name)?.id.clone();
                self.create_key(now, &user_id, Quota::Kept).map(Answer::NewKey)
            }
            Call::ListAccessKeys { user_name, page } => {
                self.list_keys(user(user_name)?, page, Freshness::Fresh)
            }
            Call::UpdateAccessKey {
                user_name,
                access_key_id,
                status,
            } => {
                let status = KeyStatus::parse(status)?;
                let user_id = user(user_name)?.id.clone();
                self.update_key(now, &user_id, access_key_id, Some(status))
            }
            Call::DeleteAccessKey {
                user_name,
                access_key_id,
            } => {
                let user_id = user(user_name)?.id.clone();
                self.update_key(now, &user_id, access_key_id, None)
            }
            Call::GetAccessKeyLastUsed { access_key_id } => self.last_used(access_key_id, now),
        }
    }

    /// As [`Account::perform`] for `CreateAccessKey`, in the race that beats the quota.
    pub fn create_key_past_quota(
        &mut self,
        now: Moment,
        signer: &Signer,
        call: &Call,
    ) -> Result<Answer, Refusal> {
        let Call::CreateAccessKey { user_name } = call else {
            return self.perform(now, signer, call);
        };
        self.authorize(signer, &self.identity(signer)?, call)?;
        let user_id = self.user_or_self(user_name.as_deref(), signer)?.id.clone();
        self.create_key(now, &user_id, Quota::Beaten).map(Answer::NewKey)
    }

    /// As [`Account::perform`] for `ListAccessKeys`, as it was before the last change of the user's keys.
    pub fn list_keys_stale(&mut self, now: Moment, signer: &Signer, call: &Call) -> Result<Answer, Refusal> {
        let Call::ListAccessKeys { user_name, page } = call else {
            return self.perform(now, signer, call);
        };
        self.authorize(signer, &self.identity(signer)?, call)?;
        let user = self.user_or_self(user_name.as_deref(), signer)?;
        self.list_keys(user, page, Freshness::BeforeLastChange)
    }

    /// Who a signer is. A key can outlive its user in a region that has not seen the deletion.
    fn identity(&self, signer: &Signer) -> Result<Identity, Refusal> {
        let (user_id, arn) = match signer {
            Signer::Root => (self.id.clone(), format!("arn:aws:iam::{}:root", self.id)),
            Signer::User(id) => {
                let user = self.user_by_id(id).ok_or_else(Refusal::invalid_token)?;
                (user.id.clone(), self.user_arn(user))
            }
            Signer::Session(key) => {
                let session = self.sessions.get(key).ok_or_else(Refusal::invalid_token)?;
                self.session_identity(session)
            }
        };
        Ok(Identity {
            account: self.id.clone(),
            user_id,
            arn,
        })
    }

    /// Whether the policies of the signer allow the call. `GetCallerIdentity` needs nothing and cannot be denied;
    /// `AssumeRole` also asks the role's trust policy and is judged there.
    fn authorize(&self, signer: &Signer, caller: &Identity, call: &Call) -> Result<(), Refusal> {
        if matches!(call, Call::GetCallerIdentity | Call::AssumeRole(_)) {
            return Ok(());
        }
        let action = action_of(call);
        match self.verdict(signer, &action, &self.resource(signer, call).0) {
            Verdict::Allowed => Ok(()),
            Verdict::NotAllowed => Err(self.denied(signer, &caller.arn, call)),
            Verdict::Denied => Err(self.refused_access(
                signer,
                &caller.arn,
                call,
                "with an explicit deny in an identity-based policy",
            )),
        }
    }

    /// The refusal of a call that no policy allows.
    fn denied(&self, signer: &Signer, who: &str, call: &Call) -> Refusal {
        let action = action_of(call);
        let why = format!("because no identity-based policy allows the {action} action");
        self.refused_access(signer, who, call, &why)
    }

    /// What a call would be answered if no policy allowed it.
    pub fn as_if_denied(&self, signer: &Signer, call: &Call) -> Refusal {
        match self.identity(signer) {
            Ok(caller) => self.denied(signer, &caller.arn, call),
            Err(refusal) => refusal,
        }
    }

    fn refused_access(&self, signer: &Signer, who: &str, call: &Call, why: &str) -> Refusal {
        let (action, (_, shown)) = (action_of(call), self.resource(signer, call));
        Refusal::new(
            Code::AccessDenied,
            format!("User: {who} is not authorized to perform: {action} on resource: {shown} {why}"),
        )
    }

    fn verdict(&self, signer: &Signer, action: &str, resource: &str) -> Verdict {
        let policy = match signer {
            Signer::Root => return Verdict::Allowed,
            Signer::User(id) => self.user_by_id(id).and_then(|user| user.policy.as_ref()),
            Signer::Session(key) => self
                .sessions
                .get(key)
                .and_then(|session| self.role_by_id(&session.role_id))
                .and_then(|role| role.policy.as_ref()),
        };
        policy.map_or(Verdict::NotAllowed, |p| p.verdict(action, resource))
    }

    /// What a call of IAM acts on: the name that policies match, and the words that refusals use.
    fn resource(&self, signer: &Signer, call: &Call) -> (String, String) {
        let owner = match (call, signer) {
            (Call::ListUsers { .. }, _) => {
                let all = format!("arn:aws:iam::{}:user/", self.id);
                return (all.clone(), all);
            }
            (Call::GetAccessKeyLastUsed { access_key_id }, _) => self
                .living_key(access_key_id)
                .and_then(|key| self.user_by_id(&key.user_id)),
            (call, Signer::User(id)) if call.user_name().is_none() => self.user_by_id(id),
            _ => call.user_name().and_then(|name| self.user(name)),
        };
        if let Some(user) = owner {
            return (self.user_arn(user), format!("user {}", user.name));
        }
        let path = match call {
            Call::CreateUser { path: Some(path), .. } => path,
            _ => "/",
        };
        match (call.user_name(), call.access_key_id()) {
            (Some(name), _) => (
                format!("arn:aws:iam::{}:user{path}{name}", self.id),
                format!("user {name}"),
            ),
            (None, Some(key)) => ("*".to_owned(), format!("access key {key}")),
            (None, None) => ("*".to_owned(), "*".to_owned()),
        }
    }
}

/// As policies name it: `iam:CreateAccessKey`.
fn action_of(call: &Call) -> String {
    format!("{}:{}", call.service(), call.action())
}

/// Whether a create asks the quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quota {
    Kept,
    /// AWS does not enforce the quota atomically: parallel creates can pass it.
    Beaten,
}

/// Which state a list shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Freshness {
    Fresh,
    BeforeLastChange,
}

/// Cuts one page out of entries that are sorted by their markers.
fn paged<T>(entries: impl Iterator<Item = (String, T)>, page: &Page) -> Result<Paged<T>, Refusal> {
    let size = page.max_items.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&size) {
        let rule = if size == 0 {
            "have value greater than or equal to 1".to_owned()
        } else {
            format!("have value less than or equal to {PAGE_MAX}")
        };
        return Err(Refusal::constraint(&size.to_string(), "maxItems", &rule));
    }
    let behind = |marker: &String| page.marker.as_ref().is_none_or(|after| marker > after);
    let mut rest = entries.filter(|(marker, _)| behind(marker)).peekable();
    let mut items = Vec::new();
    let mut last = None;
    for (marker, item) in rest.by_ref().take(size) {
        items.push(item);
        last = Some(marker);
    }
    let marker = rest.peek().and(last);
    Ok(Paged { items, marker })
}
