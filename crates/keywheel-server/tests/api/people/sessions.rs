//! Signing in and out, and what a cookie is good for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::{ACCOUNTS, Browser, CURRENT, OVER, SESSIONS, admin, invited, set_cookie};
use crate::support::{Client, FakeAws, TestApp, join_all};

const WRONG: &str = "The e-mail address or the password is wrong";
const PROJECTS: &str = "/api/v1/projects";

fn wrong() -> Value {
    json!({"email": "admin@example.com", "password": "wrong"})
}

#[tokio::test]
async fn a_sign_in_sets_a_cookie_that_no_script_and_no_other_site_gets() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let seen = app.nobody().post(SESSIONS, admin()).await;
    let session = &seen.ok()["session"];
    assert_eq!(session["account"]["email"], "admin@example.com");
    assert_eq!(session["account"]["superAdmin"], true);
    assert_eq!(session["identity"]["name"], "admin@example.com");
    assert_eq!(session["identity"]["role"], "admin");
    assert_eq!(session["organization"]["name"], "Example");
    let cookie = set_cookie(&seen);
    let (name, flags) = cookie.split_once(';').unwrap();
    assert!(name.starts_with("keywheel_session=ey"), "{name}");
    assert_eq!(flags, " Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
    assert!(!String::from_utf8_lossy(&seen.body).contains(name.split_once('=').unwrap().1));

    let browser = Browser::of(&app, &seen);
    assert_eq!(browser.get(CURRENT).await.ok()["session"], *session);
}

