//! What a rotation is told to do now.

use serde_json::{Value, json};

use super::keys::{self, Found, KeyArg, find};
use crate::args::{RotationArg, Sure};
use crate::client::{Client, Patience};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, text};
use crate::resolve::ROTATIONS;
use crate::{progress, prompt, resolve};

pub(super) async fn rotate(wanted: &RotationArg, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let (id, name) = (text(&rotation, "/id"), text(&rotation, "/name"));
    let path = format!("{ROTATIONS}/{id}/rotate-secrets");
    let answer = progressing(&path, &id, client, out).await?;
    require_success(&answer)?;
    let secret = text(&answer, "/secretRotation/secretsMapping/accessKeyId");
    out.done(
        &answer,
        format_args!("{name} has a new access key; its id is the secret {secret}"),
    )
}

pub(super) async fn roll_back(wanted: &KeyArg, sure: &Sure, client: &Client, out: Output) -> Outcome {
    let found = find(wanted, client).await?;
    let Found {
        rotation,
        access_key_id: key,
        ..
    } = &found;
    let question = format!("Publish {key} again as the access key of {rotation}?");
    prompt::confirm(&question, sure.yes)?;
    let answer = progressing(&found.at("roll-back"), &found.rotation_id, client, out).await?;
    require_success(&answer)?;
    out.done(&answer, format_args!("{rotation} publishes {key} again"))
}

pub(super) async fn retire(wanted: &KeyArg, sure: &Sure, client: &Client, out: Output) -> Outcome {
    let found = find(wanted, client).await?;
    let Found {
        rotation,
        access_key_id: key,
        ..
    } = &found;
    let question = format!("Deactivate and delete {key} of {rotation} now? Who still uses it is locked out");
    prompt::confirm(&question, sure.yes)?;
    let answer = progressing(&found.at("retire"), &found.rotation_id, client, out).await?;
    out.answer(&answer, || keys::shown(&answer))
}

pub(super) async fn hold(wanted: &KeyArg, reason: Option<&str>, client: &Client, out: Output) -> Outcome {
    let found = find(wanted, client).await?;
    let body = match reason {
        Some(reason) => json!({"reason": reason}),
        None => json!({}),
    };
    let answer = client.post(&found.at("hold"), &body, Patience::Ordinary).await?;
    out.answer(&answer, || keys::shown(&answer))
}

pub(super) async fn release(wanted: &KeyArg, client: &Client, out: Output) -> Outcome {
    let found = find(wanted, client).await?;
    let answer = client
        .post(&found.at("release"), &json!({}), Patience::Ordinary)
        .await?;
    out.answer(&answer, || keys::shown(&answer))
}

/// Has something done at AWS, and shows the steps meanwhile.
async fn progressing(path: &str, rotation: &str, client: &Client, out: Output) -> Outcome<Value> {
    let body = json!({});
    let request = client.post(path, &body, Patience::Rotation);
    let answer = progress::follow(client, rotation, out, request).await;
    answer.map_err(|failure| match failure.kind {
        Kind::Unreachable => failure.while_doing("see keywheel rotations history for how it ended"),
        _ => failure.of_rotation(),
    })
}

fn require_success(answer: &Value) -> Outcome {
    let rotation = &answer["secretRotation"];
    if rotation["rotationStatus"] == "failed" {
        return Err(Failure::new(
            Kind::RotationFailed,
            text(rotation, "/lastRotationMessage"),
        ));
    }
    Ok(())
}
