//! When the next rotation is (contract, section 8; section 17, point 5; rules D5, D15 and D16).

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RotationId;
use keywheel_core::ledger::{Change, Commit};
use keywheel_store::ledgers::LeaseTerms;
use serde_json::{Value, json};

use super::stage::{Stage, USER};
use crate::support::{Fault, Op, text};

/// The next rotation of one that is created at a moment.
async fn next_after_create(at: &str, interval: u32, hours: f64, minutes: f64) -> String {
    let stage = Stage::set_at(at).await;
    let changes = json!({"rotationInterval": interval, "rotateAtUtc": {"hours": hours, "minutes": minutes}});
    let made = stage.create(changes).await.ok();
    text(&made["secretRotation"]["nextRotationAt"])
}

#[tokio::test]
async fn after_a_create_the_worked_examples_of_the_contract_hold() {
    for (at, interval, hours, minutes, next) in [
        ("2026-03-10T09:30:00Z", 30, 0., 0., "2026-04-10T00:00:00.000Z"),
        ("2026-03-10T09:30:00Z", 30, 11., 0., "2026-04-09T11:00:00.000Z"),
        ("2028-02-28T12:00:00Z", 1, 12., 30., "2028-02-29T12:30:00.000Z"),
    ] {
        assert_eq!(
            next_after_create(at, interval, hours, minutes).await,
            next,
            "{at}"
        );
    }
}

#[tokio::test]
async fn fractions_of_the_time_of_day_are_added_exactly() {
    for (at, next) in [
        ("2026-03-10T11:45:00Z", "2026-04-09T11:59:30.000Z"),
        ("2026-03-10T11:59:29Z", "2026-04-09T11:59:30.000Z"),
        ("2026-03-10T11:59:30Z", "2026-04-10T11:59:30.000Z"),
        ("2026-03-10T12:00:00Z", "2026-04-10T11:59:30.000Z"),
    ] {
        assert_eq!(next_after_create(at, 30, 11.5, 29.5).await, next, "{at}");
    }
}

#[tokio::test]
async fn after_rotate_secrets_the_worked_examples_of_the_contract_hold() {
    for (at, interval, hours, next) in [
        ("2026-03-10T11:00:00Z", 30, 11, "2026-04-10T11:00:00.000Z"),
        ("2026-03-10T23:30:00Z", 1, 0, "2026-03-12T00:00:00.000Z"),
    ] {
        let stage = Stage::set().await;
        let changes = json!({"rotationInterval": interval, "rotateAtUtc": {"hours": hours, "minutes": 0}});
        let id = text(&stage.create(changes).await.ok()["secretRotation"]["id"]);
        stage.go_to(at);
        let after = stage.rotate(&id).await.ok();
        assert_eq!(after["secretRotation"]["nextRotationAt"], next, "{at}");
    }
}

#[tokio::test]
async fn an_update_counts_anew_from_the_last_rotation() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.go_to("2026-03-12T08:00:00Z");
    for (body, next) in [
        (json!({"rotationInterval": 7}), "2026-03-18T00:00:00.000Z"),
        (
            json!({"rotateAtUtc": {"hours": 11, "minutes": 0}}),
            "2026-03-17T11:00:00.000Z",
        ),
    ] {
        let after = stage.update(&id, body).await.ok();
        assert_eq!(after["secretRotation"]["nextRotationAt"], next);
    }
}

fn is_rotated(shown: &Value) -> bool {
    shown["activeIndex"] == 1
}

/// Makes a rotation of 30 days at 11:00, and comes back at a moment to the state after its scheduled run.
async fn scheduled_run_at(stage: &Stage, at: &str) -> Value {
    let changes = json!({"rotateAtUtc": {"hours": 11, "minutes": 0}});
    let id = text(&stage.create(changes).await.ok()["secretRotation"]["id"]);
    stage.start_schedule().await;
    stage.go_to(at);
    let after = stage.until(&id, is_rotated).await;
    stage.agrees(&id).await;
    after
}

#[tokio::test]
async fn a_scheduled_run_keeps_its_time_of_day_and_counts_from_its_slot() {
    // The slot is 2026-04-09T11:00; a part of five minutes spreads the rotations that share it.
    for (at, next) in [
        ("2026-04-09T11:05:00Z", "2026-05-09T11:00:00.000Z"),
        ("2026-04-10T10:59:59Z", "2026-05-09T11:00:00.000Z"),
        ("2026-04-12T18:00:00Z", "2026-05-12T11:00:00.000Z"),
    ] {
        let stage = Stage::set().await;
        let after = scheduled_run_at(&stage, at).await;
        assert_eq!(after["nextRotationAt"], next, "{at}");
        assert_eq!(after["isLastRotationManual"], false);
        assert!(after["lastRotationJobId"].is_string());
    }
}

#[tokio::test]
async fn work_that_became_due_while_the_server_was_down_runs_at_once() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.go_to("2026-06-01T00:00:00Z");
    stage.start_schedule().await;
    stage.until(&id, is_rotated).await;
}

