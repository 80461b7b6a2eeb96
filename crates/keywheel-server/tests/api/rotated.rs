//! What a rotation holds fast: its secrets, the containers around it, its connection.

use std::sync::Arc;

use keywheel_providers::{AwsIam, Endpoints, Options};
use keywheel_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{Client, Machine, TestApp, project, text};

const QUICK: [(&str, &str); 6] = [
    ("KEYWHEEL_UNSAFE_TIMINGS", "true"),
    ("KEYWHEEL_VERIFY_SUCCESSES", "1"),
    ("KEYWHEEL_VERIFY_SPACING", "10ms"),
    ("KEYWHEEL_VERIFY_SETTLE", "10ms"),
    ("KEYWHEEL_LIST_GAP", "10ms"),
    ("KEYWHEEL_LATE_LANDING", "10ms"),
];
pub const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";
const RAW: &str = "/api/v3/secrets/raw/AWS_ACCESS_KEY_ID";
const HELD: &str = "because it holds secret rotations: demo-app. Delete or move them first.";

/// An account with the user to be rotated, and one to act as.
pub async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start(keywheel_sandbox::Options::default())
        .await
        .unwrap();
    sandbox
        .with_world(|world, now| world.account.create_user(now, "demo-app", None).map(drop))
        .unwrap();
    sandbox
}

pub async fn app(sandbox: &Sandbox) -> TestApp {
    let endpoints = Endpoints {
        iam: Some(sandbox.url()),
        sts: Some(sandbox.url()),
    };
    let provider = AwsIam::new(Options {
        endpoints,
        ..Options::default()
    });
    TestApp::start_in_real_time(Arc::new(provider), &QUICK).await
}

pub struct Held {
    pub project: String,
    pub connection: String,
    pub rotation: String,
}

