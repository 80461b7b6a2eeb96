//! Secrets, on both versions of the routes.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, project};

async fn with_secret(admin: &Client<'_>) -> String {
    let project = project(admin).await;
    let body = json!({"workspaceId": project, "type": "shared", "environment": "dev", "secretKey": "KEY",
        "secretValue": "  planted\n\n", "secretComment": "why", "secretPath": "/", "secretReminderNote": "",
        "secretReminderRepeatDays": 0, "tagIds": [], "secretMetadata": [{"key": "team", "value": "core"}]});
    admin.post("/api/v3/secrets/raw/KEY", body).await.ok();
    project
}

#[tokio::test]
async fn a_secret_has_every_field_that_any_client_needs() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    for path in [
        "/api/v3/secrets/raw/KEY?workspaceId",
        "/api/v4/secrets/KEY?projectId",
    ] {
        let secret = admin.get(&format!("{path}={project}&environment=dev")).await.ok()["secret"].clone();
        assert_eq!(secret["id"], secret["_id"]);
        for (key, value) in [
            ("workspace", json!(project)),
            ("environment", json!("dev")),
            ("version", json!(1)),
            ("type", json!("shared")),
            ("secretKey", json!("KEY")),
            ("secretValue", json!("planted\n")),
            ("secretComment", json!("why")),
            ("secretReminderNote", Value::Null),
            ("secretReminderRepeatDays", Value::Null),
            ("skipMultilineEncoding", Value::Null),
            ("isRotatedSecret", json!(false)),
            ("rotationId", Value::Null),
            ("secretPath", json!("/")),
            ("secretValueHidden", json!(false)),
            (
                "secretMetadata",
                json!([{"key": "team", "value": "core", "isEncrypted": false}]),
            ),
            ("tags", json!([])),
            ("createdAt", json!("2026-03-10T09:30:00.000Z")),
            ("updatedAt", json!("2026-03-10T09:30:00.000Z")),
        ] {
            assert_eq!(secret.get(key), Some(&value), "{key}");
        }
    }
}

#[tokio::test]
async fn a_value_that_was_not_asked_for_is_hidden() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    for path in ["/api/v3/secrets/raw/KEY", "/api/v3/secrets/raw"] {
        let seen = admin
            .get(&format!(
                "{path}?workspaceId={project}&environment=dev&viewSecretValue=false"
            ))
            .await;
        let body = seen.ok().to_string();
        assert!(
            !body.contains("planted") && body.contains("<hidden-by-infisical>"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_read_and_makes_a_version() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    let path = format!("/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev");
    let before = admin.get(&path).await;
    let change = json!({"workspaceId": project, "environment": "dev", "secretValue": "second"});
    admin.patch("/api/v3/secrets/raw/KEY", change).await.ok();
    let after = admin.get(&path).await;
    assert_eq!(
        (
            &after.ok()["secret"]["secretValue"],
            &after.ok()["secret"]["version"]
        ),
        (&json!("second"), &json!(2))
    );
    assert_ne!(before.headers["etag"], after.headers["etag"]);
    assert_eq!(after.ok()["secret"]["secretComment"], "why");
    let old = admin.get(&format!("{path}&version=1")).await.ok();
    assert_eq!(
        (&old["secret"]["secretValue"], &old["secret"]["version"]),
        (&json!("planted\n"), &json!(1))
    );
}

#[tokio::test]
async fn a_list_is_ordered_by_name_and_always_has_imports() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    admin
        .post(
            "/api/v1/folders",
            json!({"workspaceId": project, "environment": "dev", "name": "sub"}),
        )
        .await
        .ok();
    for (name, path) in [("ALPHA", "/"), ("ZETA", "/"), ("DEEP", "/sub")] {
        let body =
            json!({"projectId": project, "environment": "dev", "secretPath": path, "secretValue": name});
        admin.post(&format!("/api/v4/secrets/{name}"), body).await.ok();
    }
    let keys = |answer: &Value| -> Vec<String> {
        let secrets = answer["secrets"].as_array().unwrap();
        secrets
            .iter()
            .map(|s| {
                format!(
                    "{}{}",
                    s["secretPath"].as_str().unwrap(),
                    s["secretKey"].as_str().unwrap()
                )
            })
            .collect()
    };
    let flat = admin
        .get(&format!(
            "/api/v3/secrets/raw?workspaceId={project}&environment=dev&include_imports=true"
        ))
        .await;
    assert_eq!(keys(&flat.ok()), ["/ALPHA", "/KEY", "/ZETA"]);
    assert_eq!(flat.ok()["imports"], json!([]));
    let deep = admin
        .get(&format!(
            "/api/v4/secrets?projectId={project}&environment=dev&recursive=true"
        ))
        .await
        .ok();
    assert_eq!(keys(&deep), ["/ALPHA", "/KEY", "/ZETA", "/subDEEP"]);
}

#[tokio::test]
async fn refusals_have_the_texts_of_the_contract() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    let at = |environment: &str, path: &str| json!({"workspaceId": project, "environment": environment, "secretPath": path, "secretValue": "x"});
    let raw = "/api/v3/secrets/raw";
    admin.post(&format!("{raw}/KEY"), at("dev", "/")).await.refused(
        400,
        "BadRequest",
        "Secret already exists",
    );
    admin.patch(&format!("{raw}/NO"), at("dev", "/")).await.refused(
        404,
        "NotFound",
        "Secret with name NO not found",
    );
    admin
        .delete(&format!("{raw}/NO"), at("dev", "/"))
        .await
        .refused(404, "NotFound", "Secret not found");
    let folder = "Folder with path '/no' in environment with slug 'dev' not found";
    admin
        .post(&format!("{raw}/NEW"), at("dev", "/no"))
        .await
        .refused(404, "NotFound", folder);
    let query = format!("workspaceId={project}&environment=dev");
    admin
        .get(&format!("{raw}/NO?{query}"))
        .await
        .refused(404, "NotFound", "Secret with name 'NO' not found");
    admin
        .get(&format!("{raw}/KEY?{query}&secretPath=/no"))
        .await
        .refused(404, "NotFound", folder);
    let listed = "Folder with path '/no' in environment 'dev' was not found. Please ensure the environment slug and secret path is correct.";
    admin
        .get(&format!("{raw}?{query}&secretPath=/no"))
        .await
        .refused(404, "SecretPathNotFound", listed);
    let missing = "Missing project id or environment";
    admin
        .get(&format!("{raw}?workspaceId={project}"))
        .await
        .refused(400, "BadRequest", missing);

    let personal =
        json!({"workspaceId": project, "environment": "dev", "type": "personal", "secretValue": "x"});
    let text = "Must be user to create personal secret";
    admin
        .post(&format!("{raw}/MINE"), personal.clone())
        .await
        .refused(400, "BadRequest", text);
    let text = "Must be user to delete personal secret";
    admin
        .delete(&format!("{raw}/KEY"), personal)
        .await
        .refused(400, "BadRequest", text);

    let colon = admin.post(&format!("{raw}/A%3AB"), at("dev", "/")).await;
    colon.invalid(&[("name", "Secret name cannot contain colon or forward slash.")]);
    let typed = admin
        .post(
            &format!("{raw}/NEW"),
            json!({"workspaceId": project, "environment": 7, "secretValue": []}),
        )
        .await;
    typed.invalid(&[
        ("environment", "Expected string, received number"),
        ("secretValue", "Expected string, received array"),
    ]);
}

