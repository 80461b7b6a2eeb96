//! The audit log: what leaves an entry, what an entry tells, who may see it, and that the chain holds.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use keywheel_core::clock::Millis;
use keywheel_server::audit::chain::ChainKey;
use keywheel_server::audit::event::Event;
use keywheel_server::audit::record::{Actor, Metadata};
use keywheel_server::audit::trail::Trail;
use keywheel_server::audit::verify::verify;
use keywheel_store::setup::setting;
use serde_json::{Value, json};

use crate::support::{Client, FakeAws, GOOD_SECRET, Machine, TestApp, project, text};

const LOGS: &str = "/api/v1/organization/audit-logs";

/// The entries that a query finds.
async fn entries(client: &Client<'_>, query: &str) -> Vec<Value> {
    let found = client.get(&format!("{LOGS}?limit=1000&{query}")).await.ok();
    found["auditLogs"].as_array().unwrap().clone()
}

/// Outcome, status and error of entries, latest first.
fn outcomes(entries: &[Value]) -> Vec<(String, u64, Option<String>)> {
    let outcome = |entry: &Value| {
        let metadata = &entry["event"]["metadata"];
        (
            text(&metadata["outcome"]),
            metadata["statusCode"].as_u64().unwrap(),
            metadata["error"].as_str().map(str::to_owned),
        )
    };
    entries.iter().map(outcome).collect()
}

fn types(entries: &[Value]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| text(&entry["event"]["type"]))
        .collect()
}

/// Everything that is kept, as text.
async fn kept(app: &TestApp) -> Vec<String> {
    app.app.audit().flush().await.unwrap();
    let records = app.app.store().audit_records(0, i64::MAX, 10_000).await.unwrap();
    records.into_iter().map(|kept| kept.record.body).collect()
}

#[tokio::test]
async fn an_action_leaves_one_entry_with_its_outcome_whether_it_succeeds_is_refused_or_fails() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "viewer").await;
    let viewer = machine.client(&app).await;
    let folder = json!({"workspaceId": project, "environment": "dev", "name": "aws"});
    admin.post("/api/v1/folders", folder.clone()).await.ok();
    viewer.post("/api/v1/folders", folder.clone()).await;
    app.pass(Millis::from_secs(1));
    admin.post("/api/v1/folders", folder).await;

    let found = entries(&admin, "eventType=create-folder").await;
    assert_eq!(
        outcomes(&found),
        [
            ("failure".to_owned(), 400, Some("BadRequest".to_owned())),
            ("failure".to_owned(), 403, Some("PermissionDenied".to_owned())),
            ("success".to_owned(), 200, None),
        ]
    );
    assert_eq!(found[1]["actor"]["metadata"]["identityId"], machine.id);
    assert_eq!(found[2]["event"]["metadata"]["folderName"], "aws");
}

#[tokio::test]
async fn an_entry_has_the_fields_of_the_contract() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await.at_address("192.0.2.7");
    let project = project(&admin).await;
    let body = json!({"workspaceId": project, "environment": "dev", "secretValue": "x"}).to_string();
    let headers = [("user-agent", "terraform")];
    let path = "/api/v3/secrets/raw/KEY";
    admin
        .send(Method::POST, path, &headers, Body::from(body))
        .await
        .ok();

    let entry = entries(&admin, "eventType=create-secret").await.remove(0);
    let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
    let expected = [
        "actor",
        "createdAt",
        "event",
        "id",
        "ipAddress",
        "orgId",
        "projectId",
        "projectName",
        "updatedAt",
        "userAgent",
        "userAgentType",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (&entry["ipAddress"], &entry["userAgent"], &entry["userAgentType"]),
        (&json!("192.0.2.7"), &json!("terraform"), &json!("terraform"))
    );
    assert_eq!(
        (&entry["projectId"], &entry["projectName"]),
        (&json!(project), &json!("Demo"))
    );
    assert_eq!(entry["actor"]["type"], "identity");
    assert_eq!(entry["actor"]["metadata"]["name"], "Instance Admin Identity");
    let metadata = &entry["event"]["metadata"];
    assert_eq!(
        (
            &metadata["environment"],
            &metadata["secretPath"],
            &metadata["secretKey"]
        ),
        (&json!("dev"), &json!("/"), &json!("KEY"))
    );
}

