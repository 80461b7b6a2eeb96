//! Several secrets of one folder at once, on both versions of the routes (platform contract, section 6.2.4).

use serde_json::{Value, json};

use crate::support::{Client, Machine, Seen, TestApp, project, text};

const PATHS: [&str; 2] = ["/api/v4/secrets/batch", "/api/v3/secrets/batch/raw"];
const BATCH: &str = PATHS[0];

fn batch(project: &str, secrets: Value) -> Value {
    let mut body = json!({"workspaceId": project, "environment": "dev", "secretPath": "/"});
    body["secrets"] = secrets;
    body
}

async fn with(admin: &Client<'_>, names: &[&str]) -> String {
    let project = project(admin).await;
    let secrets: Vec<Value> = names
        .iter()
        .map(|name| json!({"secretKey": name, "secretValue": name}))
        .collect();
    admin.post(BATCH, batch(&project, json!(secrets))).await.ok();
    project
}

/// `NAME=value` of all secrets in the root.
async fn shown(admin: &Client<'_>, project: &str) -> Vec<String> {
    let path = format!("/api/v4/secrets?projectId={project}&environment=dev&expandSecretReferences=false");
    let found = admin.get(&path).await.ok();
    let secrets = found["secrets"].as_array().unwrap();
    let show = |s: &Value| format!("{}={}", text(&s["secretKey"]), text(&s["secretValue"]));
    secrets.iter().map(show).collect()
}

fn names(answer: &Value) -> Vec<String> {
    let secrets = answer["secrets"].as_array().unwrap();
    secrets.iter().map(|s| text(&s["secretKey"])).collect()
}

#[tokio::test]
async fn secrets_are_made_changed_and_deleted_together_in_the_order_of_the_request() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    for path in PATHS {
        let new = json!([
            {"secretKey": "B", "secretValue": " b\n\n", "secretComment": "why", "skipMultilineEncoding": true,
             "secretMetadata": [{"key": "team", "value": "core"}], "tagIds": []},
            {"secretKey": "A", "secretValue": "a"}
        ]);
        let made = admin.post(path, batch(&project, new)).await.ok();
        assert_eq!(names(&made), ["B", "A"]);
        let first = &made["secrets"][0];
        for (key, value) in [
            ("secretValue", json!("b\n")),
            ("secretComment", json!("why")),
            ("skipMultilineEncoding", json!(true)),
            ("version", json!(1)),
            ("secretPath", json!("/")),
        ] {
            assert_eq!(first[key], value, "{key}");
        }
        let change = json!([
            {"secretKey": "A", "newSecretName": "C", "secretComment": "new"},
            {"secretKey": "B", "secretValue": "two"}
        ]);
        let after = admin.patch(path, batch(&project, change)).await.ok();
        assert_eq!(names(&after), ["C", "B"]);
        assert_eq!(after["secrets"][0]["secretComment"], "new");
        assert_eq!(after["secrets"][1]["version"], 2);
        assert_eq!(after["secrets"][1]["secretComment"], "why");
        assert_eq!(shown(&admin, &project).await, ["B=two", "C=a"]);
        let gone = json!([{"secretKey": "C", "type": "shared"}, {"secretKey": "B"}]);
        let before = admin.delete(path, batch(&project, gone)).await.ok();
        assert_eq!(names(&before), ["C", "B"]);
        assert_eq!(before["secrets"][1]["secretValue"], "two");
        assert_eq!(shown(&admin, &project).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_refused_batch_names_the_secret_and_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with(&admin, &["A", "B"]).await;
    let (new, value) = ("newSecretName", "secretValue");
    let refused = |seen: Seen, status: u16, text: &str| {
        let error = if status == 404 { "NotFound" } else { "BadRequest" };
        seen.refused(status, error, text);
    };
    for (secrets, text) in [
        (
            json!([{"secretKey": "N", value: "n"}, {"secretKey": "B", value: "b"}]),
            "Secret already exists (\"B\")",
        ),
        (
            json!([{"secretKey": "N", value: "n"}, {"secretKey": " N ", value: "n"}]),
            "The same secret is in the batch twice (\"N\")",
        ),
    ] {
        refused(admin.post(BATCH, batch(&project, secrets)).await, 400, text);
    }
    let taken = "Secret with the new name already exists (\"B\")";
    for (secrets, status, text) in [
        (json!([{"secretKey": "A", new: "B"}]), 400, taken),
        (
            json!([{"secretKey": "A", new: "N"}, {"secretKey": "B", new: "N"}]),
            400,
            "Secret with the new name already exists (\"N\")",
        ),
        (
            json!([{"secretKey": "A", value: "x"}, {"secretKey": "NO", value: "x"}]),
            404,
            "Secret with name NO not found",
        ),
        (
            json!([{"secretKey": "A", value: "x"}, {"secretKey": "B", new: " "}]),
            400,
            "New secret name cannot be empty (\"B\")",
        ),
        (
            json!([{"secretKey": "A", value: "x"}, {"secretKey": "A", value: "y"}]),
            400,
            "The same secret is in the batch twice (\"A\")",
        ),
        (
            json!([{"secretKey": "A", "tagIds": ["00000000-0000-4000-8000-000000000000"]}]),
            404,
            "Tag not found. Found ",
        ),
    ] {
        refused(admin.patch(BATCH, batch(&project, secrets)).await, status, text);
    }
    for (secrets, status, text) in [
        (
            json!([{"secretKey": "A"}, {"secretKey": "NO"}]),
            404,
            "Secret not found (\"NO\")",
        ),
        (
            json!([{"secretKey": "A"}, {"secretKey": "B", "type": "personal"}]),
            400,
            "Must be user to delete personal secret (\"B\")",
        ),
    ] {
        refused(admin.delete(BATCH, batch(&project, secrets)).await, status, text);
    }
    assert_eq!(shown(&admin, &project).await, ["A=A", "B=B"]);
}

#[tokio::test]
async fn a_batch_has_at_least_one_secret_and_at_most_a_hundred() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let many = |count: usize| -> Value {
        let one = |n: usize| json!({"secretKey": format!("S{n:03}"), "secretValue": "${A}"});
        (0..count).map(one).collect()
    };
    for count in [0, 101] {
        let seen = admin.post(BATCH, batch(&project, many(count))).await;
        assert_eq!(seen.status, 422, "{count}");
    }
    assert_eq!(shown(&admin, &project).await, [""; 0]);
    let made = admin.post(BATCH, batch(&project, many(100))).await.ok();
    assert_eq!(names(&made).len(), 100);
    admin.delete(BATCH, batch(&project, many(100))).await.ok();
    assert_eq!(shown(&admin, &project).await, [""; 0]);
    let typed = admin
        .post(BATCH, batch(&project, json!([{"secretKey": "A:B"}, 7])))
        .await;
    typed.invalid(&[
        (
            "secrets.0.secretKey",
            "Secret name cannot contain colon or forward slash.",
        ),
        ("secrets.0.secretValue", "Required"),
        ("secrets.1", "Expected object, received number"),
    ]);
}

