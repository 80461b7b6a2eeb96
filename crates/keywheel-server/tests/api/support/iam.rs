//! An AWS account in memory: its users and their access keys, with faults and gates on demand.
//!
//! It answers at once, dates its answers with the test's clock, keeps AWS's rules that a rotation meets (two keys
//! for each user, inactive ones included; a key signs only with its own secret), and notes every call.

mod account;

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, AwsFailure, CallerIdentity, FailureKind, Identified, KeyStatus, LastUse, ListedKey,
    Observed, Region,
};
use keywheel_core::clock::Moment;
use keywheel_providers::{ConnectionCredentials, ExternalId, IamUser, IamUsers, IssuedKey, Target};
use secrecy::SecretString;
use tokio::sync::oneshot;

use self::account::{Account, Key, whole_seconds};
use super::aws::FakeAws;
use super::world::TestClock;

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

/// The account and what is planned for its calls.
pub struct FakeIam {
    clock: Arc<TestClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    account: Account,
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
        self.state().account.add_user(name);
    }

    /// Makes a key as an operator would.
    pub fn add_key(&self, user: &str) -> Key {
        let now = self.clock.right();
        self.state().account.make_key(user, now).unwrap()
    }

    /// Deletes a key as an operator would.
    pub fn remove_key(&self, id: &str) {
        self.state().account.remove(id);
    }

    /// Switches a key as an operator would.
    pub fn set_status(&self, id: &str, status: KeyStatus) {
        self.state().account.key(id).unwrap().status = status;
    }

    /// Uses a key now, as an application would.
    pub fn use_key(&self, id: &str) {
        let used = LastUse {
            at: self.clock.right(),
            service: "s3".to_owned(),
            region: "eu-central-1".to_owned(),
        };
        self.state().account.key(id).unwrap().last_use = Some(used);
    }

    /// The keys of a user, oldest first.
    pub fn keys(&self, user: &str) -> Vec<Key> {
        self.state().account.keys(user)
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
        act: impl FnOnce(&mut Account, Moment) -> Result<T, AwsFailure> + Send,
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
        let now = self.clock.right();
        let mut state = self.state();
        state.under_way -= 1;
        let answer = match state.take_fault(op) {
            None => act(&mut state.account, now),
            Some(Fault::AnswerLost) => {
                let _ = act(&mut state.account, now);
                return Err(Fault::AnswerLost.failure());
            }
            Some(fault) => Err(fault.failure()),
        };
        let aws_date = Some(whole_seconds(now));
        match answer {
            Ok(value) => Ok(Observed { value, aws_date }),
            Err(failure) => Err(AwsFailure { aws_date, ..failure }),
        }
    }

    /// Whom a connection acts as: the owner of its key if that is one of ours, or else whom [`FakeAws`] says.
    async fn signer(&self, connection: &ConnectionCredentials) -> Result<CallerIdentity, AwsFailure> {
        if let ConnectionCredentials::AccessKey(key) = connection
            && let Some(owner) = self.state().account.owner(key.access_key_id.as_str())
        {
            return Ok(owner);
        }
        let answer = FakeAws.caller(connection, &Region::default(), "").await;
        answer.map(|observed| observed.value)
    }
}

impl State {
    fn take_fault(&mut self, op: Op) -> Option<Fault> {
        let mut planned = self.faults.iter_mut();
        let next = planned.find(|(failing, times, _)| *failing == op && *times > 0)?;
        next.1 -= 1;
        Some(next.2)
    }
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
        self.call(Op::Users, None, |account, _| {
            signer.map(|_| account.listed_users())
        })
        .await
    }

    async fn identify(&self, target: Target<'_>) -> Answer<Identified> {
        let signer = self.signer(target.connection).await;
        self.call(Op::Identify, None, |account, _| {
            account.identify(target.user_name, signer?)
        })
        .await
    }

    async fn list(&self, target: Target<'_>) -> Answer<Vec<ListedKey>> {
        self.call(Op::List, None, |account, _| account.list(target.user_name))
            .await
    }

    async fn issue(&self, target: Target<'_>) -> Answer<IssuedKey> {
        self.call(Op::Issue, None, |account, now| {
            account.issue(target.user_name, now)
        })
        .await
    }

    async fn verify(&self, _: &Region, id: &AccessKeyId, secret: &SecretString) -> Answer<CallerIdentity> {
        self.call(Op::Verify, Some(id), |account, _| account.sign(id, secret))
            .await
    }

    async fn set_status(&self, target: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()> {
        let op = match status {
            KeyStatus::Active => Op::Reactivate,
            KeyStatus::Inactive => Op::Deactivate,
        };
        self.call(op, Some(id), |account, _| {
            account.key_of(target.user_name, id)?.status = status;
            Ok(())
        })
        .await
    }

    async fn delete(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<()> {
        self.call(Op::Delete, Some(id), |account, _| {
            account.key_of(target.user_name, id)?;
            account.remove(id.as_str());
            Ok(())
        })
        .await
    }

    async fn last_used(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.call(Op::LastUsed, Some(id), |account, _| {
            Ok(account.key_of(target.user_name, id)?.last_use.clone())
        })
        .await
    }
}
