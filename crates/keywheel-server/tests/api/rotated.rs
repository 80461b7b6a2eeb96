//! What a rotation holds fast: its secrets, the containers around it, its connection.

use keywheel_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{Client, QUICK, TestApp, project, provider, sandbox, text};

pub const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";
const RAW: &str = "/api/v3/secrets/raw/AWS_ACCESS_KEY_ID";
const HELD: &str = "because it holds secret rotations: demo-app. Delete or move them first.";

pub async fn app(sandbox: &Sandbox) -> TestApp {
    TestApp::start_in_real_time(provider(sandbox), &QUICK).await
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
    let sandbox = sandbox(&["demo-app"]).await;
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
    let sandbox = sandbox(&["demo-app"]).await;
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
    let text = "Cannot delete App Connection with existing connections. Remove all existing connections and try again. \
        Used by 1 rotation in 1 project; an administrator of the organization can enter those that you do not see";
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
