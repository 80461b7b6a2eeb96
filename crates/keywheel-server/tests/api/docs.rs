//! The API document, in each of its forms.

use axum::http::header;

use crate::support::TestApp;

#[tokio::test]
async fn the_page_is_html_that_may_load_nothing() {
    let app = TestApp::start().await;
    let seen = app.nobody().get("/api/docs").await;
    assert_eq!(seen.status, 200);
    assert_eq!(seen.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = seen.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(seen.headers.contains_key(header::ETAG));
}

#[tokio::test]
async fn the_document_is_there_in_both_versions_and_under_the_usual_name() {
    let app = TestApp::start().await;
    let newer = app.nobody().get("/api/docs/json").await.ok();
    assert_eq!(newer["openapi"], "3.1.0");
    assert_eq!(app.nobody().get("/api/docs/openapi.json").await.ok(), newer);
    let older = app.nobody().get("/api/docs/openapi-3.0.json").await.ok();
    assert_eq!(older["openapi"], "3.0.3");
    let paths = |document: &serde_json::Value| -> Vec<String> {
        document["paths"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(paths(&older), paths(&newer));
}
