//! Who may do what, seen from outside; and that nothing secret is told to anyone who may not.

use keywheel_core::clock::Millis;
use serde_json::json;

use crate::support::{Machine, TestApp, project};

#[tokio::test]
async fn roles_of_a_project_allow_what_they_say() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let secret = json!({"workspaceId": project, "environment": "dev", "secretValue": "planted"});
    admin.post("/api/v3/secrets/raw/KEY", secret.clone()).await.ok();
    let read = format!("/api/v3/secrets/raw/KEY?workspaceId={project}&environment=dev");
    for (role, reads, writes, adds_environments) in [
        ("admin", 200, 200, 200),
        ("member", 200, 200, 403),
        ("viewer", 200, 403, 403),
        ("no-access", 403, 403, 403),
    ] {
        let machine = Machine::make(&admin, "no-access", json!({})).await;
        machine.join(&admin, &project, role).await;
        let client = machine.client(&app).await;
        assert_eq!(client.get(&read).await.status, reads, "{role}");
        assert_eq!(
            client
                .patch("/api/v3/secrets/raw/KEY", secret.clone())
                .await
                .status,
            writes,
            "{role}"
        );
        let path = format!("/api/v1/projects/{project}/environments");
        let made = client
            .post(&path, json!({"name": "x", "slug": format!("by-{role}")}))
            .await;
        assert_eq!(made.status, adds_environments, "{role}");
    }
}

#[tokio::test]
async fn a_refusal_names_action_and_subject_and_shows_no_secret() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "viewer").await;
    let body = json!({"workspaceId": project, "environment": "dev", "secretValue": "planted"});
    let seen = machine
        .client(&app)
        .await
        .post("/api/v3/secrets/raw/KEY", body)
        .await;
    seen.refused(
        403,
        "PermissionDenied",
        "You are not allowed to create on secrets",
    );
    assert_eq!(
        seen.json()["details"],
        json!([{"action": "create", "inverted": false, "subject": "secrets", "conditions": null}])
    );
    assert!(!String::from_utf8_lossy(&seen.body).contains("planted"));
}

#[tokio::test]
async fn who_is_no_member_sees_nothing_of_a_project() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let client = Machine::make(&admin, "member", json!({}))
        .await
        .client(&app)
        .await;
    let text = "You are not a member of this project";
    client
        .get(&format!("/api/v1/projects/{project}"))
        .await
        .refused(403, "ForbiddenError", text);
    assert_eq!(client.get("/api/v1/projects").await.ok(), json!({"projects": []}));
}

#[tokio::test]
async fn an_identity_without_rights_in_the_organization_changes_nothing_there() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let client = Machine::make(&admin, "no-access", json!({}))
        .await
        .client(&app)
        .await;
    for (path, body) in [
        ("/api/v1/projects", json!({"projectName": "Mine"})),
        ("/api/v1/identities", json!({"name": "mine", "role": "admin"})),
    ] {
        let seen = client.post(path, body).await;
        assert_eq!(
            (seen.status, &seen.json()["error"]),
            (403, &json!("PermissionDenied")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_temporary_role_ends_by_itself() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let path = format!("/api/v2/workspace/{project}/identity-memberships/{}", machine.id);
    let role = json!({"role": "viewer", "isTemporary": true, "temporaryMode": "relative", "temporaryRange": "1h",
        "temporaryAccessStartTime": "2026-03-10T09:30:00Z"});
    admin.post(&path, json!({"roles": [role]})).await.ok();
    let client = machine.client(&app).await;
    let read = format!("/api/v3/secrets/raw?workspaceId={project}&environment=dev");
    client.get(&read).await.ok();
    app.pass(Millis::from_secs(3_600));
    assert_eq!(client.get(&read).await.status, 403);
}

#[tokio::test]
async fn taking_a_membership_away_takes_effect_at_once() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "viewer").await;
    let client = machine.client(&app).await;
    let read = format!("/api/v3/secrets/raw?workspaceId={project}&environment=dev");
    client.get(&read).await.ok();
    let path = format!("/api/v2/workspace/{project}/identity-memberships/{}", machine.id);
    admin.delete(&path, json!({})).await.ok();
    assert_eq!(client.get(&read).await.status, 403);
}

#[tokio::test]
async fn authentication_comes_before_validation() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let seen = app.nobody().post("/api/v1/projects", json!({})).await;
    seen.refused(401, "UnauthorizedError", "Token missing");
}
