//! Identities, their Universal Auth and their memberships.

use serde_json::{Value, json};

use crate::support::{Machine, TestApp, project, text};

#[tokio::test]
async fn an_identity_is_made_found_changed_and_deleted() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let body = json!({"name": "ci", "role": "member", "hasDeleteProtection": true, "organizationId": "x",
        "metadata": [{"key": "team", "value": "core"}]});
    let made = admin.post("/api/v1/identities", body).await.ok()["identity"].clone();
    assert_eq!(
        (&made["authMethods"], &made["metadata"][0]["key"]),
        (&json!([]), &json!("team"))
    );
    let path = format!("/api/v1/identities/{}", text(&made["id"]));

    let found = admin.get(&path).await.ok()["identity"].clone();
    assert_eq!(
        (&found["role"], &found["identity"]["name"]),
        (&json!("member"), &json!("ci"))
    );
    assert_eq!(admin.delete(&path, json!({})).await.status, 400);
    admin
        .patch(
            &path,
            json!({"name": "cd", "hasDeleteProtection": false, "role": "no-access"}),
        )
        .await
        .ok();
    let listed = admin.get("/api/v1/identities?orgId=x&search=CD").await.ok();
    assert_eq!(
        (
            &listed["totalCount"],
            &listed["identities"][0]["identity"]["name"]
        ),
        (&json!(1), &json!("cd"))
    );
    admin.delete(&path, json!({})).await.ok();
    let unknown = format!("Failed to find identity with ID {}", text(&made["id"]));
    admin.get(&path).await.refused(404, "NotFound", &unknown);
}

#[tokio::test]
async fn identities_refuse_bad_input() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let body = json!({"name": "", "role": "owner", "metadata": [{"key": "k", "value": ""}]});
    admin.post("/api/v1/identities", body).await.invalid(&[
        ("name", "String must contain at least 1 character(s)"),
        (
            "role",
            "Invalid enum value. Expected 'admin' | 'member' | 'no-access', received 'owner'",
        ),
        ("metadata.0.value", "String must contain at least 1 character(s)"),
    ]);
    admin
        .get("/api/v1/identities/nonsense")
        .await
        .invalid(&[("identity", "Invalid uuid")]);
}

#[tokio::test]
async fn universal_auth_settings_are_echoed_in_the_order_given() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let path = format!("/api/v1/auth/universal-auth/identities/{}", machine.id);
    let found = admin.get(&path).await.ok()["identityUniversalAuth"].clone();
    for (key, value) in [
        ("accessTokenTTL", json!(2_592_000)),
        ("accessTokenMaxTTL", json!(2_592_000)),
        ("accessTokenNumUsesLimit", json!(0)),
        ("accessTokenPeriod", json!(0)),
        ("lockoutEnabled", json!(true)),
        ("lockoutThreshold", json!(3)),
        ("lockoutDurationSeconds", json!(300)),
        ("lockoutCounterResetSeconds", json!(30)),
        ("clientId", json!(machine.client_id)),
        (
            "accessTokenTrustedIps",
            json!([{"ipAddress": "0.0.0.0", "prefix": 0, "type": "ipv4"}, {"ipAddress": "::", "prefix": 0, "type": "ipv6"}]),
        ),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    let ips = json!([{"ipAddress": "192.0.2.7"}, {"ipAddress": "10.0.0.0/24"}]);
    let after = admin
        .patch(&path, json!({"clientSecretTrustedIps": ips}))
        .await
        .ok();
    assert_eq!(
        after["identityUniversalAuth"]["clientSecretTrustedIps"],
        json!([{"ipAddress": "192.0.2.7", "type": "ipv4"}, {"ipAddress": "10.0.0.0", "prefix": 24, "type": "ipv4"}])
    );
    assert_eq!(after["identityUniversalAuth"]["lockoutThreshold"], 3);
}

