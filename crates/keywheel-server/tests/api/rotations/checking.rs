//! Checking the published credential (contract, section 5.10).

use keywheel_core::aws::KeyStatus;
use keywheel_core::clock::Millis;
use serde_json::json;

use super::stage::{ROTATIONS, Stage, USER};
use crate::support::{Fault, Op, Seen};

async fn check(stage: &Stage, id: &str) -> Seen {
    let path = format!("{ROTATIONS}/{id}/check-credentials");
    stage.admin().post(&path, json!({})).await
}

#[tokio::test]
async fn a_key_that_works_is_204_and_nothing_is_changed() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.shown(&id).await;
    stage.iam.forget_calls();
    assert_eq!(check(&stage, &id).await.status, 204);
    let (key, _) = stage.published().await;
    assert_eq!(stage.iam.calls(), [(Op::Verify, Some(key))]);
    assert_eq!(stage.shown(&id).await, before);
}

#[tokio::test]
async fn a_key_that_does_not_work_is_400_with_its_id_and_is_not_repaired() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, _) = stage.published().await;
    stage.iam.set_status(&key, KeyStatus::Inactive);
    let text = check(&stage, &id).await.refusal(400);
    assert!(
        text.contains(&key) && text.contains("InvalidClientTokenId"),
        "{text}"
    );
    assert_eq!(stage.iam.keys(USER)[0].status, KeyStatus::Inactive);
}

#[tokio::test]
async fn a_key_that_is_denied_something_counts_as_valid() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage
        .iam
        .fail(Op::Verify, 1, Fault::Refused("AccessDenied", "explicit deny"));
    assert_eq!(check(&stage, &id).await.status, 204);
}

#[tokio::test]
async fn while_a_rotation_runs_it_is_400() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut gate = stage.iam.hold(Op::List);
    let (rotated, checked) = tokio::join!(stage.rotate(&id), async {
        gate.arrived().await;
        let checked = check(&stage, &id).await;
        gate.open();
        checked
    });
    rotated.ok();
    let text = "A rotation is in progress. Please try again shortly.";
    checked.refused(400, "BadRequest", text);
}

#[tokio::test]
async fn without_an_active_credential_it_is_400() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (key, _) = stage.published().await;
    stage.iam.remove_key(&key);
    // A key that was just made may be missing from a list for a while.
    stage.app.pass(Millis::from_secs(60));
    // A run notices that the key is gone; it fails before there is another.
    stage.iam.fail(Op::Issue, 1, Fault::Throttled);
    assert_eq!(stage.rotate(&id).await.status, 500);
    let text = "No active credentials are available to check for this rotation.";
    check(&stage, &id).await.refused(400, "BadRequest", text);
}

#[tokio::test]
async fn that_aws_cannot_be_reached_is_400_and_says_so() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Verify, 1, Fault::Throttled);
    let text = check(&stage, &id).await.refusal(400);
    assert!(text.contains("could not be checked"), "{text}");
}
