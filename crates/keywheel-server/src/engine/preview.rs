//! Runs in imagination: the same machine over the same record and what AWS shows now, while every change, here
//! and at AWS, and every wait is only imagined. No lease is taken, nothing is written, and AWS is only read.

use std::collections::BTreeMap;

use keywheel_core::aws::{
    AccessKeyId, Answer, AwsFailure, CallerIdentity, FailureKind, Identified, KeyStatus, LastUse, ListedKey,
    Observed, Region,
};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ManagedUserId, RotationId};
use keywheel_core::key::{KeyState, SealedSecret};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::Ledger;
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Effect, Event, Goal, Issued, NewRotation, Outcome, Run, Start};
use keywheel_providers::Target;
use keywheel_providers::connection::ConnectionCredentials;

use super::{Engine, EngineError, Result, history};

/// Most effects of an imagined run. A real one has about forty; the longest is one that verifies to its deadline.
const EFFECTS_MAX: usize = 5_000;
/// Most runs between two rotations that are imagined: the look ahead and the two steps of a retirement, and as many looks
/// again.
const SETTLED_BETWEEN_MAX: usize = 6;
/// The id that stands for a key that does not exist yet.
const NEW_KEY: &str = "(new)";

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The steps in order; records and repeats are left out.
    pub steps: Vec<PreviewStep>,
    /// How it would end.
    pub outcome: Outcome,
    /// When it would end.
    pub ends_at: Moment,
    /// What the rotation after it would end in, if this one publishes: keys in the way are told of in time.
    pub next: Option<Box<Self>>,
    /// The keys that nothing will retire and that are in the way of a rotation.
    pub in_the_way: Vec<AccessKeyId>,
}

/// One step of an imagined run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreviewStep {
    /// The step, as in the history of runs.
    pub step: &'static str,
    /// The key that it is about; `None` for a key that does not exist yet.
    pub key: Option<AccessKeyId>,
    /// When it would begin.
    pub at: Moment,
    /// Whether AWS was really asked. What changes something is never done.
    pub done: bool,
    /// What AWS answered against it.
    pub error: Option<String>,
}

impl Engine {
    /// What a goal of a rotation would end in, now.
    pub async fn preview(&self, user: ManagedUserId, rotation: RotationId, goal: Goal) -> Result<Preview> {
        let ledger = self.parts().store.load(user).await?.ok_or(EngineError::Gone)?;
        match ledger.rotation.as_ref().filter(|r| r.id == rotation) {
            None => return Err(EngineError::Gone),
            Some(r) if r.revoking => return Err(EngineError::Revoking),
            Some(_) => {}
        }
        let connection = ledger.user.connection.ok_or(EngineError::ConnectionGone)?;
        let credentials = self.credentials(connection).await?;
        Ok(self.imagine(ledger, goal, &credentials).await)
    }

    /// What creating a rotation would end in, now.
    pub async fn preview_create(&self, draft: NewRotation) -> Result<Preview> {
        let user = self.identify(&draft).await?;
        let credentials = self.credentials(draft.settings.connection).await?;
        let store = &self.parts().store;
        let ledger = match store.user_by_identity(&user.identity).await? {
            None => Ledger::new(user),
            Some(known) => store.load(known).await?.ok_or(EngineError::Gone)?,
        };
        if let Some(rotation) = &ledger.rotation {
            return Err(EngineError::Taken(rotation.id));
        }
        let goal = Goal::Create(Box::new(draft));
        Ok(self.imagine(ledger, goal, &credentials).await)
    }

    async fn imagine(&self, ledger: Ledger, goal: Goal, credentials: &ConnectionCredentials) -> Preview {
        let world = Imagination::new(self, credentials);
        let (mut preview, after, world) = world.run(ledger, goal).await;
        if preview.outcome == Outcome::Published {
            preview.next = Some(Box::new(world.next(after, preview.ends_at).await));
        }
        preview
    }
}

/// What AWS really said, and what would have changed since.
struct Imagination<'a> {
    engine: &'a Engine,
    credentials: &'a ConnectionCredentials,
    now: Moment,
    identified: Option<Observed<Identified>>,
    /// How far AWS's clock was ahead when it was asked, in whole seconds as its `Date` has them.
    asked_at: Moment,
    listed: Option<Vec<ListedKey>>,
    /// The keys that AWS really listed as active.
    active: Vec<AccessKeyId>,
    /// What AWS said of keys that it was really asked to verify.
    verified: BTreeMap<AccessKeyId, Answer<CallerIdentity>>,
    steps: Vec<PreviewStep>,
}

