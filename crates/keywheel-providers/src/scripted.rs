//! A provider that answers from a script, for tests of whoever drives one.
//!
//! Each call takes the next line of the script and is noted down. A call that the script does not expect gets
//! a failure that names both, and [`Scripted::complaints`] tells at the end.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, AwsFailure, CallerIdentity, FailureKind, Identified, KeyStatus, LastUse, ListedKey,
    Region,
};
use secrecy::SecretString;

use crate::connection::ConnectionCredentials;
use crate::provider::{ExternalId, IamUser, IamUsers, IssuedKey, Target};

/// One line of a script: the operation that is expected, with its answer.
#[derive(Debug)]
pub enum Line {
    /// Answers [`IamUsers::caller`].
    Caller(Answer<CallerIdentity>),
    /// Answers [`IamUsers::external_id`].
    ExternalId(Answer<ExternalId>),
    /// Answers [`IamUsers::users`].
    Users(Answer<Vec<IamUser>>),
    /// Answers [`IamUsers::identify`].
    Identify(Answer<Identified>),
    /// Answers [`IamUsers::list`].
    List(Answer<Vec<ListedKey>>),
    /// Answers [`IamUsers::issue`].
    Issue(Answer<IssuedKey>),
    /// Answers [`IamUsers::verify`].
    Verify(Answer<CallerIdentity>),
    /// Answers [`IamUsers::set_status`].
    SetStatus(Answer<()>),
    /// Answers [`IamUsers::delete`].
    Delete(Answer<()>),
    /// Answers [`IamUsers::last_used`].
    LastUsed(Answer<Option<LastUse>>),
}

/// A call that was made, with what matters of its arguments. Secrets are not noted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Made {
    /// [`IamUsers::caller`].
    Caller,
    /// [`IamUsers::external_id`].
    ExternalId,
    /// [`IamUsers::users`].
    Users,
    /// [`IamUsers::identify`].
    Identify,
    /// [`IamUsers::list`].
    List,
    /// [`IamUsers::issue`].
    Issue,
    /// [`IamUsers::verify`] of this key.
    Verify(AccessKeyId),
    /// [`IamUsers::set_status`] of this key.
    SetStatus(AccessKeyId, KeyStatus),
    /// [`IamUsers::delete`] of this key.
    Delete(AccessKeyId),
    /// [`IamUsers::last_used`] of this key.
    LastUsed(AccessKeyId),
}

/// A provider with a script.
#[derive(Debug, Default)]
pub struct Scripted {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Line>,
    made: Vec<Made>,
    complaints: Vec<String>,
}

impl Scripted {
    /// A provider that answers these lines, in this order.
    pub fn new(script: impl IntoIterator<Item = Line>) -> Self {
        let scripted = Self::default();
        scripted.then(script);
        scripted
    }

    /// Appends lines to the script.
    pub fn then(&self, script: impl IntoIterator<Item = Line>) {
        self.state().script.extend(script);
    }

    /// Every call so far, in order.
    pub fn made(&self) -> Vec<Made> {
        self.state().made.clone()
    }

    /// Calls that the script did not expect, and lines that nobody asked for. Empty if all went as written.
    pub fn complaints(&self) -> Vec<String> {
        let state = self.state();
        let left = state
            .script
            .iter()
            .map(|line| format!("nobody asked for {line:?}"));
        state.complaints.iter().cloned().chain(left).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call and takes its answer from the script, if the next line is for it.
    fn play<T>(&self, made: Made, pick: impl FnOnce(Line) -> Result<Answer<T>, Box<Line>>) -> Answer<T> {
        let mut state = self.state();
        let found = match state.script.pop_front() {
            None => Err("the script is at its end".to_owned()),
            Some(line) => pick(line).map_err(|line| {
                let expected = format!("the script has {line:?}");
                state.script.push_front(*line);
                expected
            }),
        };
        let answer = found.unwrap_or_else(|expected| {
            let complaint = format!("{made:?} was asked, {expected}");
            state.complaints.push(complaint.clone());
            Err(AwsFailure {
                kind: FailureKind::OutcomeUnknown,
                code: None,
                message: complaint,
                aws_date: None,
            })
        });
        state.made.push(made);
        answer
    }
}

/// Takes the answer out of a line of the given kind.
macro_rules! pick {
    ($kind:ident) => {
        |line| match line {
            Line::$kind(answer) => Ok(answer),
            other => Err(Box::new(other)),
        }
    };
}

#[async_trait]
impl IamUsers for Scripted {
    async fn caller(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<CallerIdentity> {
        self.play(Made::Caller, pick!(Caller))
    }

    async fn external_id(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<ExternalId> {
        self.play(Made::ExternalId, pick!(ExternalId))
    }

    async fn users(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<Vec<IamUser>> {
        self.play(Made::Users, pick!(Users))
    }

    async fn identify(&self, _: Target<'_>) -> Answer<Identified> {
        self.play(Made::Identify, pick!(Identify))
    }

    async fn list(&self, _: Target<'_>) -> Answer<Vec<ListedKey>> {
        self.play(Made::List, pick!(List))
    }

    async fn issue(&self, _: Target<'_>) -> Answer<IssuedKey> {
        self.play(Made::Issue, pick!(Issue))
    }

    async fn verify(&self, _: &Region, id: &AccessKeyId, _: &SecretString) -> Answer<CallerIdentity> {
        self.play(Made::Verify(id.clone()), pick!(Verify))
    }

    async fn set_status(&self, _: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()> {
        self.play(Made::SetStatus(id.clone(), status), pick!(SetStatus))
    }

    async fn delete(&self, _: Target<'_>, id: &AccessKeyId) -> Answer<()> {
        self.play(Made::Delete(id.clone()), pick!(Delete))
    }

    async fn last_used(&self, _: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.play(Made::LastUsed(id.clone()), pick!(LastUsed))
    }
}

#[cfg(test)]
mod tests {
    use keywheel_core::aws::Observed;

    use super::*;

    #[tokio::test]
    async fn a_call_takes_the_line_that_was_written_for_it() {
        let scripted = Scripted::new([Line::Verify(Err(AwsFailure {
            kind: FailureKind::Refused,
            code: Some("InvalidClientTokenId".to_owned()),
            message: String::new(),
            aws_date: None,
        }))]);
        let id = AccessKeyId::from_trusted("AKIA");
        let answer = scripted.verify(&Region::default(), &id, &"secret".into()).await;
        assert!(answer.unwrap_err().is("InvalidClientTokenId"));
        assert_eq!(scripted.made(), [Made::Verify(id)]);
        assert!(scripted.complaints().is_empty());
    }

    #[tokio::test]
    async fn a_call_out_of_turn_is_a_failure_and_leaves_the_line_for_its_owner() {
        let scripted = Scripted::new([Line::Delete(Ok(Observed {
            value: (),
            aws_date: None,
        }))]);
        let id = AccessKeyId::from_trusted("AKIA");
        let failure = scripted
            .verify(&Region::default(), &id, &"secret".into())
            .await
            .unwrap_err();
        assert!(failure.message.contains("Delete"), "{failure}");
        assert_eq!(scripted.complaints().len(), 2);
    }
}