/// A failure of another node, whose clock is ahead, for a rotation.
async fn fail_elsewhere(stage: &Stage, id: &str, ahead: Millis) {
    let store = stage.app.app.store();
    let id: RotationId = id.parse().unwrap();
    let user = store.rotation(id).await.unwrap().unwrap().rotation.user;
    let now = stage.app.clock.right();
    let until = now + Millis::from_secs(60);
    let terms = LeaseTerms {
        node: "elsewhere",
        now,
        until,
    };
    let claim = loop {
        // The run before shows its result a moment before it gives the lease back.
        if let Some(claim) = store.claim_user(user, terms).await.unwrap() {
            break claim;
        }
        tokio::task::yield_now().await;
    };
    let mut failed = store.load(user).await.unwrap().unwrap().user;
    (failed.failures, failed.due_at) = (1, Some(now + ahead));
    let commit = Commit {
        changes: vec![Change::User(failed)],
        ..Commit::default()
    };
    store.commit(claim, &commit, None, None, now).await.unwrap();
    store.release(claim).await.unwrap();
}

#[tokio::test]
async fn a_date_that_the_wrong_clock_of_another_node_set_is_found_within_minutes() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.start_schedule().await;
    let other = stage.other_rotation().await;
    stage.go_to("2026-04-10T01:00:00Z");
    // It has looked for such dates before there was one.
    stage.until(&other, is_rotated).await;
    stage.until(&id, is_rotated).await;
    fail_elsewhere(&stage, &id, Millis::DAY.times(400)).await;
    stage.go_to("2026-05-11T01:00:00Z");
    stage.until(&id, |shown| shown["activeIndex"] == 0).await;
}

#[tokio::test]
async fn disabling_and_rescheduling_take_effect_at_once_for_work_that_is_due_already() {
    let stage = Stage::set().await;
    let [disabled, later] = [stage.rotation().await, stage.other_rotation().await];
    stage.iam.add_user("due-app");
    let changes = json!({"name": "due", "parameters": {"userName": "due-app"},
        "secretsMapping": {"accessKeyId": "DUE_ID", "secretAccessKey": "DUE_SECRET"}});
    let due = text(&stage.create(changes).await.ok()["secretRotation"]["id"]);
    stage.go_to("2026-04-11T00:00:00Z");
    stage
        .update(&disabled, json!({"isAutoRotationEnabled": false}))
        .await
        .ok();
    stage.update(&later, json!({"rotationInterval": 60})).await.ok();
    stage.start_schedule().await;
    stage.until(&due, is_rotated).await;
    for id in [&disabled, &later] {
        assert_eq!(stage.shown(id).await["activeIndex"], 0);
    }
    // What is made due is run at once as well.
    stage.update(&later, json!({"rotationInterval": 1})).await.ok();
    stage.until(&later, is_rotated).await;
}

#[tokio::test]
async fn a_failed_run_is_tried_again_within_a_minute_until_it_succeeds() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Issue, u32::MAX, Fault::Throttled);
    stage.start_schedule().await;
    stage.go_to("2026-04-10T00:06:00Z");
    let failed = stage
        .until(&id, |shown| shown["rotationStatus"] == "failed")
        .await;
    let moment = |field: &str| -> Moment { text(&failed[field]).parse().unwrap() };
    let pause = (moment("nextRotationAt") - moment("lastRotationAttemptedAt")).get();
    assert!((0..=60_000).contains(&pause), "{pause} ms");
    assert_eq!(failed["activeIndex"], 0);
    stage.agrees(&id).await;

    stage.iam.heal();
    stage.go_to("2026-04-10T00:08:00Z");
    let after = stage.until(&id, is_rotated).await;
    assert_eq!(
        (&after["rotationStatus"], &after["lastRotationMessage"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(after["nextRotationAt"], "2026-05-10T00:00:00.000Z");
    assert_eq!(stage.iam.keys(USER).len(), 2);
}

#[tokio::test]
async fn a_run_that_succeeds_after_midnight_at_its_second_try_shifts_no_day() {
    let stage = Stage::set().await;
    let changes = json!({"rotateAtUtc": {"hours": 23, "minutes": 59}});
    let id = text(&stage.create(changes).await.ok()["secretRotation"]["id"]);
    stage.iam.fail(Op::Issue, 1, Fault::Throttled);
    stage.start_schedule().await;
    stage.go_to("2026-04-10T00:05:00Z");
    stage
        .until(&id, |shown| shown["rotationStatus"] == "failed")
        .await;
    stage.go_to("2026-04-10T00:07:00Z");
    let after = stage.until(&id, is_rotated).await;
    assert_eq!(after["nextRotationAt"], "2026-05-09T23:59:00.000Z");
}

#[tokio::test]
async fn retries_come_further_apart_and_never_more_than_an_hour() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.fail(Op::Issue, u32::MAX, Fault::Throttled);
    stage.start_schedule().await;
    stage.go_to("2026-04-10T00:06:00Z");
    let mut failed = stage
        .until(&id, |shown| shown["rotationStatus"] == "failed")
        .await;
    for attempt in 0..12 {
        let next = text(&failed["nextRotationAt"]);
        let pause = next.parse::<Moment>().unwrap()
            - text(&failed["lastRotationAttemptedAt"])
                .parse::<Moment>()
                .unwrap();
        let most = (60_000 << attempt).min(3_600_000);
        assert!((0..=most).contains(&pause.get()), "{attempt}: {} ms", pause.get());
        // A second later: both clocks have to be past it.
        let at = next.parse::<Moment>().unwrap() + keywheel_core::clock::Millis::from_secs(2);
        stage.go_to(&at.to_string());
        let job = failed["lastRotationJobId"].clone();
        failed = stage.until(&id, |shown| shown["lastRotationJobId"] != job).await;
    }
}
