//! Rotating now (contract, section 5.9; rules D7 and D17; acceptance points of section 13).

use axum::body::Body;
use axum::http::Method;
use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::stage::{IN_PROGRESS, PREFIX, ROTATIONS, Stage, USER, with};
use crate::support::{Fault, Op, text};

#[tokio::test]
async fn it_answers_when_the_new_key_is_published() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.app.pass(Millis::from_secs(60));
    let after = stage.rotate(&id).await.ok()["secretRotation"].clone();
    for (field, value) in [
        ("activeIndex", json!(1)),
        ("rotationStatus", json!("success")),
        ("lastRotationMessage", Value::Null),
        ("isLastRotationManual", json!(true)),
        ("lastRotatedAt", json!("2026-03-10T09:31:00.000Z")),
        ("lastRotationAttemptedAt", json!("2026-03-10T09:31:00.000Z")),
    ] {
        assert_eq!(after[field], value, "{field}");
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn it_works_while_automatic_rotation_is_off_and_plans_no_next_one() {
    let stage = Stage::set().await;
    let made = stage.create(json!({"isAutoRotationEnabled": false})).await.ok();
    assert_eq!(made["secretRotation"]["nextRotationAt"], Value::Null);
    let id = text(&made["secretRotation"]["id"]);
    let after = stage.rotate(&id).await.ok();
    assert_eq!(after["secretRotation"]["nextRotationAt"], Value::Null);
    assert_eq!(after["secretRotation"]["activeIndex"], 1);
}

#[tokio::test]
async fn a_failure_of_aws_is_500_and_only_status_message_and_attempt_change() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (before, secrets) = (stage.shown(&id).await, stage.secrets().await);
    for (op, fault) in [
        (Op::Identify, Fault::Throttled),
        (Op::List, Fault::Refused("AccessDenied", "no")),
        (Op::Issue, Fault::Throttled),
        (Op::Issue, Fault::Refused("AccessDenied", "no")),
    ] {
        stage.app.pass(Millis::from_secs(60));
        stage.iam.fail(op, 1, fault);
        let seen = stage.rotate(&id).await;
        let text = seen.refusal(500);
        assert_eq!(seen.json()["error"], "InternalServerError");
        let said = text.strip_prefix(PREFIX).unwrap();
        let after = stage.shown(&id).await;
        let changed = json!({"rotationStatus": "failed", "lastRotationMessage": said,
            "lastRotationAttemptedAt": after["lastRotationAttemptedAt"], "updatedAt": after["updatedAt"]});
        assert_eq!(after, with(before.clone(), changed), "{op:?}");
        assert_ne!(
            after["lastRotationAttemptedAt"],
            before["lastRotationAttemptedAt"]
        );
        assert_eq!(stage.secrets().await, secrets);
        stage.agrees(&id).await;
    }
}

#[tokio::test]
async fn a_failed_manual_run_never_moves_the_schedule_and_never_starts_one() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.shown(&id).await;
    stage.iam.fail(Op::Issue, 2, Fault::Throttled);
    assert_eq!(stage.rotate(&id).await.status, 500);
    assert_eq!(stage.shown(&id).await["nextRotationAt"], before["nextRotationAt"]);
    stage
        .update(&id, json!({"isAutoRotationEnabled": false}))
        .await
        .ok();
    assert_eq!(stage.rotate(&id).await.status, 500);
    assert_eq!(stage.shown(&id).await["nextRotationAt"], Value::Null);
}

#[tokio::test]
async fn a_success_after_a_failure_clears_status_and_message() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Issue, 1, Fault::Throttled);
    assert_eq!(stage.rotate(&id).await.status, 500);
    let after = stage.rotate(&id).await.ok()["secretRotation"].clone();
    assert_eq!(
        (&after["rotationStatus"], &after["lastRotationMessage"]),
        (&json!("success"), &Value::Null)
    );
    stage.agrees(&id).await;
}

#[tokio::test]
async fn while_a_rotation_runs_another_is_400_and_changes_no_state() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.shown(&id).await;
    let mut gate = stage.iam.hold(Op::Issue);
    let (first, second) = tokio::join!(stage.rotate(&id), async {
        gate.arrived().await;
        let second = stage.rotate(&id).await;
        assert_eq!(stage.shown(&id).await, before);
        gate.open();
        second
    });
    second.refused(400, "BadRequest", IN_PROGRESS);
    let after = first.ok()["secretRotation"].clone();
    assert_eq!(
        (&after["rotationStatus"], &after["activeIndex"]),
        (&json!("success"), &json!(1))
    );
}