#[tokio::test]
async fn the_cookie_is_for_https_only_where_the_browser_speaks_it() {
    let proxy = [("KEYWHEEL_TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_with(Arc::new(FakeAws), &proxy).await;
    app.bootstrapped().await;
    let stranger = app.nobody().at_address("192.0.2.1");
    for (client, header, secure) in [
        (app.nobody(), ("x-forwarded-proto", "https"), true),
        (app.nobody(), ("x-forwarded-proto", "http"), false),
        (stranger.clone(), ("x-forwarded-proto", "https"), false),
        (stranger, ("origin", "https://keywheel.example"), true),
    ] {
        let headers = [header, ("host", "keywheel.example")];
        let body = Body::from(admin().to_string());
        let seen = client.send(Method::POST, SESSIONS, &headers, body).await;
        seen.ok();
        let cookie = set_cookie(&seen);
        assert_eq!(cookie.ends_with("; Secure"), secure, "{header:?}");
        assert_eq!(
            cookie.starts_with("__Host-keywheel_session="),
            secure,
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn over_https_a_cookie_that_a_neighbour_can_plant_is_none() {
    let proxy = [("KEYWHEEL_TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_with(Arc::new(FakeAws), &proxy).await;
    app.bootstrapped().await;
    let own = Browser::of_admin(&app).await.token().to_owned();
    let (bare, host) = (
        format!("keywheel_session={own}"),
        format!("__Host-keywheel_session={own}"),
    );
    let planted = format!("keywheel_session=planted; {host}");
    let doubled = format!("{bare}; keywheel_session=planted");
    for (proto, cookie, status) in [
        ("http", &bare, 200),
        ("https", &bare, 401),
        ("https", &host, 200),
        ("https", &planted, 200),
        ("http", &planted, 200),
        ("http", &doubled, 401),
    ] {
        let headers = [("x-forwarded-proto", proto), ("cookie", cookie.as_str())];
        let seen = app
            .nobody()
            .send(Method::GET, CURRENT, &headers, Body::empty())
            .await;
        assert_eq!(seen.status, status, "{proto} {cookie}");
    }
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_wrong_password_and_counted_alike() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let unknown = json!({"email": "nobody@example.com", "password": "correct horse"});
    for body in [unknown.clone(), wrong()] {
        for _ in 0..6 {
            let seen = app.nobody().post(SESSIONS, body.clone()).await;
            seen.refused(401, "UnauthorizedError", WRONG);
        }
    }
    let closed = "Too many failed sign-ins to this account from your address. Try again later.";
    for body in [unknown, admin()] {
        let seen = app.nobody().post(SESSIONS, body).await;
        seen.refused(401, "UnauthorizedError", closed);
        assert_eq!(seen.headers["retry-after"], "300");
    }
    let elsewhere = app.nobody().at_address("192.0.2.1");
    elsewhere.post(SESSIONS, admin()).await.ok();
    app.pass(Millis::from_secs(300));
    app.nobody().post(SESSIONS, admin()).await.ok();
}

#[tokio::test]
async fn no_more_passwords_are_looked_at_if_they_are_sent_at_once() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let nobody = app.nobody();
    let seen = join_all((0..20).map(|_| nobody.post(SESSIONS, wrong())).collect()).await;
    let looked_at = seen.iter().filter(|seen| seen.json()["message"] == WRONG).count();
    assert!((1..=6).contains(&looked_at), "{looked_at}");
    app.pass(Millis::from_secs(300));
    app.nobody().post(SESSIONS, admin()).await.ok();
}

#[tokio::test]
async fn a_session_is_not_renewed() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let body = json!({"accessToken": browser.token()});
    let seen = app.nobody().post("/api/v1/auth/token/renew", body).await;
    seen.refused(400, "BadRequest", "Only identity access tokens can be renewed");
}

#[tokio::test]
async fn links_that_are_wrong_are_in_the_audit_log() {
    let app = TestApp::start().await;
    let body = json!({"setupToken": "x", "email": "a@example.com", "password": "correct horse",
        "organization": "Example"});
    app.nobody()
        .post("/api/v1/accounts/setup", body)
        .await
        .refusal(401);
    let machine = app.bootstrapped().await;
    let body = json!({"token": "x", "password": "correct horse"});
    app.nobody()
        .post("/api/v1/accounts/join", body)
        .await
        .refusal(401);
    app.app.audit().flush().await.unwrap();
    for word in ["create-organization-failed", "use-account-link-failed"] {
        let path = format!("/api/v1/organization/audit-logs?eventType={word}");
        let entry = machine.get(&path).await.ok()["auditLogs"][0].clone();
        assert_eq!(entry["actor"]["type"], "unknownUser", "{word}");
    }
}

#[tokio::test]
async fn an_address_with_too_many_failed_sign_ins_waits_whatever_it_tries() {
    let few = [("KEYWHEEL_LOGIN_FAILURES_PER_MINUTE", "3")];
    let app = TestApp::start_with(Arc::new(FakeAws), &few).await;
    app.bootstrapped().await;
    for name in ["a", "b", "c"] {
        let body = json!({"email": format!("{name}@example.com"), "password": "x"});
        app.nobody().post(SESSIONS, body).await.refusal(401);
    }
    for (path, body) in [
        (SESSIONS, admin()),
        (
            "/api/v1/accounts/join",
            json!({"token": "x", "password": "correct horse"}),
        ),
    ] {
        app.nobody().post(path, body).await.refusal(429);
    }
}

#[tokio::test]
async fn what_changes_something_needs_the_proof_of_the_own_session() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let other = Browser::of_admin(&app).await;
    let body = || json!({"projectName": "Demo", "slug": "demo-project"});
    let guesses: [&[(&str, &str)]; 4] = [
        &[],
        &[("x-keywheel-csrf", "")],
        &[("x-keywheel-csrf", &other.csrf)],
        &[("x-keywheel-csrf", browser.token())],
    ];
    for headers in guesses {
        let seen = browser.send(Method::POST, PROJECTS, headers, body()).await;
        assert!(seen.refusal(403).contains("X-Keywheel-CSRF"), "{headers:?}");
    }
    for method in [Method::DELETE, Method::PATCH, Method::PUT] {
        let seen = browser.send(method.clone(), CURRENT, &[], json!({})).await;
        assert_ne!(seen.status, 200, "{method}");
    }
    browser.post(PROJECTS, body()).await.ok();
    browser.get(CURRENT).await.ok();
}

#[tokio::test]
async fn what_another_site_sends_is_refused_reads_too() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let host = ("host", "keywheel.example");
    let by_https = [host, ("origin", "https://keywheel.example")];
    let body = Body::from(admin().to_string());
    let signed_in = app.nobody().send(Method::POST, SESSIONS, &by_https, body).await;
    let browser = Browser::of(&app, &signed_in);
    for (headers, good) in [
        ([host, ("sec-fetch-site", "cross-site")], false),
        ([host, ("sec-fetch-site", "same-site")], false),
        ([host, ("sec-fetch-site", "same-origin")], true),
        ([host, ("sec-fetch-site", "none")], true),
        ([host, ("origin", "https://evil.example")], false),
        ([host, ("origin", "https://keywheel.example.evil.example")], false),
        ([host, ("origin", "null")], false),
        ([host, ("origin", "https://keywheel.example")], true),
    ] {
        let read = browser.send(Method::GET, CURRENT, &headers, json!({})).await;
        assert_eq!(read.status, if good { 200 } else { 403 }, "{headers:?}");
        let body = Body::from(admin().to_string());
        let signs_in = app.nobody().send(Method::POST, SESSIONS, &headers, body).await;
        assert_eq!(signs_in.status, if good { 200 } else { 403 }, "{headers:?}");
    }
}

#[tokio::test]
async fn a_bearer_token_needs_no_proof_and_is_no_cookie() {
    let app = TestApp::start().await;
    let machine = app.bootstrapped().await;
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://tool.example"),
    ];
    let body = json!({"projectName": "Demo", "slug": "demo-project"});
    let body = Body::from(body.to_string());
    machine.send(Method::POST, PROJECTS, &elsewhere, body).await.ok();
    machine.get(CURRENT).await.refusal(400);

    let cookie = format!("keywheel_session={}", machine.token);
    let seen = app
        .nobody()
        .send(Method::GET, PROJECTS, &[("cookie", &cookie)], Body::empty())
        .await;
    seen.refused(401, "UnauthorizedError", OVER);

    let browser = Browser::of_admin(&app).await;
    let both = [("cookie", browser.cookie.as_str())];
    let seen = machine.send(Method::GET, CURRENT, &both, Body::empty()).await;
    seen.refusal(400);
}

#[tokio::test]
async fn a_session_that_is_used_ends_after_its_time() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    for _ in 0..11 {
        app.pass(Millis::from_hours(1));
        browser.get(CURRENT).await.ok();
    }
    app.pass(Millis::new(Millis::from_hours(1).get() - 1));
    browser.get(CURRENT).await.ok();
    app.pass(Millis::new(1));
    browser.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_also_for_its_bearer() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    app.pass(Millis::from_secs(7_199));
    browser.get(CURRENT).await.ok();
    app.pass(Millis::from_secs(7_199));
    browser.get(CURRENT).await.ok();
    app.pass(Millis::from_secs(7_200));
    browser.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
    app.client(browser.token()).get(CURRENT).await.refusal(401);
    let other = Browser::of_admin(&app).await;
    let listed = other.get(SESSIONS).await.ok();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_use_of_a_session_is_written_once_a_minute() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let revision = app.app.store().revision();
    for _ in 0..10 {
        app.pass(Millis::from_secs(5));
        browser.get(CURRENT).await.ok();
    }
    assert_eq!(app.app.store().revision(), revision);
    app.pass(Millis::from_secs(10));
    browser.get(CURRENT).await.ok();
    let after = app.app.store().revision();
    assert_ne!(after, revision);
    browser.get(CURRENT).await.ok();
    assert_eq!(app.app.store().revision(), after);
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_at_once_and_only_its_owner_ends_it() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let (first, second) = (Browser::of_admin(&app).await, Browser::of_admin(&app).await);
    let member = invited(&app, &first, "b@example.com", "member").await;
    let listed = first.get(SESSIONS).await.ok();
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["ipAddress"], "127.0.0.1");
    let other = sessions.iter().find(|one| one["isCurrent"] == false).unwrap();
    let path = format!("{SESSIONS}/{}", other["id"].as_str().unwrap());

    member.delete(&path, json!({})).await.refusal(404);
    second.get(CURRENT).await.ok();
    first.delete(&path, json!({})).await.ok();
    second.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
    first.delete(&path, json!({})).await.refusal(404);
    first.get(CURRENT).await.ok();
}

