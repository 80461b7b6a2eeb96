//! Looks at rotations and at what they did.

use serde_json::{Value, json};

use super::policy::sentence;
use crate::args::{InProject, RotationArg};
use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{Output, items, properties, table, text};
use crate::progress::step_lines;
use crate::resolve::ROTATIONS;
use crate::{resolve, time};

pub(super) async fn list(project: &InProject, client: &Client, out: Output) -> Outcome {
    let project = match &project.project {
        Some(_) => Some(text(&resolve::project(client, project).await?, "/id")),
        None => None,
    };
    let query: Vec<_> = project.iter().map(|id| ("projectId", id.as_str())).collect();
    let all = resolve::search(client, &query).await?;
    if items(&all, "rotations").next().is_none() {
        out.note("no rotations yet; make one with: keywheel rotations create");
    }
    let now = time::now();
    out.answer(&all, || {
        let row = |one: &Value| {
            [
                text(one, "/name"),
                text(one, "/state"),
                text(one, "/userName"),
                time::since(one["lastRotatedAt"].as_str(), now),
                time::since(one["nextRotationAt"].as_str(), now),
                text(one, "/connection/name"),
                format!("{} {}", text(one, "/environment/slug"), text(one, "/secretPath")),
            ]
        };
        let headings = [
            "NAME",
            "STATE",
            "IAM USER",
            "ROTATED",
            "NEXT",
            "CONNECTION",
            "PLACE",
        ];
        table(headings, items(&all, "rotations").map(row))
    })
}

pub(super) async fn get(wanted: &RotationArg, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let state = resolve::state(client, &rotation).await?;
    let path = format!("{ROTATIONS}/{}/policy", text(&rotation, "/id"));
    let policy = client.get(&path, &[]).await?["policy"].clone();
    let answer = json!({"secretRotation": rotation, "policy": policy});
    out.answer(&answer, || shown(&rotation, state, sentence(&policy)))
}

/// `every 30 d at 04:30 UTC`
pub(super) fn schedule(rotation: &Value) -> String {
    let time = |part: &str| rotation["rotateAtUtc"][part].as_f64().unwrap_or_default();
    let days = text(rotation, "/rotationInterval");
    format!(
        "every {days} d at {:02}:{:02} UTC",
        time("hours"),
        time("minutes")
    )
}

/// `in 3 d`: when the schedule rotates next.
pub(super) fn next(rotation: &Value) -> String {
    match time::since(rotation["nextRotationAt"].as_str(), time::now()) {
        none if none.is_empty() => "only when asked for".to_owned(),
        next => next,
    }
}

/// All of a rotation that matters to people. What is empty is left out.
pub(super) fn shown(rotation: &Value, state: String, policy: String) -> String {
    let now = time::now();
    properties([
        ("name", text(rotation, "/name")),
        ("id", text(rotation, "/id")),
        ("description", text(rotation, "/description")),
        ("state", state),
        ("message", text(rotation, "/lastRotationMessage")),
        ("IAM user", text(rotation, "/parameters/userName")),
        ("connection", text(rotation, "/connection/name")),
        ("environment", text(rotation, "/environment/slug")),
        ("folder", text(rotation, "/folder/path")),
        ("access key id in", text(rotation, "/secretsMapping/accessKeyId")),
        ("secret in", text(rotation, "/secretsMapping/secretAccessKey")),
        ("schedule", schedule(rotation)),
        ("previous key", policy),
        ("rotated", time::since(rotation["lastRotatedAt"].as_str(), now)),
        ("next", next(rotation)),
    ])
}

pub(super) async fn history(
    wanted: &RotationArg,
    limit: u8,
    steps: bool,
    client: &Client,
    out: Output,
) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let path = format!("{ROTATIONS}/{}/runs", text(&rotation, "/id"));
    let runs = client.get(&path, &[("limit", &limit.to_string())]).await?;
    out.answer(&runs, || {
        if steps {
            with_steps(&runs)
        } else {
            runs_table(items(&runs, "runs"))
        }
    })
}

fn with_steps(runs: &Value) -> String {
    let one = |run: &Value| {
        let lines = step_lines(run);
        format!("{}\n{}", runs_table(std::iter::once(run)), lines.join("\n"))
    };
    items(runs, "runs").map(one).collect::<Vec<_>>().join("\n\n")
}

fn runs_table<'a>(runs: impl Iterator<Item = &'a Value>) -> String {
    let now = time::now();
    let row = |run: &Value| {
        let author = match run["author"]["type"].as_str() {
            Some("platform") => "schedule".to_owned(),
            _ => run["author"]["name"].as_str().unwrap_or("gone").to_owned(),
        };
        [
            time::since(run["startedAt"].as_str(), now),
            text(run, "/goal"),
            text(run, "/outcome"),
            duration(run).map(time::took).unwrap_or_default(),
            author,
            text(run, "/message"),
        ]
    };
    table(["AGO", "GOAL", "OUTCOME", "TOOK", "BY", "MESSAGE"], runs.map(row))
}

/// From the start of a run to its end, in milliseconds.
fn duration(run: &Value) -> Option<i64> {
    let moment = |field: &str| run[field].as_str()?.parse::<jiff::Timestamp>().ok();
    Some(moment("endedAt")?.as_millisecond() - moment("startedAt")?.as_millisecond())
}