impl<'a> Imagination<'a> {
    fn new(engine: &'a Engine, credentials: &'a ConnectionCredentials) -> Self {
        let now = engine.parts().clock.now();
        Self {
            engine,
            credentials,
            now,
            identified: None,
            asked_at: now,
            listed: None,
            active: Vec::new(),
            verified: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    fn pass_until(&mut self, at: Moment) {
        self.now = self.now.max(at);
    }

    async fn run(mut self, ledger: Ledger, goal: Goal) -> (Preview, Ledger, Self) {
        let start = Start {
            ledger,
            fence: Fence::from_stored(0),
            goal,
            timings: self.engine.parts().timings,
            entropy: self.engine.parts().entropy.bytes(),
        };
        let (mut run, mut effect) = Run::start(start, self.now);
        let mut outcome = Outcome::Parked;
        for _ in 0..EFFECTS_MAX {
            if let Effect::Finish(end) = effect {
                outcome = end;
                break;
            }
            let began_at = self.now;
            let (event, done, error) = self.perform(&run, &effect).await;
            self.note(&effect, began_at, done, error);
            effect = run.step(self.now, event);
        }
        let after = run.ledger().clone();
        let preview = Preview {
            steps: std::mem::take(&mut self.steps),
            outcome,
            ends_at: self.now,
            next: None,
            in_the_way: in_the_way(&after),
        };
        (preview, after, self)
    }

    /// The rotation after this one, once what is due before it has been done.
    async fn next(mut self, mut ledger: Ledger, now: Moment) -> Preview {
        let begins_at = ledger.rotation.as_ref().and_then(|r| r.next_attempt_at);
        let begins_at = begins_at.unwrap_or(now);
        for _ in 0..SETTLED_BETWEEN_MAX {
            let Some(due_at) = ledger.user.due_at.filter(|due_at| *due_at < begins_at) else {
                break;
            };
            self.pass_until(due_at);
            (_, ledger, self) = self.run(ledger, Goal::Settle).await;
        }
        self.pass_until(begins_at);
        let (next, ..) = self.run(ledger, Goal::Rotate(Trigger::Manual)).await;
        next
    }

    fn note(&mut self, effect: &Effect, at: Moment, done: bool, error: Option<String>) {
        if matches!(effect, Effect::Commit(commit) if commit.publish.is_none()) {
            return;
        }
        let step = PreviewStep {
            step: history::name(effect),
            key: history::named_key(effect)
                .filter(|key| key.as_str() != NEW_KEY)
                .cloned(),
            at,
            done,
            error,
        };
        let repeated = self
            .steps
            .last()
            .is_some_and(|last| last.step == step.step && last.key == step.key);
        if !repeated {
            self.steps.push(step);
        }
    }

    /// The event of an effect, whether AWS was asked for it, and what it answered against it.
    async fn perform(&mut self, run: &Run, effect: &Effect) -> (Event, bool, Option<String>) {
        match effect {
            Effect::Identify => {
                let done = self.identified.is_none();
                let answer = self.identify(run).await;
                let error = answer.as_ref().err().map(ToString::to_string);
                (Event::Identified(answer), done, error)
            }
            Effect::List => {
                let done = self.listed.is_none();
                let answer = self.list(run).await;
                let error = answer.as_ref().err().map(ToString::to_string);
                (Event::Listed(answer), done, error)
            }
            Effect::Verify { key, region } if self.active.contains(key) => {
                let done = !self.verified.contains_key(key);
                let answer = self.verify(run, key, region).await;
                let error = answer.as_ref().err().map(ToString::to_string);
                (Event::Verified(answer), done, error)
            }
            Effect::LastUsed(key) if key.as_str() != NEW_KEY => {
                let answer = self.last_used(run, key).await;
                let error = answer.as_ref().err().map(ToString::to_string);
                (
                    Event::LastUsed(answer.map(|found| self.dated(found.value))),
                    true,
                    error,
                )
            }
            other => (self.imagined(other), false, None),
        }
    }

    fn imagined(&mut self, effect: &Effect) -> Event {
        match effect {
            Effect::Issue(_) => {
                let id = AccessKeyId::from_trusted(NEW_KEY);
                let created_at = Some(self.now);
                self.listed.get_or_insert_default().push(ListedKey {
                    id: id.clone(),
                    status: KeyStatus::Active,
                    created_at,
                });
                let secret = Some(SealedSecret::from_bytes(Vec::new()));
                let issued = Issued {
                    id,
                    secret,
                    created_at,
                };
                Event::Issued(Ok(self.dated(issued)))
            }
            Effect::Deactivate(key) => self.switch(key, KeyStatus::Inactive),
            Effect::Reactivate(key) => self.switch(key, KeyStatus::Active),
            Effect::Delete(key) => {
                self.listed.get_or_insert_default().retain(|line| line.id != *key);
                Event::Changed(Ok(self.dated(())))
            }
            Effect::LastUsed(_) => Event::LastUsed(Ok(self.dated(None))),
            Effect::Verify { .. } => Event::Verified(self.verified_by_assumption()),
            Effect::Wait(until) => {
                self.pass_until(*until);
                Event::Woke
            }
            Effect::Commit(_) => Event::Committed(Ok(())),
            Effect::Identify | Effect::List | Effect::Finish(_) => Event::Woke,
        }
    }

    fn switch(&mut self, key: &AccessKeyId, status: KeyStatus) -> Event {
        for line in self.listed.iter_mut().flatten().filter(|line| line.id == *key) {
            line.status = status;
        }
        Event::Changed(Ok(self.dated(())))
    }

    async fn identify(&mut self, run: &Run) -> Answer<Identified> {
        if self.identified.is_none() {
            self.slot(run).await?;
            let session = session(run);
            let provider = &self.engine.parts().provider;
            self.identified = Some(provider.identify(self.target(run, &session)).await?);
            self.asked_at = self.now;
        }
        let found = self.identified.as_ref().ok_or_else(nobody)?;
        Ok(self.dated(found.value.clone()))
    }

    async fn list(&mut self, run: &Run) -> Answer<Vec<ListedKey>> {
        if self.listed.is_none() {
            self.slot(run).await?;
            let session = session(run);
            let provider = &self.engine.parts().provider;
            let listed = provider.list(self.target(run, &session)).await?.value;
            let active = listed.iter().filter(|line| line.status == KeyStatus::Active);
            self.active = active.map(|line| line.id.clone()).collect();
            self.listed = Some(listed);
        }
        Ok(self.dated(self.listed.clone().unwrap_or_default()))
    }

    /// Asks AWS who signs with an existing key; once for each key.
    async fn verify(&mut self, run: &Run, key: &AccessKeyId, region: &Region) -> Answer<CallerIdentity> {
        if !self.verified.contains_key(key) {
            let parts = self.engine.parts();
            let sealed = run.secret_of(key).map(SealedSecret::as_bytes).unwrap_or_default();
            let answer = match parts.vault.open_access_key(key, sealed) {
                Ok(secret) => match self.slot(run).await {
                    Ok(()) => parts.provider.verify(region, key, &secret).await,
                    Err(failure) => Err(failure),
                },
                Err(error) => Err(nothing_known(&error.to_string())),
            };
            self.verified.insert(key.clone(), answer);
        }
        let answer = self.verified.get(key).cloned();
        let answer = answer.unwrap_or_else(|| Err(nothing_known("it was not asked")));
        answer.map(|found| self.dated(found.value))
    }

    async fn last_used(&self, run: &Run, key: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.slot(run).await?;
        let session = session(run);
        let provider = &self.engine.parts().provider;
        provider.last_used(self.target(run, &session), key).await
    }

    /// Waits for the account's turn.
    async fn slot(&self, run: &Run) -> Result<(), AwsFailure> {
        self.engine.turn(&run.ledger().user.identity.account).await
    }

    /// A key that does not exist yet is taken to work.
    fn verified_by_assumption(&self) -> Answer<CallerIdentity> {
        let found = self.identified.as_ref().ok_or_else(nobody)?;
        let account = found.value.arn.account().ok_or_else(nobody)?;
        Ok(self.dated(CallerIdentity {
            account,
            user_id: found.value.user_id.clone(),
            arn: found.value.arn.clone(),
        }))
    }

    /// An answer of the imagined moment: AWS's clock goes on as ours does.
    fn dated<T>(&self, value: T) -> Observed<T> {
        let date = self.identified.as_ref().and_then(|found| found.aws_date);
        Observed {
            value,
            aws_date: date.map(|date| date + (self.now - self.asked_at)),
        }
    }

    fn target<'t>(&'t self, run: &'t Run, session: &'t str) -> Target<'t> {
        let user = &run.ledger().user;
        Target {
            connection: self.credentials,
            region: &user.region,
            user_name: &user.name,
            session,
        }
    }
}

/// The keys that stay in the way of every later rotation unless their owner acts.
fn in_the_way(ledger: &Ledger) -> Vec<AccessKeyId> {
    let stays = |state| matches!(state, KeyState::Unmanaged | KeyState::OrphanSuspect);
    let held = ledger
        .keys
        .values()
        .filter(|k| !k.state.is_end() && (stays(k.state) && !k.is_ours() || k.held.is_some()));
    held.map(|k| k.id.clone()).collect()
}

fn session(run: &Run) -> String {
    format!("keywheel-{}", run.ledger().user.id)
}

fn nobody() -> AwsFailure {
    nothing_known("the user is not known")
}

fn nothing_known(why: &str) -> AwsFailure {
    AwsFailure {
        kind: FailureKind::Unavailable,
        code: None,
        message: why.to_owned(),
        aws_date: None,
    }
}
