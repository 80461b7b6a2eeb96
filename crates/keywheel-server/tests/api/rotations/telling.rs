//! What webhooks are told of rotations (rotation contract, section 12).

use keywheel_core::clock::{Millis, Moment};
use keywheel_server::ambient::Clock;
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
    stage.app.pass(Millis::DAY.times(32));
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
    stage.app.pass(Millis::DAY.times(32));
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
    stage.app.pass(Millis::from_hours(2));
    stage.app.app.engine().wake();
    stage.until(&id, |shown| attempted(shown) != first).await;
    stage.iam.heal();
    stage.app.pass(Millis::from_hours(2));
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

/// A stage on which a receiver hears of these events in the folder.
async fn heard_of(events: &[&str]) -> (Stage, Receiver) {
    let stage = Stage::set_to_tell().await;
    let receiver = Receiver::start().await;
    let events: Vec<Value> = events.iter().map(|event| json!({"eventName": event})).collect();
    let body = json!({"projectId": stage.project, "environment": "dev", "secretPath": "/aws",
        "webhookUrl": receiver.url, "eventsFilter": events});
    stage.admin().post("/api/v1/webhooks", body).await.ok();
    stage.app.app.deliverer().start();
    (stage, receiver)
}

#[tokio::test]
async fn a_rotation_and_a_roll_back_tell_which_key_replaces_which() {
    let (stage, mut receiver) = heard_of(&["secrets.rotated"]).await;
    let id = stage.rotation().await;
    let (first, _) = stage.published().await;
    stage.rotate(&id).await.ok();
    let (second, _) = stage.published().await;
    let (event, mut project) = next(&mut receiver).await;
    // The date of the next rotation, which needs the place of the old key.
    let retires_at = stage.shown(&id).await["nextRotationAt"].clone();
    let common = json!({"projectId": stage.project, "projectName": "Demo", "environment": "dev",
        "environmentName": "Development", "secretPath": "/aws", "rotationId": id, "rotationName": "demo",
        "userName": "demo-app", "changedBy": "Instance Admin Identity", "changedByActorType": "identity",
        "accessKeyId": second, "previousAccessKeyId": first, "previousRetiresAt": retires_at, "isRollBack": false});
    assert_eq!((event.as_str(), &project), ("secrets.rotated", &common));
    let path = format!("{}/{id}/keys/{first}/roll-back", super::stage::ROTATIONS);
    stage.admin().post(&path, json!({})).await.ok();
    (_, project) = next(&mut receiver).await;
    assert_eq!(
        (
            &project["accessKeyId"],
            &project["previousAccessKeyId"],
            &project["isRollBack"]
        ),
        (&json!(first), &json!(second), &json!(true))
    );
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_key_that_somebody_else_made_is_told_once() {
    let (stage, mut receiver) = heard_of(&["secrets.key-suspect"]).await;
    let id = stage.rotation().await;
    // No create of ours can explain it.
    stage.app.pass(Millis::from_hours(1));
    let foreign = stage.iam.add_key("demo-app").id;
    assert_eq!(stage.rotate(&id).await.status, 400);
    let (event, project) = next(&mut receiver).await;
    assert_eq!(
        (event.as_str(), &project["accessKeyId"], &project["kind"]),
        ("secrets.key-suspect", &json!(foreign), &json!("foreign"))
    );
    stage.rotate(&id).await;
    stage
        .iam
        .set_status(&foreign, keywheel_core::aws::KeyStatus::Inactive);
    stage.rotate(&id).await;
    stage.app.app.deliverer().wake();
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_key_that_is_still_used_is_told_a_day_before_it_retires() {
    let (stage, mut receiver) = heard_of(&["secrets.key-retiring-in-use"]).await;
    let id = stage.rotation().await;
    let (first, _) = stage.published().await;
    stage.rotate(&id).await.ok();
    let retires_at = stage.shown(&id).await["nextRotationAt"].clone();
    let retirement: Moment = text(&retires_at).parse().unwrap();
    // Behind the spread of the schedule.
    let now = stage.app.clock.now();
    stage.app.pass((retirement + Millis::from_hours(-23)) - now);
    stage.iam.use_key(&first);
    stage.start_schedule().await;
    let (event, project) = next(&mut receiver).await;
    let told = ["accessKeyId", "retiresAt", "isHeldBack", "lastUsedService"].map(|field| &project[field]);
    assert_eq!(event, "secrets.key-retiring-in-use");
    assert_eq!(told, [&json!(first), &retires_at, &json!(false), &json!("s3")]);
    assert_eq!(stage.iam.key_ids("demo-app").len(), 2, "it still works");
    // A rotation by hand retires it now, whatever the schedule says.
    let now = stage.app.clock.now();
    stage.rotate(&id).await.ok();
    let (_, project) = next(&mut receiver).await;
    let told: Moment = text(&project["retiresAt"]).parse().unwrap();
    assert!(told >= now && told < now + Millis::from_hours(1), "{project}");
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_rotation_whose_date_passed_without_it_is_told_once_by_all_nodes() {
    let (stage, mut receiver) = heard_of(&["secrets.rotation-overdue"]).await;
    let id = stage.rotation().await;
    let due_at = stage.shown(&id).await["nextRotationAt"].clone();
    // Nothing starts the schedule.
    stage.app.pass(Millis::DAY.times(32));
    let looks = [(); 3].map(|()| keywheel_server::watch::look(&stage.app.app));
    let mut told = 0;
    for look in looks {
        told += look.await.unwrap();
    }
    assert_eq!(told, 1);
    let (event, project) = next(&mut receiver).await;
    assert_eq!(
        (event.as_str(), &project["rotationId"], &project["dueAt"]),
        ("secrets.rotation-overdue", &json!(id), &due_at)
    );
    receiver.assert_quiet();
}

#[tokio::test]
async fn who_asks_for_nothing_by_name_hears_the_events_of_the_contract_only() {
    let (stage, mut receiver) = heard_of(&[]).await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    stage.app.pass(Millis::DAY.times(32));
    keywheel_server::watch::look(&stage.app.app).await.unwrap();
    for _ in 0..2 {
        assert_eq!(next(&mut receiver).await.0, "secrets.modified");
    }
    receiver.assert_quiet();
}
