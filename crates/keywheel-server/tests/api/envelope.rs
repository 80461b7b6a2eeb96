//! What holds for every route: the shape of refusals, lenient request data, entity tags, ids of requests.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::{TestApp, project};

#[tokio::test]
async fn status_answers_without_a_token_as_the_kubernetes_operator_wants_it() {
    let app = TestApp::start().await;
    let seen = app.nobody().get("/api/status").await;
    assert_eq!(seen.ok()["message"], "Ok");
    assert_eq!(seen.ok()["maxIdentityAccessTokenTTL"], 7_776_000);
    assert!(
        seen.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/json")
    );
    for path in ["/healthz", "/healthcheck", "/readyz"] {
        app.nobody().get(path).await.ok();
    }
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_answers_and_says_that_it_is_not_ready() {
    let app = TestApp::start().await;
    app.app.begin_to_stop();
    let seen = app.nobody().get("/readyz").await;
    assert_eq!(seen.status, 503);
    app.nobody().get("/healthz").await.ok();
    app.nobody().get("/api/status").await.ok();
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_404_in_the_shape_of_the_contract() {
    let app = TestApp::start().await;
    for (method, path) in [(Method::GET, "/api/v9/nothing"), (Method::PUT, "/api/status")] {
        let seen = app
            .nobody()
            .send(method.clone(), &format!("{path}?secret=1"), &[], Body::empty())
            .await;
        let body = seen.json();
        assert_eq!(
            (seen.status, &body["error"], &body["docs"]),
            (404, &json!("Not Found"), &json!("/api/docs/json"))
        );
        let message = body["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("Route {method}:{path} not found.")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn malformed_json_is_400_and_tells_the_place() {
    let app = TestApp::start().await;
    let path = "/api/v1/auth/universal-auth/login";
    let seen = app
        .nobody()
        .send(Method::POST, path, &[], Body::from("{\"clientId\": \"planted\","))
        .await;
    let text = "The body is not valid JSON: EOF while parsing a value at line 1 column 23";
    seen.refused(400, "BadRequest", text);
    let seen = app
        .nobody()
        .send(Method::POST, path, &[], Body::from(&b"\xff\xfe"[..]))
        .await;
    assert_eq!(seen.status, 400);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_in_the_shape_of_the_contract() {
    let app = TestApp::start().await;
    let body = Body::from(vec![b' '; 1_048_577]);
    let seen = app
        .nobody()
        .send(Method::POST, "/api/v1/auth/universal-auth/login", &[], body)
        .await;
    seen.refused(
        413,
        "PayloadTooLarge",
        "The body is larger than the limit of 1048576 bytes",
    );
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object_whatever_the_content_type() {
    let app = TestApp::start().await;
    let expected = [("clientId", "Required"), ("clientSecret", "Required")];
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/json")],
    ] {
        let path = "/api/v1/auth/universal-auth/login";
        app.nobody()
            .send(Method::POST, path, headers, Body::empty())
            .await
            .invalid(&expected);
    }
}

#[tokio::test]
async fn slashes_unknown_keys_and_empty_query_values_do_not_matter() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let id = project(&admin).await;
    for path in [
        format!("/api/v1/workspace/{id}/"),
        format!("//api/v1/workspace/{id}"),
        format!("/api/v1/workspace/{id}?unknown=1"),
    ] {
        admin
            .send(
                Method::GET,
                &path,
                &[("content-type", "application/json")],
                Body::empty(),
            )
            .await
            .ok();
    }
    let list = "/api/v3/secrets/raw?workspaceId=&workspaceSlug=demo-project&environment=dev&secretPath=&recursive=True";
    admin.get(list).await.ok();
}

#[tokio::test]
async fn a_get_carries_a_strong_tag_and_a_known_one_gets_304_without_a_body() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let path = format!("/api/v1/workspace/{}", project(&admin).await);
    let first = admin.get(&path).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));

    let known = admin
        .send(Method::GET, &path, &[("if-none-match", &tag)], Body::empty())
        .await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.headers["etag"].to_str().unwrap(), tag);

    admin.patch(&path, json!({"name": "Renamed"})).await.ok();
    let changed = admin
        .send(Method::GET, &path, &[("if-none-match", &tag)], Body::empty())
        .await;
    assert_eq!(changed.ok()["workspace"]["name"], "Renamed");
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
}

#[tokio::test]
async fn a_refusal_carries_the_id_that_the_header_carries() {
    let app = TestApp::start().await;
    let seen = app.nobody().get("/api/v1/projects").await;
    seen.refused(401, "UnauthorizedError", "Token missing");
    assert_eq!(
        seen.headers["x-request-id"].to_str().unwrap(),
        seen.json()["reqId"]
    );
}
