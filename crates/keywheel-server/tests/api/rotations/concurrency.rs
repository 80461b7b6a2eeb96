//! Many at once: one wins, the others are refused cleanly, and nothing is torn (contract, section 15, W11 and W12).

use serde_json::json;

use super::stage::{IN_PROGRESS, PREFIX, ROTATIONS, Stage, USER};
use crate::support::{Fault, Op, Seen, join_all, text};

const CALLS: usize = 50;
const NAME_TAKEN: &str =
    "A Secret Rotation with the name \"demo\" already exists at the secret path \"/aws\"";

/// The one success and the texts of the refusals.
fn one_winner(seen: &[Seen]) -> (serde_json::Value, Vec<String>) {
    let (won, lost): (Vec<_>, Vec<_>) = seen.iter().partition(|seen| seen.status == 200);
    assert_eq!(won.len(), 1);
    (
        won[0].ok(),
        lost.into_iter().map(|seen| seen.refusal(400)).collect(),
    )
}

#[tokio::test]
async fn of_fifty_creates_with_one_name_one_succeeds_and_one_key_exists() {
    let stage = Stage::set().await;
    let seen = join_all((0..CALLS).map(|_| stage.create(json!({}))).collect()).await;
    let (won, texts) = one_winner(&seen);
    for text in texts {
        assert!([NAME_TAKEN, IN_PROGRESS].contains(&text.as_str()), "{text}");
    }
    assert_eq!((stage.iam.count(Op::Issue), stage.iam.keys(USER).len()), (1, 1));
    stage.agrees(&text(&won["secretRotation"]["id"])).await;
    stage
        .create(json!({}))
        .await
        .refused(400, "BadRequest", NAME_TAKEN);
}

#[tokio::test]
async fn of_two_creates_with_one_name_for_two_users_the_loser_is_told_the_same_and_publishes_nothing() {
    let stage = Stage::set().await;
    stage.iam.add_user("other-app");
    let mut gate = stage.iam.hold(Op::Verify);
    let other = json!({"parameters": {"userName": "other-app"},
        "secretsMapping": {"accessKeyId": "B", "secretAccessKey": "C"}});
    let (first, second) = tokio::join!(stage.create(json!({})), async {
        gate.arrived().await;
        let second = stage.create(other).await;
        gate.open();
        second
    });
    second.ok();
    first.refused(400, "BadRequest", NAME_TAKEN);
    let names: Vec<_> = stage.secrets().await.into_keys().collect();
    assert_eq!(names, ["B", "C"]);
    // Its key was never published. It waits a day for another create of this user, and then it goes.
    assert_eq!(stage.iam.keys(USER).len(), 1);
    stage.start_schedule().await;
    stage.go_to("2026-03-11T09:31:00Z");
    stage.until_keys(USER, 0).await;
}

#[tokio::test]
async fn of_creates_with_one_name_for_many_users_one_succeeds_and_no_other_leaves_a_secret() {
    let stage = Stage::set().await;
    let users: Vec<String> = (0..CALLS).map(|n| format!("user-{n}")).collect();
    let creates = users.iter().map(|user| {
        stage.iam.add_user(user);
        stage.create(json!({"parameters": {"userName": user}}))
    });
    let seen = join_all(creates.collect()).await;
    let (won, texts) = one_winner(&seen);
    for text in texts {
        assert_eq!(text, NAME_TAKEN);
    }
    let winner = text(&won["secretRotation"]["parameters"]["userName"]);
    let (key, _) = stage.published().await;
    assert_eq!(stage.iam.key_ids(&winner), [key]);
    stage.start_schedule().await;
    stage.go_to("2026-03-11T09:31:00Z");
    for user in users.iter().filter(|user| **user != winner) {
        stage.until_keys(user, 0).await;
    }
}

#[tokio::test]
async fn rotations_updates_and_reads_without_order_tear_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for round in 1..=10 {
        let (first, renamed, described, second, (key, secret)) = tokio::join!(
            stage.rotate(&id),
            stage.update(&id, json!({"rotationInterval": round})),
            stage.update(&id, json!({"description": format!("round {round}")})),
            stage.rotate(&id),
            stage.published(),
        );
        for seen in [&first, &renamed, &described, &second] {
            assert!(seen.status == 200 || seen.refusal(400) == IN_PROGRESS);
        }
        assert_eq!(
            secret,
            format!("planted-secret-of-{key}"),
            "a reader never sees half a pair"
        );
        let shown = stage.shown(&id).await;
        if renamed.status == 200 {
            assert_eq!(shown["rotationInterval"], round);
        }
        if described.status == 200 {
            assert_eq!(shown["description"], format!("round {round}"));
        }
        stage.agrees(&id).await;
    }
    let (deleted, _) = tokio::join!(
        stage.delete(&id, "?revokeGeneratedCredentials=true"),
        stage.rotate(&id)
    );
    if deleted.status == 200 {
        assert_eq!(stage.iam.keys(USER), []);
    } else {
        stage.agrees(&id).await;
    }
}

#[tokio::test]
async fn of_fifty_rotations_at_once_one_runs_and_the_others_change_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    let mut gate = stage.iam.hold(Op::Verify);
    let rotations = (1..CALLS).map(|_| async {
        let seen = stage.rotate(&id).await;
        assert_eq!(stage.iam.count(Op::Issue), 1);
        seen
    });
    let (first, others) = tokio::join!(stage.rotate(&id), async {
        gate.arrived().await;
        let others = join_all(rotations.collect()).await;
        gate.open();
        others
    });
    let after = first.ok();
    assert_eq!(after["secretRotation"]["rotationStatus"], "success");
    for seen in others {
        seen.refused(400, "BadRequest", IN_PROGRESS);
    }
    assert_eq!((stage.iam.count(Op::Issue), stage.iam.most_under_way()), (1, 1));
    stage.agrees(&id).await;
}