#[tokio::test]
async fn every_filter_of_the_contract_finds_what_it_names() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "admin").await;
    let client = machine.client(&app).await;
    app.pass(Millis::DAY);
    let folder = json!({"workspaceId": project, "environment": "prod", "name": "aws"});
    client.post("/api/v1/folders", folder).await.ok();
    let place =
        json!({"workspaceId": project, "environment": "prod", "secretPath": "/aws", "secretValue": "x"})
            .to_string();
    let headers = [("user-agent", "cli")];
    let path = "/api/v3/secrets/raw/KEY";
    client
        .send(Method::POST, path, &headers, Body::from(place))
        .await
        .ok();

    let id = &machine.id;
    for query in [
        format!("projectId={project}&eventType=create-secret"),
        "environment=prod&secretKey=KEY".to_owned(),
        "secretPath=/aws".to_owned(),
        "userAgentType=cli".to_owned(),
        format!("actor={id}&actorType=identity&secretKey=KEY"),
        "eventType=create-secret,delete-secret".to_owned(),
        "eventMetadata=secretKey=KEY,outcome=success".to_owned(),
        "eventMetadata=secretKey=KEY,statusCode=200".to_owned(),
        "startDate=2026-03-11T00:00:00Z&secretKey=KEY".to_owned(),
        "limit=1".to_owned(),
    ] {
        let found = client_entries(&admin, &query).await;
        assert_eq!(types(&found), ["create-secret"], "{query}");
    }
    for query in [
        "startDate=2026-03-10T00:00:00Z&endDate=2026-03-10T23:00:00Z&secretKey=KEY",
        "actorType=platform",
        "eventMetadata=secretKey=KE",
        "eventMetadata=type=identity",
        "eventType=webhook-triggered",
        "offset=1000",
    ] {
        assert_eq!(types(&entries(&admin, query).await), [] as [String; 0], "{query}");
    }
    // Since the last midnight, unless something else is asked for.
    let found = entries(&admin, "").await;
    assert_eq!(types(&found), ["create-secret", "create-folder"]);
    let first = entries(&admin, "startDate=2026-03-10T00:00:00Z&limit=1000")
        .await
        .pop()
        .unwrap();
    assert_eq!(first["event"]["type"], "create-organization");
}

/// The entries of a query that sets its own limit.
async fn client_entries(client: &Client<'_>, query: &str) -> Vec<Value> {
    let found = client.get(&format!("{LOGS}?{query}")).await.ok();
    found["auditLogs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn filters_that_mean_nothing_are_refused_all_at_once() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let path = format!("{LOGS}?projectId=x&limit=1001&offset=-1&startDate=soon&eventMetadata=key");
    admin.get(&path).await.invalid(&[
        ("projectId", "Invalid uuid"),
        ("eventMetadata.0", "Must be a list such as key=value,key=value"),
        ("startDate", "Invalid datetime"),
        ("offset", "Number must be greater than or equal to 0"),
        ("limit", "Number must be less than or equal to 1000"),
    ]);
    for (query, message) in [
        (
            "startDate=2026-03-02T00:00:00Z&endDate=2026-03-01T00:00:00Z",
            "End date must not be before the start date",
        ),
        (
            "startDate=2026-01-01T00:00:00Z&endDate=2026-05-01T00:00:00Z",
            "The dates must not be more than 3 months apart",
        ),
    ] {
        admin
            .get(&format!("{LOGS}?{query}"))
            .await
            .invalid(&[("endDate", message)]);
    }
    for query in [
        "eventType=no-such-event",
        "userAgentType=telnet",
        "actorType=robot",
    ] {
        let seen = admin.get(&format!("{LOGS}?{query}")).await;
        assert_eq!(seen.status, 422, "{query}");
    }
}

#[tokio::test]
async fn the_log_is_for_administrators_and_that_of_a_project_for_its_own_too() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    app.nobody()
        .get(LOGS)
        .await
        .refused(401, "UnauthorizedError", "Token missing");
    let of_project = format!("{LOGS}?projectId={project}");
    let older = format!("/api/v1/workspace/{project}/audit-logs");
    for role in ["admin", "member", "viewer", "no-access", ""] {
        let machine = Machine::make(&admin, "member", json!({})).await;
        if !role.is_empty() {
            machine.join(&admin, &project, role).await;
        }
        let client = machine.client(&app).await;
        assert_eq!(client.get(LOGS).await.status, 403, "{role:?}");
        for path in [&of_project, &older] {
            let seen = client.get(path).await;
            assert_eq!(
                seen.status,
                if role == "admin" { 200 } else { 403 },
                "{role:?} {path}"
            );
        }
    }
    for path in [&of_project, &older] {
        let found = admin.get(path).await.ok();
        let found = found["auditLogs"].as_array().unwrap();
        assert!(!found.is_empty() && found.iter().all(|entry| entry["projectId"] == project.as_str()));
    }
}

