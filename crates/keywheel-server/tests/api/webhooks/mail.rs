//! Webhooks that write mails.

use std::sync::Arc;

use keywheel_core::clock::Millis;
use keywheel_server::webhooks::MAILS_PER_HOUR;
use serde_json::{Value, json};

use super::stage::{QUESTIONS_MAX, Stage, WEBHOOKS};
use crate::support::{FakeAws, MailServer, TestApp, text};

const OPS: &str = "mailto:ops@company.example,night@company.example";
/// `AUTH PLAIN` of the user `me` with the password `planted-password`.
const LOGIN: &str = "AG1lAHBsYW50ZWQtcGFzc3dvcmQ=";

/// A server whose mails go to this one.
async fn set(server: &MailServer, more: &[(&str, &str)]) -> Stage {
    let url = format!("smtp://me:planted-password@{}", server.address);
    let from = "Keywheel <keywheel@company.example>";
    let settings = [("KEYWHEEL_SMTP_URL", url.as_str()), ("KEYWHEEL_SMTP_FROM", from)];
    Stage::of(TestApp::start_with(Arc::new(FakeAws), &[&settings[..], more].concat()).await).await
}

const PLAIN: [(&str, &str); 1] = [("KEYWHEEL_SMTP_ALLOW_PLAIN", "true")];

async fn mailing(stage: &Stage) -> String {
    let body = stage.body(json!({"type": "email", "webhookUrl": OPS}));
    text(&stage.admin().post(WEBHOOKS, body).await.ok()["webhook"]["id"])
}

/// What the entries of an event tell, the latest first.
async fn told_of(stage: &Stage, event: &str) -> Vec<Value> {
    let path = format!("/api/v1/organization/audit-logs?eventType={event}");
    let found = stage.admin().get(&path).await.ok()["auditLogs"].clone();
    let entries = found.as_array().unwrap().iter();
    entries.map(|entry| entry["event"]["metadata"].clone()).collect()
}

#[tokio::test]
async fn the_audit_log_tells_where_mails_go_and_which_events_but_no_address() {
    let server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    let filter = json!([{"eventName": "secrets.key-suspect"}]);
    let to = "mailto:planted@Ops.example,planted@elsewhere.example,other@ops.example";
    let body = stage.body(json!({"type": "email", "webhookUrl": to, "eventsFilter": filter}));
    let id = text(&stage.admin().post(WEBHOOKS, body).await.ok()["webhook"]["id"]);
    stage.patch(&id, json!({"eventsFilter": []})).await;
    stage.app.pass(Millis::from_secs(1));
    stage.patch(&id, json!({"isDisabled": true})).await;
    let made = &told_of(&stage, "create-webhook").await[0];
    assert_eq!(
        made["recipientDomains"],
        json!(["elsewhere.example", "ops.example"])
    );
    assert_eq!(made["eventsFilter"], json!(["secrets.key-suspect"]));
    assert!(!made.to_string().contains("planted"), "{made}");
    let changed = told_of(&stage, "update-webhook-status").await;
    assert_eq!(
        (&changed[1]["eventsFilter"], &changed[1]["isDisabled"]),
        (&json!([]), &json!(false))
    );
    assert_eq!(
        (&changed[0]["eventsFilter"], &changed[0]["isDisabled"]),
        (&Value::Null, &json!(true))
    );
    // Of what speaks HTTP the host, and also what it was made to tell.
    stage.admin().post(WEBHOOKS, stage.body(json!({}))).await.ok();
    let made = &told_of(&stage, "create-webhook").await[0];
    assert_eq!(
        (&made["webhookHost"], &made["eventsFilter"]),
        (&json!("hooks.example.com"), &json!([]))
    );
}

async fn deliveries(stage: &Stage, id: &str) -> Value {
    stage
        .admin()
        .get(&format!("{WEBHOOKS}/{id}/deliveries"))
        .await
        .ok()["deliveries"]
        .clone()
}

