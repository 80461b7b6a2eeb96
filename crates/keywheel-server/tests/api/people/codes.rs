//! One-time codes beside the password.

use aws_lc_rs::hmac;
use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::{ACCOUNTS, Browser, CURRENT, SESSIONS, admin, invited};
use crate::support::{TestApp, text};

const TOTP: &str = "/api/v1/accounts/me/totp";
const CONFIRM: &str = "/api/v1/accounts/me/totp/confirm";
const WRONG_CODE: &str = "The code is wrong, or was used before. Wait for the next one and try again.";

/// What an authenticator app shows (RFC 6238), from the secret as it is typed.
fn code(app: &TestApp, secret: &str) -> String {
    let mut bits = 0_u64;
    let mut bytes = Vec::new();
    for (place, c) in secret.bytes().enumerate() {
        let digit = if c.is_ascii_digit() {
            c - b'2' + 26
        } else {
            c - b'A'
        };
        bits = (bits << 5) | u64::from(digit);
        if place % 8 == 7 {
            bytes.extend_from_slice(&bits.to_be_bytes()[3..]);
            bits = 0;
        }
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let digest = hmac::sign(&key, &(app.app.now().as_secs() / 30).to_be_bytes());
    let at = usize::from(digest.as_ref()[19] & 0xf);
    let number = u32::from_be_bytes(digest.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Switches codes on; the secret.
async fn switched_on(app: &TestApp, browser: &Browser<'_>) -> String {
    let secret = text(&browser.post(TOTP, password()).await.ok()["secret"]);
    let code = code(app, &secret);
    browser.post(CONFIRM, json!({"code": code})).await.ok();
    app.pass(Millis::from_secs(30));
    secret
}

fn password() -> Value {
    json!({"password": "correct horse"})
}

fn with_code(code: &str) -> Value {
    let mut body = admin();
    body["code"] = json!(code);
    body
}

#[tokio::test]
async fn a_code_is_asked_for_once_it_was_confirmed_and_counts_once() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let wrong = browser.post(TOTP, json!({"password": "wrong"})).await;
    wrong.refused(403, "ForbiddenError", "The password is wrong");
    let made = browser.post(TOTP, password()).await.ok();
    let secret = text(&made["secret"]);
    assert!(text(&made["uri"]).contains(&format!("secret={secret}&issuer=Keywheel")));
    app.nobody().post(SESSIONS, admin()).await.ok();
    browser
        .post(CONFIRM, json!({"code": "abcdef"}))
        .await
        .refusal(400);
    let confirming = code(&app, &secret);
    browser.post(CONFIRM, json!({"code": confirming})).await.ok();
    let session = browser.get(CURRENT).await.ok();
    assert_eq!(session["session"]["account"]["totpEnabled"], true);

    let seen = app.nobody().post(SESSIONS, admin()).await;
    seen.refused(
        401,
        "CodeRequired",
        "Enter the one-time code of your authenticator app",
    );
    let replayed = app.nobody().post(SESSIONS, with_code(&confirming)).await;
    replayed.refused(401, "UnauthorizedError", WRONG_CODE);
    app.pass(Millis::from_secs(30));
    let next = code(&app, &secret);
    app.nobody().post(SESSIONS, with_code(&next)).await.ok();
    let replayed = app.nobody().post(SESSIONS, with_code(&next)).await;
    replayed.refused(401, "UnauthorizedError", WRONG_CODE);
}

#[tokio::test]
async fn a_wrong_password_with_a_right_code_is_told_nothing_of_codes() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let secret = switched_on(&app, &browser).await;
    let mut body = with_code(&code(&app, &secret));
    body["password"] = json!("wrong");
    let seen = app.nobody().post(SESSIONS, body).await;
    seen.refused(
        401,
        "UnauthorizedError",
        "The e-mail address or the password is wrong",
    );
}

#[tokio::test]
async fn guesses_of_codes_count_and_to_ask_for_one_does_not() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let secret = switched_on(&app, &browser).await;
    for _ in 0..5 {
        app.nobody().post(SESSIONS, admin()).await.refusal(401);
        let seen = app.nobody().post(SESSIONS, with_code("abcdef")).await;
        seen.refused(401, "UnauthorizedError", WRONG_CODE);
    }
    let good = with_code(&code(&app, &secret));
    app.nobody().post(SESSIONS, good).await.ok();
    for _ in 0..6 {
        app.nobody().post(SESSIONS, with_code("abcdef")).await;
    }
    app.pass(Millis::from_secs(30));
    let good = with_code(&code(&app, &secret));
    let seen = app.nobody().post(SESSIONS, good).await;
    assert!(seen.refusal(401).starts_with("Too many failed sign-ins"));
}

