//! Where the tests of rotations play: a server, an AWS account with a user, a project with a folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use keywheel_core::aws::KeyStatus;
use keywheel_core::clock::Moment;
use keywheel_server::ambient::Clock;
use serde_json::{Value, json};

use crate::support::{Client, FakeIam, GOOD_SECRET, Machine, Seen, TestApp, TestClock, project, text};

pub const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";
/// The user whose keys are rotated.
pub const USER: &str = "demo-app";
/// An id that nothing has.
pub const UNKNOWN: &str = "01a1fd18-a3be-7e4f-9d74-94063f1d1f91";
/// What the contract puts in front of AWS's words.
pub const PREFIX: &str =
    "Infisical encountered an issue while generating credentials with the configured inputs: ";
/// Said to who comes while a run is under way.
pub const IN_PROGRESS: &str = "A rotation is already in progress. Please try again shortly.";

/// No wait takes time, no limit of calls is met, and the token lasts as long as a test's clock may be moved.
const QUICK: [(&str, &str); 8] = [
    ("KEYWHEEL_UNSAFE_TIMINGS", "true"),
    ("KEYWHEEL_VERIFY_DEADLINE", "5ms"),
    ("KEYWHEEL_VERIFY_SPACING", "1ms"),
    ("KEYWHEEL_VERIFY_SETTLE", "1ms"),
    ("KEYWHEEL_LIST_GAP", "1ms"),
    ("KEYWHEEL_LATE_LANDING", "1ms"),
    ("KEYWHEEL_AWS_CALLS_PER_SECOND", "1000"),
    ("KEYWHEEL_TOKEN_TTL_MAX", "365d"),
];
/// Questions until something is the case, before a test gives up.
const QUESTIONS_MAX: u32 = 20_000;

/// A set stage.
pub struct Stage {
    pub app: TestApp,
    pub iam: Arc<FakeIam>,
    pub project: String,
    pub connection: String,
    token: String,
}

impl Stage {
    /// A stage on which rotations take no time.
    pub async fn set() -> Self {
        Self::set_with(&QUICK, None).await
    }

    /// The same, whose webhooks may be told on this machine.
    pub async fn set_to_tell() -> Self {
        let allowed = [("KEYWHEEL_WEBHOOKS_ALLOW_INTERNAL", "true")];
        Self::set_with(&[&QUICK[..], &allowed].concat(), None).await
    }

    /// The same, at a moment of the test's choice.
    pub async fn set_at(moment: &str) -> Self {
        Self::set_with(&QUICK, Some(moment)).await
    }

    /// A stage with the default waits, which the runs themselves pass.
    pub async fn set_with_real_waits() -> Self {
        let stage = Self::set_with(&[], None).await;
        stage.app.clock.let_waits_pass();
        stage
    }

    async fn set_with(settings: &[(&str, &str)], moment: Option<&str>) -> Self {
        let clock = Arc::new(TestClock::start());
        if let Some(moment) = moment {
            pass_until(&clock, moment);
        }
        let iam = Arc::new(FakeIam::new(Arc::clone(&clock)));
        iam.add_user(USER);
        let app = TestApp::start_at(clock, Arc::clone(&iam) as _, settings).await;
        let admin = app.bootstrapped().await;
        let project = project(&admin).await;
        let connection = connection(&admin, "aws", "AKIAEXAMPLE", &json!(null)).await;
        let body = json!({"workspaceId": project, "environment": "dev", "name": "aws"});
        admin.post("/api/v1/folders", body).await.ok();
        let token = admin.token.clone();
        iam.forget_calls();
        Self {
            app,
            iam,
            project,
            connection,
            token,
        }
    }

