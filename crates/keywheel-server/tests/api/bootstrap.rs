//! POST /api/v1/admin/bootstrap, and the road from there to the first secret.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::{Machine, TestApp, project, text};

#[tokio::test]
async fn from_nothing_to_a_secret_through_the_api_alone() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &project, "member").await;

    let client = machine.client(&app).await;
    let body = json!({"workspaceId": project, "environment": "dev", "secretValue": "s3cret"});
    client.post("/api/v3/secrets/raw/DB_PASSWORD", body).await.ok();
    let path = format!("/api/v3/secrets/raw/DB_PASSWORD?workspaceId={project}&environment=dev");
    assert_eq!(client.get(&path).await.ok()["secret"]["secretValue"], "s3cret");
}

#[tokio::test]
async fn the_answer_has_the_token_the_organization_and_the_administrator() {
    let app = TestApp::start().await;
    let body =
        json!({"email": "Admin@Example.com", "password": "correct horse", "organization": "Example Org"});
    let answer = app.nobody().post("/api/v1/admin/bootstrap", body).await.ok();
    assert_eq!(answer["message"], "Successfully bootstrapped instance");
    assert_eq!(answer["identity"]["name"], "Instance Admin Identity");
    assert_eq!(answer["user"]["username"], "admin@example.com");
    assert_eq!(answer["user"]["superAdmin"], true);
    assert!(text(&answer["organization"]["slug"]).starts_with("example-org-"));

    let client = app.client(answer["identity"]["credentials"]["token"].as_str().unwrap());
    let details = client.get("/api/v1/identities/details").await.ok();
    assert_eq!(details["identityDetails"]["organization"], answer["organization"]);
}

#[tokio::test]
async fn it_works_once() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let body = json!({"email": "b@example.com", "password": "correct horse", "organization": "Other"});
    let again = app.nobody().post("/api/v1/admin/bootstrap", body).await;
    again.refused(400, "BadRequest", "Instance has already been set up");
}

#[tokio::test]
async fn all_faults_of_the_request_are_named() {
    let app = TestApp::start().await;
    let body = json!({"email": "nobody", "password": "short", "organization": 7});
    app.nobody()
        .post("/api/v1/admin/bootstrap", body)
        .await
        .invalid(&[
            ("email", "Invalid email"),
            ("password", "String must contain at least 8 character(s)"),
            ("organization", "Expected string, received number"),
        ]);
    for email in [
        "a\u{200b}@example.com",
        "a\u{202e}@example.com",
        "a\u{7}@example.com",
    ] {
        let body = json!({"email": email, "password": "correct horse", "organization": "Example"});
        let seen = app.nobody().post("/api/v1/admin/bootstrap", body).await;
        seen.invalid(&[("email", "Invalid email")]);
    }
}

#[tokio::test]
async fn no_page_sets_an_instance_up_whatever_its_own_address_is() {
    let app = TestApp::start().await;
    let body = json!({"email": "a@example.com", "password": "correct horse", "organization": "Example"});
    let attempt = async |headers: &[(&str, &str)]| {
        let body = Body::from(body.to_string());
        app.nobody()
            .send(Method::POST, "/api/v1/admin/bootstrap", headers, body)
            .await
    };
    let text =
        "This is for programs. In a browser, an instance is set up by the link that the server printed.";
    // A name of somebody else that leads here (DNS rebinding): the page, and where its request goes, are the same origin.
    let rebound = [
        ("host", "evil.example:8080"),
        ("origin", "http://evil.example:8080"),
    ];
    attempt(&rebound).await.refused(403, "ForbiddenError", text);
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", ""),
    ] {
        attempt(&[header]).await.refused(403, "ForbiddenError", text);
    }
    assert_eq!(app.app.store().organization().await.unwrap(), None);
    attempt(&[("user-agent", "terraform")]).await.ok();
}
