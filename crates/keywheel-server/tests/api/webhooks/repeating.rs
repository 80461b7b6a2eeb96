//! How often receivers are told that do not take it, and what outlives a restart.

use keywheel_server::ambient::Clock;
use serde_json::json;

use super::stage::{QUESTIONS_MAX, Stage, WEBHOOKS};
use crate::support::{Received, Receiver, text};

/// The waits between attempts, and a little more than their sum.
const WAITS: [i64; 6] = [5, 30, 120, 600, 2_700, 7_200];

#[tokio::test]
async fn what_a_receiver_refuses_is_told_again_under_the_same_id_until_it_is_taken() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage
        .webhook(&receiver, json!({"webhookSecretKey": "planted-key"}))
        .await;
    receiver.answer(&[500, 302]);
    stage.secret("/", "KEY").await;
    let first = receiver.next().await;
    let shown = stage.until_run(&id, "failed").await;
    assert_eq!(
        shown["lastRunErrorMessage"],
        "The receiver answered with status 500"
    );
    stage.pass(WAITS[0]);
    let second = receiver.next().await;
    let message = "The receiver answered with status 302";
    for _ in 0..QUESTIONS_MAX {
        if stage.shown(&id).await["lastRunErrorMessage"] == message {
            break;
        }
        tokio::task::yield_now().await;
    }
    stage.pass(WAITS[1]);
    let third = receiver.next().await;
    let name = |heard: &Received| heard.header("x-keywheel-delivery").to_owned();
    assert_eq!([name(&first), name(&second)], [name(&third), name(&third)]);
    // A redirect is not followed, and each attempt is signed at its own time.
    assert_eq!([&first.path, &second.path, &third.path], ["/hook"; 3]);
    assert_ne!(
        first.header("x-infisical-signature"),
        third.header("x-infisical-signature")
    );
    stage.until_run(&id, "success").await;
    receiver.assert_quiet();
    let entries = stage.until_entries(1).await;
    let metadata = &entries[0]["event"]["metadata"];
    assert_eq!(
        (&metadata["attempts"], &metadata["status"]),
        (&json!(3), &json!("success"))
    );
}

#[tokio::test]
async fn a_delivery_is_given_up_after_seven_attempts_and_the_next_one_is_made() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage.webhook(&receiver, json!({})).await;
    receiver.answer(&[503; 7]);
    stage.secret("/", "KEY").await;
    receiver.next().await;
    for wait in WAITS {
        // The failure is noted before the next wait begins.
        while stage
            .app
            .app
            .store()
            .next_delivery(stage.app.clock.now())
            .await
            .unwrap()
            .is_none()
        {
            tokio::task::yield_now().await;
        }
        receiver.assert_quiet();
        stage.pass(wait);
        receiver.next().await;
    }
    let entries = stage.until_entries(1).await;
    let metadata = &entries[0]["event"]["metadata"];
    let expected = json!({"webhookId": id, "event": "secrets.modified", "attempts": 7, "status": "failed",
        "environment": "dev", "secretPath": "/", "type": "general", "isDisabled": false,
        "errorMessage": "The receiver answered with status 503"});
    assert_eq!(metadata, &expected);
    assert_eq!(entries[0]["actor"]["type"], "platform");
    stage.secret("/", "NEXT").await;
    receiver.next().await;
    stage.until_run(&id, "success").await;
}

#[tokio::test]
async fn a_receiver_that_is_down_holds_up_nobody_else() {
    let stage = Stage::set().await;
    let (down, mut up) = (Receiver::start().await, Receiver::start().await);
    down.answer(&[500]);
    let failing = stage.webhook(&down, json!({})).await;
    let nowhere = stage.body(json!({"webhookUrl": "http://127.0.0.1:1/"}));
    let nowhere = text(&stage.admin().post(WEBHOOKS, nowhere).await.ok()["webhook"]["id"]);
    stage.webhook(&up, json!({})).await;
    stage.secret("/", "KEY").await;
    up.next().await;
    stage.until_run(&failing, "failed").await;
    let shown = stage.until_run(&nowhere, "failed").await;
    assert_eq!(shown["lastRunErrorMessage"], "The receiver could not be reached");
}

#[tokio::test]
async fn what_a_deleted_webhook_was_to_be_told_is_forgotten() {
    let stage = Stage::set().await;
    let mut receiver = Receiver::start().await;
    let id = stage.webhook(&receiver, json!({})).await;
    receiver.answer(&[500]);
    stage.secret("/", "KEY").await;
    receiver.next().await;
    stage.until_run(&id, "failed").await;
    stage
        .admin()
        .delete(&format!("{WEBHOOKS}/{id}"), json!({}))
        .await
        .ok();
    assert_eq!(
        stage
            .app
            .app
            .store()
            .next_delivery(stage.app.clock.now())
            .await
            .unwrap(),
        None
    );
    // The environment takes its webhooks along.
    let staging = json!({"environment": "staging"});
    let id = text(&stage.admin().post(WEBHOOKS, stage.body(staging)).await.ok()["webhook"]["envId"]);
    let path = format!("/api/v1/projects/{}/environments/{id}", stage.project);
    stage.admin().delete(&path, json!({})).await.ok();
    let list = format!("{WEBHOOKS}?projectId={}", stage.project);
    assert_eq!(stage.admin().get(&list).await.ok()["webhooks"], json!([]));
}

#[cfg(feature = "dev")]
mod after_a_restart {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::support::{FakeAws, TestApp, project};

    const ALLOWED: [(&str, &str); 1] = [("KEYWHEEL_WEBHOOKS_ALLOW_INTERNAL", "true")];

    /// The text of a request that nobody answers yet.
    async fn accepted(listener: &TcpListener) -> (TcpStream, String) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0);
        }
        (stream, String::from_utf8(text).unwrap())
    }

    fn delivery(request: &str) -> &str {
        let line = request
            .lines()
            .find(|line| line.starts_with("x-keywheel-delivery"));
        line.unwrap()
    }

    #[tokio::test]
    async fn what_was_not_told_before_a_restart_is_told_after_it() {
        let app = TestApp::start_in_real_time(Arc::new(FakeAws), &ALLOWED).await;
        app.app.deliverer().start();
        let admin = app.bootstrapped().await;
        let project = project(&admin).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let place =
            json!({"projectId": project, "environment": "dev", "webhookUrl": url, "secretValue": "x"});
        admin.post(WEBHOOKS, place.clone()).await.ok();
        admin.post("/api/v4/secrets/KEY", place).await.ok();
        let (stream, before) = accepted(&listener).await;
        // Broken off in the middle.
        tokio::time::timeout(Duration::from_secs(10), app.app.deliverer().shut_down())
            .await
            .unwrap();
        drop(stream);
        let resumed = TestApp::resume_in_real_time(&app.database(), Arc::new(FakeAws), &ALLOWED).await;
        resumed.app.deliverer().start();
        let (_stream, after) = accepted(&listener).await;
        assert_eq!(delivery(&after), delivery(&before));
        resumed.app.deliverer().shut_down().await;
    }
}
