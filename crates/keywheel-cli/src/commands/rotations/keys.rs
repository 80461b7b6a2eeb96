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

pub(super) async fn list(wanted: &RotationArg, ask_aws: bool, client: &Client, out: Output) -> Outcome {
    let rotation = resolve::rotation(client, wanted).await?;
    let mut keys = of(&text(&rotation, "/id"), client).await?;
    if ask_aws {
        let path = format!(
            "/api/v1/app-connections/aws/{}/users/{}/keys",
            text(&rotation, "/connectionId"),
            text(&rotation, "/parameters/userName")
        );
        let at_aws = client.get(&path, &[]).await?;
        take_last_use(&mut keys, &at_aws, &time::now().to_string());
    }
    out.answer(&keys, || shown(&keys))
}

/// Puts what AWS says of the last use of each key in place of what the ledger knows.
fn take_last_use(keys: &mut Value, at_aws: &Value, now: &str) {
    for key in keys["keys"].as_array_mut().into_iter().flatten() {
        let told = items(at_aws, "accessKeys").find(|told| told["accessKeyId"] == key["accessKeyId"]);
        let Some(told) = told else { continue };
        key["lastUsedCheckedAt"] = now.into();
        // The ledger knows of this one whose it was.
        if key["lastUsed"]["at"] != told["lastUsed"]["at"] {
            key["lastUsed"] = told["lastUsed"].clone();
        }
    }
}

/// The keys for people.
pub(super) fn shown(keys: &Value) -> String {
    let now = time::now();
    let row = |key: &Value| {
        [
            text(key, "/accessKeyId"),
            text(key, "/state"),
            text(key, "/status"),
            time::since(key["createdAt"].as_str(), now),
            last_used(key, now),
            next(key, now),
        ]
    };
    table(
        ["ACCESS KEY", "STATE", "AT AWS", "AGE", "LAST USED", "NEXT"],
        items(keys, "keys").map(row),
    )
}

/// `3 d, s3`, or that nobody knows: AWS is asked about keys that are about to go, or with `--ask-aws`.
fn last_used(key: &Value, now: jiff::Timestamp) -> String {
    let used = &key["lastUsed"];
    if used.is_object() {
        let by = if used["byKeywheel"] == true {
            ", a check of Keywheel's"
        } else {
            ""
        };
        let age = time::since(used["at"].as_str(), now);
        return format!("{age}, {}{by}", text(used, "/service"));
    }
    match (&key["status"], &key["lastUsedCheckedAt"]) {
        (Value::Null, _) => String::new(),
        (_, Value::Null) => "not asked".to_owned(),
        _ => "never".to_owned(),
    }
}

/// What happens to it next, and when; or why nothing does. The console says it in the same words.
fn next(key: &Value, now: jiff::Timestamp) -> String {
    if let Some(reason) = key["held"].as_str() {
        return format!("held: {reason}");
    }
    if key["blocksRotation"] == true {
        return "in the way of the next rotation".to_owned();
    }
    let change = &key["nextChange"];
    let what = match (change["change"].as_str(), change["withNextRotation"] == true) {
        (Some("deactivate"), true) => "deactivated and deleted with the next rotation",
        (Some("deactivate"), false) => "deactivated",
        (Some(_), true) => "deleted with the next rotation",
        (Some(_), false) => "deleted",
        (None, _) if key["state"] == "published" => "displaced by the next rotation",
        (None, _) => "",
    };
    match time::since(change["at"].as_str(), now) {
        none if none.is_empty() => what.to_owned(),
        when => format!("{what}, {when}"),
    }
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
        let change = |change: &str, with: bool| json!({"nextChange": {"change": change, "at": "2026-11-24T12:00:00Z", "withNextRotation": with}});
        for (key, told) in [
            (
                change("deactivate", true),
                "deactivated and deleted with the next rotation, in 3 d",
            ),
            (change("deactivate", false), "deactivated, in 3 d"),
            (change("delete", false), "deleted, in 3 d"),
            (json!({"state": "published"}), "displaced by the next rotation"),
            (
                json!({"state": "unmanaged", "blocksRotation": true}),
                "in the way of the next rotation",
            ),
            (json!({"held": "in use"}), "held: in use"),
            (json!({"state": "deleted"}), ""),
        ] {
            assert_eq!(next(&key, now), told);
        }
    }

    #[test]
    fn the_last_use_is_told_with_what_is_not_known() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let used = |by: Value| json!({"at": "2026-11-18T12:00:00Z", "service": "s3", "byKeywheel": by});
        for (key, told) in [
            (
                json!({"status": "Active", "lastUsedCheckedAt": null}),
                "not asked",
            ),
            (
                json!({"status": "Active", "lastUsedCheckedAt": "2026-11-21T11:00:00Z"}),
                "never",
            ),
            (json!({"status": null}), ""),
            (
                json!({"status": "Active", "lastUsed": used(json!(false))}),
                "3 d, s3",
            ),
            (
                json!({"status": "Active", "lastUsed": used(json!(true))}),
                "3 d, s3, a check of Keywheel's",
            ),
        ] {
            assert_eq!(last_used(&key, now), told);
        }
    }

    #[test]
    fn what_aws_says_of_the_last_use_wins_over_the_ledger() {
        let known = json!({"at": "2026-11-18T12:00:00Z", "service": "sts", "byKeywheel": true});
        let newer = json!({"at": "2026-11-20T12:00:00Z", "service": "s3"});
        let mut keys = json!({"keys": [{"accessKeyId": "A", "lastUsed": known}, {"accessKeyId": "B", "lastUsed": known},
            {"accessKeyId": "GONE", "lastUsed": known}]});
        let same = json!({"at": "2026-11-18T12:00:00Z", "service": "sts"});
        let at_aws = json!({"accessKeys": [{"accessKeyId": "A", "lastUsed": newer}, {"accessKeyId": "B", "lastUsed": same}]});
        take_last_use(&mut keys, &at_aws, "2026-11-21T12:00:00Z");
        let uses: Vec<_> = items(&keys, "keys").map(|key| &key["lastUsed"]).collect();
        assert_eq!(uses, [&newer, &known, &known]);
    }
}
