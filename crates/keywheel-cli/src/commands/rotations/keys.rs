//! The access keys of a rotation's IAM user, and which of them a command means.

use clap::Args;
use serde_json::Value;

use crate::args::RotationArg;
use crate::client::Client;
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{Output, items, table, text};
use crate::resolve::ROTATIONS;
use crate::{resolve, time};

// One access key of a rotation. A doc comment would replace what the commands say about themselves.
#[derive(Args)]
pub(crate) struct KeyArg {
    #[command(flatten)]
    pub(super) rotation: RotationArg,
    /// Id of the access key [default: the previous one]
    #[arg(long, value_name = "ID")]
    key: Option<String>,
}

/// A key that was found.
pub(super) struct Found {
    /// The name of the rotation.
    pub(super) rotation: String,
    pub(super) rotation_id: String,
    pub(super) access_key_id: String,
}

impl Found {
    /// Where the API has it.
    pub(super) fn at(&self, action: &str) -> String {
        format!(
            "{ROTATIONS}/{}/keys/{}/{action}",
            self.rotation_id, self.access_key_id
        )
    }
}

/// The key that was named, or the previous one.
pub(super) async fn find(wanted: &KeyArg, client: &Client) -> Outcome<Found> {
    let rotation = resolve::rotation(client, &wanted.rotation).await?;
    let rotation_id = text(&rotation, "/id");
    let access_key_id = match &wanted.key {
        Some(key) => key.clone(),
        None => previous(&of(&rotation_id, client).await?)?,
    };
    let rotation = text(&rotation, "/name");
    Ok(Found {
        rotation,
        rotation_id,
        access_key_id,
    })
}

async fn of(rotation: &str, client: &Client) -> Outcome<Value> {
    client.get(&format!("{ROTATIONS}/{rotation}/keys"), &[]).await
}

/// The key that was displaced last, of those that there still are.
fn previous(keys: &Value) -> Outcome<String> {
    let is_there = |key: &&Value| key["displacedAt"].is_string() && key["endedAt"].is_null();
    items(keys, "keys")
        .filter(is_there)
        .max_by_key(|key| text(key, "/displacedAt"))
        .map(|key| text(key, "/accessKeyId"))
        .ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                "there is no previous access key; keywheel rotations keys shows all",
            )
        })
}

pub(super) async fn list(wanted: &RotationArg, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let keys = of(&text(&rotation, "/id"), client).await?;
    out.answer(&keys, || shown(&keys))
}

/// The keys for people.
pub(super) fn shown(keys: &Value) -> String {
    let now = time::now();
    let row = |key: &Value| {
        let last_used = match &key["lastUsed"] {
            Value::Null => String::new(),
            used => time::since(used["at"].as_str(), now),
        };
        [
            text(key, "/accessKeyId"),
            text(key, "/state"),
            text(key, "/status"),
            time::since(key["createdAt"].as_str(), now),
            last_used,
            next(key, now),
        ]
    };
    table(
        ["ACCESS KEY", "STATE", "AT AWS", "AGE", "LAST USED", "NEXT"],
        items(keys, "keys").map(row),
    )
}

/// `deactivate in 29 d`, or why nothing happens to it.
fn next(key: &Value, now: jiff::Timestamp) -> String {
    if let Some(reason) = key["held"].as_str() {
        return format!("held: {reason}");
    }
    let change = &key["nextChange"];
    if change.is_null() {
        return String::new();
    }
    let when = time::since(change["at"].as_str(), now);
    let with = if change["withNextRotation"] == true {
        " with the next rotation"
    } else {
        ""
    };
    format!("{} {when}{with}", text(change, "/change"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_previous_key_is_the_one_displaced_last_that_is_still_there() {
        let keys = json!({"keys": [
            {"accessKeyId": "NOW", "displacedAt": null, "endedAt": null},
            {"accessKeyId": "OLDER", "displacedAt": "2026-11-01T00:00:00Z", "endedAt": null},
            {"accessKeyId": "BEFORE", "displacedAt": "2026-11-02T00:00:00Z", "endedAt": null},
            {"accessKeyId": "GONE", "displacedAt": "2026-11-03T00:00:00Z", "endedAt": "2026-11-04T00:00:00Z"}]});
        assert_eq!(previous(&keys).unwrap(), "BEFORE");
        assert_eq!(previous(&json!({"keys": []})).unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn what_happens_next_is_told_with_its_date() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let key = json!({"held": null, "nextChange":
            {"change": "deactivate", "at": "2026-11-24T12:00:00Z", "withNextRotation": true}});
        assert_eq!(next(&key, now), "deactivate in 3 d with the next rotation");
        assert_eq!(
            next(&json!({"held": "in use", "nextChange": null}), now),
            "held: in use"
        );
    }
}
