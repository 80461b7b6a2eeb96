//! An app, a client, and what it saw.

mod aws;
pub mod contract;
mod iam;
mod mail;
mod receiver;
#[cfg(feature = "dev")]
mod sandbox;
mod world;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request};
use keywheel_core::clock::Millis;
use keywheel_envelope::{Keyring, RootKey};
use keywheel_providers::IamUsers;
use keywheel_server::ambient::Clock;
use keywheel_server::app::{App, Parts};
use keywheel_server::config::{Settings, Sources};
use keywheel_server::http::listen::Peer;
use keywheel_server::http::router::{Front, front};
use keywheel_server::observe::metrics::Metrics;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

pub use self::aws::{FakeAws, GOOD_SECRET};
pub use self::iam::{FakeIam, Fault, Op};
pub use self::mail::MailServer;
pub use self::receiver::{Received, Receiver};
#[cfg(feature = "dev")]
pub use self::sandbox::{QUICK, provider, sandbox};
pub use self::world::{RealTime, SeededEntropy, TestClock};

/// The database in the folder of a server.
const DATABASE: &str = "keywheel.db";

/// The root key of a server.
pub const ROOT_KEY: [u8; 32] = [7; 32];

/// A server without a network.
pub struct TestApp {
    #[allow(dead_code, reason = "for tests that look behind the API")]
    pub app: App,
    pub clock: Arc<TestClock>,
    front: Front,
    folder: TempDir,
}

impl TestApp {
    /// A fresh server whose AWS knows some keys; see [`FakeAws`].
    pub async fn start() -> Self {
        Self::start_with(Arc::new(FakeAws), &[]).await
    }

    /// A fresh server with another AWS, and with settings as variables.
    pub async fn start_with(provider: Arc<dyn IamUsers>, settings: &[(&str, &str)]) -> Self {
        Self::start_at(Arc::new(TestClock::start()), provider, settings).await
    }

    /// The same with a clock that others have too.
    pub async fn start_at(
        clock: Arc<TestClock>,
        provider: Arc<dyn IamUsers>,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::assemble(folder, provider, settings, Arc::clone(&clock) as _, clock).await
    }

    /// A fresh server in real time, for rotations against a sandbox, which checks dates.
    #[cfg(feature = "dev")]
    pub async fn start_in_real_time(provider: Arc<dyn IamUsers>, settings: &[(&str, &str)]) -> Self {
        Self::in_real_time(tempfile::tempdir().unwrap(), provider, settings).await
    }

    /// The same, but with a copy of a database that nobody writes to at the moment.
    #[cfg(feature = "dev")]
    pub async fn resume_in_real_time(
        database: &Path,
        provider: Arc<dyn IamUsers>,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_database(database, &folder.path().join(DATABASE));
        Self::in_real_time(folder, provider, settings).await
    }

    #[cfg(feature = "dev")]
    async fn in_real_time(folder: TempDir, provider: Arc<dyn IamUsers>, settings: &[(&str, &str)]) -> Self {
        let clock = Arc::new(TestClock::start());
        let real = Arc::new(RealTime::with(Arc::clone(&clock)));
        Self::assemble(folder, provider, settings, real, clock).await
    }

    async fn assemble(
        folder: TempDir,
        provider: Arc<dyn IamUsers>,
        settings: &[(&str, &str)],
        clock: Arc<dyn Clock>,
        test_clock: Arc<TestClock>,
    ) -> Self {
        let keyring = Keyring::new(&RootKey::from(ROOT_KEY), &[]).unwrap();
        Self::assemble_under(keyring, folder, provider, settings, clock, test_clock).await
    }

