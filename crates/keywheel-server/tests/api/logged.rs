//! What the log holds, and what it never holds.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::level_filters::LevelFilter;

use crate::support::{GOOD_SECRET, Machine, TestApp, project};

/// Collects all lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_tells_method_route_status_request_and_caller() {
    let lines = Lines::default();
    let _guard = lines.start();
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let seen = admin
        .delete(&format!("/api/v1/projects/{project}"), json!({}))
        .await;
    let id = seen.headers["x-request-id"].to_str().unwrap().to_owned();
    let text = lines.text();
    let line = text.lines().find(|line| line.contains(&id)).unwrap();
    for part in [
        "method=DELETE",
        "path=\"/api/v1/projects/{project}\"",
        "status=200",
        "ms=",
        "identity=",
    ] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}

#[tokio::test]
async fn no_secret_reaches_the_log_even_at_its_finest_level() {
    let lines = Lines::default();
    let _guard = lines.start();
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

    let text = lines.text();
    assert!(text.contains("answered"), "the log was not captured");
    for secret in [
        "planted",
        "correct horse",
        machine.client_secret.as_str(),
        &client.token,
        &admin.token,
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
