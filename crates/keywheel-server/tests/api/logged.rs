//! What the log holds, and what it never holds.

use std::io;
use std::sync::{Mutex, OnceLock};

use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::support::{GOOD_SECRET, Machine, TestApp, project};

/// Everything that any test of this program logged: the log is the process's, so the tests share it.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log at its finest level, once.
fn start_log() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Lines)
            .init();
    });
}

fn logged() -> String {
    String::from_utf8_lossy(&LINES.lock().unwrap()).into_owned()
}

#[tokio::test]
async fn a_line_tells_method_route_status_request_and_caller() {
    start_log();
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let path = format!("/api/v1/projects/{project}");
    let seen = admin.delete(&path, json!({})).await;
    let id = seen.headers["x-request-id"].to_str().unwrap();
    let parts = [
        id,
        "method=DELETE",
        "path=\"/api/v1/projects/{project}\"",
        "status=200",
        "ms=",
        "identity=",
    ];
    let text = logged();
    assert!(
        text.lines()
            .any(|line| parts.iter().all(|part| line.contains(part))),
        "{id}"
    );
}

#[tokio::test]
async fn no_secret_reaches_the_log_even_at_its_finest_level() {
    start_log();
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "member").await;
    let client = machine.client(&app).await;

    let place = json!({"workspaceId": project, "environment": "dev", "secretValue": "planted-value",
        "secretComment": "planted-comment"});
    client.post("/api/v3/secrets/raw/KEY", place.clone()).await.ok();
    client.patch("/api/v3/secrets/raw/KEY", place.clone()).await.ok();
    client
        .get(&format!(
            "/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev&x=planted-query"
        ))
        .await
        .ok();
    client.post("/api/v3/secrets/raw/KEY", place).await;
    client
        .post(
            "/api/v3/secrets/raw/KEY",
            json!({"secretValue": ["planted-value"]}),
        )
        .await;
    for secret in [GOOD_SECRET, "planted-wrong-secret"] {
        let credentials = json!({"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": secret});
        let body = json!({"name": "aws", "method": "access-key", "credentials": credentials});
        admin.post("/api/v1/app-connections/aws", body).await;
    }

    let text = logged();
    assert!(text.contains("answered"), "the log was not captured");
    for secret in [
        "planted",
        "correct horse",
        machine.client_secret.as_str(),
        &client.token,
        &admin.token,
    ] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

#[cfg(feature = "dev")]
#[tokio::test]
async fn one_id_leads_from_a_request_to_its_run_and_its_calls_to_aws() {
    use crate::rotated::{ROTATIONS, app, rotation};

    start_log();
    let sandbox = crate::support::sandbox(&["demo-app"]).await;
    let app = app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotation(&admin, &sandbox).await;
    let path = format!("{ROTATIONS}/{}/rotate-secrets", held.rotation);
    let seen = admin.post(&path, json!({})).await;
    seen.ok();
    let id = seen.headers["x-request-id"].to_str().unwrap();
    let text = logged();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(id)).collect();
    for parts in [
        &["answered", "status=200"][..],
        &["run{run=", "a run ended", "outcome=\"published\""],
        &[
            "run{run=",
            "CreateAccessKey",
            "called AWS",
            "result=\"success\"",
            "aws_request_id=",
        ],
        &["run{run=", "GetCallerIdentity", "called AWS", "ms="],
    ] {
        let found = lines
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} are on no line of {id}: {lines:#?}");
    }
}
