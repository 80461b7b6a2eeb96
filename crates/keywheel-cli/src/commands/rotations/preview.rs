//! `keywheel rotations preview`: what would be done, without doing it.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::keys::{KeyArg, find};
use crate::client::{Client, Patience};
use crate::exit::Outcome;
use crate::output::{Output, items, printable, table, text};
use crate::resolve::ROTATIONS;
use crate::{resolve, time};

/// Shows the steps that a rotation, a roll-back or a retirement would take; changes nothing
#[derive(Args)]
#[command(after_help = "Examples:
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
    out.answer(&answer, || shown(&answer["preview"]))
}

/// The imagined run for people: its steps, and how it would end.
pub(super) fn shown(preview: &Value) -> String {
    let now = time::now();
    let row = |step: &Value| {
        let when = time::since(step["at"].as_str(), now);
        let when = if when.starts_with("in ") {
            when
        } else {
            "now".to_owned()
        };
        [
            text(step, "/step"),
            text(step, "/accessKeyId"),
            when,
            text(step, "/status"),
            text(step, "/error"),
        ]
    };
    let mut shown = table(
        ["STEP", "ACCESS KEY", "WHEN", "", "ERROR"],
        items(preview, "steps").map(row),
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