    /// The first identity: it may do everything.
    pub fn admin(&self) -> Client<'_> {
        self.app.client(&self.token)
    }

    /// An identity with this role in the project; none if empty.
    pub async fn member(&self, role: &str) -> Client<'_> {
        let admin = self.admin();
        let machine = Machine::make(&admin, "no-access", json!({})).await;
        if !role.is_empty() {
            machine.join(&admin, &self.project, role).await;
        }
        machine.client(&self.app).await
    }

    /// The body of a create with its required fields, changed as said.
    pub fn body(&self, changes: Value) -> Value {
        let body = json!({"name": "demo", "projectId": self.project, "connectionId": self.connection,
            "environment": "dev", "secretPath": "/aws", "rotationInterval": 30, "parameters": {"userName": USER},
            "secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}});
        with(body, changes)
    }

    /// Creates a rotation with a body changed as said.
    pub async fn create(&self, changes: Value) -> Seen {
        self.admin().post(ROTATIONS, self.body(changes)).await
    }

    /// The id of a rotation made of the plain body.
    pub async fn rotation(&self) -> String {
        text(&self.create(json!({})).await.ok()["secretRotation"]["id"])
    }

    /// A second rotation that nothing shares with the first but its folder; its id.
    pub async fn other_rotation(&self) -> String {
        self.iam.add_user("other-app");
        let changes = json!({"name": "other", "parameters": {"userName": "other-app"},
            "secretsMapping": {"accessKeyId": "OTHER_ID", "secretAccessKey": "OTHER_SECRET"}});
        text(&self.create(changes).await.ok()["secretRotation"]["id"])
    }

    /// The rotation as it is shown.
    pub async fn shown(&self, id: &str) -> Value {
        self.admin().get(&format!("{ROTATIONS}/{id}")).await.ok()["secretRotation"].clone()
    }

    /// Rotates now.
    pub async fn rotate(&self, id: &str) -> Seen {
        let path = format!("{ROTATIONS}/{id}/rotate-secrets");
        self.admin().post(&path, json!({})).await
    }

    /// Changes a rotation.
    pub async fn update(&self, id: &str, body: Value) -> Seen {
        self.admin().patch(&format!("{ROTATIONS}/{id}"), body).await
    }

    /// Deletes a rotation; the query begins with `?` or is empty.
    pub async fn delete(&self, id: &str, query: &str) -> Seen {
        let path = format!("{ROTATIONS}/{id}{query}");
        self.admin().send(Method::DELETE, &path, &[], Body::empty()).await
    }

    /// Deletes what is left in the folder: the secrets of deleted rotations, and the keys of the user.
    pub async fn clear(&self) {
        for name in self.secrets().await.into_keys() {
            let body = json!({"workspaceId": self.project, "environment": "dev", "secretPath": "/aws"});
            let path = format!("/api/v3/secrets/raw/{name}");
            self.admin().delete(&path, body).await.ok();
        }
        for key in self.iam.key_ids(USER) {
            self.iam.remove_key(&key);
        }
    }

    /// The secrets of the folder, by name.
    pub async fn secrets(&self) -> BTreeMap<String, Value> {
        let path = format!(
            "/api/v3/secrets/raw?workspaceId={}&environment=dev&secretPath=/aws",
            self.project
        );
        let found = self.admin().get(&path).await.ok();
        let named = |secret: &Value| (text(&secret["secretKey"]), secret.clone());
        found["secrets"].as_array().unwrap().iter().map(named).collect()
    }

    /// What applications read: the key of the plain rotation and its secret.
    pub async fn published(&self) -> (String, String) {
        let secrets = self.secrets().await;
        let value = |name: &str| text(&secrets[name]["secretValue"]);
        (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
    }

    /// The generated credentials: keys in slot order, and the active slot.
    pub async fn slots(&self, id: &str) -> (Vec<String>, usize) {
        let path = format!("{ROTATIONS}/{id}/generated-credentials");
        let shown = self.admin().get(&path).await.ok();
        let keys = shown["generatedCredentials"].as_array().unwrap();
        let keys = keys.iter().map(|key| text(&key["accessKeyId"])).collect();
        (
            keys,
            usize::try_from(shown["activeIndex"].as_u64().unwrap()).unwrap(),
        )
    }

    /// The living keys of the ledger with their states, by id.
    pub async fn ledger(&self, id: &str) -> BTreeMap<String, String> {
        let shown = self.admin().get(&format!("{ROTATIONS}/{id}/keys")).await.ok();
        let keys = shown["keys"].as_array().unwrap().iter();
        keys.map(|key| (text(&key["accessKeyId"]), text(&key["state"])))
            .filter(|(_, state)| !["deleted", "lost"].contains(&state.as_str()))
            .collect()
    }

    /// Checks that the secrets, the slots, the ledger and AWS tell the same of the plain rotation.
    pub async fn agrees(&self, id: &str) {
        let (key, secret) = self.published().await;
        let (slots, active) = self.slots(id).await;
        assert_eq!(slots[active], key);
        let at_aws = self.iam.keys(USER);
        assert!(at_aws.len() <= 2, "{at_aws:?}");
        let published = at_aws.iter().find(|found| found.id == key).unwrap();
        assert_eq!(
            (&published.secret, published.status),
            (&secret, KeyStatus::Active)
        );
        let ledger = self.ledger(id).await;
        assert_eq!(
            ledger.keys().collect::<Vec<_>>(),
            at_aws.iter().map(|found| &found.id).collect::<Vec<_>>()
        );
        let published = |(_, state): &(&String, &String)| *state == "published";
        let published: Vec<_> = ledger.iter().filter(published).collect();
        assert_eq!(published, [(&key, &"published".to_owned())]);
    }

    /// Starts the schedule, or lets it look again.
    pub async fn start_schedule(&self) {
        self.app.app.engine().start_schedule().await;
    }

    /// Moves the clock to a moment and lets the schedule look again.
    pub fn go_to(&self, moment: &str) {
        pass_until(&self.app.clock, moment);
        self.app.app.engine().wake();
    }

    /// Asks for the rotation until it is as wanted.
    pub async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..QUESTIONS_MAX {
            let shown = self.shown(id).await;
            if wanted(&shown) {
                return shown;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came: {}", self.shown(id).await);
    }

    /// Waits until AWS has so many keys of a user.
    pub async fn until_keys(&self, user: &str, count: usize) {
        for _ in 0..QUESTIONS_MAX {
            if self.iam.keys(user).len() == count {
                return;
            }
            // A question to the server lets its work go on.
            self.app.nobody().get("/readyz").await.ok();
        }
        panic!("never came: {:?}", self.iam.keys(user));
    }
}

/// A connection with an access key, of a project or of the organization; its id.
pub async fn connection(admin: &Client<'_>, name: &str, key: &str, project: &Value) -> String {
    let credentials = json!({"accessKeyId": key, "secretAccessKey": GOOD_SECRET});
    let body =
        json!({"name": name, "method": "access-key", "projectId": project, "credentials": credentials});
    let made = admin.post("/api/v1/app-connections/aws", body).await.ok();
    text(&made["appConnection"]["id"])
}

/// An object with some fields changed.
pub fn with(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("not an object: {changes}");
    };
    object.as_object_mut().unwrap().extend(changes);
    object
}

fn pass_until(clock: &TestClock, moment: &str) {
    let moment: Moment = moment.parse().unwrap();
    clock.pass(moment - clock.now());
}
