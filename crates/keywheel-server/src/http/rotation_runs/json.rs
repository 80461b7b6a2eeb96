//! Bodies and answers of histories and previews.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::{IdentityId, RunId};
use keywheel_core::ledger::Author;
use keywheel_core::rotation::Trigger;
use keywheel_core::run::{Goal, Outcome};
use keywheel_store::runs::RunStep;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::rotation_runs::ShownRun;
use crate::engine::preview::{Preview, PreviewStep};
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields};

/// Most runs of one answer: all that are kept.
const RUNS_MAX: u32 = keywheel_store::runs::RUNS_KEPT;
/// Runs of an answer unless the request says otherwise.
const RUNS_DEFAULT: i64 = 20;

/// `{runs}`
#[derive(Serialize, ToSchema)]
pub(super) struct RunsAnswer {
    runs: Vec<RunPart>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Run)]
struct RunPart {
    #[schema(value_type = String, format = Uuid)]
    id: RunId,
    goal: String,
    author: AuthorPart,
    node: String,
    /// `running`, `interrupted`, or how it ended.
    outcome: String,
    code: Option<String>,
    message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    steps: Vec<StepPart>,
}

/// Who asked for a run.
#[derive(Serialize, ToSchema)]
#[schema(as = RunAuthor)]
struct AuthorPart {
    /// `platform` for the schedule, or `identity`.
    r#type: &'static str,
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<IdentityId>,
    /// Of the identity, while it is there.
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunStep)]
struct StepPart {
    step: String,
    #[schema(value_type = Option<String>)]
    access_key_id: Option<AccessKeyId>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Time,
    duration_ms: i64,
    times: u32,
    error: Option<String>,
}

impl From<Vec<ShownRun>> for RunsAnswer {
    fn from(runs: Vec<ShownRun>) -> Self {
        Self {
            runs: runs.into_iter().map(RunPart::from).collect(),
        }
    }
}

impl From<ShownRun> for RunPart {
    fn from(shown: ShownRun) -> Self {
        let run = shown.record;
        let (outcome, code, message) = match &run.end {
            Some(end) => (end.outcome.clone(), end.code.clone(), end.message.clone()),
            None if shown.interrupted => ("interrupted".to_owned(), None, None),
            None => ("running".to_owned(), None, None),
        };
        Self {
            id: run.id,
            goal: run.goal,
            author: AuthorPart {
                r#type: match run.author {
                    Author::Platform => "platform",
                    Author::Identity(_) => "identity",
                },
                id: run.author.identity(),
                name: shown.author_name,
            },
            node: run.node,
            outcome,
            code,
            message,
            started_at: Time(run.started_at),
            ended_at: run.end.map(|end| Time(end.at)),
            steps: run.steps.into_iter().map(StepPart::from).collect(),
        }
    }
}

impl From<RunStep> for StepPart {
    fn from(step: RunStep) -> Self {
        Self {
            step: step.step,
            access_key_id: step.key,
            started_at: Time(step.at),
            duration_ms: step.took.get(),
            times: step.times,
            error: step.error,
        }
    }
}

/// `{preview}`
#[derive(Serialize, ToSchema)]
pub(super) struct PreviewAnswer {
    preview: PreviewPart,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Preview)]
struct PreviewPart {
    /// `published`, `settled`, `failed` or `parked`.
    outcome: &'static str,
    code: Option<&'static str>,
    message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Time,
    steps: Vec<PreviewStepPart>,
    /// Keys in the way of later rotations until their owner acts.
    #[schema(value_type = Vec<String>)]
    in_the_way: Vec<AccessKeyId>,
    /// What the rotation after this one would end in.
    #[schema(value_type = Option<Object>)]
    next: Option<Box<PreviewPart>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreviewStep)]
struct PreviewStepPart {
    step: &'static str,
    #[schema(value_type = Option<String>)]
    access_key_id: Option<AccessKeyId>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// `checked` if AWS was really asked, `planned` if not.
    status: &'static str,
    error: Option<String>,
}

impl From<Preview> for PreviewAnswer {
    fn from(preview: Preview) -> Self {
        Self {
            preview: preview.into(),
        }
    }
}

impl From<Preview> for PreviewPart {
    fn from(preview: Preview) -> Self {
        let (outcome, error) = match preview.outcome {
            Outcome::Published => ("published", None),
            Outcome::Revoked => ("revoked", None),
            Outcome::Settled => ("settled", None),
            Outcome::Parked => ("parked", None),
            Outcome::Failed(error) => ("failed", Some(error)),
        };
        Self {
            outcome,
            code: error.as_ref().map(|error| error.code.as_str()),
            message: error.map(|error| error.text),
            ends_at: Time(preview.ends_at),
            steps: preview.steps.into_iter().map(PreviewStepPart::from).collect(),
            in_the_way: preview.in_the_way,
            next: preview.next.map(|next| Box::new((*next).into())),
        }
    }
}

impl From<PreviewStep> for PreviewStepPart {
    fn from(step: PreviewStep) -> Self {
        Self {
            step: step.step,
            access_key_id: step.key,
            at: Time(step.at),
            status: if step.done { "checked" } else { "planned" },
            error: step.error,
        }
    }
}

/// How many runs, and before which one.
pub(super) fn page(mut fields: Fields<'_>) -> Result<(u32, Option<RunId>), ApiError> {
    let limit = fields.or("limit", RUNS_DEFAULT, |f| f.integer(1..=i64::from(RUNS_MAX)));
    let before = fields.optional("before", Field::id);
    fields.finish(|| Ok((u32::try_from(limit?).unwrap_or(RUNS_MAX), before?)))
}

/// `{action, accessKeyId}`: what is to be imagined; a rotation if nothing is said.
pub(super) fn goal(mut fields: Fields<'_>) -> Result<Goal, ApiError> {
    #[derive(Clone, Copy)]
    enum Wanted {
        Rotate,
        RollBack,
        Retire,
    }
    const ACTIONS: [(&str, Wanted); 3] = [
        ("rotate-secrets", Wanted::Rotate),
        ("roll-back", Wanted::RollBack),
        ("retire", Wanted::Retire),
    ];
    let wanted = fields.optional("action", |f| f.one_of(&ACTIONS));
    let key = fields.optional("accessKeyId", |f| f.parsed(AccessKeyId::parse));
    let (wanted, key) = fields.finish(|| Ok((wanted?, key?)))?;
    match (wanted, key) {
        (None | Some(Wanted::Rotate), _) => Ok(Goal::Rotate(Trigger::Manual)),
        (Some(Wanted::RollBack), Some(key)) => Ok(Goal::RollBack { key }),
        (Some(Wanted::Retire), Some(key)) => Ok(Goal::Retire { key }),
        (Some(_), None) => Err(ApiError::bad_request(
            "Name the key to roll back to, or to retire, as accessKeyId",
        )),
    }
}
