//! What can be said about webhooks, by whom, and how they are shown.

use keywheel_core::clock::Millis;
use keywheel_core::ids::WebhookId;
use serde_json::{Value, json};

use super::stage::{Stage, UNKNOWN, WEBHOOKS};
use crate::support::{Machine, text};

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

const FIELDS: [&str; 13] = [
    "createdAt",
    "envId",
    "environment",
    "eventsFilter",
    "id",
    "isDisabled",
    "lastRunErrorMessage",
    "lastStatus",
    "projectId",
    "secretPath",
    "type",
    "updatedAt",
    "url",
];

#[tokio::test]
async fn a_webhook_has_exactly_the_fields_of_the_contract_wherever_it_is_shown() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    let changes = json!({"type": "microsoft-teams", "secretPath": "aws/**/", "webhookSecretKey": "planted-key",
        "eventsFilter": [{"eventName": "secrets.rotation-failed"}, {"eventName": "secrets.modified"},
            {"eventName": "secrets.modified"}]});
    let made = admin.post(WEBHOOKS, stage.body(changes)).await.ok();
    assert_eq!(made["message"], "Successfully created webhook");
    let webhook = &made["webhook"];
    assert_eq!(keys(webhook), FIELDS[..12]);
    let environment = admin
        .get(&format!(
            "/api/v1/projects/{}/environments/slug/dev",
            stage.project
        ))
        .await
        .ok();
    assert_eq!(
        webhook["environment"],
        json!({"id": environment["id"], "name": "Development", "slug": "dev"})
    );
    assert_eq!(webhook["envId"], environment["id"]);
    let rest = [
        "type",
        "projectId",
        "secretPath",
        "isDisabled",
        "lastStatus",
        "lastRunErrorMessage",
        "eventsFilter",
    ];
    let rest: Vec<&Value> = rest.iter().map(|key| &webhook[key]).collect();
    let events = json!([{"eventName": "secrets.modified"}, {"eventName": "secrets.rotation-failed"}]);
    let expected = [
        json!("microsoft-teams"),
        json!(stage.project),
        json!("/aws/**"),
        json!(false),
        json!(null),
        json!(null),
        events,
    ];
    assert_eq!(rest, expected.iter().collect::<Vec<_>>());

    let id = text(&webhook["id"]);
    let path = format!("{WEBHOOKS}/{id}");
    let got = admin.get(&path).await.ok();
    assert_eq!(
        (keys(&got), &got["webhook"]),
        (vec!["webhook".to_owned()], webhook)
    );
    let listed = admin
        .get(&format!("{WEBHOOKS}?projectId={}", stage.project))
        .await
        .ok();
    assert_eq!(
        (keys(&listed), keys(&listed["webhooks"][0])),
        (
            vec!["message".to_owned(), "webhooks".to_owned()],
            FIELDS.map(str::to_owned).to_vec()
        )
    );
    assert_eq!(listed["webhooks"][0]["url"], "https://hooks.example.com/x");
    stage.app.pass(Millis::from_secs(1));
    let patched = admin
        .patch(&path, json!({"isDisabled": true, "eventsFilter": []}))
        .await
        .ok();
    assert_eq!(
        (&patched["message"], keys(&patched["webhook"])),
        (
            &json!("Successfully updated webhook"),
            FIELDS[..12].iter().map(|key| (*key).to_owned()).collect()
        )
    );
    assert_eq!(
        (
            &patched["webhook"]["isDisabled"],
            &patched["webhook"]["eventsFilter"]
        ),
        (&json!(true), &json!([]))
    );
    assert_ne!(patched["webhook"]["updatedAt"], webhook["updatedAt"]);
    let deleted = admin.delete(&path, json!({})).await.ok();
    assert_eq!(
        (&deleted["message"], &deleted["webhook"]),
        (&json!("Successfully deleted webhook"), &patched["webhook"])
    );
    let gone = format!("Webhook with ID '{id}' not found");
    admin.get(&path).await.refused(404, "NotFound", &gone);
}