#[tokio::test]
async fn a_mail_says_what_happened_where_to_everybody_and_no_secret() {
    let mut server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    assert_eq!(
        stage.app.nobody().get("/api/status").await.ok()["emailConfigured"],
        true
    );
    let id = mailing(&stage).await;
    stage.secret("/", "KEY").await;
    let mail = server.next().await;
    assert_eq!(mail.login, LOGIN);
    assert_eq!(
        mail.to,
        ["RCPT TO:<ops@company.example>", "RCPT TO:<night@company.example>"]
    );
    assert_eq!(mail.header("Subject"), "[Keywheel] Secrets changed in dev /");
    assert_eq!(mail.header("From"), "Keywheel <keywheel@company.example>");
    assert_eq!(mail.header("To"), "ops@company.example, night@company.example");
    assert_eq!(mail.header("Date"), "Tue, 10 Mar 2026 09:30:00 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("Content-Type"), "text/plain; charset=utf-8");
    let message_id = mail.header("Message-ID");
    assert!(message_id.starts_with(&format!("<{id}-")), "{message_id}");
    assert!(message_id.ends_with("@company.example>"), "{message_id}");
    let body = mail.body();
    assert!(body.starts_with("Secrets were changed.\r\n\r\nProject: Demo\r\nEnvironment: Development\r\n"));
    assert!(body.contains("Changed by: Instance Admin Identity"), "{body}");
    assert!(
        !mail.text.contains("planted") && !mail.text.contains("KEY"),
        "{}",
        mail.text
    );
    stage.until_run(&id, "success").await;
    // In lists it is shown to who may read it.
    let list = stage
        .admin()
        .get(&format!("{WEBHOOKS}?projectId={}", stage.project))
        .await
        .ok();
    assert_eq!(list["webhooks"][0]["url"], OPS);
}

#[tokio::test]
async fn a_mail_that_is_refused_is_sent_again_as_the_same_one() {
    let mut server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    let id = mailing(&stage).await;
    server.answer(&["451 later\r\n"]);
    stage.secret("/", "KEY").await;
    let first = server.next().await;
    let shown = stage.until_run(&id, "failed").await;
    assert_eq!(
        shown["lastRunErrorMessage"],
        "The mail server refused it with code 451"
    );
    stage.pass(5);
    let second = server.next().await;
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_ne!(first.header("Date"), second.header("Date"));
    stage.until_run(&id, "success").await;
    let told = deliveries(&stage, &id).await;
    let brief = |told: &Value| {
        let fields = ["event", "attempt", "status", "httpStatus", "message"];
        fields.map(|field| told[field].clone())
    };
    let event = json!("secrets.modified");
    assert_eq!(
        brief(&told[0]),
        [
            event.clone(),
            json!(2),
            json!("success"),
            json!(null),
            json!(null)
        ]
    );
    let message = json!("The mail server refused it with code 451");
    assert_eq!(
        brief(&told[1]),
        [event, json!(1), json!("failed"), json!(null), message]
    );
}

#[tokio::test]
async fn without_tls_nothing_is_said_to_a_mail_server_unless_that_is_allowed() {
    let server = MailServer::start().await;
    let stage = set(&server, &[]).await;
    let id = mailing(&stage).await;
    let shown = stage.test(&id).await;
    let message =
        "The mail server offers no TLS that can be trusted, or no login (smtp_url, smtp_allow_plain)";
    assert_eq!(
        (&shown["lastStatus"], &shown["lastRunErrorMessage"]),
        (&json!("failed"), &json!(message))
    );
    let said = server.said();
    let harmless = |line: &String| line.starts_with("EHLO") || line == "QUIT";
    assert!(!said.is_empty() && said.iter().all(harmless), "{said:?}");
}

#[tokio::test]
async fn a_test_is_a_mail_too() {
    let mut server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    let id = mailing(&stage).await;
    assert_eq!(stage.test(&id).await["lastStatus"], "success");
    let mail = server.next().await;
    assert_eq!(
        mail.header("Subject"),
        "[Keywheel] A test of this webhook in dev /"
    );
    assert_eq!(deliveries(&stage, &id).await[0]["event"], "test");
}

#[tokio::test]
async fn a_project_sends_so_many_mails_in_an_hour_and_the_rest_later() {
    let mut server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    let id = mailing(&stage).await;
    for number in 0..MAILS_PER_HOUR {
        stage.secret("/", &format!("KEY_{number}")).await;
        server.next().await;
    }
    stage.pass(1);
    stage.secret("/", "KEY").await;
    let shown = stage.until_run(&id, "failed").await;
    let message = "Put off: this server sends at most 60 mails of a project in an hour";
    assert_eq!(shown["lastRunErrorMessage"], message);
    assert_eq!(deliveries(&stage, &id).await[0]["message"], message);
    // Nor is a test sent, to whomever it is.
    let other = stage.body(json!({"type": "email", "webhookUrl": "mailto:other@company.example"}));
    let other = text(&stage.admin().post(WEBHOOKS, other).await.ok()["webhook"]["id"]);
    let refused = stage
        .admin()
        .post(&format!("{WEBHOOKS}/{other}/test"), json!({}))
        .await;
    let text = "This server sends at most 60 mails of a project in an hour. Try again later.";
    refused.refused(429, "RateLimitExceeded", text);
    assert_eq!(refused.headers["retry-after"], "3599");

    stage.pass(3_599);
    server.next().await;
    stage.until_run(&id, "success").await;
    let told = deliveries(&stage, &id).await;
    assert_eq!(
        (&told[0]["attempt"], &told[0]["status"]),
        (&json!(1), &json!("success")),
        "to be put off is no attempt"
    );
}

#[tokio::test]
async fn where_no_mail_can_be_sent_none_is_promised() {
    let stage = Stage::set().await;
    let body = stage.body(json!({"type": "email", "webhookUrl": OPS}));
    let text = "This server sends no mail. Its operator has to set smtp_url and smtp_from first.";
    stage
        .admin()
        .post(WEBHOOKS, body)
        .await
        .refused(400, "BadRequest", text);
    assert_eq!(
        stage.app.nobody().get("/api/status").await.ok()["emailConfigured"],
        false
    );
    let options = format!("{WEBHOOKS}/options?projectId={}", stage.project);
    let types = stage.admin().get(&options).await.ok()["types"].clone();
    let available: Vec<_> = types
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| (text_of(kind), kind["isAvailable"] == true))
        .collect();
    let expected = [
        ("general", true),
        ("slack", true),
        ("microsoft-teams", true),
        ("email", false),
    ];
    assert_eq!(available, expected.map(|(name, is)| (name.to_owned(), is)));
}

