//! `keywheel rotations update`, `pause`, `resume` and `delete`.

use clap::Args;
use serde_json::{Value, json};

use super::create::{Time, at_utc, read_time};
use super::policy::PolicyArgs;
use super::show::{next, schedule};
use crate::args::{RotationArg, Sure};
use crate::client::{Client, Patience};
use crate::commands::projects::set;
use crate::exit::{Failure, Outcome};
use crate::output::{Output, text};
use crate::resolve::ROTATIONS;
use crate::{prompt, resolve};

/// Changes a rotation; what is not given stays as it is
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel rotations update web-shop-key --every 60 --at 04:30
  keywheel rotations update web-shop-key --retirement grace --grace-hours 48")]
pub(crate) struct Update {
    #[command(flatten)]
    rotation: RotationArg,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Days from one rotation to the next
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,
    /// Time of day, UTC
    #[arg(long, value_name = "HH:MM", value_parser = read_time)]
    at: Option<Time>,
    /// Another connection, which has to reach the same IAM user
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// Another name of the secret with the access key id
    #[arg(long, value_name = "NAME")]
    id_secret: Option<String>,
    /// Another name of the secret with the secret access key
    #[arg(long, value_name = "NAME")]
    key_secret: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
}

pub(super) async fn update(wanted: Update, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, &wanted.rotation).await?;
    let mut body = json!({});
    set(&mut body, "name", wanted.name);
    set(&mut body, "description", wanted.description);
    set(&mut body, "rotationInterval", wanted.every);
    set(&mut body, "rotateAtUtc", wanted.at.map(at_utc));
    if let Some(connection) = wanted.connection {
        body["connectionId"] = resolve::connection(client, &connection).await?["id"].clone();
    }
    if wanted.id_secret.is_some() || wanted.key_secret.is_some() {
        let mut mapping = rotation["secretsMapping"].clone();
        set(&mut mapping, "accessKeyId", wanted.id_secret);
        set(&mut mapping, "secretAccessKey", wanted.key_secret);
        body["secretsMapping"] = mapping;
    }
    let policy = wanted.policy.body();
    if body == json!({}) && policy.is_none() {
        return Err(Failure::usage(
            "nothing to change was given; see keywheel rotations update --help",
        ));
    }
    // The waits of the policy have to fit into the interval: of the two, what makes room comes first.
    let before = rotation["rotationInterval"].as_u64();
    let is_shorter = wanted.every.is_some_and(|every| Some(u64::from(every)) < before);
    if is_shorter {
        change_policy(&rotation, policy.as_ref(), client).await?;
    }
    let changed = if body == json!({}) {
        json!({"secretRotation": rotation})
    } else {
        patch(&rotation, &body, client).await?
    };
    if !is_shorter {
        change_policy(&rotation, policy.as_ref(), client).await?;
    }
    let rotation = &changed["secretRotation"];
    let (name, schedule, next) = (text(rotation, "/name"), schedule(rotation), next(rotation));
    out.done(&changed, format_args!("changed {name}: {schedule}, next {next}"))
}

async fn change_policy(rotation: &Value, policy: Option<&Value>, client: &Client) -> Outcome {
    if let Some(policy) = policy {
        let path = format!("{ROTATIONS}/{}/policy", text(rotation, "/id"));
        client.patch(&path, policy, Patience::Ordinary).await?;
    }
    Ok(())
}

pub(super) async fn set_automatic(wanted: &RotationArg, on: bool, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let changed = patch(&rotation, &json!({"isAutoRotationEnabled": on}), client).await?;
    let name = text(&changed, "/secretRotation/name");
    let next = text(&changed, "/secretRotation/nextRotationAt");
    if on {
        out.done(&changed, format_args!("{name} rotates by itself, next at {next}"))
    } else {
        out.done(&changed, format_args!("{name} rotates only when asked to"))
    }
}

async fn patch(rotation: &Value, body: &Value, client: &Client) -> Outcome<Value> {
    let path = format!("{ROTATIONS}/{}", text(rotation, "/id"));
    client
        .patch(&path, body, Patience::Rotation)
        .await
        .map_err(Failure::of_rotation)
}

/// Deletes a rotation; its secrets and access keys stay unless their end is asked for
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel rotations delete old-key --yes
  keywheel rotations delete old-key --delete-secrets --revoke-keys")]
pub(crate) struct Delete {
    #[command(flatten)]
    rotation: RotationArg,
    /// Delete the two secrets too
    #[arg(long = "delete-secrets")]
    with_secrets: bool,
    /// Delete its access keys at AWS too: whoever uses them is locked out
    #[arg(long = "revoke-keys")]
    with_keys: bool,
    #[command(flatten)]
    sure: Sure,
}

pub(super) async fn delete(wanted: Delete, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, &wanted.rotation).await?;
    let name = text(&rotation, "/name");
    let secrets = if wanted.with_secrets { ", its secrets" } else { "" };
    let keys = if wanted.with_keys {
        " and its access keys at AWS"
    } else {
        ""
    };
    prompt::confirm(
        &format!("Delete the rotation {name}{secrets}{keys}?"),
        wanted.sure.yes,
    )?;
    let query = [
        (
            "deleteSecrets",
            if wanted.with_secrets { "true" } else { "false" },
        ),
        (
            "revokeGeneratedCredentials",
            if wanted.with_keys { "true" } else { "false" },
        ),
    ];
    let path = format!("{ROTATIONS}/{}", text(&rotation, "/id"));
    let gone = client
        .delete(&path, &query, None)
        .await
        .map_err(Failure::of_rotation)?;
    out.done(&gone, format_args!("deleted {name}"))
}
