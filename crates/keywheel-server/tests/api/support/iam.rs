//! An AWS account in memory: its users and their access keys, with faults and gates on demand.
//!
//! It answers at once, dates its answers with the test's clock, keeps AWS's rules that a rotation meets (two keys
//! for each user, inactive ones included; a key signs only with its own secret), and notes every call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, Arn, AwsAccount, AwsFailure, CallerIdentity, FailureKind, IamUserId, IamUserName,
    Identified, KeyStatus, LastUse, ListedKey, Observed, Region,
};
use keywheel_core::clock::Moment;
use keywheel_providers::{ConnectionCredentials, ExternalId, IamUser, IamUsers, IssuedKey, Target};
use keywheel_server::ambient::Clock;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::aws::FakeAws;
use super::world::TestClock;

/// The account that [`FakeAws`] lets connections into.
const ACCOUNT: &str = "123456789012";
/// Access keys of one user (AWS: IAM quotas).
const KEYS_MAX: usize = 2;

/// What is asked of AWS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Caller,
    Users,
    Identify,
    List,
    Issue,
    Verify,
    Deactivate,
    Reactivate,
    Delete,
    LastUsed,
}

impl Op {
    /// Whether it changes something.
    const fn changes(self) -> bool {
        matches!(
            self,
            Self::Issue | Self::Deactivate | Self::Reactivate | Self::Delete
        )
    }
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// AWS understands and says no.
    Refused(&'static str, &'static str),
    /// AWS is busy; nothing happened.
    Throttled,
    /// It happens, and nobody hears of it.
    AnswerLost,
}

impl Fault {
    fn failure(self) -> AwsFailure {
        let (kind, code, message) = match self {
            Self::Refused(code, message) => (FailureKind::Refused, Some(code), message),
            Self::Throttled => (FailureKind::Unavailable, Some("Throttling"), "Rate exceeded"),
            Self::AnswerLost => (FailureKind::OutcomeUnknown, None, "the answer was lost"),
        };
        AwsFailure {
            kind,
            code: code.map(ToOwned::to_owned),
            message: message.to_owned(),
            aws_date: None,
        }
    }
}

/// A key as AWS has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub status: KeyStatus,
    created_at: Moment,
}

struct User {
    id: String,
    keys: Vec<Key>,
}

/// The account and what is planned for its calls.
pub struct FakeIam {
    clock: Arc<TestClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    users: BTreeMap<String, User>,
    made: u32,
    calls: Vec<(Op, Option<String>)>,
    under_way: u32,
    most_under_way: u32,
    faults: Vec<(Op, u32, Fault)>,
    gates: Vec<(Op, oneshot::Sender<()>, oneshot::Receiver<()>)>,
}

/// Holds one call back until it is opened, or dropped.
pub struct Gate {
    arrived: oneshot::Receiver<()>,
    opened: oneshot::Sender<()>,
}

impl Gate {
    /// Waits until the call is there; it has had no effect yet.
    pub async fn arrived(&mut self) {
        (&mut self.arrived).await.unwrap();
    }

    /// Lets the call go on.
    pub fn open(self) {
        self.opened.send(()).unwrap();
    }
}

