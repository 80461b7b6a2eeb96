//! The first account, by the link that the server prints.

use keywheel_core::clock::Millis;
use keywheel_server::auth::links;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Browser, CURRENT, SESSIONS};
use crate::support::TestApp;

const SETUP: &str = "/api/v1/accounts/setup";
const NO_LINK: &str =
    "The link to set up is wrong or has ended. The log of the server has a new one after each start.";

/// The token of a link that is printed now.
async fn printed(app: &TestApp) -> String {
    let token = app.app.setup_token().await.unwrap();
    token.expose_secret().to_owned()
}

fn first(token: &str) -> Value {
    json!({"setupToken": token, "email": "A@example.com", "password": "correct horse battery",
        "organization": "Example"})
}

#[tokio::test]
async fn the_printed_link_sets_up_once() {
    let app = TestApp::start().await;
    let options = async || app.nobody().get("/api/v1/sessions/options").await.ok();
    assert_eq!(options().await["isSetUp"], false);
    let token = printed(&app).await;
    let seen = app.nobody().post(SETUP, first(&token)).await;
    let browser = Browser::of(&app, &seen);
    let session = browser.get(CURRENT).await.ok()["session"].clone();
    assert_eq!(session["account"]["email"], "a@example.com");
    assert_eq!(session["identity"]["role"], "admin");
    assert_eq!(options().await["isSetUp"], true);

    let again = app.nobody().post(SETUP, first(&token)).await;
    again.refused(400, "BadRequest", "Instance has already been set up");
    let body = json!({"email": "a@example.com", "password": "correct horse battery"});
    app.nobody().post(SESSIONS, body).await.ok();
    let identities = browser.get("/api/v1/identities").await.ok();
    assert_eq!(identities["totalCount"], 1, "no machine was made");
}

#[tokio::test]
async fn no_other_link_sets_up_and_none_after_a_day() {
    let app = TestApp::start().await;
    let token = printed(&app).await;
    let mut changed = token.clone();
    changed.replace_range(20..21, if &token[20..21] == "A" { "B" } else { "A" });
    for wrong in ["x", &token[1..], &token[..token.len() - 4], &changed] {
        let seen = app.nobody().post(SETUP, first(wrong)).await;
        seen.refused(401, "UnauthorizedError", NO_LINK);
    }
    app.pass(links::SETUP_LASTS);
    let seen = app.nobody().post(SETUP, first(&token)).await;
    seen.refused(401, "UnauthorizedError", NO_LINK);
    let token = printed(&app).await;
    app.pass(Millis::new(links::SETUP_LASTS.get() - 1));
    app.nobody().post(SETUP, first(&token)).await.ok();
}

#[tokio::test]
async fn a_new_password_has_twelve_characters() {
    let app = TestApp::start().await;
    let mut body = first(&printed(&app).await);
    body["password"] = json!("elevenchars");
    let seen = app.nobody().post(SETUP, body).await;
    seen.invalid(&[("password", "String must contain at least 12 character(s)")]);
}

#[tokio::test]
async fn a_set_up_holds_over_a_restart() {
    let app = TestApp::start().await;
    let token = printed(&app).await;
    let app = app.restarted().await;
    let seen = app.nobody().post(SETUP, first(&token)).await;
    let cookie = Browser::of(&app, &seen).cookie;
    let app = app.restarted().await;
    let headers = [("cookie", cookie.as_str())];
    let method = axum::http::Method::GET;
    let seen = app
        .nobody()
        .send(method, CURRENT, &headers, axum::body::Body::empty())
        .await;
    seen.ok();
}
