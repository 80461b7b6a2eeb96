//! What webhooks are told of rotations (rotation contract, section 12).

use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::{Fault, Op, Receiver, text};

/// A stage on which a receiver hears of everything in the folder.
async fn heard() -> (Stage, Receiver) {
    let stage = Stage::set_to_tell().await;
    let receiver = Receiver::start().await;
    let body = json!({"projectId": stage.project, "environment": "dev", "secretPath": "/aws", "webhookUrl": receiver.url});
    stage.admin().post("/api/v1/webhooks", body).await.ok();
    stage.app.app.deliverer().start();
    (stage, receiver)
}

/// The next event, and what is said of the project.
async fn next(receiver: &mut Receiver) -> (String, Value) {
    let body = receiver.next().await.json();
    (text(&body["event"]), body["project"].clone())
}

#[tokio::test]
async fn a_rotation_tells_once_that_its_folder_was_changed_and_by_whom() {
    let (stage, mut receiver) = heard().await;
    let id = stage.rotation().await;
    for _ in 0..2 {
        let (event, project) = next(&mut receiver).await;
        assert_eq!(event, "secrets.modified");
        assert_eq!(
            (&project["secretPath"], &project["changedByActorType"]),
            (&json!("/aws"), &json!("identity"))
        );
        receiver.assert_quiet();
        stage.rotate(&id).await.ok();
    }
    next(&mut receiver).await;
    // By the schedule.
    stage.start_schedule().await;
    stage.app.pass(keywheel_core::clock::Millis::DAY.times(32));
    stage.app.app.engine().wake();
    let (event, project) = next(&mut receiver).await;
    assert_eq!(
        (event.as_str(), &project["changedBy"]),
        ("secrets.modified", &json!("platform"))
    );
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_rotation_that_fails_tells_so_once_without_the_words_of_aws() {
    let (stage, mut receiver) = heard().await;
    let id = stage.rotation().await;
    next(&mut receiver).await;
    stage.iam.fail(
        Op::Issue,
        1,
        Fault::Refused("AccessDenied", "arn:aws:iam::123456789012:user/keywheel may not"),
    );
    assert_eq!(stage.rotate(&id).await.status, 500);
    let (event, project) = next(&mut receiver).await;
    let expected = json!({"projectId": stage.project, "projectName": "Demo", "environment": "dev",
        "environmentName": "Development", "secretPath": "/aws", "rotationName": "demo", "triggeredManually": true,
        "errorMessage": "Credential rotation failed due to a refusal of AWS. Check the rotation status in the \
            dashboard for more details."});
    assert_eq!((event.as_str(), project), ("secrets.rotation-failed", expected));
    receiver.assert_quiet();
    // By hand it is told each time.
    stage.iam.fail(Op::Issue, 1, Fault::Refused("AccessDenied", "no"));
    assert_eq!(stage.rotate(&id).await.status, 500);
    assert_eq!(next(&mut receiver).await.0, "secrets.rotation-failed");
    stage.rotate(&id).await.ok();
    assert_eq!(next(&mut receiver).await.0, "secrets.modified");
    receiver.assert_quiet();
}

#[tokio::test]
async fn the_schedule_tells_of_the_first_failure_in_a_row_only() {
    let (stage, mut receiver) = heard().await;
    let id = stage.rotation().await;
    next(&mut receiver).await;
    stage
        .iam
        .fail(Op::List, u32::MAX, Fault::Refused("AccessDenied", "no"));
    stage.app.pass(keywheel_core::clock::Millis::DAY.times(32));
    stage.start_schedule().await;
    let (event, project) = next(&mut receiver).await;
    assert_eq!(
        (event.as_str(), &project["triggeredManually"]),
        ("secrets.rotation-failed", &json!(false))
    );
    let attempted = |shown: &Value| text(&shown["lastRotationAttemptedAt"]);
    let first = attempted(
        &stage
            .until(&id, |shown| shown["rotationStatus"] == "failed")
            .await,
    );
    stage.app.pass(keywheel_core::clock::Millis::from_hours(2));
    stage.app.app.engine().wake();
    stage.until(&id, |shown| attempted(shown) != first).await;
    stage.iam.heal();
    stage.app.pass(keywheel_core::clock::Millis::from_hours(2));
    stage.app.app.engine().wake();
    assert_eq!(next(&mut receiver).await.0, "secrets.modified");
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_deletion_with_the_secrets_is_a_change_and_one_without_is_none() {
    let (stage, mut receiver) = heard().await;
    let id = stage.rotation().await;
    next(&mut receiver).await;
    stage.delete(&id, "").await.ok();
    let other = stage.other_rotation().await;
    next(&mut receiver).await;
    receiver.assert_quiet();
    stage.delete(&other, "?deleteSecrets=true").await.ok();
    let (event, project) = next(&mut receiver).await;
    assert_eq!(
        (event.as_str(), &project["changedBy"]),
        ("secrets.modified", &json!("Instance Admin Identity"))
    );
    receiver.assert_quiet();
}
