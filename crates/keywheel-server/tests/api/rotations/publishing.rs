//! From a new key to the secrets: verified first, then published at once; and what is said when it fails
//! (rules D7, D9 and D11; faults W7, W8, W12 and W16).

use keywheel_core::aws::KeyStatus;
use keywheel_core::clock::Millis;
use keywheel_server::ambient::Clock;
use serde_json::json;

use super::stage::{ROTATIONS, Stage, USER};
use crate::support::{Fault, Op};

#[tokio::test]
async fn nothing_is_published_before_the_new_key_has_proven_itself() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = (
        stage.published().await,
        stage.shown(&id).await["activeIndex"].clone(),
    );
    for op in [Op::Issue, Op::Verify] {
        let mut gate = stage.iam.hold(op);
        let (rotated, ()) = tokio::join!(stage.rotate(&id), async {
            gate.arrived().await;
            assert_eq!(stage.published().await, before.0, "{op:?}");
            assert_eq!(stage.shown(&id).await["activeIndex"], before.1);
            // The call is never answered with a key that works.
            stage
                .iam
                .fail(op, 1, Fault::Refused("SignatureDoesNotMatch", "no"));
            stage
                .iam
                .fail(Op::Verify, 2, Fault::Refused("SignatureDoesNotMatch", "no"));
            gate.open();
        });
        assert_eq!(rotated.status, 500, "{op:?}");
        assert_eq!(stage.published().await, before.0, "{op:?}");
        assert_eq!(stage.shown(&id).await["activeIndex"], before.1);
        stage.iam.heal();
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_new_key_works_three_times_in_a_row_spaced_in_time_before_it_is_published() {
    let stage = Stage::set_with_real_waits().await;
    let began_at = stage.app.clock.now();
    stage.rotation().await;
    assert_eq!(stage.iam.count(Op::Verify), 3);
    // Two seconds between the tries, ten of rest after the last.
    assert_eq!(stage.app.clock.now() - began_at, Millis::from_secs(14));
    // A refusal in between begins the row anew.
    let id = stage.other_rotation().await;
    stage.iam.forget_calls();
    let refusal = Fault::Refused("InvalidClientTokenId", "not known here yet");
    stage.iam.fail(Op::Verify, 1, refusal);
    stage.rotate(&id).await.ok();
    assert_eq!(stage.iam.count(Op::Verify), 4);
}

#[tokio::test]
async fn a_key_whose_secret_aws_refuses_for_good_is_retired_and_never_published() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let published = stage.published().await;
    let refused = Fault::Refused("SignatureDoesNotMatch", "no");
    stage.iam.fail(Op::Verify, u32::MAX, refused);
    assert_eq!(stage.rotate(&id).await.status, 500);
    assert_eq!(stage.published().await, published);
    assert_eq!(stage.iam.key_ids(USER), [published.0]);
}

#[tokio::test]
async fn every_check_that_needs_no_change_at_aws_comes_before_the_first_change() {
    let stage = Stage::set().await;
    stage.rotation().await;
    stage.iam.forget_calls();
    let free = json!({"accessKeyId": "FREE_ID", "secretAccessKey": "FREE_SECRET"});
    let equal = json!({"accessKeyId": "A", "secretAccessKey": "A"});
    for changes in [
        json!({"secretsMapping": free}),
        json!({"name": "second", "secretsMapping": equal}),
        json!({"name": "second"}),
        json!({"name": "second", "secretsMapping": free}),
        json!({"name": "second", "secretsMapping": free, "secretPath": "/nowhere"}),
        json!({"name": "second", "secretsMapping": free, "parameters": {"userName": "nobody"}}),
    ] {
        assert_eq!(stage.create(changes.clone()).await.status, 400, "{changes}");
    }
    let member = stage.member("member").await;
    assert_eq!(member.post(ROTATIONS, stage.body(json!({}))).await.status, 403);
    stage.iam.add_user("full-app");
    let _ = (stage.iam.add_key("full-app"), stage.iam.add_key("full-app"));
    let full = json!({"name": "full", "secretsMapping": free, "parameters": {"userName": "full-app"}});
    assert_eq!(stage.create(full).await.status, 400);
    assert_eq!(stage.iam.changes(), []);
}

#[tokio::test]
async fn the_previous_key_stays_valid_after_a_rotation() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (previous, _) = stage.published().await;
    stage.rotate(&id).await.ok();
    let keys = stage.iam.keys(USER);
    assert_eq!(
        (keys[0].id.as_str(), keys[0].status),
        (previous.as_str(), KeyStatus::Active)
    );
}

#[tokio::test]
async fn ids_and_arns_are_told_and_secrets_never() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let denied = "User: arn:aws:iam::123456789012:user/keywheel is not authorized";
    for op in [Op::Identify, Op::List, Op::Issue] {
        stage.iam.fail(op, 1, Fault::Refused("AccessDenied", denied));
        let seen = stage.rotate(&id).await;
        assert!(seen.refusal(500).contains(denied));
        let shown = stage.shown(&id).await.to_string();
        assert!(shown.contains("arn:aws:iam::123456789012:user/keywheel"));
        for text in [shown, String::from_utf8_lossy(&seen.body).into_owned()] {
            assert!(!text.contains("planted"), "{text}");
        }
    }
    let viewer = stage.member("viewer").await;
    let shown = viewer.get(&format!("{ROTATIONS}/{id}")).await.ok();
    let text = shown["secretRotation"]["lastRotationMessage"].as_str().unwrap();
    assert!(
        text.contains("123456789012"),
        "who may read the rotation may read why: {text}"
    );
}

#[tokio::test]
async fn a_wrong_secret_of_an_import_is_told_without_the_secret() {
    let stage = Stage::set().await;
    let foreign = stage.iam.add_key(USER);
    let import = json!({"mode": "import", "accessKeyId": foreign.id, "secretAccessKey": "planted-and-wrong"});
    let text = stage.create(json!({"adoption": import})).await.refusal(400);
    assert!(text.contains(&foreign.id) && !text.contains("planted"), "{text}");
    assert_eq!(stage.iam.keys(USER), [foreign]);
}
