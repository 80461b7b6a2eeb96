//! Takes down what a run does, for people to read later.

use keywheel_core::aws::{AccessKeyId, Answer};
use keywheel_core::clock::Moment;
use keywheel_core::ledger::{Change, Commit};
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Effect, Event, Goal, Outcome};
use keywheel_store::runs::{RunEnd, RunRecord, RunStep};

/// Most steps that are kept of one run. A run of the longest kind has about forty, repeats counted as one.
const STEPS_MAX: usize = 100;

/// The history of one run while it is under way.
pub(super) struct History {
    record: RunRecord,
    /// Whether people want to see it: a look that found nothing to do is not worth a row.
    tells_something: bool,
}

impl History {
    pub(super) fn new(record: RunRecord, goal: &Goal) -> Self {
        Self {
            record,
            tells_something: !matches!(goal, Goal::Settle),
        }
    }

    /// Looks at an effect before it is performed: the commit that announces a call carries the history along.
    pub(super) fn foresee(&mut self, effect: &Effect) {
        if let Effect::Commit(commit) = effect {
            let opens = |change: &Change| matches!(change, Change::OpenIntent(_));
            self.tells_something |= commit.changes.iter().any(opens);
        }
    }

    /// What goes with a commit. One that only records an answer goes alone: the next one, or the end, tells of it.
    pub(super) fn along(&self, commit: &Commit) -> Option<&RunRecord> {
        let records = |change: &Change| {
            matches!(
                change,
                Change::User(_) | Change::Key(_) | Change::CloseIntent { .. } | Change::EraseValues(_)
            )
        };
        self.so_far().filter(|_| !commit.changes.iter().all(records))
    }

    /// Takes down a step that has ended.
    pub(super) fn note(&mut self, effect: &Effect, event: &Event, began_at: Moment, ended_at: Moment) {
        self.tells_something |= matches!(
            effect,
            Effect::Issue(_) | Effect::Deactivate(_) | Effect::Reactivate(_) | Effect::Delete(_)
        );
        let step = RunStep {
            at: began_at,
            took: ended_at - began_at,
            step: name(effect).to_owned(),
            key: key_of(effect, event),
            error: error_of(event),
            times: 1,
        };
        let steps = &mut self.record.steps;
        let repeated =
            |last: &&mut RunStep| last.step == step.step && last.key == step.key && last.error == step.error;
        if let Some(last) = steps.last_mut().filter(repeated) {
            last.took = ended_at - last.at;
            last.times = last.times.saturating_add(1);
        } else {
            // The end of a run tells more than its middle.
            if steps.len() >= STEPS_MAX {
                steps.pop();
            }
            steps.push(step);
        }
    }

    /// The run so far, if it is worth a row.
    fn so_far(&self) -> Option<&RunRecord> {
        self.tells_something.then_some(&self.record)
    }

    /// The run as it ended.
    pub(super) fn ended(&mut self, outcome: &Outcome, at: Moment) -> Option<&RunRecord> {
        let error = match outcome {
            Outcome::Failed(error) => Some(error),
            _ => None,
        };
        self.tells_something |= error.is_some();
        self.record.end = Some(RunEnd {
            at,
            outcome: outcome_name(outcome).to_owned(),
            code: error.map(|error| error.code.as_str().to_owned()),
            message: error.map(|error| error.text.clone()),
        });
        self.so_far()
    }
}

/// The name of a look at what is due between rotations.
pub(super) const LOOK: &str = "settle";

/// The name of a goal in the history.
pub(super) const fn goal_name(goal: &Goal) -> &'static str {
    match goal {
        Goal::Create(_) => "create",
        Goal::Rotate(_) => "rotate",
        Goal::Revoke { .. } => "revoke",
        Goal::RollBack { .. } => "roll-back",
        Goal::Retire { .. } => "retire",
        Goal::Settle => LOOK,
    }
}

/// The name of an outcome in the history, in the log and in metrics.
pub(super) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Published => "published",
        Outcome::Revoked => "revoked",
        Outcome::Settled => "settled",
        Outcome::Failed(_) => "failed",
        Outcome::Parked => "parked",
    }
}

/// What starts a rotation of the keys, in metrics; none for other goals.
pub(super) const fn trigger_name(goal: &Goal) -> Option<&'static str> {
    match goal {
        Goal::Create(_) => Some("create"),
        Goal::Rotate(Trigger::Manual) => Some("manual"),
        Goal::Rotate(Trigger::Scheduled { .. }) => Some("scheduled"),
        Goal::Revoke { .. } | Goal::RollBack { .. } | Goal::Retire { .. } | Goal::Settle => None,
    }
}

/// The name of a step, in the history and in the log.
pub(super) const fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Identify => "identify",
        Effect::List => "list",
        Effect::Commit(commit) if commit.publish.is_some() => "publish",
        Effect::Commit(_) => "record",
        Effect::Issue(_) => "create",
        Effect::Deactivate(_) => "deactivate",
        Effect::Reactivate(_) => "reactivate",
        Effect::Delete(_) => "delete",
        Effect::LastUsed(_) => "last-used",
        Effect::Verify { .. } => "verify",
        Effect::Wait(_) => "wait",
        Effect::Finish(_) => "finish",
    }
}

/// The key that an effect names.
pub(super) fn named_key(effect: &Effect) -> Option<&AccessKeyId> {
    match effect {
        Effect::Deactivate(key)
        | Effect::Reactivate(key)
        | Effect::Delete(key)
        | Effect::LastUsed(key)
        | Effect::Verify { key, .. } => Some(key),
        Effect::Commit(commit) => commit.publish.as_ref(),
        Effect::Identify | Effect::List | Effect::Issue(_) | Effect::Wait(_) | Effect::Finish(_) => None,
    }
}

fn key_of(effect: &Effect, event: &Event) -> Option<AccessKeyId> {
    match event {
        Event::Issued(Ok(issued)) => Some(issued.value.id.clone()),
        _ => named_key(effect).cloned(),
    }
}

fn error_of(event: &Event) -> Option<String> {
    fn said<T>(answer: &Answer<T>) -> Option<String> {
        answer.as_ref().err().map(ToString::to_string)
    }
    match event {
        Event::Identified(answer) => said(answer),
        Event::Listed(answer) => said(answer),
        Event::Issued(answer) => said(answer),
        Event::Changed(answer) => said(answer),
        Event::LastUsed(answer) => said(answer),
        Event::Verified(answer) => said(answer),
        Event::Committed(Err(_)) => Some("not written, or nobody knows".to_owned()),
        Event::LeaseLost => {
            Some("another holder has the user, or could get it before the call ends".to_owned())
        }
        Event::Committed(Ok(())) | Event::Woke => None,
    }
}
