//! `keywheel rotations preview`: what would be done, without doing it.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::keys::{KeyArg, find};
use crate::client::{Client, Patience};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, items, printable, table, text};
use crate::resolve::ROTATIONS;
use crate::{resolve, time};

/// Shows the steps that a rotation, a roll-back or a retirement would take; changes nothing
#[derive(Args)]
#[command(after_help = "The exit code is 7 if it would fail.

Examples:
  keywheel rotations preview web-shop-key
  keywheel rotations preview web-shop-key --action rollback")]
pub(crate) struct Preview {
    #[command(flatten)]
    key: KeyArg,
    /// What is to be imagined
    #[arg(long, value_enum, default_value = "rotate")]
    action: Action,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// A new access key
    Rotate,
    /// The previous access key published again
    Rollback,
    /// The previous access key deleted
    Retire,
}

pub(super) async fn run(wanted: &Preview, client: &Client, out: Output) -> Outcome {
    let (id, body) = match wanted.action {
        Action::Rotate => {
            let rotation = resolve::rotation(client, &wanted.key.rotation).await?;
            (text(&rotation, "/id"), json!({"action": "rotate-secrets"}))
        }
        action => {
            let found = find(&wanted.key, client).await?;
            let action = if matches!(action, Action::Retire) {
                "retire"
            } else {
                "roll-back"
            };
            (
                found.rotation_id,
                json!({"action": action, "accessKeyId": found.access_key_id}),
            )
        }
    };
    let answer = client
        .post(&format!("{ROTATIONS}/{id}/preview"), &body, Patience::Rotation)
        .await?;
    told(&answer, out)
}

/// Shows an imagined run. That it would fail is a failure of the command too, so that a program can ask first.
pub(super) fn told(answer: &Value, out: Output) -> Outcome {
    let preview = &answer["preview"];
    out.answer(answer, || shown(preview))?;
    if preview["outcome"] == "failed" || preview["outcome"] == "parked" {
        let words = "it would fail; nothing was changed";
        return Err(Failure::new(Kind::RotationFailed, words));
    }
    Ok(())
}

/// Steps with how often each comes: those of the same kind about the same key are one, with only waits between them,
/// which are none.
fn gathered<'a>(steps: impl Iterator<Item = &'a Value>) -> Vec<(&'a Value, u32)> {
    let mut gathered: Vec<(&Value, u32)> = Vec::new();
    for step in steps.filter(|step| step["step"] != "wait" || !step["error"].is_null()) {
        let is_same = |last: &Value| {
            ["step", "accessKeyId", "status", "error"]
                .iter()
                .all(|field| last[field] == step[field])
        };
        match gathered.last_mut() {
            Some((last, times)) if is_same(last) => *times += 1,
            _ => gathered.push((step, 1)),
        }
    }
    gathered
}

/// The imagined run for people: its steps, and how it would end.
fn shown(preview: &Value) -> String {
    let now = time::now();
    let row = |(step, times): (&Value, u32)| {
        let when = time::since(step["at"].as_str(), now);
        let when = if when.starts_with("in ") {
            when
        } else {
            "now".to_owned()
        };
        let step_text = text(step, "/step");
        [
            if times > 1 {
                format!("{step_text} ×{times}")
            } else {
                step_text
            },
            text(step, "/accessKeyId"),
            when,
            text(step, "/status"),
            text(step, "/error"),
        ]
    };
    let mut shown = table(
        ["STEP", "ACCESS KEY", "WHEN", "", "ERROR"],
        gathered(items(preview, "steps")).into_iter().map(row),
    );
    let message = text(preview, "/message");
    let message = if message.is_empty() {
        message
    } else {
        format!(": {}", printable(&message))
    };
    shown = format!("{shown}\n\n would end: {}{message}", text(preview, "/outcome"));
    for way in items(preview, "inTheWay") {
        shown = format!("{shown}\n in the way: {}", printable(&text(way, "")));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_that_are_repeated_are_one_line_and_waits_are_none() {
        let step = |step: &str, key: &str| json!({"step": step, "accessKeyId": key, "status": "imagined"});
        let steps = [
            step("create", "A"),
            step("verify", "A"),
            step("wait", "A"),
            step("verify", "A"),
            step("verify", "B"),
        ];
        let shown: Vec<_> = gathered(steps.iter())
            .into_iter()
            .map(|(step, times)| (text(step, "/step"), times))
            .collect();
        let wanted =
            [("create", 1), ("verify", 2), ("verify", 1)].map(|(step, times)| (step.to_owned(), times));
        assert_eq!(shown, wanted);
    }
}
