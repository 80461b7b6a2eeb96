//! Changing a rotation (contract, section 5.6; rules D12, D13 and D14).

use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, UNKNOWN, USER, connection, with};
use crate::support::text;

fn mapping(access_key_id: &str, secret_access_key: &str) -> Value {
    json!({"secretsMapping": {"accessKeyId": access_key_id, "secretAccessKey": secret_access_key}})
}

#[tokio::test]
async fn an_empty_update_is_accepted_and_touches_the_time_only() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.shown(&id).await;
    stage.app.pass(Millis::from_secs(60));
    let after = stage.update(&id, json!({})).await.ok()["secretRotation"].clone();
    let touched = json!({"updatedAt": "2026-03-10T09:31:00.000Z"});
    assert_eq!(after, with(before, touched));
}

#[tokio::test]
async fn an_update_makes_no_call_to_aws() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    let everything = json!({"name": "renamed", "description": "d", "isAutoRotationEnabled": false,
        "rotationInterval": 7, "rotateAtUtc": {"hours": 1, "minutes": 2},
        "parameters": {"userName": USER, "region": "eu-west-1"},
        "secretsMapping": {"accessKeyId": "NEW_ID", "secretAccessKey": "NEW_SECRET"}});
    let after = stage.update(&id, everything.clone()).await.ok()["secretRotation"].clone();
    for (field, value) in everything.as_object().unwrap() {
        assert_eq!(&after[field], value, "{field}");
    }
    assert_eq!(stage.shown(&id).await, after);
    assert_eq!(stage.iam.calls(), []);
}

#[tokio::test]
async fn absent_is_unchanged_and_null_clears_the_description() {
    let stage = Stage::set().await;
    let id = text(&stage.create(json!({"description": "d"})).await.ok()["secretRotation"]["id"]);
    let described = async |body: Value| {
        let after = stage.update(&id, body).await.ok();
        after["secretRotation"]["description"].clone()
    };
    assert_eq!(described(json!({"name": "demo"})).await, "d");
    assert_eq!(described(json!({"description": ""})).await, "");
    assert_eq!(described(json!({"description": null})).await, Value::Null);
}

#[tokio::test]
async fn a_name_that_is_taken_is_400_and_its_own_is_fine() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.other_rotation().await;
    let text = "A Secret Rotation with the name \"other\" already exists at the secret path \"/aws\"";
    let seen = stage.update(&id, json!({"name": "other"})).await;
    seen.refused(400, "BadRequest", text);
    stage.update(&id, json!({"name": "demo"})).await.ok();
}

#[tokio::test]
async fn the_iam_user_cannot_be_changed_and_the_same_one_is_fine() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.add_user("other-app");
    let text = stage
        .update(&id, json!({"parameters": {"userName": "other-app"}}))
        .await
        .refusal(400);
    assert!(
        text.contains("IAM user") && text.contains("cannot be changed"),
        "{text}"
    );
    // IAM does not regard case.
    stage
        .update(&id, json!({"parameters": {"userName": "DEMO-app"}}))
        .await
        .ok();
    assert_eq!(stage.shown(&id).await["parameters"]["userName"], USER);
}

#[tokio::test]
async fn parameters_without_a_region_keep_the_stored_one() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let region = async |parameters: Value| {
        let after = stage.update(&id, json!({"parameters": parameters})).await.ok();
        after["secretRotation"]["parameters"]["region"].clone()
    };
    assert_eq!(
        region(json!({"userName": USER, "region": "eu-west-1"})).await,
        "eu-west-1"
    );
    assert_eq!(region(json!({"userName": USER})).await, "eu-west-1");
}

#[tokio::test]
async fn a_new_mapping_renames_both_secrets_and_keeps_their_values() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.secrets().await;
    stage.update(&id, mapping("NEW_ID", "NEW_SECRET")).await.ok();
    let after = stage.secrets().await;
    assert_eq!(after.keys().collect::<Vec<_>>(), ["NEW_ID", "NEW_SECRET"]);
    for (old, new) in [
        ("AWS_ACCESS_KEY_ID", "NEW_ID"),
        ("AWS_SECRET_ACCESS_KEY", "NEW_SECRET"),
    ] {
        assert_eq!(after[new]["secretValue"], before[old]["secretValue"]);
        assert_eq!(after[new]["id"], before[old]["id"]);
    }
}

