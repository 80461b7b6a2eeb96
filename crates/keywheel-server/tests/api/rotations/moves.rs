//! Moving a rotation with its secrets (contract, section 5.11; rule D13; section 17, point 6).

use serde_json::{Value, json};

use super::stage::{IN_PROGRESS, ROTATIONS, Stage, UNKNOWN, USER, with};
use crate::support::{Op, Seen, text};

const RUNNING: &str =
    "A rotation is currently in progress for this secret rotation. Please try again shortly.";

pub fn to(path: &str) -> Value {
    json!({"destinationEnvironment": "dev", "destinationSecretPath": path})
}

pub async fn relocate(stage: &Stage, id: &str, body: Value) -> Seen {
    stage.admin().post(&format!("{ROTATIONS}/move/{id}"), body).await
}

/// Makes an ordinary secret.
pub async fn secret(stage: &Stage, path: &str, name: &str, value: &str) {
    let body =
        json!({"workspaceId": stage.project, "environment": "dev", "secretPath": path, "secretValue": value});
    let seen = stage
        .admin()
        .post(&format!("/api/v3/secrets/raw/{name}"), body)
        .await;
    seen.ok();
}

/// A secret of another folder.
async fn read(stage: &Stage, path: &str, name: &str) -> Seen {
    let place = format!("workspaceId={}&environment=dev&secretPath={path}", stage.project);
    let query = format!("/api/v3/secrets/raw/{name}?{place}&expandSecretReferences=false");
    stage.admin().get(&query).await
}

pub async fn value(stage: &Stage, path: &str, name: &str) -> String {
    text(&read(stage, path, name).await.ok()["secret"]["secretValue"])
}

#[tokio::test]
async fn a_move_takes_both_secrets_with_all_versions_along_and_asks_nothing_of_aws() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    let (before, secrets) = (stage.shown(&id).await, stage.secrets().await);
    stage.iam.forget_calls();
    let after = relocate(&stage, &id, to("/")).await.ok()["secretRotation"].clone();
    assert_eq!(stage.iam.calls(), []);
    assert_eq!(after["folder"]["path"], "/");
    let place =
        json!({"folder": after["folder"], "folderId": after["folderId"], "updatedAt": after["updatedAt"]});
    assert_eq!(after, with(before, place));
    assert!(stage.secrets().await.is_empty());
    for (name, secret) in &secrets {
        let moved = read(&stage, "/", name).await.ok()["secret"].clone();
        for field in ["id", "secretValue", "version", "rotationId"] {
            assert_eq!(moved[field], secret[field], "{name} {field}");
        }
        let place = format!(
            "workspaceId={}&environment=dev&secretPath=/&version=1",
            stage.project
        );
        stage
            .admin()
            .get(&format!("/api/v3/secrets/raw/{name}?{place}"))
            .await
            .ok();
    }
    // The next run writes at the new place.
    stage.rotate(&id).await.ok();
    let (slots, active) = stage.slots(&id).await;
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, slots[active]);
}

#[tokio::test]
async fn a_move_goes_to_another_environment_too() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let body = json!({"destinationEnvironment": " prod ", "destinationSecretPath": " / "});
    let after = relocate(&stage, &id, body).await.ok()["secretRotation"].clone();
    assert_eq!(
        (&after["environment"]["slug"], &after["folder"]["path"]),
        (&json!("prod"), &json!("/"))
    );
}

#[tokio::test]
async fn both_parts_of_the_destination_are_asked_for() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    relocate(&stage, &id, json!({})).await.invalid(&[
        ("destinationEnvironment", "Required"),
        ("destinationSecretPath", "Required"),
    ]);
    let blank = json!({"destinationEnvironment": " ", "destinationSecretPath": " "});
    assert_eq!(relocate(&stage, &id, blank).await.status, 422);
    assert_eq!(relocate(&stage, "no-uuid", to("/")).await.status, 422);
}

#[tokio::test]
async fn an_unknown_rotation_is_404() {
    let stage = Stage::set().await;
    let text = format!("Could not find AWS IAM User Secret Rotation with ID \"{UNKNOWN}\"");
    relocate(&stage, UNKNOWN, to("/"))
        .await
        .refused(404, "NotFound", &text);
}

