//! Creating a rotation (contract, section 5.5).

use serde_json::{Value, json};

use super::stage::{PREFIX, ROTATIONS, Stage, UNKNOWN, USER, connection};
use crate::support::{Fault, Machine, Op, text};

async fn has_nothing(stage: &Stage) {
    let path = format!("{ROTATIONS}?projectId={}", stage.project);
    assert_eq!(
        stage.admin().get(&path).await.ok(),
        json!({"secretRotations": []})
    );
    assert!(stage.secrets().await.is_empty());
}

#[tokio::test]
async fn a_new_rotation_has_the_defaults_and_its_first_key_is_published() {
    let stage = Stage::set().await;
    let made = stage.create(json!({})).await.ok()["secretRotation"].clone();
    for (field, value) in [
        ("isAutoRotationEnabled", json!(true)),
        ("rotateAtUtc", json!({"hours": 0, "minutes": 0})),
        ("description", Value::Null),
        ("activeIndex", json!(0)),
        ("rotationStatus", json!("success")),
        ("lastRotationMessage", Value::Null),
        ("lastRotationJobId", Value::Null),
        ("isLastRotationManual", json!(true)),
        ("lastRotationAttemptedAt", json!("2026-03-10T09:30:00.000Z")),
        ("lastRotatedAt", json!("2026-03-10T09:30:00.000Z")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let id = text(&made["id"]);
    assert_eq!(stage.shown(&id).await, made);
    stage.agrees(&id).await;
    for secret in stage.secrets().await.values() {
        assert_eq!(
            (&secret["version"], &secret["type"]),
            (&json!(1), &json!("shared"))
        );
    }
}

#[tokio::test]
async fn without_permission_it_is_403_before_the_folder_is_looked_up() {
    let stage = Stage::set().await;
    let body = stage.body(json!({"secretPath": "/nowhere"}));
    for role in ["member", "viewer", "no-access"] {
        let seen = stage.member(role).await.post(ROTATIONS, body.clone()).await;
        let text = "You are not allowed to create on secret-rotation";
        seen.refused(403, "PermissionDenied", text);
    }
    let seen = stage.member("").await.post(ROTATIONS, body).await;
    seen.refused(403, "ForbiddenError", "You are not a member of this project");
}

#[tokio::test]
async fn an_unknown_folder_or_environment_is_400_and_named() {
    let stage = Stage::set().await;
    for (path, environment) in [("/nowhere", "dev"), ("/aws", "moon")] {
        let seen = stage
            .create(json!({"secretPath": path, "environment": environment}))
            .await;
        let text = format!(
            "Could not find folder with path \"{path}\" in environment \"{environment}\" for project with ID \"{}\"",
            stage.project
        );
        seen.refused(400, "BadRequest", &text);
    }
}

#[tokio::test]
async fn an_unknown_connection_is_404() {
    let stage = Stage::set().await;
    let seen = stage.create(json!({"connectionId": UNKNOWN})).await;
    let text = format!("Could not find App Connection with ID {UNKNOWN}");
    seen.refused(404, "NotFound", &text);
}

#[tokio::test]
async fn a_connection_that_may_not_be_used_is_403() {
    let stage = Stage::set().await;
    // The connection is the organization's, where this identity has no rights.
    let machine = Machine::make(&stage.admin(), "no-access", json!({})).await;
    machine.join(&stage.admin(), &stage.project, "admin").await;
    let client = machine.client(&stage.app).await;
    let seen = client.post(ROTATIONS, stage.body(json!({}))).await;
    let text = "You are not allowed to connect on app-connections";
    seen.refused(403, "PermissionDenied", text);
}

#[tokio::test]
async fn a_connection_of_another_project_is_400() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    let body = json!({"projectName": "Other", "slug": "other-project"});
    let other = text(&admin.post("/api/v1/projects", body).await.ok()["project"]["id"]);
    let id = connection(&admin, "of-other", "AKIAEXAMPLE", &json!(other)).await;
    let seen = stage.create(json!({"connectionId": id})).await;
    let text = format!(
        "You cannot connect project App Connection with ID \"{id}\" from project with ID \"{other}\" to project \
         with ID \"{}\"",
        stage.project
    );
    seen.refused(400, "BadRequest", &text);
}

#[tokio::test]
async fn a_name_that_is_taken_in_the_folder_is_400_with_name_and_path() {
    let stage = Stage::set().await;
    stage.rotation().await;
    let text = "A Secret Rotation with the name \"demo\" already exists at the secret path \"/aws\"";
    stage.create(json!({})).await.refused(400, "BadRequest", text);
    // In another folder it is free.
    let changes = json!({"secretPath": "/", "parameters": {"userName": "other-app"}});
    stage.iam.add_user("other-app");
    stage.create(changes).await.ok();
}

#[tokio::test]
async fn equal_names_in_the_mapping_are_400() {
    let stage = Stage::set().await;
    let mapping = json!({"accessKeyId": "A", "secretAccessKey": " A "});
    let text = "Secrets mapping keys must be unique. \"A, A\" contains duplicate keys.";
    let seen = stage.create(json!({"secretsMapping": mapping})).await;
    seen.refused(400, "BadRequest", text);
}

#[tokio::test]
async fn secrets_that_exist_already_are_400_and_all_named() {
    let stage = Stage::set().await;
    let secret =
        json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/aws", "secretValue": "x"});
    let make = async |name: &str| {
        let path = format!("/api/v3/secrets/raw/{name}");
        stage.admin().post(&path, secret.clone()).await.ok();
    };
    make("AWS_SECRET_ACCESS_KEY").await;
    let text = "The following secrets already exist at the path \"/aws\": AWS_SECRET_ACCESS_KEY";
    stage.create(json!({})).await.refused(400, "BadRequest", text);
    make("AWS_ACCESS_KEY_ID").await;
    let text =
        "The following secrets already exist at the path \"/aws\": AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY";
    stage.create(json!({})).await.refused(400, "BadRequest", text);
}

#[tokio::test]
async fn a_failure_of_aws_is_400_with_the_prefix_and_leaves_nothing() {
    let stage = Stage::set().await;
    let denied = "User: arn:aws:iam::123456789012:user/keywheel is not authorized";
    for op in [Op::Identify, Op::List, Op::Issue] {
        stage.iam.fail(op, 1, Fault::Refused("AccessDenied", denied));
        let seen = stage.create(json!({})).await;
        let text = seen.refusal(400);
        assert_eq!(seen.json()["error"], "BadRequest");
        assert!(
            text.starts_with(PREFIX) && text.ends_with(&format!("AccessDenied: {denied}")),
            "{op:?}: {text}"
        );
        has_nothing(&stage).await;
        assert_eq!(stage.iam.keys(USER), []);
    }
    stage.agrees(&stage.rotation().await).await;
}

#[tokio::test]
async fn an_unknown_iam_user_is_400_in_the_words_of_aws() {
    let stage = Stage::set().await;
    let seen = stage.create(json!({"parameters": {"userName": "nobody"}})).await;
    let text = seen.refusal(400);
    assert!(
        text.starts_with(PREFIX) && text.contains("NoSuchEntity"),
        "{text}"
    );
    has_nothing(&stage).await;
}

#[tokio::test]
async fn a_long_text_of_aws_is_cut_to_1024_characters() {
    let stage = Stage::set().await;
    let long: &'static str = Box::leak("ä".repeat(2_000).into_boxed_str());
    stage.iam.fail(Op::Issue, 1, Fault::Refused("AccessDenied", long));
    let text = stage.create(json!({})).await.refusal(400);
    assert_eq!(text.chars().count(), 1_024);
    assert!(text.starts_with(PREFIX) && text.ends_with("ä..."), "{text}");
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_contract_and_all_of_them_before_aws() {
    let stage = Stage::set().await;
    stage.rotation().await;
    stage.iam.forget_calls();
    let mut body = stage.body(json!({"secretPath": "/nowhere", "connectionId": UNKNOWN,
        "secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_ACCESS_KEY_ID"}}));
    let free = json!({"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "FREE"});
    for (status, words, key, mended) in [
        (400, "Could not find folder", "secretPath", json!("/aws")),
        (
            404,
            "Could not find App Connection",
            "connectionId",
            json!(stage.connection),
        ),
        (400, "A Secret Rotation with the name", "name", json!("second")),
        (400, "Secrets mapping keys must be unique", "secretsMapping", free),
        (
            400,
            "The following secrets already exist",
            "name",
            json!("second"),
        ),
    ] {
        let text = stage.admin().post(ROTATIONS, body.clone()).await.refusal(status);
        assert!(text.starts_with(words), "{text}");
        body[key] = mended;
    }
    assert_eq!(stage.iam.calls(), []);
}

#[tokio::test]
async fn a_create_that_is_sent_again_does_not_create_twice() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    stage.create(json!({})).await.refusal(400);
    assert_eq!(stage.iam.calls(), []);
    stage.agrees(&id).await;
}