#[tokio::test]
async fn logins_are_told_of_with_their_identity_and_failed_ones_by_a_name_of_their_own() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let login = "/api/v1/auth/universal-auth/login";
    let wrong = json!({"clientId": machine.client_id, "clientSecret": "planted-wrong"});
    for _ in 0..2 {
        app.nobody().post(login, wrong.clone()).await;
    }
    let unknown = json!({"clientId": machine.id, "clientSecret": "planted-wrong"});
    app.nobody().post(login, unknown).await;
    let token = text(&machine.log_in(&app.nobody()).await.ok()["accessToken"]);
    let body = json!({"accessToken": token});
    app.nobody()
        .post("/api/v1/auth/token/renew", body.clone())
        .await
        .ok();
    app.nobody().post("/api/v1/auth/token/revoke", body).await.ok();

    let found = entries(&admin, &format!("actor={}", machine.id)).await;
    let mut seen = types(&found);
    seen.sort();
    let expected = [
        "login-identity-universal-auth",
        "login-identity-universal-auth-failed",
        "renew-identity-access-token",
        "revoke-identity-access-token",
    ];
    assert_eq!(seen, expected);
    let failed = entries(&admin, "eventType=login-identity-universal-auth-failed").await;
    let times: Vec<_> = failed
        .iter()
        .map(|e| (&e["actor"]["type"], &e["event"]["metadata"]["times"]))
        .collect();
    assert!(times.contains(&(&json!("identity"), &json!(2))), "{failed:?}");
    assert!(times.contains(&(&json!("unknownUser"), &json!(1))), "{failed:?}");
}

#[tokio::test]
async fn equal_reads_are_one_entry_with_how_often_and_others_are_not() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let secret = json!({"workspaceId": project, "environment": "dev", "secretValue": "x"});
    admin.post("/api/v3/secrets/raw/KEY", secret).await.ok();
    let read = format!("/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev");
    for _ in 0..5 {
        admin.get(&read).await.ok();
    }
    admin.at_address("192.0.2.7").get(&read).await.ok();
    admin.get(&read.replace("KEY", "NONE")).await;
    let found = entries(&admin, "eventType=get-secret").await;
    let mut seen: Vec<_> = found
        .iter()
        .map(|entry| {
            let metadata = &entry["event"]["metadata"];
            (
                metadata["times"].as_u64(),
                text(&entry["ipAddress"]),
                text(&metadata["outcome"]),
            )
        })
        .collect();
    seen.sort();
    let (here, there) = ("127.0.0.1".to_owned(), "192.0.2.7".to_owned());
    let good = "success".to_owned();
    assert_eq!(
        seen,
        [
            (Some(1), here.clone(), "failure".to_owned()),
            (Some(1), there, good.clone()),
            (Some(5), here, good),
        ]
    );
    // What is written is not counted again.
    admin.get(&read).await.ok();
    assert_eq!(entries(&admin, "eventType=get-secret").await.len(), 4);
}

