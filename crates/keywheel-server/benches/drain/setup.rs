//! Users, rotations with a published and a displaced key, and the moment at which all are due.

use std::sync::Arc;

use axum::http::{Method, Request};
use keywheel_core::clock::Millis;
use keywheel_core::ids::{ManagedUserId, ProjectId};
use keywheel_core::ledger::{Change, Commit};
use keywheel_core::timings::Timings;
use keywheel_envelope::{Keyring, RootKey};
use keywheel_server::ambient::{SystemClock, SystemEntropy};
use keywheel_server::app::{App, Parts};
use keywheel_server::config::{Settings, Sources};
use keywheel_server::http::router::{Front, front};
use keywheel_server::observe::metrics::Metrics;
use keywheel_store::{Page, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::two_accounts::{Side, TwoAccounts};

const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";
/// Requests at the same time while everything is made.
const MAKERS: u32 = 16;
/// Past any spread of the schedule.
const LONG_DUE: Millis = Millis::from_hours(1);
/// For the set-up only, which measures nothing.
const HASTY: Timings = Timings {
    verify_successes: 1,
    verify_spacing: Millis::new(1),
    verify_settle: Millis::new(1),
    ..Timings::DEFAULT
};

/// What servers are built on, one after the other.
pub(crate) struct House {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) provider: Arc<TwoAccounts>,
    keyring: Arc<Keyring>,
    hasty: Front,
    token: String,
    project: String,
    folder: TempDir,
}

impl House {
    pub(crate) async fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/keywheel.db", folder.path().display());
        let store = keywheel_store::open(&url).await.unwrap();
        let keyring = Arc::new(Keyring::new(&RootKey::from([7; 32]), &[]).unwrap());
        let provider = Arc::new(TwoAccounts::start().await);
        let app = app(&store, &keyring, &provider, HASTY, 1_000_000, MAKERS, &folder);
        let hasty = front(app);
        let wanted =
            json!({"email": "a@b.example", "password": "correct horse battery", "organization": "Bench"});
        let made = send(&hasty, Method::POST, "/api/v1/admin/bootstrap", "", &wanted).await;
        let token = text(&made["identity"]["credentials"]["token"]);
        let wanted = json!({"projectName": "Bench"});
        let made = send(&hasty, Method::POST, "/api/v1/projects", &token, &wanted).await;
        let project = text(&made["project"]["id"]);
        Self {
            store,
            provider,
            keyring,
            hasty,
            token,
            project,
            folder,
        }
    }

    /// A server as it would be started, on what is there.
    pub(crate) fn app(&self, timings: Timings, calls_per_second: u32, rotations_max: u32) -> App {
        app(
            &self.store,
            &self.keyring,
            &self.provider,
            timings,
            calls_per_second,
            rotations_max,
            &self.folder,
        )
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        send(&self.hasty, Method::POST, path, &self.token, body).await
    }
}

fn app(
    store: &Arc<dyn Store>,
    keyring: &Arc<Keyring>,
    provider: &Arc<TwoAccounts>,
    timings: Timings,
    calls_per_second: u32,
    rotations_max: u32,
    folder: &TempDir,
) -> App {
    let flags = vec![("data_dir", folder.path().display().to_string())];
    let mut settings = Settings::from_sources(&Sources {
        flags,
        ..Sources::default()
    })
    .unwrap();
    settings.timings = timings;
    settings.aws_calls_per_second = calls_per_second;
    settings.rotations_max = rotations_max;
    App::assemble(Parts {
        store: Arc::clone(store),
        keyring: Arc::clone(keyring),
        provider: Arc::clone(provider) as _,
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy::open()),
        settings: Arc::new(settings),
        metrics: Metrics::new(),
    })
    .unwrap()
}

/// The rotations of one AWS account.
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) users: Vec<ManagedUserId>,
}

impl Account {
    /// Makes its users and a rotation with two keys for each.
    pub(crate) async fn seed(house: &House, side: &Side, name: &'static str, count: u32) -> Self {
        let root = side.sandbox.root_key();
        let credentials =
            json!({"accessKeyId": root.access_key_id, "secretAccessKey": root.secret_access_key});
        let wanted = json!({"name": name, "method": "access-key", "credentials": credentials});
        let made = house.post("/api/v1/app-connections/aws", &wanted).await;
        let connection = text(&made["appConnection"]["id"]);
        let mut makers = JoinSet::new();
        for number in 0..count {
            let user = format!("{name}-{number}");
            side.sandbox
                .with_world(|world, now| world.account.create_user(now, &user, None).map(drop))
                .unwrap();
            let body = json!({"name": user, "projectId": house.project, "connectionId": connection,
                "environment": "dev", "secretPath": "/", "rotationInterval": 30, "parameters": {"userName": user},
                "secretsMapping": {"accessKeyId": format!("{user}_ID"), "secretAccessKey": format!("{user}_SECRET")}});
            let (front, token) = (house.hasty.clone(), house.token.clone());
            makers.spawn(async move {
                let made = send(&front, Method::POST, ROTATIONS, &token, &body).await;
                let path = format!(
                    "{ROTATIONS}/{}/rotate-secrets",
                    text(&made["secretRotation"]["id"])
                );
                send(&front, Method::POST, &path, &token, &json!({})).await;
            });
            if makers.len() >= MAKERS as usize {
                makers.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(made) = makers.join_next().await {
            made.unwrap();
        }
        let project = house.project.parse::<ProjectId>().unwrap();
        let all = house.store.rotations(project, &Page::whole()).await.unwrap().rows;
        let own = all.iter().map(|shown| &shown.rotation);
        let own = own.filter(|rotation| rotation.settings.name.as_str().starts_with(name));
        Self {
            name,
            users: own.map(|rotation| rotation.user).collect(),
        }
    }

    /// Lets each have been due at the same moment, past the spread that would part them.
    pub(crate) async fn make_due(&self, app: &App) {
        let slot = app.now() - LONG_DUE;
        for user in &self.users {
            let make_due = move |ledger: &keywheel_core::ledger::Ledger| {
                let mut rotation = ledger.rotation.clone().unwrap();
                rotation.slot_at = Some(slot);
                rotation.next_attempt_at = Some(slot);
                let mut user = ledger.user.clone();
                user.due_at = Some(slot);
                let changes = vec![Change::UpdateRotation(rotation), Change::User(user)];
                Ok(Commit {
                    changes,
                    ..Commit::default()
                })
            };
            app.engine().edit(*user, make_due).await.unwrap();
        }
    }
}

async fn send(front: &Front, method: Method, path: &str, token: &str, body: &Value) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::from(body.to_string()))
        .unwrap();
    let answer = front.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    assert!(
        status.is_success(),
        "{path}: {status} {}",
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
