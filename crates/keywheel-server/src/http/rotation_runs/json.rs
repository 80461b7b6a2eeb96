//! Bodies and answers of histories and previews.

use keywheel_core::aws::AccessKeyId;
use keywheel_core::ids::RunId;
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
use crate::http::extract::Body;

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
    #[schema(value_type = Object)]
    author: Author,
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
            author: run.author,
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

/// What is to be imagined; a rotation if nothing is said.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the shape of what `goal` reads")]
pub(super) struct PreviewBody {
    /// `rotate-secrets`, `roll-back` or `retire`.
    action: Option<String>,
    /// The key to roll back to or to retire.
    access_key_id: Option<String>,
}

/// `{action, accessKeyId}`: what is to be imagined; a rotation if nothing is said.
pub(super) fn goal(body: &Body) -> Result<Goal, ApiError> {
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
    let mut fields = body.fields();
    let wanted = fields.optional("action", |f| f.one_of(&ACTIONS));
    let wanted = wanted.map(|wanted| wanted.unwrap_or(Wanted::Rotate));
    if matches!(wanted, Ok(Wanted::Rotate)) {
        return fields.finish(|| Ok(Goal::Rotate(Trigger::Manual)));
    }
    let key = fields.required("accessKeyId", |f| f.parsed(AccessKeyId::parse));
    fields.finish(|| {
        let key = key?;
        Ok(match wanted? {
            Wanted::Rotate => Goal::Rotate(Trigger::Manual),
            Wanted::RollBack => Goal::RollBack { key },
            Wanted::Retire => Goal::Retire { key },
        })
    })
}