#[tokio::test]
async fn while_a_rotation_runs_a_move_is_400_before_the_permission_is_looked_at() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let viewer = stage.member("viewer").await;
    for op in [Op::Identify, Op::Issue, Op::Verify] {
        let mut gate = stage.iam.hold(op);
        let (rotated, ()) = tokio::join!(stage.rotate(&id), async {
            gate.arrived().await;
            let path = format!("{ROTATIONS}/move/{id}");
            for client in [&stage.admin(), &viewer] {
                let seen = client.post(&path, to("/nowhere")).await;
                seen.refused(400, "BadRequest", RUNNING);
            }
            let by_update = stage.update(&id, json!({"secretPath": "/"})).await;
            by_update.refused(400, "BadRequest", IN_PROGRESS);
            gate.open();
        });
        rotated.ok();
        stage.agrees(&id).await;
    }
}

#[tokio::test]
async fn without_permission_to_delete_it_is_403_before_the_destination_is_looked_up() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for role in ["member", "viewer", "no-access"] {
        let seen = stage
            .member(role)
            .await
            .post(&format!("{ROTATIONS}/move/{id}"), to("/nowhere"))
            .await;
        let text = "You are not allowed to delete on secret-rotation";
        seen.refused(403, "PermissionDenied", text);
    }
}

#[tokio::test]
async fn an_unknown_destination_is_404() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for (environment, path) in [("dev", "/nowhere"), ("moon", "/"), ("Not_A_Slug", "/")] {
        let body = json!({"destinationEnvironment": environment, "destinationSecretPath": path});
        let text =
            format!("Destination folder with path \"{path}\" in environment \"{environment}\" not found");
        relocate(&stage, &id, body).await.refused(404, "NotFound", &text);
    }
}

#[tokio::test]
async fn the_same_place_is_400_however_the_path_is_written() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for path in ["/aws", "aws/", "//aws"] {
        let text = "Source and destination locations are the same";
        relocate(&stage, &id, to(path))
            .await
            .refused(400, "BadRequest", text);
    }
}

#[tokio::test]
async fn a_name_that_is_taken_at_the_destination_is_400_with_that_path() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.add_user("other-app");
    let changes = json!({"secretPath": "/", "parameters": {"userName": "other-app"}});
    stage.create(changes).await.ok();
    // The name comes before the secrets, which are taken as well.
    let text = "A Secret Rotation with the name \"demo\" already exists at the secret path \"/\"";
    relocate(&stage, &id, to("/"))
        .await
        .refused(400, "BadRequest", text);
    let before = stage.shown(&id).await;
    assert_eq!(before["folder"]["path"], "/aws");
    stage.agrees(&id).await;
}

#[tokio::test]
async fn secrets_at_the_destination_are_400_unless_they_are_to_be_replaced() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, _) = stage.published().await;
    secret(&stage, "/", "AWS_ACCESS_KEY_ID", "old").await;
    secret(&stage, "/", "AWS_SECRET_ACCESS_KEY", "old").await;
    let text = "The following secrets already exist at the destination path \"/\": AWS_ACCESS_KEY_ID, \
                AWS_SECRET_ACCESS_KEY. Set \"overwriteDestination\" to true to replace them.";
    relocate(&stage, &id, to("/"))
        .await
        .refused(400, "BadRequest", text);
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, "old");
    let body = with(to("/"), json!({"overwriteDestination": true}));
    relocate(&stage, &id, body).await.ok();
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, key);
}

#[tokio::test]
async fn a_secret_that_another_rotation_writes_is_never_replaced() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.add_user("other-app");
    let changes = json!({"name": "other", "secretPath": "/", "parameters": {"userName": "other-app"}});
    let other = text(&stage.create(changes).await.ok()["secretRotation"]["id"]);
    let body = with(to("/"), json!({"overwriteDestination": true}));
    let text = "The following secrets at the destination path \"/\" are written by another secret rotation and cannot \
                be replaced: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY";
    relocate(&stage, &id, body).await.refused(400, "BadRequest", text);
    let (slots, active) = stage.slots(&other).await;
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, slots[active]);
    stage.agrees(&id).await;
}

