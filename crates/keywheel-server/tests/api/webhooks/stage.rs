//! Where the tests of webhooks play: a server that may tell receivers on this machine, and a project.

use std::sync::Arc;

use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use crate::support::{Client, FakeAws, Receiver, TestApp, project, text};

pub const WEBHOOKS: &str = "/api/v1/webhooks";
/// An id that nothing has.
pub const UNKNOWN: &str = "01a1fd18-a3be-7e4f-9d74-94063f1d1f91";
/// Questions until something is the case, before a test gives up.
pub const QUESTIONS_MAX: u32 = 20_000;
/// A server that may tell receivers on this machine, with a project.
pub struct Stage {
    pub app: TestApp,
    token: String,
    pub project: String,
}

impl Stage {
    pub async fn set() -> Self {
        let settings = [("KEYWHEEL_WEBHOOKS_ALLOW_INTERNAL", "true")];
        Self::of(TestApp::start_with(Arc::new(FakeAws), &settings).await).await
    }

    pub async fn of(app: TestApp) -> Self {
        let admin = app.bootstrapped().await;
        let (token, project) = (admin.token.clone(), project(&admin).await);
        app.app.deliverer().start();
        Self { app, token, project }
    }

    pub fn admin(&self) -> Client<'_> {
        self.app.client(&self.token)
    }

    /// The body of a create with its required fields, changed as said.
    pub fn body(&self, changes: Value) -> Value {
        let body = json!({"projectId": self.project, "environment": "dev",
            "webhookUrl": "https://hooks.example.com/x"});
        with(body, changes)
    }

    /// A webhook that tells a receiver; its id.
    pub async fn webhook(&self, receiver: &Receiver, changes: Value) -> String {
        let body = with(
            self.body(json!({"webhookUrl": format!("{}/hook", receiver.url)})),
            changes,
        );
        text(&self.admin().post(WEBHOOKS, body).await.ok()["webhook"]["id"])
    }

    pub async fn shown(&self, id: &str) -> Value {
        self.admin().get(&format!("{WEBHOOKS}/{id}")).await.ok()["webhook"].clone()
    }

    pub async fn patch(&self, id: &str, body: Value) -> Value {
        self.admin().patch(&format!("{WEBHOOKS}/{id}"), body).await.ok()["webhook"].clone()
    }

    pub async fn test(&self, id: &str) -> Value {
        let answer = self
            .admin()
            .post(&format!("{WEBHOOKS}/{id}/test"), json!({}))
            .await
            .ok();
        answer["webhook"].clone()
    }

    pub async fn folder(&self, path: &str, name: &str) {
        let body = json!({"workspaceId": self.project, "environment": "dev", "path": path, "name": name});
        self.admin().post("/api/v1/folders", body).await.ok();
    }

    /// Makes a secret.
    pub async fn secret(&self, path: &str, name: &str) {
        let body = json!({"workspaceId": self.project, "environment": "dev", "secretPath": path,
            "secretValue": "planted-value"});
        self.admin()
            .post(&format!("/api/v3/secrets/raw/{name}"), body)
            .await
            .ok();
    }

    /// Asks for a webhook until its last run went as wanted.
    pub async fn until_run(&self, id: &str, status: &str) -> Value {
        for _ in 0..QUESTIONS_MAX {
            let shown = self.shown(id).await;
            if shown["lastStatus"] == status {
                return shown;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came: {}", self.shown(id).await);
    }

    /// Lets time pass, and the deliverer look again.
    pub fn pass(&self, seconds: i64) {
        self.app.pass(Millis::from_secs(seconds));
        self.app.app.deliverer().wake();
    }

    /// Waits until the end of so many entries of told webhooks is in the audit log.
    pub async fn until_entries(&self, count: usize) -> Vec<Value> {
        let path = "/api/v1/organization/audit-logs?limit=1000&eventType=webhook-triggered\
                    &startDate=2026-03-10T00:00:00Z";
        for _ in 0..QUESTIONS_MAX {
            let found = self.admin().get(path).await.ok()["auditLogs"]
                .as_array()
                .unwrap()
                .clone();
            if found.len() >= count {
                return found;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came");
    }
}

/// An object with some fields changed.
pub fn with(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("not an object: {changes}");
    };
    object.as_object_mut().unwrap().extend(changes);
    object
}
