//! Who is told of what, in what form, and where never.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use keywheel_core::clock::Millis;
use keywheel_server::ambient::Clock;
use serde_json::{Value, json};

use super::stage::{Stage, WEBHOOKS, with};
use crate::support::{Receiver, TestApp, text};

/// HMAC (RFC 2104), without the library that the server uses for it.
fn hmac(key: &str, body: &str) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key.as_bytes());
    let keyed = |pad: u8, text: &[u8]| digest(&SHA256, &[&block.map(|byte| byte ^ pad), text].concat());
    hex::encode(keyed(0x5c, keyed(0x36, body.as_bytes()).as_ref()))
}

#[tokio::test]
async fn a_change_is_told_with_the_payload_of_the_contract_and_a_signature_of_the_exact_body() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage
        .webhook(&receiver, json!({"webhookSecretKey": "planted-key"}))
        .await;
    stage.secret("/", "KEY").await;
    let heard = receiver.next().await;
    let now = stage.app.clock.now().as_millis();
    let expected = json!({"event": "secrets.modified", "timestamp": now, "project": {
        "workspaceId": stage.project, "projectId": stage.project, "projectName": "Demo", "environment": "dev",
        "environmentName": "Development", "secretPath": "/", "changedBy": "Instance Admin Identity",
        "changedByActorType": "identity"}});
    assert_eq!(heard.json(), expected);
    let signature = format!("t={now};{}", hmac("planted-key", &heard.body));
    assert_eq!(heard.header("x-infisical-signature"), signature);
    assert_eq!(
        (heard.path.as_str(), heard.header("content-type")),
        ("/hook", "application/json")
    );
    assert!(heard.header("user-agent").starts_with("keywheel/"));
    assert!(heard.header("x-keywheel-delivery").starts_with(&id));
    let shown = stage.until_run(&id, "success").await;
    assert_eq!(shown["lastRunErrorMessage"], json!(null));
    // Another one has no key.
    let plain = stage.webhook(&receiver, json!({"secretPath": "/**"})).await;
    stage.folder("/", "aws").await;
    stage.secret("/aws", "KEY").await;
    let heard = receiver.next().await;
    assert!(heard.header("x-keywheel-delivery").starts_with(&plain));
    assert_eq!(heard.header("x-infisical-signature"), "");
}

#[tokio::test]
async fn making_changing_and_deleting_a_secret_is_told_once_each() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    stage.webhook(&receiver, json!({})).await;
    let path = "/api/v3/secrets/raw/KEY";
    let place = json!({"workspaceId": stage.project, "environment": "dev", "secretPath": "/"});
    let mut ids = BTreeSet::new();
    for method in ["make", "change", "comment", "delete"] {
        let body = |more: Value| with(place.clone(), more);
        match method {
            "make" => stage
                .admin()
                .post(path, body(json!({"secretValue": "x"})))
                .await
                .ok(),
            "change" => stage
                .admin()
                .patch(path, body(json!({"secretValue": "y"})))
                .await
                .ok(),
            "comment" => stage
                .admin()
                .patch(path, body(json!({"secretComment": "z"})))
                .await
                .ok(),
            _ => stage.admin().delete(path, place.clone()).await.ok(),
        };
        let heard = receiver.next().await;
        assert_eq!(heard.json()["event"], "secrets.modified", "{method}");
        assert!(!heard.body.contains("KEY"), "not which secret, nor its value");
        ids.insert(heard.header("x-keywheel-delivery").to_owned());
    }
    assert_eq!(ids.len(), 4);
    receiver.assert_quiet();
}

#[tokio::test]
async fn only_folders_and_events_that_a_webhook_is_about_are_told() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    stage.folder("/", "aws").await;
    stage.folder("/aws", "app").await;
    stage.webhook(&receiver, json!({"secretPath": "/aws/*"})).await;
    stage
        .webhook(&receiver, json!({"secretPath": "/**", "environment": "prod"}))
        .await;
    let failures = json!({"secretPath": "/**", "eventsFilter": [{"eventName": "secrets.rotation-failed"}]});
    stage.webhook(&receiver, failures).await;
    for path in ["/", "/aws", "/aws/app"] {
        stage.secret(path, "KEY").await;
    }
    assert_eq!(receiver.next().await.json()["project"]["secretPath"], "/aws/app");
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_folder_that_is_deleted_with_its_secrets_is_told() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    for (place, name) in [("/", "aws"), ("/aws", "app"), ("/", "empty")] {
        stage.folder(place, name).await;
    }
    stage.secret("/aws/app", "KEY").await;
    stage.webhook(&receiver, json!({"secretPath": "/**"})).await;
    for name in ["empty", "aws"] {
        let body = json!({"workspaceId": stage.project, "environment": "dev", "path": "/"});
        stage
            .admin()
            .delete(&format!("/api/v1/folders/{name}"), body)
            .await
            .ok();
    }
    let told = receiver.next().await.json();
    assert_eq!(
        (
            &told["event"],
            &told["project"]["secretPath"],
            &told["project"]["changedBy"]
        ),
        (
            &json!("secrets.modified"),
            &json!("/aws/app"),
            &json!("Instance Admin Identity")
        )
    );
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_disabled_webhook_is_not_told_and_one_that_is_enabled_again_of_what_happens_then() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage.webhook(&receiver, json!({})).await;
    assert_eq!(
        stage.patch(&id, json!({"isDisabled": true})).await["isDisabled"],
        true
    );
    stage.secret("/", "MISSED").await;
    stage.patch(&id, json!({"isDisabled": false})).await;
    stage.app.pass(Millis::from_secs(1));
    stage.secret("/", "TOLD").await;
    let heard = receiver.next().await;
    assert_eq!(heard.json()["timestamp"], stage.app.clock.now().as_millis());
    stage.until_run(&id, "success").await;
    receiver.assert_quiet();
}

