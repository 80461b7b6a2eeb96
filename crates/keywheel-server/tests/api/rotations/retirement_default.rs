//! How new rotations treat displaced keys unless they say otherwise.

use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, with};
use crate::support::text;

const DEFAULT: &str = "/api/v1/organization/retirement-default";

async fn policy(stage: &Stage, changes: Value) -> Value {
    let made = stage.create(changes).await.ok();
    let id = text(&made["secretRotation"]["id"]);
    let found = stage.admin().get(&format!("{ROTATIONS}/{id}/policy")).await.ok();
    let policy = found["policy"].clone();
    stage.delete(&id, "").await.ok();
    stage.clear().await;
    json!({"retirement": policy["retirement"], "whenStillUsed": policy["whenStillUsed"]})
}

#[tokio::test]
async fn new_rotations_have_the_default_unless_they_say_otherwise_or_it_does_not_fit() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    let contract = json!({"retirement": {"mode": "next-rotation"}, "whenStillUsed": {"action": "warn"}});
    assert_eq!(admin.get(DEFAULT).await.ok()["retirementDefault"], contract);
    assert_eq!(policy(&stage, json!({})).await, contract);

    let wanted = json!({
        "retirement": {"mode": "grace", "graceHours": 48, "quarantineHours": 24},
        "whenStillUsed": {"action": "hold", "hoursMax": 72},
    });
    assert_eq!(
        admin.put(DEFAULT, wanted.clone()).await.ok()["retirementDefault"],
        wanted
    );
    assert_eq!(admin.get(DEFAULT).await.ok()["retirementDefault"], wanted);
    assert_eq!(policy(&stage, json!({})).await, wanted);
    let own = json!({"policy": {"retirement": {"mode": "next-rotation"}}});
    let mixed = json!({"retirement": {"mode": "next-rotation"}, "whenStillUsed": wanted["whenStillUsed"]});
    assert_eq!(policy(&stage, own).await, mixed);
    assert_eq!(policy(&stage, json!({"rotationInterval": 3})).await, mixed);

    // An owner who says something of it is taken at the word, beside what the default has.
    let short = json!({"rotationInterval": 2, "policy": {"retirement": {"graceHours": 12}}});
    let shortened = json!({"mode": "grace", "graceHours": 12, "quarantineHours": 24});
    assert_eq!(policy(&stage, short.clone()).await["retirement"], shortened);
    let long = stage.create(with(short, json!({"rotationInterval": 1}))).await;
    assert!(long.refusal(400).contains("Shorten them in the policy"));

    assert_eq!(
        admin.put(DEFAULT, json!({})).await.ok()["retirementDefault"],
        contract
    );
}

#[tokio::test]
async fn a_default_that_could_be_of_no_rotation_is_refused_once_it_is_known_who_asks() {
    let stage = Stage::set().await;
    let (admin, member) = (stage.admin(), stage.member("admin").await);
    for (wanted, reason) in [
        (
            json!({"retirement": {"mode": "grace", "graceHours": 876_000, "quarantineHours": 1}}),
            "no interval",
        ),
        (json!({"retirement": {"graceHours": 48}}), "Give the mode"),
        (json!({"whenStillUsed": {"hoursMax": 48}}), "Give the action"),
    ] {
        let refused = member.put(DEFAULT, wanted.clone()).await;
        refused.refusal(403);
        assert!(admin.put(DEFAULT, wanted).await.refusal(400).contains(reason));
    }
    let path = "/api/v1/organization/audit-logs?eventType=update-secret-rotation-retirement-default";
    let entries = admin.get(path).await.ok();
    assert_eq!(
        entries["auditLogs"].as_array().map(Vec::len),
        Some(6),
        "{entries}"
    );
}

#[tokio::test]
async fn rotations_that_are_there_keep_their_policy_when_the_default_changes() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let path = format!("{ROTATIONS}/{id}/policy");
    let before = stage.admin().get(&path).await.ok();
    let wanted = json!({"retirement": {"mode": "grace"}});
    stage.admin().put(DEFAULT, wanted).await.ok();
    assert_eq!(stage.admin().get(&path).await.ok(), before);
    // Where the policy of a rotation came from can be told later.
    stage.create(json!({"name": "later", "parameters": {"userName": "other-app"}, "secretsMapping": {"accessKeyId": "A", "secretAccessKey": "B"}})).await;
    for (event, told) in [
        (
            "update-secret-rotation-retirement-default",
            "/retirementDefault/retirement/mode",
        ),
        ("create-secret-rotation", "/policy/retirement/mode"),
    ] {
        let path = format!("/api/v1/organization/audit-logs?eventType={event}&limit=1");
        let found = stage.admin().get(&path).await.ok();
        let metadata = &found["auditLogs"][0]["event"]["metadata"];
        assert_eq!(metadata.pointer(told), Some(&json!("grace")), "{metadata}");
    }
}
