//! Moving ordinary secrets to another folder (platform contract, section 6.2.3).

use serde_json::{Value, json};

use crate::support::{Client, Seen, TestApp, join_all, project, text};

/// A server's project with the folders `/a` and `/b` in dev and prod.
async fn furnished(admin: &Client<'_>) -> String {
    let project = project(admin).await;
    for (environment, name) in [("dev", "a"), ("dev", "b"), ("prod", "b")] {
        let body = json!({"projectId": project, "environment": environment, "name": name});
        admin.post("/api/v1/folders", body).await.ok();
    }
    project
}

/// Makes a secret in dev; its id.
async fn secret(admin: &Client<'_>, project: &str, path: &str, name: &str, value: &str) -> Value {
    let body = json!({"projectId": project, "environment": "dev", "secretPath": path, "secretValue": value});
    let made = admin.post(&format!("/api/v4/secrets/{name}"), body).await.ok();
    made["secret"]["id"].clone()
}

async fn relocate(
    admin: &Client<'_>,
    project: &str,
    ids: &[&Value],
    to: (&str, &str),
    overwrite: bool,
) -> Seen {
    let body = json!({"projectId": project, "sourceEnvironment": "dev", "sourceSecretPath": "/a",
        "destinationEnvironment": to.0, "destinationSecretPath": to.1, "secretIds": ids,
        "shouldOverwrite": overwrite});
    admin.post("/api/v4/secrets/move", body).await
}

/// `NAME=value` of all secrets in a folder.
async fn shown(admin: &Client<'_>, project: &str, environment: &str, path: &str) -> Vec<String> {
    let place = format!("projectId={project}&environment={environment}&secretPath={path}");
    let path = format!("/api/v4/secrets?{place}&expandSecretReferences=false");
    let found = admin.get(&path).await.ok();
    let show = |s: &Value| format!("{}={}", text(&s["secretKey"]), text(&s["secretValue"]));
    found["secrets"].as_array().unwrap().iter().map(show).collect()
}

#[tokio::test]
async fn moved_secrets_keep_id_versions_and_all_that_is_said_of_them() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = furnished(&admin).await;
    let tags = format!("/api/v1/projects/{project}/tags");
    let tag = admin.post(&tags, json!({"slug": "red"})).await.ok()["tag"]["id"].clone();
    let (a, b) = (
        secret(&admin, &project, "/a", "A", "one").await,
        secret(&admin, &project, "/a", "B", "b").await,
    );
    secret(&admin, &project, "/a", "STAYS", "s").await;
    let body = json!({"projectId": project, "environment": "dev", "secretPath": "/a", "secretValue": "two",
        "secretComment": "why", "tagIds": [tag]});
    admin.patch("/api/v4/secrets/A", body).await.ok();
    let moved = relocate(&admin, &project, &[&a, &b], ("prod", "/b/"), false).await;
    assert_eq!(
        moved.ok(),
        json!({"isSourceUpdated": true, "isDestinationUpdated": true})
    );
    assert_eq!(shown(&admin, &project, "dev", "/a").await, ["STAYS=s"]);
    assert_eq!(shown(&admin, &project, "prod", "/b").await, ["A=two", "B=b"]);
    let place = format!("projectId={project}&environment=prod&secretPath=/b");
    let after = admin.get(&format!("/api/v4/secrets/A?{place}")).await.ok()["secret"].clone();
    assert_eq!((&after["id"], &after["version"]), (&a, &json!(2)));
    assert_eq!(
        (&after["secretComment"], &after["tags"][0]["slug"]),
        (&json!("why"), &json!("red"))
    );
    let old = admin
        .get(&format!("/api/v4/secrets/A?{place}&version=1"))
        .await
        .ok();
    assert_eq!(old["secret"]["secretValue"], "one");
}

#[tokio::test]
async fn references_follow_moved_secrets_and_what_those_refer_to_themselves_stays_meant() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = furnished(&admin).await;
    let a = secret(&admin, &project, "/a", "A", "${B}:${STAYS}:${NONE}:${dev.a.A}").await;
    let b = secret(&admin, &project, "/a", "B", "b").await;
    secret(&admin, &project, "/a", "STAYS", "${A}").await;
    secret(&admin, &project, "/", "FAR", "${dev.a.A} ${A} ${dev.a.STAYS}").await;
    secret(&admin, &project, "/b", "NEAR", "${dev.a.B}").await;
    relocate(&admin, &project, &[&a, &b], ("dev", "/b"), false)
        .await
        .ok();
    assert_eq!(
        shown(&admin, &project, "dev", "/b").await,
        [
            "A=${B}:${dev.a.STAYS}:${NONE}:${dev.b.A}",
            "B=b",
            "NEAR=${dev.b.B}"
        ]
    );
    assert_eq!(shown(&admin, &project, "dev", "/a").await, ["STAYS=${dev.b.A}"]);
    assert_eq!(
        shown(&admin, &project, "dev", "/").await,
        ["FAR=${dev.b.A} ${A} ${dev.a.STAYS}"]
    );
    let path = "/api/v1/organization/audit-logs?eventType=move-secrets";
    let entry = admin.get(path).await.ok()["auditLogs"][0]["event"]["metadata"].clone();
    assert_eq!(
        (&entry["rewrittenSecrets"], &entry["secretIds"]),
        (&json!(4), &json!([a, b]))
    );
}

