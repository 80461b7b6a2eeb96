//! A server with a project, and a bare handler to compare it with.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use keywheel_providers::{AwsIam, Options};
use keywheel_server::config::{HttpSettings, Settings, Sources};
use keywheel_server::http::listen;
use keywheel_server::http::router::{Front, front};
use keywheel_server::observe::metrics::Metrics;
use keywheel_server::start;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// As long as a secret access key of AWS.
const VALUE_CHARS: usize = 40;

/// A server that listens.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) project: String,
    api: Front,
    http: HttpSettings,
    _folder: TempDir,
}

impl House {
    /// A fresh server with a project.
    pub(crate) async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().display().to_string();
        let flags = vec![("data_dir", data_dir), ("log_level", "info".to_owned())];
        let settings = Settings::from_sources(&Sources {
            flags,
            ..Sources::default()
        })
        .unwrap();
        let http = settings.http.clone();
        let app = start::build(
            settings,
            Arc::new(AwsIam::new(Options::default())),
            Metrics::new(),
        )
        .await
        .unwrap();
        let api = front(app);
        let mut house = Self {
            address: serve(api.clone(), &http).await,
            token: String::new(),
            project: String::new(),
            api,
            http,
            _folder: folder,
        };
        let wanted =
            json!({"email": "a@b.example", "password": "correct horse battery", "organization": "Bench"});
        let made = house.post("/api/v1/admin/bootstrap", &wanted).await;
        house.token = text(&made["identity"]["credentials"]["token"]);
        let made = house
            .post("/api/v1/projects", &json!({"projectName": "Bench"}))
            .await;
        house.project = text(&made["project"]["id"]);
        house
    }

    /// Makes a secret in the root folder.
    pub(crate) async fn make_secret(&self, name: &str) {
        let value = "x".repeat(VALUE_CHARS);
        let secret = json!({"workspaceId": self.project, "environment": "dev", "secretValue": value});
        self.post(&format!("/api/v3/secrets/raw/{name}"), &secret).await;
    }

    /// A read of one secret, or of all.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        self.read_unless(name, "")
    }

    /// The same with one more line in the head.
    pub(crate) fn read_unless(&self, name: &str, line: &str) -> Vec<u8> {
        let (project, token) = (&self.project, &self.token);
        let path = format!("/api/v3/secrets/raw{name}?workspaceId={project}&environment=dev&secretPath=/");
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{line}\r\n")
            .into_bytes()
    }

    /// The address of a handler that answers `/bare` with so many bytes, behind the same sockets.
    pub(crate) async fn bare(&self, bytes: usize) -> SocketAddr {
        let body: axum::body::Bytes = "x".repeat(bytes).into();
        let answer = move || {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, "application/json")], body) }
        };
        let front = Router::new()
            .route("/bare", get(answer))
            .map_request((|request| request) as fn(Request) -> Request);
        serve(front, &self.http).await
    }

    /// Sends something that has to succeed.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.token))
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        let answer = self.api.clone().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_slice(&axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap()
    }
}

/// A read of the bare handler.
pub(crate) const BARE: &[u8] = b"GET /bare HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn serve(front: Front, http: &HttpSettings) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let http = http.clone();
    tokio::spawn(async move { listen::serve(listener, front, &http, CancellationToken::new()).await });
    address
}

/// A JSON text as text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