#[tokio::test]
async fn an_update_with_another_place_is_a_move() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, _) = stage.published().await;
    let after = stage
        .update(&id, json!({"secretPath": "/", "environment": "prod"}))
        .await
        .ok();
    assert_eq!(
        (
            &after["secretRotation"]["environment"]["slug"],
            &after["secretRotation"]["folder"]["path"]
        ),
        (&json!("prod"), &json!("/"))
    );
    stage.update(&id, json!({"environment": "dev"})).await.ok();
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, key);
    assert!(stage.secrets().await.is_empty());
}

#[tokio::test]
async fn an_update_moves_renames_and_reschedules_at_once_or_not_at_all() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, _) = stage.published().await;
    let before = stage.shown(&id).await;
    let everything = json!({"secretPath": "/", "name": "other", "rotationInterval": 7,
        "secretsMapping": {"accessKeyId": "KEY", "secretAccessKey": "SECRET"}});
    secret(&stage, "/", "SECRET", "mine").await;
    let text = "The following secrets already exist at the path \"/\": SECRET";
    let seen = stage.update(&id, everything.clone()).await;
    seen.refused(400, "BadRequest", text);
    let nowhere = with(everything.clone(), json!({"secretPath": "/nowhere"}));
    let text = "Destination folder with path \"/nowhere\" in environment \"dev\" not found";
    stage.update(&id, nowhere).await.refused(400, "BadRequest", text);
    assert_eq!(stage.shown(&id).await, before);
    let place = json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/"});
    stage
        .admin()
        .delete("/api/v3/secrets/raw/SECRET", place)
        .await
        .ok();
    let after = stage.update(&id, everything).await.ok()["secretRotation"].clone();
    assert_eq!(
        (
            &after["name"],
            &after["folder"]["path"],
            &after["rotationInterval"]
        ),
        (&json!("other"), &json!("/"), &json!(7))
    );
    assert_ne!(after["nextRotationAt"], before["nextRotationAt"]);
    assert_eq!(value(&stage, "/", "KEY").await, key);
}

#[tokio::test]
async fn references_follow_a_secret_that_is_moved_or_renamed() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    secret(
        &stage,
        "/aws",
        "URL",
        "aws://${AWS_ACCESS_KEY_ID}@${dev.aws.AWS_SECRET_ACCESS_KEY}",
    )
    .await;
    secret(
        &stage,
        "/",
        "OTHER",
        "${dev.aws.AWS_ACCESS_KEY_ID} and ${UNRELATED}",
    )
    .await;
    let mapping = json!({"accessKeyId": "KEY", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"});
    stage.update(&id, json!({"secretsMapping": mapping})).await.ok();
    assert_eq!(
        value(&stage, "/aws", "URL").await,
        "aws://${KEY}@${dev.aws.AWS_SECRET_ACCESS_KEY}"
    );
    relocate(&stage, &id, to("/")).await.ok();
    assert_eq!(
        value(&stage, "/aws", "URL").await,
        "aws://${dev.KEY}@${dev.AWS_SECRET_ACCESS_KEY}"
    );
    assert_eq!(value(&stage, "/", "OTHER").await, "${dev.KEY} and ${UNRELATED}");
}

#[tokio::test]
async fn of_a_move_and_a_rotation_at_once_neither_tears_the_other() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (mut path, mut other) = ("/aws", "/");
    for _ in 0..10 {
        let (moved, rotated) = tokio::join!(relocate(&stage, &id, to(other)), stage.rotate(&id));
        for seen in [&moved, &rotated] {
            assert!([200, 400].contains(&seen.status), "{seen:?}");
        }
        if moved.status == 200 {
            std::mem::swap(&mut path, &mut other);
        }
        let (slots, active) = stage.slots(&id).await;
        assert_eq!(value(&stage, path, "AWS_ACCESS_KEY_ID").await, slots[active]);
        assert_eq!(read(&stage, other, "AWS_ACCESS_KEY_ID").await.status, 404);
        assert!(stage.iam.key_ids(USER).contains(&slots[active]));
    }
}