#[tokio::test]
async fn what_terraform_sends_makes_a_webhook_of_the_root_that_is_told_everything() {
    let stage = Stage::set().await;
    let made = stage
        .admin()
        .post(
            WEBHOOKS,
            stage.body(json!({"eventsFilter": null, "webhookSecretKey": ""})),
        )
        .await
        .ok();
    let webhook = &made["webhook"];
    assert_eq!(
        (&webhook["type"], &webhook["secretPath"], &webhook["eventsFilter"]),
        (&json!("general"), &json!("/"), &json!([]))
    );
}

#[tokio::test]
async fn requests_of_the_wrong_form_are_told_what_is_wrong() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    admin.post(WEBHOOKS, json!({})).await.invalid(&[
        ("projectId", "Required"),
        ("environment", "Required"),
        ("webhookUrl", "Required"),
    ]);
    let slack = json!({"type": "slack", "webhookUrl": "https://example.com/services/T/B/x"});
    admin
        .post(WEBHOOKS, stage.body(slack))
        .await
        .invalid(&[("webhookUrl", "Incoming Webhook URL is invalid.")]);
    let slack = json!({"type": "slack", "webhookUrl": "https://hooks.slack.com/services/T/B/x"});
    admin.post(WEBHOOKS, stage.body(slack)).await.ok();
    for (changes, path) in [
        (json!({"type": "discord"}), "type"),
        (json!({"webhookUrl": "ftp://example.com"}), "webhookUrl"),
        (json!({"webhookUrl": "example.com"}), "webhookUrl"),
        (
            json!({"webhookUrl": format!("https://example.com/{}", "a".repeat(2_048))}),
            "webhookUrl",
        ),
        (json!({"webhookSecretKey": "k".repeat(1_025)}), "webhookSecretKey"),
        (json!({"secretPath": "/{a,b}"}), "secretPath"),
        (json!({"eventsFilter": [{"eventName": "test"}]}), "eventsFilter"),
        (
            json!({"eventsFilter": vec![json!({"eventName": "secrets.modified"}); 11]}),
            "eventsFilter",
        ),
    ] {
        let seen = admin.post(WEBHOOKS, stage.body(changes.clone())).await;
        assert_eq!(
            (seen.status, &seen.json()["message"][0]["path"][0]),
            (422, &json!(path)),
            "{changes}"
        );
    }
    let nothing = "At least one of isDisabled and eventsFilter is required";
    admin
        .patch(&format!("{WEBHOOKS}/{UNKNOWN}"), json!({}))
        .await
        .invalid(&[("isDisabled", nothing)]);
    admin
        .get(&format!("{WEBHOOKS}/7"))
        .await
        .invalid(&[("webhook", "Invalid uuid")]);
    admin.get(WEBHOOKS).await.invalid(&[("projectId", "Required")]);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    let unknown = format!("Webhook with ID '{UNKNOWN}' not found");
    let path = format!("{WEBHOOKS}/{UNKNOWN}");
    admin.get(&path).await.refused(404, "NotFound", &unknown);
    admin
        .patch(&path, json!({"isDisabled": true}))
        .await
        .refused(404, "NotFound", &unknown);
    admin
        .delete(&path, json!({}))
        .await
        .refused(404, "NotFound", &unknown);
    admin
        .post(&format!("{path}/test"), json!({}))
        .await
        .refused(404, "NotFound", &unknown);
    let elsewhere = admin
        .post(WEBHOOKS, stage.body(json!({"environment": "nowhere"})))
        .await;
    let text = format!(
        "Environment with slug 'nowhere' in project with ID '{}' not found",
        stage.project
    );
    elsewhere.refused(404, "NotFound", &text);
    assert_eq!(
        admin
            .post(WEBHOOKS, stage.body(json!({"projectId": UNKNOWN})))
            .await
            .status,
        404
    );
    assert_eq!(
        admin.get(&format!("{WEBHOOKS}?projectId={UNKNOWN}")).await.status,
        404
    );
}