#[tokio::test]
async fn reads_that_are_counted_are_written_at_the_end_of_the_server() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let before = app.app.store().audit_chain().await.unwrap().head.seq;
    admin
        .get(&format!(
            "/api/v3/secrets/raw?workspaceId={project}&environment=dev"
        ))
        .await
        .ok();
    assert_eq!(app.app.store().audit_chain().await.unwrap().head.seq, before);
    app.app.audit().shut_down().await;
    assert_eq!(app.app.store().audit_chain().await.unwrap().head.seq, before + 1);
}

#[tokio::test]
async fn nothing_is_changed_or_revealed_while_the_log_cannot_be_written() {
    let app = TestApp::start().await;
    // No key comes out of this, and without one there is no record.
    app.app
        .store()
        .keep_setting(setting::AUDIT_KEY, b"planted")
        .await
        .unwrap();
    let body = json!({"email": "admin@example.com", "password": "correct horse", "organization": "Example"});
    let seen = app.nobody().post("/api/v1/admin/bootstrap", body).await;
    assert_eq!(seen.status, 500);
    assert_eq!(app.app.store().organization().await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_whose_client_has_gone_is_completed_all_the_same() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let address: IpAddr = [127, 0, 0, 1].into();
    let trail = Trail::new(app.app.audit().clone(), address, None);
    trail
        .open(Actor::UnknownUser, Event::CreateSecret, None, Metadata::new())
        .await
        .unwrap();
    assert_eq!(
        entries(&admin, "eventType=create-secret").await[0]["event"]["metadata"],
        json!({})
    );
    drop(trail);
    app.app.audit().shut_down().await;
    let found = entries(&admin, "eventType=create-secret").await;
    assert_eq!(found[0]["event"]["metadata"], json!({"outcome": "abandoned"}));
}

#[tokio::test]
async fn no_entry_holds_a_secret_and_the_chain_of_a_whole_story_holds() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "member").await;
    let client = machine.client(&app).await;
    let place = json!({"workspaceId": project, "environment": "dev", "secretValue": "planted-value",
        "secretComment": "planted-comment", "secretMetadata": [{"key": "k", "value": "planted-metadata"}]});
    client.post("/api/v3/secrets/raw/KEY", place.clone()).await.ok();
    client.patch("/api/v3/secrets/raw/KEY", place.clone()).await.ok();
    client
        .get(&format!(
            "/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev"
        ))
        .await
        .ok();
    client
        .get(&format!(
            "/api/v3/secrets/raw?workspaceId={project}&environment=dev"
        ))
        .await
        .ok();
    client.post("/api/v3/secrets/raw/KEY", place.clone()).await;
    client.delete("/api/v3/secrets/raw/KEY", place).await.ok();
    for secret in [GOOD_SECRET, "planted-wrong-secret"] {
        let credentials = json!({"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": secret});
        let body = json!({"name": "aws", "method": "access-key", "credentials": credentials});
        admin.post("/api/v1/app-connections/aws", body).await;
    }
    let wrong = json!({"clientId": machine.client_id, "clientSecret": "planted-client-secret"});
    app.nobody()
        .post("/api/v1/auth/universal-auth/login", wrong)
        .await;

    let bodies = kept(&app).await;
    assert!(bodies.len() > 20, "{}", bodies.len());
    for secret in [
        "planted",
        GOOD_SECRET,
        "correct horse",
        machine.client_secret.as_str(),
        &client.token,
        &admin.token,
    ] {
        let holds = bodies.iter().find(|body| body.contains(secret));
        assert_eq!(holds, None, "{secret}");
    }
    let store = app.app.store();
    let key = ChainKey::find(store, app.app.vault()).await.unwrap();
    let proven = verify(store, key.as_ref(), None).await.unwrap();
    assert_eq!(proven.records, bodies.len() as u64);
}