#[tokio::test]
async fn a_rename_keeps_the_value_and_refuses_a_taken_or_empty_name() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    let rename = |to: &str| json!({"workspaceId": project, "environment": "dev", "newSecretName": to});
    admin
        .post(
            "/api/v3/secrets/raw/OTHER",
            json!({"workspaceId": project, "environment": "dev", "secretValue": "o"}),
        )
        .await
        .ok();
    let taken = admin.patch("/api/v3/secrets/raw/KEY", rename("OTHER")).await;
    taken.refused(400, "BadRequest", "Secret with the new name already exists");
    let empty = admin.patch("/api/v3/secrets/raw/KEY", rename("")).await;
    empty.refused(400, "BadRequest", "New secret name cannot be empty");
    let after = admin
        .patch("/api/v3/secrets/raw/KEY", rename("RENAMED"))
        .await
        .ok();
    assert_eq!(after["secret"]["secretValue"], "planted\n");
}

#[tokio::test]
async fn a_deleted_secret_is_gone_at_once() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    let path = format!("/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev");
    admin.get(&path).await.ok();
    let body = json!({"workspaceId": project, "environment": "dev", "secretPath": "/", "type": "shared"});
    assert_eq!(
        admin.delete("/api/v3/secrets/raw/KEY", body).await.ok()["secret"]["secretKey"],
        "KEY"
    );
    assert_eq!(admin.get(&path).await.status, 404);
}

#[tokio::test]
async fn the_versions_of_a_secret_are_listed_as_many_as_the_project_keeps() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with_secret(&admin).await;
    let limit = json!({"pitVersionLimit": 2});
    let changed = admin
        .patch(&format!("/api/v1/projects/{project}"), limit)
        .await
        .ok();
    assert_eq!(changed["project"]["pitVersionLimit"], 2);
    let too_many = admin
        .patch(
            &format!("/api/v1/projects/{project}"),
            json!({"pitVersionLimit": 101}),
        )
        .await;
    assert_eq!(too_many.status, 422);
    let path = format!("/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev");
    let secret = admin.get(&path).await.ok()["secret"].clone();
    for value in ["2", "3"] {
        let body = json!({"workspaceId": project, "environment": "dev", "secretValue": value});
        admin.patch("/api/v3/secrets/raw/KEY", body).await.ok();
    }
    let versions = format!(
        "/api/v1/secret/{}/secret-versions",
        secret["id"].as_str().unwrap()
    );
    let listed = admin.get(&versions).await.ok();
    let shown: Vec<_> = listed["secretVersions"].as_array().unwrap().iter().collect();
    let told = |index: usize| {
        (
            &shown[index]["version"],
            &shown[index]["secretValue"],
            &shown[index]["isErased"],
        )
    };
    assert_eq!(shown.len(), 2);
    assert_eq!(told(0), (&json!(3), &json!("3"), &json!(false)));
    assert_eq!(told(1), (&json!(2), &json!("2"), &json!(false)));
    assert_eq!(shown[0]["secretKey"], "KEY");
    let page = admin
        .get(&format!("{versions}?offset=1&limit=1&viewSecretValue=false"))
        .await
        .ok();
    assert_eq!(page["secretVersions"][0]["secretValue"], "<hidden-by-infisical>");
    assert_eq!(page["secretVersions"][0]["version"], 2);
}