    async fn assemble_under(
        keyring: Keyring,
        folder: TempDir,
        provider: Arc<dyn IamUsers>,
        settings: &[(&str, &str)],
        clock: Arc<dyn Clock>,
        test_clock: Arc<TestClock>,
    ) -> Self {
        let data_dir = ("KEYWHEEL_DATA_DIR", folder.path().to_str().unwrap());
        let variables = settings.iter().chain([&data_dir]);
        let variables = variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let settings = Settings::from_sources(&Sources {
            variables,
            ..Sources::default()
        })
        .unwrap();
        let url = format!("sqlite://{}", folder.path().join(DATABASE).display());
        let app = App::assemble(Parts {
            store: keywheel_store::open(&url).await.unwrap(),
            keyring: Arc::new(keyring),
            provider,
            clock,
            entropy: Arc::new(SeededEntropy::new()),
            settings: Arc::new(settings),
            metrics: Metrics::new(),
        })
        .unwrap();
        Self {
            front: front(app.clone()),
            app,
            clock: test_clock,
            folder,
        }
    }

    /// The same server after a stop and a start.
    pub async fn restarted(self) -> Self {
        let keyring = Keyring::new(&RootKey::from(ROOT_KEY), &[]).unwrap();
        self.restarted_under(keyring).await
    }

    /// The same with other root keys.
    pub async fn restarted_under(self, keyring: Keyring) -> Self {
        let Self {
            app,
            clock,
            front,
            folder,
        } = self;
        app.audit().shut_down().await;
        // The database is for one process at a time.
        drop((app, front));
        let aws = Arc::new(FakeAws);
        Self::assemble_under(keyring, folder, aws, &[], Arc::clone(&clock) as _, clock).await
    }

    /// The database file.
    #[cfg(feature = "dev")]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// A client without a token.
    pub fn nobody(&self) -> Client<'_> {
        self.client("")
    }

    /// A client with this token.
    pub fn client(&self, token: &str) -> Client<'_> {
        Client {
            app: self,
            token: token.to_owned(),
            address: [127, 0, 0, 1].into(),
            beyond_the_contract: false,
        }
    }

    /// Sets the instance up; a client with the first token.
    pub async fn bootstrapped(&self) -> Client<'_> {
        let body =
            json!({"email": "admin@example.com", "password": "correct horse", "organization": "Example"});
        let answer = self.nobody().post("/api/v1/admin/bootstrap", body).await.ok();
        self.client(answer["identity"]["credentials"]["token"].as_str().unwrap())
    }

    /// Lets time pass.
    pub fn pass(&self, length: Millis) {
        self.clock.pass(length);
    }
}

/// Copies a database with the log of its latest writes, which `SQLite` keeps beside it.
#[cfg(feature = "dev")]
pub fn copy_database(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let log = |file: &Path| PathBuf::from(format!("{}-wal", file.display()));
    if log(from).exists() {
        std::fs::copy(log(from), log(to)).unwrap();
    }
}

/// Someone who calls.
#[derive(Clone)]
pub struct Client<'a> {
    app: &'a TestApp,
    pub token: String,
    address: IpAddr,
    beyond_the_contract: bool,
}