#[tokio::test]
async fn who_signs_out_is_out_and_has_no_cookie() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let seen = browser.delete(CURRENT, json!({})).await;
    seen.ok();
    let cookie = set_cookie(&seen);
    assert!(
        cookie.starts_with("keywheel_session=;") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
    browser.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
}

#[tokio::test]
async fn a_cookie_that_is_none_of_ours_is_no_session_whatever_else_is_wrong() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    for token in ["nonsense", "a.b.c"] {
        let cookie = format!("keywheel_session={token}");
        let body = Body::from("{}");
        let seen = app
            .nobody()
            .send(Method::POST, ACCOUNTS, &[("cookie", &cookie)], body)
            .await;
        seen.refused(401, "UnauthorizedError", OVER);
    }
    app.nobody().post(ACCOUNTS, json!({})).await.refusal(401);
}

#[tokio::test]
async fn the_audit_log_tells_people_from_machines() {
    let app = TestApp::start().await;
    let machine = app.bootstrapped().await;
    app.nobody().post(SESSIONS, wrong()).await.refusal(401);
    let browser = Browser::of_admin(&app).await;
    let body = json!({"projectName": "Demo", "slug": "demo-project"});
    browser.post(PROJECTS, body).await.ok();
    browser.delete(CURRENT, json!({})).await.ok();
    app.app.audit().flush().await.unwrap();
    let path = "/api/v1/organization/audit-logs?actorType=user&limit=10";
    let logs = machine.get(path).await.ok();
    let entries = logs["auditLogs"].as_array().unwrap();
    let events: Vec<_> = entries
        .iter()
        .map(|entry| entry["event"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["logout-account", "create-project", "login-account"]);
    for entry in entries {
        assert_eq!(entry["actor"]["metadata"]["email"], "admin@example.com");
    }
    let id = entries[0]["actor"]["metadata"]["userId"].as_str().unwrap();
    for (actor, count) in [(id, 3), ("Admin@Example.com", 3), ("b@example.com", 0)] {
        let path = format!("/api/v1/organization/audit-logs?limit=10&actor={actor}");
        let found = machine.get(&path).await.ok();
        assert_eq!(found["auditLogs"].as_array().unwrap().len(), count, "{actor}");
    }
    let path = "/api/v1/organization/audit-logs?eventType=login-account-failed";
    let failed = machine.get(path).await.ok();
    let failed = &failed["auditLogs"][0];
    assert_eq!(failed["event"]["metadata"]["email"], "admin@example.com");
    assert_eq!(failed["actor"]["type"], "unknownUser");
}

/// The entries of failed sign-ins so far: how often each was, and what it tells of the account.
async fn failed_sign_ins(app: &TestApp, admin: &Client<'_>) -> Vec<(u64, Value, Value)> {
    app.app.audit().flush().await.unwrap();
    let path = "/api/v1/organization/audit-logs?eventType=login-account-failed";
    let found = admin.get(path).await.ok();
    let told = |entry: &Value| {
        let metadata = &entry["event"]["metadata"];
        let times = metadata["times"].as_u64().unwrap();
        (
            times,
            metadata["email"].clone(),
            metadata["isUnknownAccount"].clone(),
        )
    };
    found["auditLogs"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn strangers_make_one_entry_of_failed_sign_ins_whatever_they_say() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let nobody = app.nobody();
    let attempt = async |email: &str, agent: &str| {
        let body = Body::from(json!({"email": email, "password": "wrong"}).to_string());
        let headers = [("user-agent", agent)];
        nobody
            .send(Method::POST, SESSIONS, &headers, body)
            .await
            .refusal(401);
    };
    for number in 0..20 {
        attempt(
            &format!("planted-{number}@example.com"),
            &format!("agent {number}"),
        )
        .await;
    }
    attempt("Admin@example.com", "Mozilla/5.0").await;
    attempt("admin@example.com", "cli").await;
    let mut told = failed_sign_ins(&app, &admin).await;
    told.sort_by_key(|(times, ..)| *times);
    let expected = [
        (2, json!("admin@example.com"), Value::Null),
        (20, Value::Null, json!(true)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn links_that_are_wrong_are_one_entry_whatever_those_who_try_them_say() {
    let app = TestApp::start().await;
    let first = json!({"setupToken": "x", "email": "a@example.com", "password": "correct horse",
        "organization": "Example"});
    let join = json!({"token": "x", "password": "correct horse"});
    let attempt = async |path: &str, body: &Value, number: u32| {
        let (agent, body) = (format!("agent {number}"), Body::from(body.to_string()));
        let headers = [("user-agent", agent.as_str())];
        let seen = app.nobody().send(Method::POST, path, &headers, body).await;
        seen.refusal(401);
    };
    for number in 0..10 {
        attempt("/api/v1/accounts/setup", &first, number).await;
    }
    let admin = app.bootstrapped().await;
    for number in 0..10 {
        attempt("/api/v1/accounts/join", &join, number).await;
    }
    app.app.audit().flush().await.unwrap();
    for word in ["create-organization-failed", "use-account-link-failed"] {
        let path = format!("/api/v1/organization/audit-logs?eventType={word}");
        let found = admin.get(&path).await.ok()["auditLogs"].clone();
        let times = &found[0]["event"]["metadata"]["times"];
        assert_eq!(
            (found.as_array().unwrap().len(), times),
            (1, &json!(10)),
            "{word}"
        );
    }
}

#[tokio::test]
async fn a_sign_in_whose_password_gets_no_turn_is_in_no_entry() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let nobody = app.nobody();
    let attempt = |number: u32| {
        let body = json!({"email": format!("{number}@example.com"), "password": "wrong"});
        nobody.post(SESSIONS, body)
    };
    let seen = join_all((0..30).map(attempt).collect()).await;
    let of = |status: u16| seen.iter().filter(|seen| seen.status == status).count();
    let (looked_at, refused) = (of(401), of(429));
    assert!(
        refused > 0 && looked_at + refused == seen.len(),
        "{looked_at} {refused}"
    );
    let told = failed_sign_ins(&app, &admin).await;
    let times: u64 = told.iter().map(|(times, ..)| times).sum();
    assert_eq!(times, u64::try_from(looked_at).unwrap());
}
