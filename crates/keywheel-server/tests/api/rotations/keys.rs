//! Whose keys may be touched, and whose user may be rotated (rules D8 and D10; faults W1 to W6).

use keywheel_core::aws::KeyStatus;
use keywheel_core::clock::Millis;
use serde_json::json;

use super::stage::{ROTATIONS, Stage, USER, connection};
use crate::support::{Fault, Op, text};

#[tokio::test]
async fn two_foreign_keys_are_400_with_ids_status_age_and_ways_out_and_nothing_changes() {
    let stage = Stage::set().await;
    let keys = [stage.iam.add_key(USER), stage.iam.add_key(USER)];
    stage.iam.set_status(&keys[1].id, KeyStatus::Inactive);
    stage.app.pass(Millis::from_hours(72));
    let before = stage.iam.keys(USER);
    let text = stage.create(json!({})).await.refusal(400);
    for words in [
        keys[0].id.as_str(),
        keys[1].id.as_str(),
        "Active",
        "Inactive",
        "3 days old",
        "Import one of them",
        "hand one over",
        "delete one in IAM",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("planted-secret"), "{text}");
    assert_eq!(stage.iam.changes(), []);
    assert_eq!(stage.iam.keys(USER), before);
}

#[tokio::test]
async fn one_foreign_key_is_allowed_and_blocks_the_next_rotation_without_being_touched() {
    let stage = Stage::set().await;
    let foreign = stage.iam.add_key(USER);
    let id = stage.rotation().await;
    let published = stage.published().await;
    assert_eq!(stage.ledger(&id).await[&foreign.id], "unmanaged");
    stage.iam.forget_calls();
    let text = stage.rotate(&id).await.refusal(400);
    assert!(
        text.contains(&foreign.id) && text.contains("Hand it over"),
        "{text}"
    );
    assert_eq!(stage.iam.changes(), []);
    assert_eq!(stage.shown(&id).await["lastRotationMessage"], text);
    assert_eq!(stage.published().await, published);
    stage.agrees(&id).await;
    stage.iam.remove_key(&foreign.id);
    stage.rotate(&id).await.ok();
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_key_that_an_operator_added_is_never_taken_for_the_oldest_one() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let added = stage.iam.add_key(USER);
    let before = stage.iam.keys(USER);
    assert_eq!(stage.rotate(&id).await.status, 400);
    assert_eq!(stage.iam.keys(USER), before);
    let path = format!("{ROTATIONS}/{id}/keys/{}/hand-over", added.id);
    stage.admin().post(&path, json!({})).await.ok();
    stage.rotate(&id).await.ok();
    assert!(!stage.iam.key_ids(USER).contains(&added.id));
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_foreign_key_can_be_imported_or_handed_over_in_the_create() {
    let stage = Stage::set().await;
    let foreign = stage.iam.add_key(USER);
    let import = json!({"mode": "import", "accessKeyId": foreign.id, "secretAccessKey": foreign.secret});
    let id = text(&stage.create(json!({"adoption": import})).await.ok()["secretRotation"]["id"]);
    assert_eq!(stage.published().await, (foreign.id, foreign.secret));
    assert_eq!(stage.iam.changes(), []);
    stage.agrees(&id).await;

    let stage = Stage::set().await;
    let keys = [stage.iam.add_key(USER), stage.iam.add_key(USER)];
    let over = json!({"mode": "hand-over", "accessKeyId": keys[0].id, "retireAtOnce": true});
    let id = text(&stage.create(json!({"adoption": over})).await.ok()["secretRotation"]["id"]);
    let left = stage.iam.key_ids(USER);
    assert!(!left.contains(&keys[0].id) && left.contains(&keys[1].id));
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_second_rotation_of_one_user_is_400_and_names_the_first_however_the_name_is_written() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    let changes = json!({"name": "second", "secretsMapping": {"accessKeyId": "B", "secretAccessKey": "C"}});
    let text = stage.create(changes).await.refusal(400);
    let expected = "IAM user demo-app is already rotated by the secret rotation \"demo\"; two rotations of one user \
                    would take each other's keys";
    assert_eq!(text, expected);
    assert_eq!(stage.iam.changes(), []);
    stage.agrees(&id).await;
}

#[tokio::test]
async fn the_user_whose_own_key_the_connection_uses_cannot_be_rotated() {
    let stage = Stage::set().await;
    let own = stage.iam.add_key(USER);
    let itself = connection(&stage.admin(), "itself", &own.id, &json!(null)).await;
    let text = stage.create(json!({"connectionId": itself})).await.refusal(400);
    assert!(
        text.contains("the connection acts as IAM user demo-app itself"),
        "{text}"
    );
    assert_eq!(stage.iam.changes(), []);
}

#[tokio::test]
async fn a_user_that_was_made_again_under_the_same_name_is_not_touched() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.add_user(USER);
    let stranger = stage.iam.add_key(USER);
    let text = stage.rotate(&id).await.refusal(400);
    assert!(
        text.contains("is not the user that this rotation was made for"),
        "{text}"
    );
    assert_eq!(stage.iam.keys(USER), [stranger]);
}

#[tokio::test]
async fn a_failed_run_and_its_retries_never_cost_the_published_key() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    let published = stage.published().await;
    let refused = Fault::Refused("InvalidClientTokenId", "not yet");
    for (op, fault) in [
        (Op::Deactivate, Fault::Throttled),
        (Op::Delete, Fault::Throttled),
        (Op::Issue, Fault::Throttled),
        (Op::Issue, Fault::Refused("LimitExceeded", "somebody was faster")),
        (Op::Verify, refused),
    ] {
        // A key that never works is given up at the deadline of its verification, for which time has to pass.
        let times = if op == Op::Verify { u32::MAX } else { 1 };
        stage.iam.fail(op, times, fault);
        if op == Op::Verify {
            stage.app.clock.let_waits_pass();
        }
        assert_eq!(stage.rotate(&id).await.status, 500, "{op:?}");
        assert_eq!(stage.published().await, published, "{op:?}");
        stage.agrees(&id).await;
    }
    stage.iam.heal();
    stage.rotate(&id).await.ok();
    assert_ne!(stage.published().await, published);
    stage.agrees(&id).await;
}

#[tokio::test]
async fn no_key_goes_before_its_successor_exists_but_the_one_displaced_before() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    stage.iam.fail(Op::Issue, 1, Fault::Throttled);
    assert_eq!(stage.rotate(&id).await.status, 500);
    let changed: Vec<_> = stage.iam.changes().into_iter().map(|(op, _)| op).collect();
    assert_eq!(changed, [Op::Issue]);
    stage.rotate(&id).await.ok();
    let (slots, active) = stage.slots(&id).await;
    let displaced = slots[1 - active].clone();
    stage.iam.forget_calls();
    stage.rotate(&id).await.ok();
    assert_eq!(
        stage.iam.changes(),
        [
            (Op::Deactivate, Some(displaced.clone())),
            (Op::Delete, Some(displaced)),
            (Op::Issue, None)
        ]
    );
}
