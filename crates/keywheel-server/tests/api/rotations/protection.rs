//! Rotated secrets are the rotation's to change (contract, section 9; rules D19 and D21). `rotated.rs` has the
//! refusals of single secrets and of containers.

use serde_json::{Value, json};

use super::stage::{Stage, connection};

const RAW: &str = "/api/v3/secrets/raw";

fn place(stage: &Stage) -> Value {
    json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/aws"})
}

#[tokio::test]
async fn lists_and_single_reads_tell_which_rotation_writes_a_secret() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let ordinary = super::stage::with(place(&stage), json!({"secretValue": "x"}));
    stage
        .admin()
        .post(&format!("{RAW}/ORDINARY"), ordinary)
        .await
        .ok();
    let query = format!("workspaceId={}&environment=dev&secretPath=/aws", stage.project);
    for (name, listed) in stage.secrets().await {
        let single = stage.admin().get(&format!("{RAW}/{name}?{query}")).await.ok();
        for secret in [&listed, &single["secret"]] {
            let rotated = name != "ORDINARY";
            let rotation = if rotated { json!(id) } else { Value::Null };
            assert_eq!(
                (&secret["isRotatedSecret"], &secret["rotationId"]),
                (&json!(rotated), &rotation),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn neither_secret_of_a_rotation_can_be_edited_renamed_or_deleted_by_hand() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        for (version, key) in [("v3", "secrets/raw"), ("v4", "secrets")] {
            let path = format!("/api/{version}/{key}/{name}");
            let change = |more: Value| {
                let place = json!({"projectId": stage.project, "environment": "dev", "secretPath": "/aws",
                    "workspaceId": stage.project});
                super::stage::with(place, more)
            };
            let value = change(json!({"secretValue": "mine"}));
            let text = stage.admin().patch(&path, value).await.refusal(400);
            assert!(text.starts_with("Cannot update rotated secret"), "{text}");
            let renamed = change(json!({"newSecretName": "MINE"}));
            let seen = stage.admin().patch(&path, renamed).await;
            seen.refused(400, "BadRequest", "Cannot update rotated secret name");
            let seen = stage.admin().delete(&path, change(json!({}))).await;
            seen.refused(400, "BadRequest", "Cannot delete rotated secrets");
        }
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_batch_or_a_move_with_a_secret_of_a_rotation_is_refused_as_a_whole() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let admin = stage.admin();
    let ordinary = super::stage::with(place(&stage), json!({"secretValue": "x"}));
    admin.post(&format!("{RAW}/ORDINARY"), ordinary).await.ok();
    for path in ["/api/v4/secrets/batch", "/api/v3/secrets/batch/raw"] {
        let batch = |key: &str, value: &str| {
            let rotated = json!({"secretKey": "AWS_ACCESS_KEY_ID", key: value});
            let secrets = json!([{"secretKey": "ORDINARY", "secretComment": "no"}, rotated]);
            super::stage::with(place(&stage), json!({"secrets": secrets}))
        };
        let value = admin.patch(path, batch("secretValue", "mine")).await;
        let text = "Cannot update rotated secret value: its rotation writes it (\"AWS_ACCESS_KEY_ID\")";
        value.refused(400, "BadRequest", text);
        let renamed = admin.patch(path, batch("newSecretName", "MINE")).await;
        let text = "Cannot update rotated secret name (\"AWS_ACCESS_KEY_ID\")";
        renamed.refused(400, "BadRequest", text);
        let deleted = admin.delete(path, batch("type", "shared")).await;
        let text = "Cannot delete rotated secrets (\"AWS_ACCESS_KEY_ID\")";
        deleted.refused(400, "BadRequest", text);
        let upserted = super::stage::with(batch("secretValue", "mine"), json!({"mode": "upsert"}));
        assert_eq!(admin.patch(path, upserted).await.status, 400);
    }
    let secrets = stage.secrets().await;
    assert_eq!(secrets["ORDINARY"]["secretComment"], "");
    let relocate = async |ids: [&Value; 1], from: &str, to: &str| {
        let body = json!({"projectId": stage.project, "sourceEnvironment": "dev", "sourceSecretPath": from,
            "destinationEnvironment": "dev", "destinationSecretPath": to, "shouldOverwrite": true,
            "secretIds": ids});
        admin.post("/api/v4/secrets/move", body).await
    };
    let taken = relocate([&secrets["AWS_ACCESS_KEY_ID"]["id"]], "/aws", "/").await;
    taken.refused(400, "BadRequest", "Cannot move rotated secret: AWS_ACCESS_KEY_ID");
    // Nor can one be replaced.
    let other =
        json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/", "secretValue": "x"});
    let twin = admin.post(&format!("{RAW}/AWS_ACCESS_KEY_ID"), other).await.ok();
    let text = "The following secrets at the destination path \"/aws\" are written by a secret rotation and cannot be \
                replaced: AWS_ACCESS_KEY_ID";
    let covering = relocate([&twin["secret"]["id"]], "/", "/aws").await;
    covering.refused(400, "BadRequest", text);
    stage.agrees(&id).await;
}

#[tokio::test]
async fn comment_tags_metadata_reminder_and_multiline_flag_of_a_rotated_secret_can_be_changed() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let tags = format!("/api/v1/projects/{}/tags", stage.project);
    let tag = stage.admin().post(&tags, json!({"slug": "red"})).await.ok();
    let more = json!({"tagIds": [tag["tag"]["id"]], "secretComment": "why", "secretMetadata": [{"key": "team", "value": "core"}],
        "secretReminderNote": "look", "secretReminderRepeatDays": 7, "skipMultilineEncoding": true});
    let body = super::stage::with(place(&stage), more);
    let path = format!("{RAW}/AWS_ACCESS_KEY_ID");
    let after = stage.admin().patch(&path, body).await.ok()["secret"].clone();
    assert_eq!(
        (&after["secretComment"], &after["secretReminderRepeatDays"]),
        (&json!("why"), &json!(7))
    );
    stage.rotate(&id).await.ok();
    let after = stage.secrets().await["AWS_ACCESS_KEY_ID"].clone();
    assert_eq!(
        (&after["secretComment"], &after["tags"][0]["slug"]),
        (&json!("why"), &json!("red"))
    );
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_secret_cannot_be_made_under_a_mapped_name() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let body = super::stage::with(place(&stage), json!({"secretValue": "x"}));
    let seen = stage
        .admin()
        .post(&format!("{RAW}/AWS_ACCESS_KEY_ID"), body)
        .await;
    seen.refused(400, "BadRequest", "Secret already exists");
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_connection_in_use_cannot_be_deleted_and_a_free_one_can() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let free = connection(&stage.admin(), "free", "AKIAEXAMPLE", &json!(null)).await;
    let delete = async |id: &str| {
        let path = format!("/api/v1/app-connections/aws/{id}");
        stage.admin().delete(&path, json!({})).await
    };
    delete(&free).await.ok();
    let text = "Cannot delete App Connection with existing connections. Remove all existing connections and try again. \
        Used by 1 rotation in 1 project; an administrator of the organization can enter those that you do not see";
    delete(&stage.connection).await.refused(400, "BadRequest", text);
    stage.delete(&id, "").await.ok();
    delete(&stage.connection).await.ok();
}

#[tokio::test]
async fn containers_name_every_rotation_that_they_hold() {
    let stage = Stage::set().await;
    let ids = [stage.rotation().await, stage.other_rotation().await];
    let delete = async || {
        let path = format!("/api/v1/projects/{}", stage.project);
        stage.admin().delete(&path, json!({})).await
    };
    let text = delete().await.refusal(400);
    assert!(text.contains("demo") && text.contains("other"), "{text}");
    for id in ids {
        stage.delete(&id, "").await.ok();
    }
    delete().await.ok();
}