#[tokio::test]
async fn a_test_is_told_at_once_and_its_outcome_is_shown() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage
        .webhook(&receiver, json!({"secretPath": "/aws/**", "isDisabled": true}))
        .await;
    stage.patch(&id, json!({"isDisabled": true})).await;
    let answer = stage
        .admin()
        .post(&format!("{WEBHOOKS}/{id}/test"), json!({}))
        .await
        .ok();
    assert_eq!(
        (&answer["message"], &answer["webhook"]["lastStatus"]),
        (&json!("Successfully tested webhook"), &json!("success"))
    );
    let expected = json!({"workspaceId": stage.project, "projectId": stage.project, "projectName": "Demo",
        "environment": "dev", "environmentName": "Development", "secretPath": "/aws/**"});
    let heard = receiver.next().await.json();
    assert_eq!((&heard["event"], &heard["project"]), (&json!("test"), &expected));
    let again = stage
        .admin()
        .post(&format!("{WEBHOOKS}/{id}/test"), json!({}))
        .await;
    let text = "This address was tested within the last minute. Wait a little and test it again.";
    again.refused(429, "RateLimitExceeded", text);
    assert_eq!(again.headers["retry-after"], "60");
    stage.pass(60);
    receiver.answer(&[418]);
    let failed = stage.test(&id).await;
    assert_eq!(
        (&failed["lastStatus"], &failed["lastRunErrorMessage"]),
        (&json!("failed"), &json!("The receiver answered with status 418"))
    );
    let teams = stage.webhook(&receiver, json!({"type": "microsoft-teams"})).await;
    receiver.next().await;
    stage.pass(60);
    stage.test(&teams).await;
    assert_eq!(
        receiver.next().await.json()["attachments"][0]["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
}

#[tokio::test]
async fn an_address_is_tested_once_a_minute_whichever_webhook_has_it() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage.webhook(&receiver, json!({})).await;
    stage.test(&id).await;
    receiver.next().await;
    let path = format!("{WEBHOOKS}/{id}");
    stage.admin().delete(&path, json!({})).await.ok();
    let again = stage.webhook(&receiver, json!({"secretPath": "/aws"})).await;
    let path = format!("{WEBHOOKS}/{again}/test");
    stage.admin().post(&path, json!({})).await.refusal(429);
    let elsewhere = json!({"webhookUrl": format!("{}/elsewhere", receiver.url)});
    let elsewhere = stage.webhook(&receiver, elsewhere).await;
    assert_eq!(stage.test(&elsewhere).await["lastStatus"], "success");
    receiver.next().await;
    stage.pass(60);
    stage.admin().post(&path, json!({})).await.ok();
}

#[tokio::test]
async fn a_server_sends_nothing_into_its_own_network_unless_it_is_told_to() {
    let stage = Stage::of(TestApp::start().await).await;
    let mut receiver = Receiver::start().await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let message =
        "The address is not one of the internet, and this server sends to no other (webhooks_allow_internal)";
    let hosts = ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"];
    for (number, host) in hosts.into_iter().enumerate() {
        let body = stage.body(json!({"webhookUrl": format!("http://{host}:{port}/{number}")}));
        let id = text(&stage.admin().post(WEBHOOKS, body).await.ok()["webhook"]["id"]);
        stage.secret("/", &format!("KEY_{number}")).await;
        let told = stage.until_run(&id, "failed").await;
        assert_eq!(told["lastRunErrorMessage"], message, "{host}");
        assert_eq!(stage.test(&id).await["lastRunErrorMessage"], message, "{host}");
    }
    receiver.assert_quiet();
}