#[tokio::test]
async fn what_is_in_the_way_is_replaced_only_if_that_was_asked_for() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = furnished(&admin).await;
    let a = secret(&admin, &project, "/a", "A", "new").await;
    let b = secret(&admin, &project, "/a", "B", "b").await;
    secret(&admin, &project, "/b", "A", "${dev.a.A}").await;
    let text = "The following secrets already exist at the destination path \"/b\": A. Set \"shouldOverwrite\" to true \
                to replace them.";
    let refused = relocate(&admin, &project, &[&a, &b], ("dev", "/b"), false).await;
    refused.refused(400, "BadRequest", text);
    assert_eq!(shown(&admin, &project, "dev", "/a").await, ["A=new", "B=b"]);
    relocate(&admin, &project, &[&a, &b], ("dev", "/b"), true)
        .await
        .ok();
    assert_eq!(shown(&admin, &project, "dev", "/b").await, ["A=new", "B=b"]);
    let path = "/api/v1/organization/audit-logs?eventType=move-secrets&limit=1";
    let entry = admin.get(path).await.ok()["auditLogs"][0]["event"]["metadata"].clone();
    assert_eq!(entry["replacedSecrets"], json!(["A"]));
}

#[tokio::test]
async fn a_move_that_cannot_be_is_refused_and_moves_nothing() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = furnished(&admin).await;
    let a = secret(&admin, &project, "/a", "A", "a").await;
    let elsewhere = secret(&admin, &project, "/b", "B", "b").await;
    let dotted = secret(&admin, &project, "/a", "D", "d").await;
    let same = relocate(&admin, &project, &[&a], ("dev", "/a"), false).await;
    same.refused(400, "BadRequest", "Source and destination locations are the same");
    let folder = "Folder with path '/no' in environment with slug 'dev' not found";
    let unknown = relocate(&admin, &project, &[&a], ("dev", "/no"), false).await;
    unknown.refused(404, "NotFound", folder);
    let missing = format!("Secret with ID '{}' not found", text(&elsewhere));
    let foreign = relocate(&admin, &project, &[&a, &elsewhere], ("prod", "/b"), false).await;
    foreign.refused(404, "NotFound", &missing);
    admin.post("/api/v4/secrets/move", json!({})).await.invalid(&[
        ("sourceEnvironment", "Required"),
        ("destinationEnvironment", "Required"),
        ("secretIds", "Required"),
    ]);
    assert_eq!(
        relocate(&admin, &project, &[], ("dev", "/b"), false).await.status,
        422
    );
    // A name that no reference can hold moves, where nothing refers to it.
    let rename =
        json!({"projectId": project, "environment": "dev", "secretPath": "/a", "newSecretName": "D}"});
    admin.patch("/api/v4/secrets/D", rename).await.ok();
    relocate(&admin, &project, &[&dotted], ("dev", "/b"), false)
        .await
        .ok();
    assert_eq!(shown(&admin, &project, "dev", "/a").await, ["A=a"]);
    assert_eq!(shown(&admin, &project, "dev", "/b").await, ["B=b", "D}=d"]);
}

#[tokio::test]
async fn a_reference_that_is_written_while_its_target_moves_follows_too() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = furnished(&admin).await;
    let mut carried_out = 0;
    for round in 0..8 {
        let name = format!("A{round}");
        let target = secret(&admin, &project, "/a", &name, "a").await;
        let value = format!("${{dev.a.{name}}}");
        // Each tells which of its secrets were there before the move was made.
        let writers = (0..4).map(|writer| {
            let (admin, project, name, value) = (&admin, &project, &name, &value);
            async move {
                let mut before = Vec::new();
                for n in 0..4 {
                    let refers = format!("R{round}_{writer}_{n}");
                    secret(admin, project, "/", &refers, value).await;
                    let old = format!("projectId={project}&environment=dev&secretPath=/a");
                    if admin.get(&format!("/api/v4/secrets/{name}?{old}")).await.status == 200 {
                        before.push(refers);
                    }
                }
                before
            }
        });
        let (ids, writers) = ([&target], join_all(writers.collect()));
        let (moved, before) = tokio::join!(relocate(&admin, &project, &ids, ("dev", "/b"), false), writers);
        if moved.status != 200 {
            // It gives up after some tries, and has changed nothing.
            assert!(moved.refusal(400).contains("Other changes"));
            continue;
        }
        carried_out += 1;
        let after = shown(&admin, &project, "dev", "/").await;
        for refers in before.into_iter().flatten() {
            let followed = format!("{refers}=${{dev.b.{name}}}");
            assert!(after.contains(&followed), "{followed}: {after:?}");
        }
    }
    assert!(carried_out > 0);
}