#[tokio::test]
async fn a_list_is_of_a_project_an_environment_or_a_path() {
    let stage = Stage::set().await;
    for changes in [
        json!({}),
        json!({"environment": "prod"}),
        json!({"secretPath": "/aws/*"}),
    ] {
        stage.admin().post(WEBHOOKS, stage.body(changes)).await.ok();
    }
    for (query, count) in [
        ("", 3),
        ("&environment=dev", 2),
        ("&environment=prod", 1),
        ("&environment=nowhere", 0),
        ("&secretPath=/", 2),
        ("&environment=dev&secretPath=/aws/*", 1),
    ] {
        let found = stage
            .admin()
            .get(&format!("{WEBHOOKS}?projectId={}{query}", stage.project))
            .await
            .ok();
        assert_eq!(found["webhooks"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn members_make_webhooks_and_viewers_see_them() {
    let stage = Stage::set().await;
    let id = text(&stage.admin().post(WEBHOOKS, stage.body(json!({}))).await.ok()["webhook"]["id"]);
    let path = format!("{WEBHOOKS}/{id}");
    for (role, may_read, may_write) in [
        ("member", true, true),
        ("viewer", true, false),
        ("no-access", false, false),
    ] {
        let machine = Machine::make(&stage.admin(), "no-access", json!({})).await;
        machine.join(&stage.admin(), &stage.project, role).await;
        let client = machine.client(&stage.app).await;
        let status = |may: bool| if may { 200 } else { 403 };
        let list = format!("{WEBHOOKS}?projectId={}", stage.project);
        assert_eq!(client.get(&list).await.status, status(may_read), "{role}");
        assert_eq!(client.get(&path).await.status, status(may_read), "{role}");
        let made = client.post(WEBHOOKS, stage.body(json!({}))).await;
        let patched = client.patch(&path, json!({"isDisabled": false})).await;
        assert_eq!(
            (made.status, patched.status),
            (status(may_write), status(may_write)),
            "{role}"
        );
    }
}

#[tokio::test]
async fn a_project_has_fifty_webhooks_at_most() {
    let stage = Stage::set().await;
    for _ in 0..50 {
        stage.admin().post(WEBHOOKS, stage.body(json!({}))).await.ok();
    }
    let refused = stage.admin().post(WEBHOOKS, stage.body(json!({}))).await;
    refused.refused(400, "BadRequest", "A project can have 50 webhooks and no more");
}

#[tokio::test]
async fn address_and_key_are_sealed_and_told_to_no_log() {
    let stage = Stage::set().await;
    let body = stage.body(
        json!({"webhookUrl": "https://planted:planted@hooks.example.com/planted?planted#planted",
            "webhookSecretKey": "planted-key"}),
    );
    let id = text(&stage.admin().post(WEBHOOKS, body).await.ok()["webhook"]["id"]);
    stage.patch(&id, json!({"isDisabled": true})).await;
    stage
        .admin()
        .delete(&format!("{WEBHOOKS}/{id}"), json!({}))
        .await
        .ok();
    let store = stage.app.app.store();
    let records = store.audit_records(0, i64::MAX, 10_000).await.unwrap();
    let bodies: Vec<_> = records.into_iter().map(|kept| kept.record.body).collect();
    for event in ["create-webhook", "update-webhook-status", "delete-webhook"] {
        let of_event = bodies
            .iter()
            .filter(|body| body.contains(&format!("\"{event}\"")));
        assert_eq!(of_event.filter(|body| body.contains(&id)).count(), 1, "{event}");
    }
    assert!(!bodies.concat().contains("planted"));
    assert!(bodies.concat().contains(r#""webhookHost":"hooks.example.com""#));
    let again = text(
        &stage
            .admin()
            .post(WEBHOOKS, stage.body(json!({"webhookSecretKey": "planted-key"})))
            .await
            .ok()["webhook"]["id"],
    );
    let kept = store
        .webhook(again.parse::<WebhookId>().unwrap())
        .await
        .unwrap()
        .unwrap();
    for (sealed, plain) in [
        (&kept.url, "example"),
        (kept.signing_key.as_ref().unwrap(), "planted"),
    ] {
        assert!(!String::from_utf8_lossy(sealed).contains(plain));
    }
}