impl FakeIam {
    /// An account without users.
    pub fn new(clock: Arc<TestClock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Makes a user, or makes it again under another id.
    pub fn add_user(&self, name: &str) {
        let mut state = self.state();
        state.made += 1;
        let user = User {
            id: format!("AIDA{:016}", state.made),
            keys: Vec::new(),
        };
        state.users.insert(name.to_owned(), user);
    }

    /// Makes a key as an operator would.
    pub fn add_key(&self, user: &str) -> Key {
        let now = self.clock.now();
        self.state().make_key(user, now).unwrap()
    }

    /// Deletes a key as an operator would.
    pub fn remove_key(&self, id: &str) {
        let found = self
            .state()
            .keys_of(id)
            .map(|keys| keys.retain(|key| key.id != id));
        found.unwrap();
    }

    /// Switches a key as an operator would.
    pub fn set_status(&self, id: &str, status: KeyStatus) {
        self.state().key(id).unwrap().status = status;
    }

    /// The keys of a user, oldest first.
    pub fn keys(&self, user: &str) -> Vec<Key> {
        self.state().users[user].keys.clone()
    }

    /// The ids of the keys of a user, oldest first.
    pub fn key_ids(&self, user: &str) -> Vec<String> {
        self.keys(user).into_iter().map(|key| key.id).collect()
    }

    /// Lets the next calls of this kind go wrong, or all with `u32::MAX`.
    pub fn fail(&self, op: Op, times: u32, fault: Fault) {
        self.state().faults.push((op, times, fault));
    }

    /// Takes all planned faults back.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Holds the next call of this kind back.
    pub fn hold(&self, op: Op) -> Gate {
        let (arrive, arrived) = oneshot::channel();
        let (opened, open) = oneshot::channel();
        self.state().gates.push((op, arrive, open));
        Gate { arrived, opened }
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// The calls so far, with the key that each is about.
    pub fn calls(&self) -> Vec<(Op, Option<String>)> {
        self.state().calls.clone()
    }

    /// How often this was asked.
    pub fn count(&self, op: Op) -> usize {
        self.calls().iter().filter(|(made, _)| *made == op).count()
    }

    /// The calls so far that change something.
    pub fn changes(&self) -> Vec<(Op, Option<String>)> {
        self.calls().into_iter().filter(|(op, _)| op.changes()).collect()
    }

    /// The most calls that were under way at the same time.
    pub fn most_under_way(&self) -> u32 {
        self.state().most_under_way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One call: noted, held back at a gate, and then done or failed as planned.
    async fn call<T>(
        &self,
        op: Op,
        key: Option<&AccessKeyId>,
        act: impl FnOnce(&mut State, Moment) -> Result<T, AwsFailure> + Send,
    ) -> Answer<T> {
        let gate = {
            let mut state = self.state();
            state.calls.push((op, key.map(|key| key.as_str().to_owned())));
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            let at = state.gates.iter().position(|(held, ..)| *held == op);
            at.map(|at| state.gates.remove(at))
        };
        if let Some((_, arrive, open)) = gate {
            let _ = arrive.send(());
            let _ = open.await;
        }
        let now = self.clock.now();
        let mut state = self.state();
        state.under_way -= 1;
        let answer = match state.take_fault(op) {
            None => act(&mut state, now),
            Some(Fault::AnswerLost) => {
                let _ = act(&mut state, now);
                return Err(Fault::AnswerLost.failure());
            }
            Some(fault) => Err(fault.failure()),
        };
        let aws_date = Some(Moment::from_millis(now.as_secs() * 1_000));
        match answer {
            Ok(value) => Ok(Observed { value, aws_date }),
            Err(failure) => Err(AwsFailure { aws_date, ..failure }),
        }
    }

    /// Whom a connection acts as: the owner of its key if that is one of ours, or else whom [`FakeAws`] says.
    async fn signer(&self, connection: &ConnectionCredentials) -> Result<CallerIdentity, AwsFailure> {
        if let ConnectionCredentials::AccessKey(key) = connection
            && let Some(owner) = self.state().owner(key.access_key_id.as_str())
        {
            return Ok(owner);
        }
        let answer = FakeAws.caller(connection, &Region::default(), "").await;
        answer.map(|observed| observed.value)
    }
}

impl State {
    fn take_fault(&mut self, op: Op) -> Option<Fault> {
        let planned = self
            .faults
            .iter_mut()
            .find(|(failing, times, _)| *failing == op && *times > 0)?;
        planned.1 -= 1;
        Some(planned.2)
    }

    fn user(&mut self, name: &IamUserName) -> Result<&mut User, AwsFailure> {
        self.users.get_mut(name.as_str()).ok_or_else(no_such_entity)
    }

    fn make_key(&mut self, user: &str, now: Moment) -> Result<Key, AwsFailure> {
        self.made += 1;
        let id = format!("AKIA{:016}", self.made);
        let key = Key {
            secret: format!("planted-secret-of-{id}"),
            id,
            status: KeyStatus::Active,
            created_at: Moment::from_millis(now.as_secs() * 1_000),
        };
        let user = self.users.get_mut(user).ok_or_else(no_such_entity)?;
        if user.keys.len() >= KEYS_MAX {
            let text = "Cannot exceed quota for AccessKeysPerUser: 2";
            return Err(Fault::Refused("LimitExceeded", text).failure());
        }
        user.keys.push(key.clone());
        Ok(key)
    }

    fn keys_of(&mut self, id: &str) -> Option<&mut Vec<Key>> {
        let mut lists = self.users.values_mut().map(|user| &mut user.keys);
        lists.find(|keys| keys.iter().any(|key| key.id == id))
    }

    fn key(&mut self, id: &str) -> Option<&mut Key> {
        self.keys_of(id)?.iter_mut().find(|key| key.id == id)
    }

    fn key_of(&mut self, user: &IamUserName, id: &AccessKeyId) -> Result<&mut Key, AwsFailure> {
        let keys = &mut self.user(user)?.keys;
        let found = keys.iter_mut().find(|key| key.id == id.as_str());
        found.ok_or_else(no_such_entity)
    }

    fn owner(&self, id: &str) -> Option<CallerIdentity> {
        let owns = |user: &User| user.keys.iter().any(|key| key.id == id);
        let (name, user) = self.users.iter().find(|(_, user)| owns(user))?;
        Some(CallerIdentity {
            account: AwsAccount::from_trusted(ACCOUNT),
            user_id: IamUserId::from_trusted(&user.id),
            arn: arn(name),
        })
    }

    fn sign(&mut self, id: &AccessKeyId, secret: &SecretString) -> Result<CallerIdentity, AwsFailure> {
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
}

fn arn(user: &str) -> Arn {
    Arn::from_trusted(format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
}

fn no_such_entity() -> AwsFailure {
    Fault::Refused("NoSuchEntity", "The user or its access key cannot be found.").failure()
}

#[async_trait]
impl IamUsers for FakeIam {
    async fn caller(
        &self,
        connection: &ConnectionCredentials,
        _: &Region,
        _: &str,
    ) -> Answer<CallerIdentity> {
        let signer = self.signer(connection).await;
        self.call(Op::Caller, None, |_, _| signer).await
    }

    async fn external_id(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<ExternalId> {
        self.call(Op::Caller, None, |_, _| Ok(ExternalId::NotApplicable))
            .await
    }

    async fn users(&self, connection: &ConnectionCredentials, _: &Region, _: &str) -> Answer<Vec<IamUser>> {
        let signer = self.signer(connection).await;
        self.call(Op::Users, None, |state, _| {
            signer?;
            let shown = |name: &String| IamUser {
                user_name: IamUserName::from_trusted(name),
                arn: arn(name),
            };
            Ok(state.users.keys().map(shown).collect())
        })
        .await
    }

    async fn identify(&self, target: Target<'_>) -> Answer<Identified> {
        let signer = self.signer(target.connection).await;
        self.call(Op::Identify, None, |state, _| {
            let user = state.user(target.user_name)?;
            Ok(Identified {
                caller: signer?,
                user_id: IamUserId::from_trusted(&user.id),
                user_name: target.user_name.clone(),
                arn: arn(target.user_name.as_str()),
            })
        })
        .await
    }

    async fn list(&self, target: Target<'_>) -> Answer<Vec<ListedKey>> {
        self.call(Op::List, None, |state, _| {
            let listed = |key: &Key| ListedKey {
                id: AccessKeyId::from_trusted(&key.id),
                status: key.status,
                created_at: Some(key.created_at),
            };
            Ok(state.user(target.user_name)?.keys.iter().map(listed).collect())
        })
        .await
    }

    async fn issue(&self, target: Target<'_>) -> Answer<IssuedKey> {
        self.call(Op::Issue, None, |state, now| {
            let key = state.make_key(target.user_name.as_str(), now)?;
            Ok(IssuedKey {
                id: AccessKeyId::from_trusted(key.id),
                secret: key.secret.into(),
                created_at: Some(key.created_at),
                user_name: target.user_name.clone(),
            })
        })
        .await
    }

    async fn verify(&self, _: &Region, id: &AccessKeyId, secret: &SecretString) -> Answer<CallerIdentity> {
        self.call(Op::Verify, Some(id), |state, _| state.sign(id, secret))
            .await
    }

    async fn set_status(&self, target: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()> {
        let op = match status {
            KeyStatus::Active => Op::Reactivate,
            KeyStatus::Inactive => Op::Deactivate,
        };
        self.call(op, Some(id), |state, _| {
            state.key_of(target.user_name, id)?.status = status;
            Ok(())
        })
        .await
    }

    async fn delete(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<()> {
        self.call(Op::Delete, Some(id), |state, _| {
            state.key_of(target.user_name, id)?;
            let keys = &mut state.user(target.user_name)?.keys;
            keys.retain(|key| key.id != id.as_str());
            Ok(())
        })
        .await
    }

    async fn last_used(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.call(Op::LastUsed, Some(id), |state, _| {
            state.key_of(target.user_name, id).map(|_| None)
        })
        .await
    }
}