#[tokio::test]
async fn no_jump_of_the_wall_clock_ends_the_lease_of_a_run() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut gate = stage.iam.hold(Op::Issue);
    let (first, seen) = tokio::join!(stage.rotate(&id), async {
        gate.arrived().await;
        let mut seen = Vec::new();
        for ahead in [Millis::from_hours(1), Millis::from_hours(-1)] {
            stage.app.clock.set_ahead(ahead);
            let second = stage.rotate(&id).await;
            let runs = stage.admin().get(&format!("{ROTATIONS}/{id}/runs")).await.ok();
            seen.push((ahead, second, runs));
        }
        stage.app.clock.set_ahead(Millis::ZERO);
        gate.open();
        seen
    });
    first.ok();
    for (ahead, second, runs) in seen {
        assert_eq!(second.refusal(400), IN_PROGRESS, "{ahead:?}");
        let is_running = |run: &Value| run["outcome"] == "running";
        assert!(
            runs["runs"].as_array().unwrap().iter().any(is_running),
            "{ahead:?}: {runs}"
        );
    }
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_run_whose_machine_was_halted_meanwhile_publishes_nothing_and_begins_anew() {
    for (op, keys) in [(Op::List, 1), (Op::Issue, 2), (Op::Verify, 2)] {
        let stage = Stage::set().await;
        let id = stage.rotation().await;
        let published = stage.published().await;
        let mut gate = stage.iam.hold(op);
        let (stopped, ()) = tokio::join!(stage.rotate(&id), async {
            gate.arrived().await;
            // What a halted machine did not see of the time, it learns when its clock is set.
            stage.app.clock.set_ahead(Millis::from_secs(31));
            gate.open();
        });
        assert!(stopped.refusal(503).contains("continues by itself"));
        assert_eq!(stage.published().await, published, "{op:?}");
        assert_eq!(
            stage.iam.key_ids(USER).len(),
            keys,
            "nothing more is sent: {op:?}"
        );
        stage.app.clock.set_ahead(Millis::ZERO);
        stage.app.pass(Millis::from_secs(61));
        stage.rotate(&id).await.ok();
        assert_eq!(
            stage.iam.key_ids(USER).len(),
            2,
            "the key that was made is used: {op:?}"
        );
        stage.agrees(&id).await;
    }
}

#[tokio::test]
async fn a_lost_answer_publishes_nothing_and_the_key_that_it_made_is_left_to_its_owner() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let published = stage.published().await;
    stage.iam.fail(Op::Issue, 1, Fault::AnswerLost);
    let text = stage.rotate(&id).await.refusal(500);
    assert!(
        text.contains("did not say whether an access key was created"),
        "{text}"
    );
    assert_eq!(stage.published().await, published);
    // Until the call cannot take effect any more, nothing is made beside it.
    let text = stage.rotate(&id).await.refusal(400);
    assert_eq!(text, IN_PROGRESS);
    stage.app.pass(Millis::from_secs(60));
    let suspect = stage.iam.key_ids(USER)[1].clone();
    let text = stage.rotate(&id).await.refusal(400);
    assert!(text.contains(&suspect), "the suspect is named: {text}");
    assert_eq!(stage.iam.key_ids(USER).len(), 2);
    assert_eq!(stage.published().await, published);
    stage.agrees(&id).await;
    let path = format!("{}/{id}/keys/{suspect}/resolve", super::stage::ROTATIONS);
    stage.admin().post(&path, json!({"owner": "ours"})).await.ok();
    stage.rotate(&id).await.ok();
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_rotates_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let path = format!("{ROTATIONS}/{id}/rotate-secrets");
    for body in ["x", "{\"a\":"] {
        let admin = stage.admin();
        let seen = admin.send(Method::POST, &path, &[], Body::from(body)).await;
        assert_eq!(seen.status, 400, "{body}");
    }
    let one = stage.admin().get(&format!("{ROTATIONS}/{id}")).await.ok();
    assert_eq!(one["secretRotation"]["activeIndex"], 0);
}