#[tokio::test]
async fn what_is_older_than_its_retention_goes_and_the_rest_still_proves() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    project(&admin).await;
    app.pass(Millis::DAY.times(3));
    let body = json!({"projectName": "Later", "slug": "later"});
    admin.post("/api/v1/projects", body).await.ok();
    let audit = app.app.audit();
    assert_eq!(audit.forget_older_than(Millis::DAY.times(4)).await.unwrap(), 0);
    assert_eq!(audit.forget_older_than(Millis::DAY.times(2)).await.unwrap(), 4);
    let store = app.app.store();
    let key = ChainKey::find(store, app.app.vault()).await.unwrap();
    let proven = verify(store, key.as_ref(), None).await.unwrap();
    assert_eq!((proven.start.seq, proven.records), (4, 2));
    let names = types(&entries(&admin, "startDate=2026-03-01T00:00:00Z").await);
    assert_eq!(names, ["create-project"]);
}

/// The names of metadata, sorted, without those that every entry has.
#[cfg(feature = "dev")]
fn told(entry: &Value) -> Vec<&str> {
    let common = ["outcome", "statusCode", "error", "times"];
    let metadata = entry["event"]["metadata"].as_object().unwrap();
    metadata
        .keys()
        .map(String::as_str)
        .filter(|key| !common.contains(key))
        .collect()
}

/// Rotation contract, section 11; and of Keywheel's own events, one.
#[cfg(feature = "dev")]
fn metadata_of_the_contract() -> Vec<(&'static str, Vec<&'static str>)> {
    let place = ["environment", "rotationId", "secretPath", "type"];
    let used = ["connectionId", "folderId", "rotationId"];
    vec![
        ("get-secret-rotations", vec!["count", "rotationIds", "type"]),
        ("get-secret-rotation", place.to_vec()),
        ("get-secret-rotation-generated-credentials", place.to_vec()),
        (
            "create-secret-rotation",
            vec![
                "connectionId",
                "environment",
                "isAutoRotationEnabled",
                "name",
                "parameters",
                "rotateAtUtc",
                "rotationId",
                "rotationInterval",
                "secretPath",
                "secretsMapping",
                "type",
            ],
        ),
        (
            "update-secret-rotation",
            vec![
                "isAutoRotationEnabled",
                "name",
                "rotationId",
                "rotationInterval",
                "type",
            ],
        ),
        (
            "delete-secret-rotation",
            vec![
                "deleteSecrets",
                "revokeGeneratedCredentials",
                "rotationId",
                "type",
            ],
        ),
        (
            "secret-rotation-rotate-secrets",
            [
                used.as_slice(),
                &[
                    "jobId",
                    "message",
                    "occurredAt",
                    "parameters",
                    "secretsMapping",
                    "status",
                    "type",
                ],
            ]
            .concat(),
        ),
        (
            "check-secret-rotation-credentials",
            [used.as_slice(), &["errorMessage", "success", "type"]].concat(),
        ),
        (
            "secret-rotation-hold-key",
            [place.as_slice(), &["accessKeyId"]].concat(),
        ),
    ]
}

