//! Another connection for a rotation, and the users behind one (contract, section 5.12; rule D13).

use serde_json::{Value, json};

use super::stage::{Stage, UNKNOWN, USER, connection};
use crate::support::{Fault, Op};

async fn other(stage: &Stage, key: &str) -> String {
    connection(&stage.admin(), "other", key, &Value::Null).await
}

#[tokio::test]
async fn another_connection_to_the_same_user_is_taken_and_used_from_then_on() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let other = other(&stage, "AKIAOTHER").await;
    stage.iam.forget_calls();
    let after = stage.update(&id, json!({"connectionId": other})).await.ok();
    assert_eq!(
        (
            &after["secretRotation"]["connectionId"],
            &after["secretRotation"]["connection"]["name"]
        ),
        (&json!(other), &json!("other"))
    );
    assert_eq!(stage.iam.changes(), []);
    let path = format!("/api/v1/app-connections/aws/{}", stage.connection);
    stage.admin().delete(&path, json!({})).await.ok();
    stage.rotate(&id).await.ok();
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_connection_that_reaches_another_user_or_none_is_400_and_nothing_changes() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let other = other(&stage, "AKIAOTHER").await;
    let before = stage.shown(&id).await;
    stage.iam.fail(
        Op::Identify,
        1,
        Fault::Refused("NoSuchEntity", "no such user here"),
    );
    let text = stage
        .update(&id, json!({"connectionId": other}))
        .await
        .refusal(400);
    assert!(text.contains("no such user here"), "{text}");
    assert_eq!(stage.shown(&id).await, before);
    // The name means another user there: it was made again.
    stage.iam.add_user(USER);
    assert_eq!(
        stage.update(&id, json!({"connectionId": other})).await.status,
        400
    );
    assert_eq!(stage.shown(&id).await, before);
}

#[tokio::test]
async fn a_connection_that_acts_as_the_rotated_user_is_400() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let own = stage.iam.add_key(USER);
    let itself = other(&stage, &own.id).await;
    let text = stage
        .update(&id, json!({"connectionId": itself}))
        .await
        .refusal(400);
    assert!(text.contains("the connection acts as IAM user"), "{text}");
}

#[tokio::test]
async fn an_unknown_connection_and_one_of_another_project_are_400() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let text = format!("Could not find App Connection with ID {UNKNOWN}");
    let seen = stage.update(&id, json!({"connectionId": UNKNOWN})).await;
    seen.refused(400, "BadRequest", &text);
    let body = json!({"projectName": "Other", "slug": "other-project"});
    let made = stage.admin().post("/api/v1/projects", body).await.ok();
    let foreign = connection(&stage.admin(), "foreign", "AKIAOTHER", &made["project"]["id"]).await;
    let text = stage
        .update(&id, json!({"connectionId": foreign}))
        .await
        .refusal(400);
    assert!(
        text.starts_with("You cannot connect project App Connection"),
        "{text}"
    );
}

#[tokio::test]
async fn the_iam_users_behind_a_connection_are_listed_in_the_words_of_aws() {
    let stage = Stage::set().await;
    stage.iam.add_user("other-app");
    let path = format!("/api/v1/app-connections/aws/{}/users", stage.connection);
    assert_eq!(
        stage.admin().get(&path).await.ok(),
        json!({"iamUsers": [
            {"UserName": "demo-app", "Arn": "arn:aws:iam::123456789012:user/demo-app"},
            {"UserName": "other-app", "Arn": "arn:aws:iam::123456789012:user/other-app"},
        ]})
    );
    let seen = stage.member("admin").await.get(&path).await;
    let text = "You are not allowed to connect on app-connections";
    seen.refused(403, "PermissionDenied", text);
    let path = format!("/api/v1/app-connections/aws/{UNKNOWN}/users");
    assert_eq!(stage.admin().get(&path).await.status, 404);
}

#[tokio::test]
async fn that_aws_does_not_list_its_users_is_400_in_its_words() {
    let stage = Stage::set().await;
    stage
        .iam
        .fail(Op::Users, 1, Fault::Refused("AccessDenied", "no iam:ListUsers"));
    let path = format!("/api/v1/app-connections/aws/{}/users", stage.connection);
    let text = stage.admin().get(&path).await.refusal(400);
    assert!(text.contains("no iam:ListUsers"), "{text}");
}

#[tokio::test]
async fn an_update_alone_tells_an_unknown_id_without_quotes() {
    let stage = Stage::set().await;
    let text = format!("Could not find AWS IAM User Secret Rotation with ID {UNKNOWN}");
    stage
        .update(UNKNOWN, json!({}))
        .await
        .refused(404, "NotFound", &text);
}