#[tokio::test]
async fn the_two_names_can_be_swapped_and_one_of_them_kept() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, secret) = stage.published().await;
    let value = async |name: &str| text(&stage.secrets().await[name]["secretValue"]);
    stage
        .update(&id, mapping("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"))
        .await
        .ok();
    assert_eq!(value("AWS_SECRET_ACCESS_KEY").await, key);
    assert_eq!(value("AWS_ACCESS_KEY_ID").await, secret);
    stage
        .update(&id, mapping("AWS_SECRET_ACCESS_KEY", "THIRD"))
        .await
        .ok();
    assert_eq!(value("THIRD").await, secret);
    assert_eq!(stage.secrets().await.len(), 2);
    // The next run writes under the names of now.
    stage.rotate(&id).await.ok();
    assert_eq!(value("AWS_SECRET_ACCESS_KEY").await, stage.iam.key_ids(USER)[1]);
}

#[tokio::test]
async fn a_mapping_that_would_collapse_or_cover_a_secret_is_400_and_changes_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let secret =
        json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/aws", "secretValue": "x"});
    stage.admin().post("/api/v3/secrets/raw/TAKEN", secret).await.ok();
    let before = (stage.shown(&id).await, stage.secrets().await);
    let text = "Secrets mapping keys must be unique. \"A, A\" contains duplicate keys.";
    let seen = stage.update(&id, mapping("A", "A")).await;
    seen.refused(400, "BadRequest", text);
    for names in [mapping("TAKEN", "B"), mapping("AWS_SECRET_ACCESS_KEY", "TAKEN")] {
        let text = "The following secrets already exist at the path \"/aws\": TAKEN";
        let seen = stage.update(&id, names).await;
        seen.refused(400, "BadRequest", text);
    }
    assert_eq!((stage.shown(&id).await, stage.secrets().await), before);
}

#[tokio::test]
async fn the_same_place_and_connection_are_no_change_however_the_path_is_written() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for path in ["/aws", "/aws/", "aws", "//aws//"] {
        let body = json!({"connectionId": stage.connection, "environment": "dev", "secretPath": path});
        let after = stage.update(&id, body).await.ok();
        assert_eq!(after["secretRotation"]["folder"]["path"], "/aws", "{path}");
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn another_place_or_connection_is_carried_out_or_refused_and_never_ignored() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let other = connection(&stage.admin(), "other", "AKIAOTHER", &json!(null)).await;
    for (field, value, pointer) in [
        ("connectionId", json!(other), "/connection/id"),
        ("environment", json!("moon"), "/environment/slug"),
        ("secretPath", json!("/nowhere"), "/folder/path"),
        ("connectionId", json!(UNKNOWN), "/connection/id"),
    ] {
        let seen = stage.update(&id, json!({field: value})).await;
        let carried_out = seen.status == 200 && stage.shown(&id).await.pointer(pointer) == Some(&value);
        assert!(carried_out || seen.status == 400, "{field} {value}");
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn the_project_in_an_update_is_dropped_as_any_unknown_key() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let after = stage.update(&id, json!({"projectId": UNKNOWN})).await.ok();
    assert_eq!(after["secretRotation"]["projectId"], stage.project);
}

#[tokio::test]
async fn without_permission_it_is_403_before_names_are_compared() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.other_rotation().await;
    let member = stage.member("member").await;
    let seen = member
        .patch(&format!("{ROTATIONS}/{id}"), json!({"name": "other"}))
        .await;
    let text = "You are not allowed to edit on secret-rotation";
    seen.refused(403, "PermissionDenied", text);
}

#[tokio::test]
async fn switched_off_there_is_no_next_rotation_and_switched_on_there_is_one_again() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let next = async |body: Value| {
        let after = stage.update(&id, body).await.ok();
        after["secretRotation"]["nextRotationAt"].clone()
    };
    assert_eq!(next(json!({"isAutoRotationEnabled": false})).await, Value::Null);
    assert_eq!(next(json!({"rotationInterval": 7})).await, Value::Null);
    assert_eq!(
        next(json!({"isAutoRotationEnabled": true})).await,
        "2026-03-18T00:00:00.000Z"
    );
}