#[tokio::test]
async fn fifty_rotations_without_order_never_overlap() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.iam.forget_calls();
    let seen = join_all((0..CALLS).map(|_| stage.rotate(&id)).collect()).await;
    let won = seen.iter().filter(|seen| seen.status == 200).count();
    for seen in seen.iter().filter(|seen| seen.status != 200) {
        seen.refused(400, "BadRequest", IN_PROGRESS);
    }
    assert!(won >= 1);
    // Each that succeeded made one key, and no run asked who the user is while another had a key to verify.
    assert_eq!((stage.iam.count(Op::Issue), stage.iam.most_under_way()), (won, 1));
    let mut verified = 3;
    for (op, _) in stage.iam.calls() {
        match op {
            Op::Identify => assert_eq!(verified, 3, "a run began inside of another"),
            Op::Issue => verified = 0,
            Op::Verify => verified += 1,
            _ => {}
        }
    }
    stage.agrees(&id).await;
}

/// The calls of a rotation that has a key to retire, in their order.
const EFFECTS: [Op; 7] = [
    Op::Identify,
    Op::List,
    Op::LastUsed,
    Op::Deactivate,
    Op::Delete,
    Op::Issue,
    Op::Verify,
];

#[tokio::test]
async fn changes_during_a_run_are_refused_at_each_of_its_calls_and_tear_nothing() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    for op in EFFECTS {
        let before = stage.shown(&id).await;
        let mut gate = stage.iam.hold(op);
        let (rotated, ()) = tokio::join!(stage.rotate(&id), async {
            gate.arrived().await;
            let mapping = json!({"accessKeyId": "A", "secretAccessKey": "B"});
            let seen = [
                stage
                    .update(&id, json!({"name": "renamed", "isAutoRotationEnabled": false}))
                    .await,
                stage.update(&id, json!({"secretsMapping": mapping})).await,
                stage.delete(&id, "").await,
                stage.delete(&id, "?deleteSecrets=true").await,
                stage
                    .delete(&id, "?revokeGeneratedCredentials=true&deleteSecrets=true")
                    .await,
                stage.update(&id, json!({"secretPath": "/"})).await,
            ];
            for seen in seen {
                seen.refused(400, "BadRequest", IN_PROGRESS);
            }
            let to_root = json!({"destinationEnvironment": "dev", "destinationSecretPath": "/"});
            let path = format!("{ROTATIONS}/move/{id}");
            let moved = stage.admin().post(&path, to_root).await;
            assert_eq!(moved.status, 400, "{op:?}");
            assert_eq!(stage.shown(&id).await, before, "{op:?}");
            gate.open();
        });
        rotated.ok();
        stage.agrees(&id).await;
    }
    let after = stage.shown(&id).await;
    assert_eq!(
        (&after["name"], &after["isAutoRotationEnabled"]),
        (&json!("demo"), &json!(true))
    );
}

#[tokio::test]
async fn a_run_that_fails_while_a_change_is_refused_leaves_the_published_pair() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    let published = stage.published().await;
    for op in [Op::Identify, Op::List, Op::Deactivate, Op::Delete, Op::Issue] {
        let mut gate = stage.iam.hold(op);
        stage.iam.fail(op, 1, Fault::Throttled);
        let (rotated, deleted) = tokio::join!(stage.rotate(&id), async {
            gate.arrived().await;
            let deleted = stage.delete(&id, "?revokeGeneratedCredentials=true").await;
            gate.open();
            deleted
        });
        assert!(rotated.refusal(500).starts_with(PREFIX));
        deleted.refused(400, "BadRequest", IN_PROGRESS);
        assert_eq!(stage.published().await, published, "{op:?}");
        stage.agrees(&id).await;
    }
}

#[tokio::test]
async fn a_deletion_that_revokes_excludes_every_other_change_until_it_ends() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut gate = stage.iam.hold(Op::Delete);
    let (deleted, ()) = tokio::join!(stage.delete(&id, "?revokeGeneratedCredentials=true"), async {
        gate.arrived().await;
        for seen in [
            stage.rotate(&id).await,
            stage.update(&id, json!({})).await,
            stage.delete(&id, "").await,
            stage.delete(&id, "?revokeGeneratedCredentials=true").await,
        ] {
            seen.refused(400, "BadRequest", IN_PROGRESS);
        }
        gate.open();
    });
    deleted.ok();
    assert_eq!(stage.iam.keys(USER), []);
    assert_eq!(stage.admin().get(&format!("{ROTATIONS}/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_client_that_goes_away_stops_nothing_half_way() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut gate = stage.iam.hold(Op::Issue);
    let gone = tokio::select! {
        seen = stage.rotate(&id) => Some(seen),
        () = gate.arrived() => None,
    };
    assert!(gone.is_none());
    gate.open();
    stage.until(&id, |shown| shown["activeIndex"] == 1).await;
    stage.agrees(&id).await;
}

#[tokio::test]
async fn a_key_that_is_made_while_the_server_is_told_to_stop_is_written_down() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut gate = stage.iam.hold(Op::Issue);
    let (_, ()) = tokio::join!(stage.rotate(&id), async {
        gate.arrived().await;
        let engine = stage.app.app.engine().clone();
        let stopping = tokio::spawn(async move { engine.shut_down().await });
        // It says so before it waits for the run.
        tokio::task::yield_now().await;
        gate.open();
        stopping.await.unwrap();
    });
    let recorded: Vec<_> = stage.ledger(&id).await.into_keys().collect();
    assert_eq!(recorded.len(), 2);
    for key in stage.iam.key_ids(USER) {
        assert!(recorded.contains(&key), "{key} is not in {recorded:?}");
    }
}