impl Client<'_> {
    /// The same client, whose answers may break the schemas of the contract.
    pub fn beyond_the_contract(&self) -> Self {
        Self {
            beyond_the_contract: true,
            ..self.clone()
        }
    }

    /// The same client, calling from elsewhere.
    pub fn at_address(&self, address: &str) -> Self {
        Self {
            address: address.parse().unwrap(),
            ..self.clone()
        }
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Seen {
        self.send(Method::POST, path, &[], Body::from(body.to_string()))
            .await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Seen {
        self.send(Method::PATCH, path, &[], Body::from(body.to_string()))
            .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Seen {
        self.send(Method::PUT, path, &[], Body::from(body.to_string()))
            .await
    }

    pub async fn delete(&self, path: &str, body: Value) -> Seen {
        self.send(Method::DELETE, path, &[], Body::from(body.to_string()))
            .await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Seen {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:8080");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(Peer(self.address));
        let response = self.app.front.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let status = parts.status.as_u16();
        let seen = Seen {
            call: format!("{method} {path}"),
            violations: contract::violations(&method, path, status, &body),
            status,
            headers: parts.headers,
            body,
        };
        assert!(
            self.beyond_the_contract || seen.violations.is_empty(),
            "{} breaks the contract: {:?}: {:?}",
            seen.call,
            seen.violations,
            seen.body
        );
        seen
    }
}

/// What a client saw.
#[derive(Debug)]
pub struct Seen {
    call: String,
    /// Where the answer breaks the schemas of the contract.
    pub violations: Vec<String>,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: no JSON: {:?}", self.call, self.body))
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(
            self.status,
            200,
            "{}: {}",
            self.call,
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    /// The text of a refusal with this status.
    #[track_caller]
    pub fn refusal(&self, status: u16) -> String {
        let body = self.json();
        assert_eq!(self.status, status, "{}: {body}", self.call);
        text(&body["message"])
    }

    /// Checks a refusal: status, name and text, in the shape of the contract.
    #[track_caller]
    pub fn refused(&self, status: u16, error: &str, message: &str) {
        let body = self.json();
        let seen = (self.status, body["error"].as_str(), body["message"].as_str());
        assert_eq!(
            seen,
            (status, Some(error), Some(message)),
            "{}: {body}",
            self.call
        );
        assert_eq!(body["statusCode"], status, "{}", self.call);
        assert!(
            body["reqId"].as_str().unwrap().starts_with("req-"),
            "{}",
            self.call
        );
    }

    /// Checks a refusal of validation: where the issues are and what they say.
    #[track_caller]
    pub fn invalid(&self, issues: &[(&str, &str)]) {
        let body = self.json();
        assert_eq!(
            (self.status, body["error"].as_str()),
            (422, Some("ValidationFailure")),
            "{}: {body}",
            self.call
        );
        let seen: Vec<(String, String)> = body["message"]
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| {
                let path: Vec<String> = issue["path"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|p| p.to_string().replace('"', ""))
                    .collect();
                (path.join("."), issue["message"].as_str().unwrap().to_owned())
            })
            .collect();
        let expected: Vec<(String, String)> = issues
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(seen, expected, "{}", self.call);
    }
}

/// A project `demo` with dev, staging and prod, made by the client; its id.
pub async fn project(admin: &Client<'_>) -> String {
    let body = json!({"projectName": "Demo", "slug": "demo-project"});
    text(&admin.post("/api/v1/projects", body).await.ok()["project"]["id"])
}

/// A JSON text as text.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// Polls all futures at once.
pub async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    std::future::poll_fn(move |context| {
        for (future, output) in pending.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(done) = future.as_mut().poll(context) {
                *output = Some(done);
            }
        }
        if pending.iter().any(|(_, output)| output.is_none()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(
            pending
                .iter_mut()
                .map(|(_, output)| output.take().unwrap())
                .collect(),
        )
    })
    .await
}

/// A machine identity with Universal Auth.
pub struct Machine {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
}

impl Machine {
    /// Makes an identity with the organization role, and a login with the settings.
    pub async fn make(admin: &Client<'_>, role: &str, settings: Value) -> Self {
        let identity = admin
            .post("/api/v1/identities", json!({"name": "ci", "role": role}))
            .await
            .ok();
        let id = text(&identity["identity"]["id"]);
        let base = format!("/api/v1/auth/universal-auth/identities/{id}");
        let auth = admin.post(&base, settings).await.ok();
        let client_id = text(&auth["identityUniversalAuth"]["clientId"]);
        let secret = admin
            .post(&format!("{base}/client-secrets"), json!({}))
            .await
            .ok();
        Self {
            id,
            client_id,
            client_secret: text(&secret["clientSecret"]),
        }
    }

    /// Logs in.
    pub async fn log_in(&self, client: &Client<'_>) -> Seen {
        let body = json!({"clientId": self.client_id, "clientSecret": self.client_secret});
        client.post("/api/v1/auth/universal-auth/login", body).await
    }

    /// Makes the identity a member of the project.
    pub async fn join(&self, admin: &Client<'_>, project: &str, role: &str) {
        let path = format!("/api/v2/workspace/{project}/identity-memberships/{}", self.id);
        admin.post(&path, json!({"role": role})).await.ok();
    }

    /// Logs in and is then a client.
    pub async fn client<'a>(&self, app: &'a TestApp) -> Client<'a> {
        app.client(&text(&self.log_in(&app.nobody()).await.ok()["accessToken"]))
    }
}
