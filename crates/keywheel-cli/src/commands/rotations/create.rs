//! `keywheel rotations create`: by flags, and by questions about what they leave open.

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::policy::PolicyArgs;
use super::{preview, show};
use crate::args::Place;
use crate::client::{Client, Patience};
use crate::commands::projects::set;
use crate::exit::{Failure, Outcome};
use crate::output::{Output, items, text};
use crate::resolve::ROTATIONS;
use crate::{prompt, resolve};

/// Makes a rotation, with a new access key for its IAM user
///
/// What is left out is asked for on a terminal.
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel rotations create
  keywheel rotations create web-shop-key --env prod --connection production --user web-shop --every 30
  keywheel rotations create web-shop-key --env prod --connection production --user web-shop --preview")]
pub(crate) struct Create {
    /// Its name: small letters, digits and hyphens
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Name or id of the connection
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<String>,
    /// Name of the IAM user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Region of the user's applications, where new keys are tried
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Days from one rotation to the next
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Time of day, UTC
    #[arg(long, value_name = "HH:MM", default_value = "00:00", value_parser = read_time)]
    at: Time,
    /// Rotate only when asked to
    #[arg(long)]
    manual: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Name of the secret with the access key id
    #[arg(long, value_name = "NAME", default_value = "AWS_ACCESS_KEY_ID")]
    id_secret: String,
    /// Name of the secret with the secret access key
    #[arg(long, value_name = "NAME", default_value = "AWS_SECRET_ACCESS_KEY")]
    key_secret: String,
    /// Begin with an access key that the user has; its secret is asked for, or read from standard input
    #[arg(long, value_name = "ID", conflicts_with = "hand_over")]
    import: Option<String>,
    /// Take over an access key that the user has, and retire it after a new one is published
    #[arg(long, value_name = "ID")]
    hand_over: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Only show what would be done
    #[arg(long)]
    preview: bool,
}

/// Hours and minutes.
pub(super) type Time = (u8, u8);

/// Reads `04:30`.
pub(super) fn read_time(text: &str) -> Result<Time, String> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): Time = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some((hours, minutes))
    };
    read().ok_or_else(|| "expected hours and minutes, such as 04:30".to_owned())
}

/// A time of day as the API wants it.
pub(super) fn at_utc((hours, minutes): Time) -> Value {
    json!({"hours": hours, "minutes": minutes})
}

pub(super) async fn run(wanted: Create, client: &Client, out: Output) -> Outcome {
    let is_preview = wanted.preview;
    let body = body(wanted, client).await?;
    if is_preview {
        let answer = client
            .post(&format!("{ROTATIONS}/preview"), &body, Patience::Rotation)
            .await?;
        return preview::told(&answer, out);
    }
    out.note("making an access key and trying it; this takes some seconds at AWS");
    let made = client
        .post(ROTATIONS, &body, Patience::Rotation)
        .await
        .map_err(Failure::of_rotation)?;
    let rotation = &made["secretRotation"];
    // It is made: not to know how it stands is no failure.
    let state = resolve::state(client, rotation).await.unwrap_or_default();
    out.answer(&made, || show::shown(rotation, state, String::new()))
}

async fn body(wanted: Create, client: &Client) -> Outcome<Value> {
    let name = match &wanted.name {
        Some(name) => name.clone(),
        None => prompt::ask("Name of the rotation:", "the name as an argument")?,
    };
    let place = resolve::place(client, &wanted.place).await?;
    let connection = connection(wanted.connection.as_deref(), &place.project, client).await?;
    let user = user(wanted.user.as_deref(), &connection, client).await?;
    let mut body = place.body();
    body["name"] = name.into();
    body["connectionId"] = connection.into();
    body["parameters"] = json!({"userName": user});
    set(&mut body["parameters"], "region", wanted.region);
    body["rotationInterval"] = wanted.every.into();
    body["rotateAtUtc"] = at_utc(wanted.at);
    body["isAutoRotationEnabled"] = (!wanted.manual).into();
    body["secretsMapping"] = json!({"accessKeyId": wanted.id_secret, "secretAccessKey": wanted.key_secret});
    set(&mut body, "description", wanted.description);
    set(&mut body, "policy", wanted.policy.body());
    if let Some(adoption) = adoption(wanted.import, wanted.hand_over)? {
        body["adoption"] = adoption;
    }
    Ok(body)
}

/// The connection that was named, or one of those that the project may use.
async fn connection(wanted: Option<&str>, project: &str, client: &Client) -> Outcome<String> {
    if let Some(id) = wanted.filter(|wanted| resolve::is_id(wanted)) {
        return Ok(id.to_owned());
    }
    let path = "/api/v1/app-connections/aws/available";
    let usable = client
        .list(path, &[("projectId", project)], "appConnections")
        .await?;
    let usable: Vec<_> = items(&usable, "appConnections").collect();
    let names: Vec<_> = usable.iter().map(|one| text(one, "/name")).collect();
    let chosen = match wanted {
        Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
            Failure::usage(format!(
                "the project may not use a connection {wanted:?}; it may use: {}",
                names.join(", ")
            ))
        })?,
        None if names.is_empty() => {
            return Err(Failure::usage(
                "there is no connection yet; see keywheel connections create --help",
            ));
        }
        None => prompt::choose("Connection:", "--connection", &names)?,
    };
    Ok(text(usable[chosen], "/id"))
}

/// The IAM user that was named, or one of the account's.
async fn user(wanted: Option<&str>, connection: &str, client: &Client) -> Outcome<String> {
    if let Some(user) = wanted {
        return Ok(user.to_owned());
    }
    if !prompt::is_interactive() {
        return prompt::ask("IAM user:", "--user");
    }
    let path = format!("/api/v1/app-connections/aws/{connection}/users");
    // Without the permission to list users they can still be named.
    let users = client.get(&path, &[]).await.unwrap_or_default();
    let mut users: Vec<_> = items(&users, "iamUsers")
        .map(|user| text(user, "/UserName"))
        .collect();
    if users.is_empty() {
        return prompt::ask("IAM user:", "--user");
    }
    let chosen = prompt::choose("IAM user:", "--user", &users)?;
    Ok(users.swap_remove(chosen))
}

fn adoption(import: Option<String>, hand_over: Option<String>) -> Outcome<Option<Value>> {
    if let Some(id) = import {
        let secret = if prompt::is_interactive() {
            prompt::ask_secret(
                &format!("Secret access key of {id}:"),
                "the secret on standard input",
            )?
        } else {
            prompt::secret_of_stdin()?
        };
        let secret = secret.expose_secret();
        return Ok(Some(
            json!({"mode": "import", "accessKeyId": id, "secretAccessKey": secret}),
        ));
    }
    Ok(hand_over.map(|id| json!({"mode": "hand-over", "accessKeyId": id})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_hours_and_minutes() {
        assert_eq!(read_time("04:30"), Ok((4, 30)));
        for wrong in ["24:00", "4", "04:60", "a:b", "-1:00"] {
            assert!(read_time(wrong).is_err(), "{wrong}");
        }
    }
}
