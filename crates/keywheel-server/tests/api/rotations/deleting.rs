//! Deleting a rotation (contract, section 5.7; rule D18).

use serde_json::json;

use super::stage::{ROTATIONS, Stage, USER};
use crate::support::{Fault, Op};

const REVOKE: &str = "?revokeGeneratedCredentials=true";

#[tokio::test]
async fn without_flags_the_keys_live_and_the_secrets_become_ordinary() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    let (keys, before) = (stage.iam.keys(USER), stage.secrets().await);
    stage.iam.forget_calls();
    stage.delete(&id, "").await.ok();
    assert_eq!(stage.iam.calls(), []);
    assert_eq!(stage.iam.keys(USER), keys);
    let after = stage.secrets().await;
    for (name, secret) in &after {
        assert_eq!(secret["secretValue"], before[name]["secretValue"]);
        assert_eq!(
            (&secret["isRotatedSecret"], &secret["rotationId"]),
            (&json!(false), &json!(null))
        );
        let path = format!("/api/v3/secrets/raw/{name}");
        let body = json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/aws",
            "secretValue": "mine"});
        stage.admin().patch(&path, body).await.ok();
    }
    assert_eq!(after.len(), 2);
}

#[tokio::test]
async fn the_answer_is_the_state_before() {
    for query in ["", "?deleteSecrets=true", REVOKE] {
        let stage = Stage::set().await;
        let id = stage.rotation().await;
        let before = stage.shown(&id).await;
        let seen = stage.delete(&id, query).await.ok();
        assert_eq!(seen["secretRotation"], before, "{query}");
    }
}

#[tokio::test]
async fn the_secrets_go_only_if_the_flag_says_so() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.other_rotation().await;
    stage
        .delete(&id, "?deleteSecrets=true&revokeGeneratedCredentials=false")
        .await
        .ok();
    let left: Vec<_> = stage.secrets().await.into_keys().collect();
    assert_eq!(left, ["OTHER_ID", "OTHER_SECRET"]);
    assert_eq!(stage.iam.keys(USER).len(), 1);
}

#[tokio::test]
async fn a_body_is_tolerated_and_not_read() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let body = json!({"Provider": "aws-iam-user-secret", "ID": id, "revokeGeneratedCredentials": "true"});
    stage
        .admin()
        .delete(&format!("{ROTATIONS}/{id}"), body)
        .await
        .ok();
    assert_eq!(stage.iam.keys(USER).len(), 1);
}

#[tokio::test]
async fn revoking_takes_both_slots_in_slot_order() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    stage.rotate(&id).await.ok();
    let (slots, active) = stage.slots(&id).await;
    // [third, second]: slot order is not age.
    assert_eq!((slots.len(), active), (2, 0));
    stage.iam.forget_calls();
    stage
        .delete(&id, &format!("{REVOKE}&deleteSecrets=true"))
        .await
        .ok();
    let expected: Vec<_> = slots
        .into_iter()
        .flat_map(|key| [(Op::Deactivate, Some(key.clone())), (Op::Delete, Some(key))])
        .collect();
    assert_eq!(stage.iam.changes(), expected);
    assert_eq!(stage.iam.keys(USER), []);
    assert!(stage.secrets().await.is_empty());
}

#[tokio::test]
async fn a_key_that_is_gone_already_counts_as_revoked() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    for key in stage.iam.key_ids(USER) {
        stage.iam.remove_key(&key);
    }
    stage.delete(&id, REVOKE).await.ok();
}

#[tokio::test]
async fn revoking_leaves_a_key_that_is_not_keywheels() {
    let stage = Stage::set().await;
    let foreign = stage.iam.add_key(USER);
    let id = stage.rotation().await;
    stage.delete(&id, REVOKE).await.ok();
    assert_eq!(stage.iam.keys(USER), [foreign]);
}

#[tokio::test]
async fn a_revoke_that_fails_is_400_with_the_words_of_aws_and_can_be_repeated() {
    for op in [Op::Identify, Op::Deactivate, Op::Delete] {
        let stage = Stage::set().await;
        let id = stage.rotation().await;
        stage.rotate(&id).await.ok();
        let denied = "not authorized to perform: iam:DeleteAccessKey";
        stage.iam.fail(op, 1, Fault::Refused("AccessDenied", denied));
        let seen = stage.delete(&id, REVOKE).await;
        let text = seen.refusal(400);
        assert!(text.contains(denied), "{op:?}: {text}");
        stage.shown(&id).await;
        stage.delete(&id, REVOKE).await.ok();
        assert_eq!(stage.iam.keys(USER), []);
    }
}

#[tokio::test]
async fn a_lost_answer_while_revoking_is_repeated_until_the_key_is_gone() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Delete, 1, Fault::AnswerLost);
    assert_eq!(stage.delete(&id, REVOKE).await.status, 400);
    stage.app.pass(keywheel_core::clock::Millis::from_secs(60));
    stage.delete(&id, REVOKE).await.ok();
    assert_eq!(stage.iam.keys(USER), []);
}

#[tokio::test]
async fn a_rotation_that_is_being_revoked_can_only_be_deleted() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Delete, 1, Fault::Throttled);
    assert_eq!(stage.delete(&id, REVOKE).await.status, 400);
    let text = "This secret rotation is being deleted. Repeat the deletion to finish it.";
    stage.rotate(&id).await.refused(400, "BadRequest", text);
    stage
        .update(&id, json!({}))
        .await
        .refused(400, "BadRequest", text);
    let body = json!({"destinationEnvironment": "dev", "destinationSecretPath": "/"});
    let path = format!("{ROTATIONS}/move/{id}");
    stage
        .admin()
        .post(&path, body)
        .await
        .refused(400, "BadRequest", text);
    assert_eq!(stage.shown(&id).await["nextRotationAt"], json!(null));
    stage.delete(&id, REVOKE).await.ok();
}
