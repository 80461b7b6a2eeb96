//! References to the secrets of a rotation, in the values of others (section 17, point 6; rule D14).

use serde_json::{Value, json};

use super::moves::{relocate, secret, to, value};
use super::stage::{Stage, with};
use crate::support::text;

fn mapping(access_key_id: &str, secret_access_key: &str) -> Value {
    json!({"secretsMapping": {"accessKeyId": access_key_id, "secretAccessKey": secret_access_key}})
}

#[tokio::test]
async fn references_follow_a_swap_and_what_only_looks_like_one_stays() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let plain = "$AWS_ACCESS_KEY_ID {AWS_ACCESS_KEY_ID} ${aws_access_key_id} ${prod.aws.AWS_ACCESS_KEY_ID}";
    secret(
        &stage,
        "/aws",
        "PAIR",
        "${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}\n",
    )
    .await;
    secret(&stage, "/aws", "PLAIN", plain).await;
    secret(&stage, "/", "FAR", "${AWS_ACCESS_KEY_ID}").await;
    let swapped = mapping("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID");
    stage.update(&id, swapped).await.ok();
    let after = stage.secrets().await;
    let shown = |name: &str| (text(&after[name]["secretValue"]), after[name]["version"].as_i64());
    let pair = "${AWS_SECRET_ACCESS_KEY}:${AWS_ACCESS_KEY_ID}\n";
    assert_eq!(shown("PAIR"), (pair.to_owned(), Some(2)));
    assert_eq!(shown("PLAIN"), (plain.to_owned(), Some(1)), "not even a version");
    assert_eq!(value(&stage, "/", "FAR").await, "${AWS_ACCESS_KEY_ID}");
    assert!(text(&after["AWS_SECRET_ACCESS_KEY"]["secretValue"]).starts_with("AKIA"));
}

#[tokio::test]
async fn a_near_reference_names_environment_and_folders_once_its_target_is_elsewhere() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    secret(&stage, "/aws", "NEAR", "${AWS_ACCESS_KEY_ID}").await;
    let folder = json!({"workspaceId": stage.project, "environment": "prod", "path": "/deep", "name": "er"});
    stage.admin().post("/api/v1/folders", folder).await.ok();
    let there = json!({"environment": "prod", "secretPath": "/deep/er/"});
    stage.update(&id, there).await.ok();
    let near = value(&stage, "/aws", "NEAR").await;
    assert_eq!(near, "${prod.deep.er.AWS_ACCESS_KEY_ID}");
    stage
        .update(&id, json!({"environment": "dev", "secretPath": "/aws"}))
        .await
        .ok();
    let near = value(&stage, "/aws", "NEAR").await;
    assert_eq!(
        near, "${dev.aws.AWS_ACCESS_KEY_ID}",
        "what has become absolute stays so"
    );
}

#[tokio::test]
async fn a_name_that_no_reference_can_hold_is_400_as_long_as_something_refers_to_it() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    secret(&stage, "/", "FAR", "${dev.aws.AWS_ACCESS_KEY_ID}").await;
    let before = (stage.shown(&id).await, stage.secrets().await);
    let dotted = with(
        mapping("MY.ID", "AWS_SECRET_ACCESS_KEY"),
        json!({"name": "other"}),
    );
    let text = "The secret \"FAR\" at the path \"/\" in environment \"dev\" refers to a secret of this rotation, and no \
                reference can be written to a secret with the name \"MY.ID\"";
    stage
        .update(&id, dotted.clone())
        .await
        .refused(400, "BadRequest", text);
    assert_eq!((stage.shown(&id).await, stage.secrets().await), before);
    let place =
        json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/", "secretValue": "mine"});
    stage.admin().patch("/api/v3/secrets/raw/FAR", place).await.ok();
    stage.update(&id, dotted).await.ok();
    assert!(stage.secrets().await.contains_key("MY.ID"));
}

#[tokio::test]
async fn a_secret_that_is_replaced_may_refer_to_what_replaces_it() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    secret(&stage, "/", "AWS_ACCESS_KEY_ID", "${dev.aws.AWS_ACCESS_KEY_ID}").await;
    let (key, _) = stage.published().await;
    let body = with(to("/"), json!({"overwriteDestination": true}));
    relocate(&stage, &id, body).await.ok();
    assert_eq!(value(&stage, "/", "AWS_ACCESS_KEY_ID").await, key);
}

#[tokio::test]
async fn a_reference_that_is_written_while_its_target_is_renamed_follows_too() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let mut old = "AWS_ACCESS_KEY_ID".to_owned();
    for round in 0..8 {
        let new = format!("ID_{round}");
        let write = async {
            let mut before = Vec::new();
            // Fewer than a change has tries: each of them may cost it one.
            for n in 0..4 {
                let refers = format!("R{round}_{n}");
                secret(&stage, "/aws", &refers, &format!("${{{old}}}")).await;
                if stage.secrets().await.contains_key(&old) {
                    before.push(refers);
                }
            }
            before
        };
        let renamed = stage.update(&id, mapping(&new, "AWS_SECRET_ACCESS_KEY"));
        let (renamed, before) = tokio::join!(renamed, write);
        renamed.ok();
        for refers in before {
            assert_eq!(
                value(&stage, "/aws", &refers).await,
                format!("${{{new}}}"),
                "{refers}"
            );
        }
        old = new;
    }
}