fn text_of(kind: &Value) -> String {
    text(&kind["name"])
}

#[tokio::test]
async fn addresses_of_mails_are_read_for_mails_only() {
    let server = MailServer::start().await;
    let stage = set(&server, &PLAIN).await;
    for changes in [
        json!({"webhookUrl": OPS}),
        json!({"type": "slack", "webhookUrl": OPS}),
        json!({"type": "email"}),
        json!({"type": "email", "webhookUrl": "mailto:ops"}),
        json!({"type": "email", "webhookUrl": "mailto:a@x.example?bcc=b@x.example"}),
    ] {
        let seen = stage.admin().post(WEBHOOKS, stage.body(changes.clone())).await;
        assert_eq!(
            (seen.status, &seen.json()["message"][0]["path"][0]),
            (422, &json!("webhookUrl")),
            "{changes}"
        );
    }
}

#[tokio::test]
async fn the_log_of_deliveries_tells_each_attempt_the_latest_first() {
    let stage = Stage::set().await;
    let mut receiver = crate::support::Receiver::start().await;
    let id = stage.webhook(&receiver, json!({})).await;
    assert_eq!(deliveries(&stage, &id).await, json!([]));
    receiver.answer(&[500]);
    stage.secret("/", "KEY").await;
    receiver.next().await;
    stage.until_run(&id, "failed").await;
    stage.pass(5);
    receiver.next().await;
    stage.until_run(&id, "success").await;
    stage.pass(1);
    stage.test(&id).await;
    let mut told = deliveries(&stage, &id).await;
    for _ in 0..QUESTIONS_MAX {
        if told.as_array().unwrap().len() == 3 {
            break;
        }
        tokio::task::yield_now().await;
        told = deliveries(&stage, &id).await;
    }
    for entry in told.as_array_mut().unwrap() {
        assert_eq!(
            text(&entry.as_object_mut().unwrap().remove("id").unwrap()).len(),
            36
        );
    }
    let expected = json!([
        {"event": "test", "attempt": 1, "at": "2026-03-10T09:30:06.000Z", "durationMs": 0, "status": "success",
            "httpStatus": 200, "message": null},
        {"event": "secrets.modified", "attempt": 2, "at": "2026-03-10T09:30:05.000Z", "durationMs": 0,
            "status": "success", "httpStatus": 200, "message": null},
        {"event": "secrets.modified", "attempt": 1, "at": "2026-03-10T09:30:00.000Z", "durationMs": 0,
            "status": "failed", "httpStatus": 500, "message": "The receiver answered with status 500"},
    ]);
    assert_eq!(told, expected);
    let path = format!("{WEBHOOKS}/{id}/deliveries");
    let one = stage.admin().get(&format!("{path}?limit=1")).await.ok();
    assert_eq!(one["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(stage.admin().get(&format!("{path}?limit=101")).await.status, 422);
}
