//! Generated credentials and slots (contract, sections 5.8 and 7.2; acceptance points of section 13).

use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, USER};
use crate::support::text;

#[tokio::test]
async fn slots_take_turns_and_the_credential_of_two_rotations_ago_is_revoked() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let key = |n: usize| stage.iam.key_ids(USER)[n].clone();
    let first = key(0);
    assert_eq!(stage.slots(&id).await, (vec![first.clone()], 0));
    stage.rotate(&id).await.ok();
    let second = key(1);
    assert_eq!(stage.slots(&id).await, (vec![first.clone(), second.clone()], 1));
    assert_eq!(
        stage.iam.key_ids(USER),
        [first, second.clone()],
        "nothing is revoked yet"
    );
    stage.rotate(&id).await.ok();
    let third = key(1);
    assert_eq!(stage.slots(&id).await, (vec![third.clone(), second.clone()], 0));
    assert_eq!(stage.iam.key_ids(USER), [second, third.clone()]);
    stage.rotate(&id).await.ok();
    let fourth = key(1);
    assert_eq!(stage.slots(&id).await, (vec![third.clone(), fourth.clone()], 1));
    assert_eq!(stage.iam.key_ids(USER), [third, fourth]);
    stage.agrees(&id).await;
}

#[tokio::test]
async fn every_rotation_writes_both_secrets_as_a_new_version() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for version in 1..=3 {
        for secret in stage.secrets().await.values() {
            assert_eq!(secret["version"], version);
        }
        stage.agrees(&id).await;
        stage.rotate(&id).await.ok();
    }
}

#[tokio::test]
async fn the_credentials_are_shown_with_exactly_the_fields_of_the_contract() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let path = format!("{ROTATIONS}/{id}/generated-credentials");
    let (key, secret) = stage.published().await;
    assert_eq!(
        stage.admin().get(&path).await.ok(),
        json!({"generatedCredentials": [{"accessKeyId": key, "secretAccessKey": secret}],
            "activeIndex": 0, "rotationId": id, "type": "aws-iam-user-secret"})
    );
}

#[tokio::test]
async fn who_may_read_the_rotation_may_not_read_its_credentials() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let path = format!("{ROTATIONS}/{id}/generated-credentials");
    for role in ["member", "viewer"] {
        let member = stage.member(role).await;
        member.get(&format!("{ROTATIONS}/{id}")).await.ok();
        let text = "You are not allowed to read-generated-credentials on secret-rotation";
        member.get(&path).await.refused(403, "PermissionDenied", text);
    }
}

#[tokio::test]
async fn the_secret_of_a_key_that_is_gone_can_be_read_nowhere() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let (_, first) = stage.published().await;
    stage.rotate(&id).await.ok();
    stage.rotate(&id).await.ok();
    let place = format!("workspaceId={}&environment=dev&secretPath=/aws", stage.project);
    for path in [
        format!("/api/v3/secrets/raw/AWS_SECRET_ACCESS_KEY?{place}&version=1"),
        format!("/api/v3/secrets/raw?{place}"),
        format!("{ROTATIONS}/{id}/generated-credentials"),
        format!("{ROTATIONS}/{id}/keys"),
        format!("{ROTATIONS}/{id}/runs"),
    ] {
        let seen = stage.admin().get(&path).await.ok();
        assert!(!seen.to_string().contains(&first), "{path}");
    }
}

#[tokio::test]
async fn a_second_slot_stays_valid_for_its_owner_until_the_next_rotation() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.published().await;
    stage.rotate(&id).await.ok();
    let path = format!("{ROTATIONS}/{id}/generated-credentials");
    let shown = stage.admin().get(&path).await.ok();
    let earlier = &shown["generatedCredentials"][0];
    let read = |key: &str| text(&earlier[key]);
    assert_eq!((read("accessKeyId"), read("secretAccessKey")), before);
    let at_aws = stage.iam.keys(USER);
    assert!(
        at_aws
            .iter()
            .all(|key| key.status == keywheel_core::aws::KeyStatus::Active)
    );
    assert_eq!(shown["activeIndex"], Value::from(1));
}
