//! Goals, effects and answers in words: for the log and for the table of what occurred.

use keywheel_core::aws::{Answer, KeyStatus, ListedKey};
use keywheel_core::ledger::Change as Write;
use keywheel_core::run::{Effect, Event, Goal, Outcome};
use keywheel_sandbox::model::Refusal;

use crate::faults::Call;
use crate::world::short;

pub(crate) const fn goal_name(goal: &Goal) -> &'static str {
    match goal {
        Goal::Create(_) => "create",
        Goal::Rotate(trigger) if trigger.is_manual() => "rotate by hand",
        Goal::Rotate(_) => "rotate",
        Goal::Revoke { .. } => "revoke",
        Goal::RollBack { .. } => "roll back",
        Goal::Retire { .. } => "retire",
        Goal::Settle => "settle",
    }
}

pub(crate) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Published => "published",
        Outcome::Revoked => "revoked",
        Outcome::Settled => "settled",
        Outcome::Failed(_) => "failed",
        Outcome::Parked => "parked",
    }
}

pub(crate) const fn call_name(call: Call) -> &'static str {
    match call {
        Call::Identify => "identify",
        Call::List => "list",
        Call::Commit => "commit",
        Call::Issue => "issue",
        Call::Deactivate => "deactivate",
        Call::Reactivate => "reactivate",
        Call::Delete => "delete",
        Call::LastUsed => "last used",
        Call::Verify => "verify",
        Call::Wait => "wait",
        Call::Finish => "finish",
    }
}

pub(crate) fn outcome_of<T>(made: &Result<T, Refusal>) -> String {
    match made {
        Ok(_) => "done".to_owned(),
        Err(refusal) => refusal.code.as_str().to_owned(),
    }
}

/// An effect for the log.
pub(crate) fn in_words(effect: &Effect) -> String {
    match effect {
        Effect::Commit(commit) => {
            let writes: Vec<String> = commit.changes.iter().map(write_in_words).collect();
            format!("commit [{}]", writes.join(", "))
        }
        Effect::Issue(_) => "create a key".to_owned(),
        Effect::Deactivate(key) => format!("deactivate {}", short(key.as_str())),
        Effect::Reactivate(key) => format!("reactivate {}", short(key.as_str())),
        Effect::Delete(key) => format!("delete {}", short(key.as_str())),
        Effect::LastUsed(key) => format!("last use of {}", short(key.as_str())),
        Effect::Verify { key, region } => format!("verify {} in {region}", short(key.as_str())),
        other => call_name(Call::of(other)).to_owned(),
    }
}

fn write_in_words(write: &Write) -> String {
    match write {
        Write::User(_) => "user".to_owned(),
        Write::Key(key) => format!("{} {}", short(key.id.as_str()), key.state.as_str()),
        Write::OpenIntent(intent) => format!("open {}", intent.kind.as_str()),
        Write::CloseIntent { outcome, .. } => format!("close as {}", outcome.as_str()),
        Write::CreateRotation(_) => "create rotation".to_owned(),
        Write::UpdateRotation(_) => "rotation".to_owned(),
        Write::RemoveRotation { .. } => "remove rotation".to_owned(),
        Write::EraseValues(_) => "erase values".to_owned(),
        Write::RewriteSecret { .. } => "rewrite references".to_owned(),
        Write::References(_) => "the same references".to_owned(),
        Write::ClearNames { .. } => "clear names".to_owned(),
    }
}

pub(crate) fn came_back(event: &Event) -> String {
    fn of<T>(answer: &Answer<T>) -> String {
        match answer {
            Ok(_) => "ok".to_owned(),
            Err(failure) => format!("{:?} {failure}", failure.kind),
        }
    }
    match event {
        Event::Identified(answer) => of(answer),
        Event::Listed(Ok(listed)) => {
            let line = |line: &ListedKey| {
                let status = if line.status == KeyStatus::Active {
                    ""
                } else {
                    " inactive"
                };
                format!("{}{status}", short(line.id.as_str()))
            };
            let lines: Vec<String> = listed.value.iter().map(line).collect();
            format!("[{}]", lines.join(", "))
        }
        Event::Listed(answer) => of(answer),
        Event::Committed(Ok(())) => "ok".to_owned(),
        Event::Committed(Err(fault)) => format!("{fault:?}"),
        Event::Issued(Ok(issued)) => short(issued.value.id.as_str()).to_owned(),
        Event::Issued(answer) => of(answer),
        Event::Changed(answer) => of(answer),
        Event::LastUsed(answer) => of(answer),
        Event::Verified(answer) => of(answer),
        Event::Woke => "woke".to_owned(),
        Event::LeaseLost => "lease lost".to_owned(),
    }
}