/// A rotation of `demo-app` in the folder `/aws` of `dev`.
pub async fn rotation(admin: &Client<'_>, sandbox: &Sandbox) -> Held {
    let project = project(admin).await;
    let root = sandbox.root_key();
    let credentials = json!({"accessKeyId": root.access_key_id, "secretAccessKey": root.secret_access_key});
    let body = json!({"name": "aws", "method": "access-key", "credentials": credentials});
    let made = admin.post("/api/v1/app-connections/aws", body).await.ok();
    let connection = text(&made["appConnection"]["id"]);
    let body = json!({"workspaceId": project, "environment": "dev", "name": "aws"});
    admin.post("/api/v1/folders", body).await.ok();
    let body = json!({"name": "demo-app", "projectId": project, "connectionId": connection, "environment": "dev",
        "secretPath": "/aws", "rotationInterval": 30, "parameters": {"userName": "demo-app"},
        "secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}});
    let made = admin.post(ROTATIONS, body).await.ok();
    Held {
        project,
        connection,
        rotation: text(&made["secretRotation"]["id"]),
    }
}

#[tokio::test]
async fn value_and_name_of_a_rotated_secret_are_the_rotations_to_change() {
    let sandbox = sandbox().await;
    let app = app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotation(&admin, &sandbox).await;
    let place = |more: Value| {
        let mut body = json!({"workspaceId": held.project, "environment": "dev", "secretPath": "/aws"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let seen = admin.patch(RAW, place(json!({"secretValue": "mine"}))).await;
    let message = text(&seen.json()["message"]);
    assert!(
        seen.status == 400 && message.starts_with("Cannot update rotated secret"),
        "{message}"
    );
    let seen = admin.patch(RAW, place(json!({"newSecretName": "MINE"}))).await;
    seen.refused(400, "BadRequest", "Cannot update rotated secret name");
    let seen = admin.delete(RAW, place(json!({}))).await;
    seen.refused(400, "BadRequest", "Cannot delete rotated secrets");

    let after = admin
        .patch(RAW, place(json!({"secretComment": "kept by Keywheel"})))
        .await
        .ok();
    assert_eq!(after["secret"]["secretComment"], "kept by Keywheel");
    assert_eq!(
        (&after["secret"]["isRotatedSecret"], &after["secret"]["version"]),
        (&json!(true), &json!(1))
    );
    assert!(text(&after["secret"]["secretValue"]).starts_with("AKIA"));
}

#[tokio::test]
async fn containers_and_connection_of_a_rotation_cannot_be_deleted() {
    let sandbox = sandbox().await;
    let app = app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotation(&admin, &sandbox).await;
    let base = format!("/api/v1/projects/{}", held.project);
    let place = json!({"workspaceId": held.project, "environment": "dev", "path": "/", "forceDelete": true});
    let environment = admin.get(&format!("{base}/environments/slug/dev")).await.ok();
    for (path, body, what) in [
        ("/api/v1/folders/aws".to_owned(), place.clone(), "folder"),
        ("/api/v2/folders/aws".to_owned(), place, "folder"),
        (
            format!("{base}/environments/{}", text(&environment["id"])),
            json!({}),
            "environment",
        ),
        (base.clone(), json!({}), "project"),
    ] {
        let text = format!("Cannot delete this {what} {HELD}");
        admin.delete(&path, body).await.refused(400, "BadRequest", &text);
    }
    let path = format!("/api/v1/app-connections/aws/{}", held.connection);
    let text = "Cannot delete App Connection with existing connections. Remove all existing connections and try again.";
    admin
        .delete(&path, json!({}))
        .await
        .refused(400, "BadRequest", text);
    let read = format!(
        "{RAW}?workspaceId={}&environment=dev&secretPath=/aws",
        held.project
    );
    admin.get(&read).await.ok();
}

/// Every sub-resource, what reaches it, and the action of the contract that it needs.
const SUB_RESOURCES: [(&str, &str, &str); 13] = [
    ("GET", "keys", "read"),
    ("GET", "runs", "read"),
    ("GET", "policy", "read"),
    ("PATCH", "policy", "edit"),
    ("POST", "preview", "rotate-secrets"),
    ("POST", "check-credentials", "read-generated-credentials"),
    ("POST", "keys/AKIA0000000000000000/roll-back", "rotate-secrets"),
    ("POST", "keys/AKIA0000000000000000/retire", "rotate-secrets"),
    ("POST", "keys/AKIA0000000000000000/resolve", "rotate-secrets"),
    ("POST", "keys/AKIA0000000000000000/hand-over", "rotate-secrets"),
    ("POST", "keys/AKIA0000000000000000/hold", "rotate-secrets"),
    ("POST", "keys/AKIA0000000000000000/release", "rotate-secrets"),
    ("GET", "generated-credentials", "read-generated-credentials"),
];

/// What the roles of a project may do with rotations.
fn allows(role: &str, action: &str) -> bool {
    match role {
        "admin" => true,
        "member" | "viewer" => action == "read",
        _ => false,
    }
}

#[tokio::test]
async fn sub_resources_need_the_permission_of_their_nearest_action() {
    let sandbox = sandbox().await;
    let app = app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotation(&admin, &sandbox).await;
    for role in ["admin", "member", "viewer", "no-access", ""] {
        let machine = Machine::make(&admin, "no-access", json!({})).await;
        if !role.is_empty() {
            machine.join(&admin, &held.project, role).await;
        }
        let client = machine.client(&app).await;
        for (method, path, action) in SUB_RESOURCES {
            let path = format!("{ROTATIONS}/{}/{path}", held.rotation);
            let body = json!({"owner": "theirs"});
            let seen = match method {
                "GET" => client.get(&path).await,
                "PATCH" => client.patch(&path, body).await,
                _ => client.post(&path, body).await,
            };
            // A key that is not there is 404, for those who may ask.
            let allowed = [200, 204, 404].contains(&seen.status);
            assert_eq!(
                allowed,
                allows(role, action),
                "{role:?} {method} {path}: {}",
                seen.status
            );
            assert!(
                allowed || seen.status == 403,
                "{role:?} {method} {path}: {}",
                seen.status
            );
        }
    }
}

#[tokio::test]
async fn sub_resources_of_an_unknown_rotation_are_not_found_and_need_a_good_token() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    for (method, path, _) in SUB_RESOURCES {
        let path = format!("{ROTATIONS}/01a1fd18-a3be-7e4f-9d74-94063f1d1f91/{path}");
        let body = json!({"owner": "theirs"});
        for (client, status) in [(&admin, 404), (&app.client("nobody"), 403)] {
            let seen = match method {
                "GET" => client.get(&path).await,
                "PATCH" => client.patch(&path, body.clone()).await,
                _ => client.post(&path, body.clone()).await,
            };
            assert_eq!(seen.status, status, "{method} {path}");
        }
    }
}