#[tokio::test]
async fn wrong_codes_count_over_all_addresses_and_only_with_the_right_password() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let secret = switched_on(&app, &browser).await;
    let from = |address: String| app.nobody().at_address(&address);
    let mut body = with_code("abcdef");
    for guess in 1..=10 {
        let somebody = from(format!("192.0.2.{guess}"));
        let seen = somebody.post(SESSIONS, body.clone()).await;
        seen.refused(401, "UnauthorizedError", WRONG_CODE);
    }
    let good = |app| with_code(&code(app, &secret));
    let seen = from("192.0.2.11".to_owned()).post(SESSIONS, good(&app)).await;
    let closed = "Too many wrong codes for this account. Try again later.";
    seen.refused(429, "RateLimitExceeded", closed);
    assert_eq!(seen.headers["retry-after"], "900");
    app.pass(Millis::from_secs(900));
    body["password"] = json!("wrong");
    for guess in 1..=11 {
        let somebody = from(format!("192.0.2.{guess}"));
        somebody.post(SESSIONS, body.clone()).await.refusal(401);
    }
    app.nobody().post(SESSIONS, good(&app)).await.ok();
}

#[tokio::test]
async fn who_guesses_the_password_in_a_session_is_told_when_to_go_on() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    for _ in 0..6 {
        let seen = browser.post(TOTP, json!({"password": "wrong"})).await;
        seen.refused(403, "ForbiddenError", "The password is wrong");
    }
    let seen = browser.post(TOTP, password()).await;
    let closed = "Too many failed sign-ins to this account from your address. Try again later.";
    seen.refused(429, "RateLimitExceeded", closed);
    assert_eq!(seen.headers["retry-after"], "300");
    browser.get(CURRENT).await.ok();
}

#[tokio::test]
async fn codes_are_switched_off_by_the_password_or_by_a_link() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    switched_on(&app, &browser).await;
    browser.post(TOTP, password()).await.refusal(400);
    let wrong = browser.delete(TOTP, json!({"password": "wrong"})).await;
    wrong.refused(403, "ForbiddenError", "The password is wrong");
    browser.delete(TOTP, password()).await.ok();
    app.nobody().post(SESSIONS, admin()).await.ok();

    switched_on(&app, &browser).await;
    let account = browser.get(ACCOUNTS).await.ok()["accounts"][0].clone();
    assert_eq!(account["totpEnabled"], true);
    let path = format!("{ACCOUNTS}/{}/link", text(&account["id"]));
    // Whoever holds a session has neither the password nor a code by that.
    let own = browser.post(&path, json!({})).await;
    assert!(own.refusal(400).contains("another administrator"));
    let other = invited(&app, &browser, "b@example.com", "admin").await;
    let link = other.post(&path, json!({})).await.ok();
    let body = json!({"token": link["link"]["token"], "password": "another horse"});
    app.nobody().post("/api/v1/accounts/join", body).await.ok();
    let body = json!({"email": "admin@example.com", "password": "another horse"});
    app.nobody().post(SESSIONS, body).await.ok();
}