#[tokio::test]
async fn universal_auth_refuses_what_the_contract_refuses() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let path = format!("/api/v1/auth/universal-auth/identities/{}", machine.id);
    let again = admin.post(&path, json!({})).await;
    again.refused(
        400,
        "BadRequest",
        "Failed to add universal auth to already configured identity",
    );
    let ips = admin
        .patch(&path, json!({"accessTokenTrustedIps": [{"ipAddress": "host"}]}))
        .await;
    ips.refused(
        400,
        "BadRequest",
        "The IP is not a valid IPv4, IPv6, or CIDR block",
    );
    let ttl = admin
        .patch(&path, json!({"accessTokenTTL": 20, "accessTokenMaxTTL": 10}))
        .await;
    ttl.invalid(&[(
        "accessTokenTTL",
        "Access Token TTL cannot be greater than Access Token Max TTL.",
    )]);
    let ttl = admin.patch(&path, json!({"accessTokenMaxTTL": 10})).await;
    ttl.refused(
        400,
        "BadRequest",
        "Access token TTL cannot be greater than max TTL",
    );
    admin
        .patch(
            &path,
            json!({"lockoutThreshold": 0, "lockoutDurationSeconds": 1.5}),
        )
        .await
        .invalid(&[
            ("lockoutThreshold", "Number must be greater than or equal to 1"),
            ("lockoutDurationSeconds", "Expected integer, received float"),
        ]);
    admin.delete(&path, json!({})).await.ok();
    let text = format!(
        "Failed to find universal auth for identity with ID {}",
        machine.id
    );
    admin.get(&path).await.refused(404, "NotFound", &text);
    admin.delete(&path, json!({})).await.refused(
        400,
        "BadRequest",
        "The identity does not have universal auth",
    );
}

#[tokio::test]
async fn a_client_secret_is_shown_once() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    assert_eq!(machine.client_secret.len(), 64);
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    let listed = admin.get(&base).await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(&machine.client_secret));
    assert_eq!(
        listed.ok()["clientSecretData"][0]["clientSecretPrefix"],
        machine.client_secret[..4]
    );
    let id = text(&listed.ok()["clientSecretData"][0]["id"]);
    let revoked = admin.post(&format!("{base}/{id}/revoke"), json!({})).await.ok();
    assert_eq!(revoked["clientSecretData"]["isClientSecretRevoked"], true);
    assert_eq!(admin.get(&base).await.ok()["clientSecretData"], json!([]));
    admin.get(&format!("{base}/{id}")).await.ok();
}

#[tokio::test]
async fn memberships_take_roles_and_ignore_the_junk_of_permanent_ones() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let path = format!("/api/v2/workspace/{project}/identity-memberships/{}", machine.id);
    let junk = json!({"role": "viewer", "isTemporary": false, "temporaryMode": "", "temporaryRange": "",
        "temporaryAccessStartTime": "0001-01-01T00:00:00Z"});
    admin.post(&path, json!({"roles": [junk]})).await.ok();
    assert_eq!(admin.post(&path, json!({"role": "viewer"})).await.status, 400);
    let found = admin.get(&path).await.ok()["identityMembership"].clone();
    assert_eq!(
        (&found["roles"][0]["role"], &found["project"]["name"]),
        (&json!("viewer"), &json!("Demo"))
    );

    let temporary = json!({"role": "admin", "isTemporary": true, "temporaryMode": "relative", "temporaryRange": "1h",
        "temporaryAccessStartTime": "2026-03-10T09:30:00Z"});
    let after = admin.patch(&path, json!({"roles": [temporary]})).await.ok();
    assert_eq!(
        after["roles"][0]["temporaryAccessEndTime"],
        "2026-03-10T10:30:00.000Z"
    );
    let by_id = format!("/api/v2/workspace/identity-memberships/{}", text(&found["id"]));
    let shown = admin.get(&by_id).await.ok()["identityMembership"].clone();
    assert_eq!(
        (&shown["id"], &shown["roles"][0]["role"]),
        (&found["id"], &json!("admin"))
    );
    let alias = format!("/api/v1/projects/{project}/memberships/identities");
    assert_eq!(admin.get(&alias).await.ok()["totalCount"], 2);
    admin
        .patch(&path, json!({"roles": []}))
        .await
        .invalid(&[("roles", "Array must contain at least 1 element(s)")]);
    admin.delete(&path, Value::Null).await;
    admin.delete(&path, json!({})).await;
    assert_eq!(admin.get(&path).await.status, 404);
    assert_eq!(admin.get(&by_id).await.status, 404);
}

#[tokio::test]
async fn there_are_no_people_to_invite_and_whoever_tries_is_told_what_to_do() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let path = format!("/api/v2/workspace/{project}/memberships");
    let body = json!({"emails": ["someone@example.com"], "usernames": [], "roleSlugs": ["member"]});
    let text = "Keywheel has no people to invite: members of a project are machine identities. Make one a member with \
                POST /api/v2/workspace/{projectId}/identity-memberships/{identityId}.";
    admin.post(&path, body).await.refused(400, "BadRequest", text);
}