#[cfg(feature = "dev")]
#[tokio::test]
async fn rotations_are_told_of_with_exactly_the_metadata_of_the_contract() {
    use crate::rotated::{self, ROTATIONS};
    use crate::support::sandbox;
    let sandbox = sandbox(&["demo-app"]).await;
    let app = rotated::app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotated::rotation(&admin, &sandbox).await;
    let one = format!("{ROTATIONS}/{}", held.rotation);
    admin
        .get(&format!("{ROTATIONS}?projectId={}", held.project))
        .await
        .ok();
    admin.get(&one).await.ok();
    let keys = admin.get(&format!("{one}/generated-credentials")).await.ok();
    let secret = text(&keys["generatedCredentials"][0]["secretAccessKey"]);
    assert_eq!(secret.len(), 40, "{keys}");
    admin.post(&format!("{one}/rotate-secrets"), json!({})).await.ok();
    admin.post(&format!("{one}/check-credentials"), json!({})).await;
    let patch = json!({"name": "renamed", "rotationInterval": 20, "isAutoRotationEnabled": false});
    admin.patch(&one, patch).await.ok();
    let key = text(&keys["generatedCredentials"][0]["accessKeyId"]);
    admin
        .post(
            &format!("{one}/keys/{key}/hold"),
            json!({"reason": "planted-reason"}),
        )
        .await
        .ok();
    admin
        .delete(
            &format!("{one}?deleteSecrets=true&revokeGeneratedCredentials=true"),
            json!({}),
        )
        .await;

    for (event, names) in metadata_of_the_contract() {
        let found = entries(&admin, &format!("eventType={event}")).await;
        let [entry] = found.as_slice() else {
            panic!("{event}: {found:?}")
        };
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(told(entry), expected, "{event}");
        assert_eq!(
            entry["event"]["metadata"]["rotationId"].is_string(),
            event != "get-secret-rotations"
        );
        assert_eq!(entry["projectId"], held.project.as_str(), "{event}");
    }
    let found = entries(&admin, "eventType=secret-rotation-rotate-secrets").await;
    let metadata = &found[0]["event"]["metadata"];
    assert_eq!(
        (&metadata["status"], &metadata["message"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(found[0]["actor"]["type"], "identity");

    let root = sandbox.root_key().secret_access_key;
    for body in kept(&app).await {
        for secret in [secret.as_str(), root, "planted-reason"] {
            assert!(!body.contains(secret), "{body}");
        }
    }
}

#[cfg(feature = "dev")]
#[tokio::test]
async fn a_refused_look_at_generated_credentials_is_told_of() {
    use crate::rotated::{self, ROTATIONS};
    use crate::support::sandbox;
    let sandbox = sandbox(&["demo-app"]).await;
    let app = rotated::app(&sandbox).await;
    let admin = app.bootstrapped().await;
    let held = rotated::rotation(&admin, &sandbox).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &held.project, "member").await;
    let member = machine.client(&app).await;
    let path = format!("{ROTATIONS}/{}/generated-credentials", held.rotation);
    assert_eq!(member.get(&path).await.status, 403);
    let found = entries(&admin, "eventType=get-secret-rotation-generated-credentials").await;
    assert_eq!(
        outcomes(&found),
        [("failure".to_owned(), 403, Some("PermissionDenied".to_owned()))]
    );
    assert_eq!(found[0]["actor"]["metadata"]["identityId"], machine.id);
}

#[tokio::test]
async fn an_attack_on_logins_leaves_few_entries_and_how_many_there_were() {
    let settings = [("KEYWHEEL_LOGIN_FAILURES_PER_MINUTE", "40")];
    let app = TestApp::start_with(Arc::new(FakeAws), &settings).await;
    let admin = app.bootstrapped().await;
    let attacker = app.nobody().at_address("203.0.113.9");
    let attempt = async |number: u32| {
        let agent = format!("agent {number}");
        let body = json!({"clientId": "nonsense", "clientSecret": number.to_string()}).to_string();
        let path = "/api/v1/auth/universal-auth/login";
        let headers = [("user-agent", agent.as_str())];
        attacker
            .send(Method::POST, path, &headers, body.into())
            .await
            .status
    };
    for number in 0..100 {
        assert_eq!(attempt(number).await, if number < 40 { 401 } else { 429 });
    }
    app.pass(Millis::from_secs(60));
    app.app.audit().flush().await.unwrap();
    assert_eq!(attempt(100).await, 401);
    let entries = entries(&admin, "eventType=login-identity-universal-auth-failed").await;
    let told = |n: usize| {
        let metadata = &entries[n]["event"]["metadata"];
        (
            &metadata["times"],
            &metadata["refusedBefore"],
            &entries[n]["userAgent"],
        )
    };
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(told(1), (&json!(40), &json!(null), &json!("agent 0")));
    assert_eq!(told(0), (&json!(1), &json!(60), &json!("agent 100")));
}