#[tokio::test]
async fn a_change_of_a_missing_secret_refuses_makes_or_passes_over_as_the_mode_says() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with(&admin, &["A"]).await;
    let change = async |client: &Client<'_>, mode: &str, secrets: Value| {
        let mut body = batch(&project, secrets);
        body["mode"] = json!(mode);
        client.patch(BATCH, body).await
    };
    let both = json!([{"secretKey": "A", "secretValue": "x"}, {"secretKey": "NEW", "secretValue": "n"}]);
    let refused = change(&admin, "failOnNotFound", both.clone()).await;
    refused.refused(404, "NotFound", "Secret with name NEW not found");
    let after = change(&admin, "ignore", both.clone()).await.ok();
    assert_eq!(names(&after), ["A"]);
    assert_eq!(shown(&admin, &project).await, ["A=x"]);
    let after = change(&admin, "upsert", both.clone()).await.ok();
    assert_eq!(names(&after), ["A", "NEW"]);
    assert_eq!(shown(&admin, &project).await, ["A=x", "NEW=n"]);
    let none = change(&admin, "ignore", json!([{"secretKey": "NO"}])).await.ok();
    assert_eq!(none, json!({"secrets": []}));
    // What is passed over takes no name.
    let renamed =
        json!([{"secretKey": "NEW", "newSecretName": "NO"}, {"secretKey": "NO", "secretValue": "x"}]);
    let after = change(&admin, "ignore", renamed).await.ok();
    assert_eq!(names(&after), ["NO"]);
    let back = json!([{"secretKey": "NO", "newSecretName": "NEW"}]);
    change(&admin, "ignore", back).await.ok();
    for odd in [
        json!([{"secretKey": "NO", "secretComment": "without a value"}]),
        json!([{"secretKey": "NO", "secretValue": "x", "newSecretName": "OTHER"}]),
    ] {
        let refused = change(&admin, "upsert", odd).await;
        refused.refused(404, "NotFound", "Secret with name NO not found");
    }
    assert_eq!(change(&admin, "other", both).await.status, 422);
}

#[tokio::test]
async fn names_can_be_swapped_in_one_batch() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with(&admin, &["A", "B", "C"]).await;
    let round = json!([{"secretKey": "A", "newSecretName": "B"}, {"secretKey": "B", "newSecretName": "C"},
        {"secretKey": "C", "newSecretName": "A"}]);
    admin.patch(BATCH, batch(&project, round)).await.ok();
    assert_eq!(shown(&admin, &project).await, ["A=C", "B=A", "C=B"]);
}

#[tokio::test]
async fn a_batch_is_one_entry_of_the_audit_log_that_names_its_secrets_and_no_value() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with(&admin, &["A", "B"]).await;
    let gone = json!([{"secretKey": "B"}, {"secretKey": "A"}]);
    admin.delete(BATCH, batch(&project, gone)).await.ok();
    for (event, expected) in [("create-secrets", ["A", "B"]), ("delete-secrets", ["B", "A"])] {
        let path = format!("/api/v1/organization/audit-logs?eventType={event}");
        let found = admin.get(&path).await.ok();
        let entries = found["auditLogs"].as_array().unwrap();
        assert_eq!(entries.len(), 1, "{event}");
        let metadata = &entries[0]["event"]["metadata"];
        let told: Vec<String> = metadata["secrets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| text(&secret["secretKey"]))
            .collect();
        assert_eq!(
            (told, &metadata["outcome"]),
            (expected.map(str::to_owned).to_vec(), &json!("success"))
        );
        assert!(!metadata.to_string().contains("secretValue"));
    }
}

#[tokio::test]
async fn who_may_not_create_cannot_by_way_of_an_update() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = with(&admin, &["A"]).await;
    let viewer = Machine::make(&admin, "no-access", json!({})).await;
    viewer.join(&admin, &project, "viewer").await;
    let viewer = viewer.client(&app).await;
    let mut body = batch(&project, json!([{"secretKey": "NEW", "secretValue": "n"}]));
    body["mode"] = json!("upsert");
    assert_eq!(viewer.patch(BATCH, body).await.status, 403);
    assert_eq!(shown(&admin, &project).await, ["A=A"]);
}
