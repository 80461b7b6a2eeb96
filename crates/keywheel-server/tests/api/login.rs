//! Universal auth: login, lockout, limits, renewal, revocation.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::Method;
use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use crate::support::{Client, FakeAws, Machine, Seen, TestApp, join_all, text};

const LOGIN: &str = "/api/v1/auth/universal-auth/login";
const DETAILS: &str = "/api/v1/identities/details";
const INVALID: &str = "Invalid credentials";
const LOCKED: &str = "This identity auth method is temporarily locked, please try again later";

async fn wrong(machine: &Machine, client: &Client<'_>) -> Seen {
    let secret = format!("{}x", machine.client_secret);
    client
        .post(
            LOGIN,
            json!({"clientId": machine.client_id, "clientSecret": secret}),
        )
        .await
}

#[tokio::test]
async fn a_login_gives_a_token_with_whole_seconds() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(
        &admin,
        "no-access",
        json!({"accessTokenTTL": 60, "accessTokenMaxTTL": 100}),
    )
    .await;
    let answer = machine.log_in(&app.nobody()).await.ok();
    assert_eq!(
        (
            &answer["expiresIn"],
            &answer["accessTokenMaxTTL"],
            &answer["tokenType"]
        ),
        (&json!(60), &json!(100), &json!("Bearer"))
    );
    app.client(&text(&answer["accessToken"])).get(DETAILS).await.ok();
}

#[tokio::test]
async fn wrong_ids_and_wrong_secrets_get_the_same_answer() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    wrong(&machine, &app.nobody())
        .await
        .refused(401, "UnauthorizedError", INVALID);
    for client_id in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        let body = json!({"clientId": client_id, "clientSecret": machine.client_secret});
        app.nobody()
            .post(LOGIN, body)
            .await
            .refused(401, "UnauthorizedError", INVALID);
    }
}

#[tokio::test]
async fn too_many_wrong_secrets_lock_the_login_for_a_while() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    for _ in 0..3 {
        wrong(&machine, &app.nobody())
            .await
            .refused(401, "UnauthorizedError", INVALID);
    }
    for (passes_ms, seconds) in [(0, "300"), (298_500, "2"), (1_499, "1")] {
        app.pass(Millis::new(passes_ms));
        let seen = machine.log_in(&app.nobody()).await;
        seen.refused(401, "UnauthorizedError", LOCKED);
        assert_eq!(seen.headers["retry-after"], seconds);
    }
    app.pass(Millis::new(1));
    machine.log_in(&app.nobody()).await.ok();
}

#[tokio::test]
async fn a_success_and_a_pause_both_clear_the_count_of_failures() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    for _ in 0..2 {
        wrong(&machine, &app.nobody()).await;
        wrong(&machine, &app.nobody()).await;
        machine.log_in(&app.nobody()).await.ok();
    }
    wrong(&machine, &app.nobody()).await;
    wrong(&machine, &app.nobody()).await;
    app.pass(Millis::from_secs(31));
    wrong(&machine, &app.nobody()).await;
    machine.log_in(&app.nobody()).await.ok();
}

#[tokio::test]
async fn who_knows_a_client_id_locks_out_only_the_own_address() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let stranger = app.nobody().at_address("203.0.113.9");
    for _ in 0..20 {
        wrong(&machine, &stranger).await;
    }
    machine
        .log_in(&stranger)
        .await
        .refused(401, "UnauthorizedError", LOCKED);
    machine.log_in(&app.nobody()).await.ok();
    // Nor does the good login of the one open it for the other.
    machine
        .log_in(&stranger)
        .await
        .refused(401, "UnauthorizedError", LOCKED);
}

#[tokio::test]
async fn a_login_without_lockout_is_never_locked() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({"lockoutEnabled": false})).await;
    for _ in 0..20 {
        wrong(&machine, &app.nobody())
            .await
            .refused(401, "UnauthorizedError", INVALID);
    }
    machine.log_in(&app.nobody()).await.ok();
}

#[tokio::test]
async fn an_address_with_too_many_failures_waits_a_minute_and_others_do_not() {
    let settings = [("KEYWHEEL_LOGIN_FAILURES_PER_MINUTE", "5")];
    let app = TestApp::start_with(Arc::new(FakeAws), &settings).await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let attacker = app.nobody().at_address("2001:db8:1:2::1");
    let unknown = || json!({"clientId": "nonsense", "clientSecret": "nonsense"});
    for _ in 0..5 {
        machine.log_in(&attacker).await.ok();
        attacker
            .post(LOGIN, unknown())
            .await
            .refused(401, "UnauthorizedError", INVALID);
    }
    // Another address of the same network, and with what is right.
    let neighbour = app.nobody().at_address("2001:db8:1:2::2");
    let rest = |seen: &Seen| text(&json!(seen.headers["retry-after"].to_str().unwrap()));
    for (passes_ms, seconds) in [(0, "60"), (58_500, "2"), (1_499, "1")] {
        app.pass(Millis::new(passes_ms));
        let seen = machine.log_in(&neighbour).await;
        let words = "Too many failed logins from this address. Please try again later";
        seen.refused(429, "RateLimitExceeded", words);
        assert_eq!(rest(&seen), seconds);
        for others in ["127.0.0.1", "2001:db8:1:3::1"] {
            machine.log_in(&app.nobody().at_address(others)).await.ok();
        }
    }
    // What has a token goes on, from there too.
    admin.at_address("2001:db8:1:2::1").get(DETAILS).await.ok();
    app.pass(Millis::new(1));
    machine.log_in(&attacker).await.ok();
}

#[tokio::test]
async fn without_a_limit_failures_never_close_an_address() {
    let settings = [("KEYWHEEL_LOGIN_FAILURES_PER_MINUTE", "0")];
    let app = TestApp::start_with(Arc::new(FakeAws), &settings).await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    for _ in 0..100 {
        let unknown = json!({"clientId": "nonsense", "clientSecret": "nonsense"});
        assert_eq!(app.nobody().post(LOGIN, unknown).await.status, 401);
    }
    machine.log_in(&app.nobody()).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_token_is_used_exactly_so_often_by_parallel_calls() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({"accessTokenNumUsesLimit": 7})).await;
    let client = machine.client(&app).await;
    let mut good = 0;
    for seen in join_all((0..20).map(|_| client.get(DETAILS)).collect()).await {
        match seen.status {
            200 => good += 1,
            _ => seen.refused(
                401,
                "UnauthorizedError",
                "Failed to authorize: access token number of uses limit reached",
            ),
        }
    }
    assert_eq!(good, 7);
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_after_a_restart_and_other_tokens_go_on() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let (revoked, kept) = (machine.client(&app).await.token, machine.client(&app).await.token);
    let body = json!({"accessToken": revoked});
    app.nobody().post("/api/v1/auth/token/revoke", body).await.ok();
    let app = app.restarted().await;
    let text = "Failed to authorize: access token has been revoked";
    app.client(&revoked)
        .get(DETAILS)
        .await
        .refused(401, "UnauthorizedError", text);
    app.client(&kept).get(DETAILS).await.ok();
}

#[tokio::test]
async fn an_operator_can_end_a_lockout() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    for _ in 0..3 {
        wrong(&machine, &app.nobody()).await;
    }
    let shown = async || {
        let shown = admin
            .get(&format!("/api/v1/identities/{}", machine.id))
            .await
            .ok();
        shown["identity"]["identity"]["activeLockoutAuthMethods"].clone()
    };
    assert_eq!(shown().await, json!(["universal-auth"]));
    let path = format!(
        "/api/v1/auth/universal-auth/identities/{}/clear-lockouts",
        machine.id
    );
    assert_eq!(admin.post(&path, json!({})).await.ok(), json!({"deleted": 1}));
    machine.log_in(&app.nobody()).await.ok();
    assert_eq!(shown().await, json!([]));
}

#[tokio::test]
async fn a_client_secret_ends_with_its_time_and_with_its_uses() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    for (limits, text_at_end) in [
        (json!({"ttl": 10}), "Access denied due to expired client secret"),
        (
            json!({"numUsesLimit": 1}),
            "Access denied due to client secret usage limit reached",
        ),
    ] {
        let made = admin.post(&base, limits).await.ok();
        let body = json!({"clientId": machine.client_id, "clientSecret": made["clientSecret"]});
        app.nobody().post(LOGIN, body.clone()).await.ok();
        app.pass(Millis::from_secs(10));
        app.nobody()
            .post(LOGIN, body)
            .await
            .refused(401, "UnauthorizedError", text_at_end);
        let path = format!("{base}/{}", text(&made["clientSecretData"]["id"]));
        assert_eq!(
            admin.get(&path).await.ok()["clientSecretData"]["isClientSecretRevoked"],
            true
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_logins_never_exceed_the_number_of_uses() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    let made = admin.post(&base, json!({"numUsesLimit": 5})).await.ok();
    let body = json!({"clientId": machine.client_id, "clientSecret": made["clientSecret"]});
    let nobody = app.nobody();
    let mut tokens = HashSet::new();
    let attempts: Vec<_> = (0..20).map(|_| nobody.post(LOGIN, body.clone())).collect();
    for seen in join_all(attempts).await {
        match seen.status {
            200 => assert!(
                tokens.insert(text(&seen.json()["accessToken"])),
                "each its own token"
            ),
            _ => seen.refused(
                401,
                "UnauthorizedError",
                "Access denied due to client secret usage limit reached",
            ),
        }
    }
    assert_eq!(tokens.len(), 5);
    for token in &tokens {
        app.client(token).get(DETAILS).await.ok();
    }
    let limit = "Access denied due to client secret usage limit reached";
    for revoked in [false, true] {
        nobody
            .post(LOGIN, body.clone())
            .await
            .refused(401, "UnauthorizedError", limit);
        let path = format!("{base}/{}", text(&made["clientSecretData"]["id"]));
        let row = admin.get(&path).await.ok()["clientSecretData"].clone();
        assert_eq!(
            (&row["clientSecretNumUses"], &row["isClientSecretRevoked"]),
            (&json!(5), &json!(revoked))
        );
        app.pass(Millis::from_secs(10));
    }
}

#[tokio::test]
async fn a_token_ends_to_the_second_and_says_so() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({"accessTokenTTL": 60})).await;
    let client = machine.client(&app).await;
    app.pass(Millis::from_secs(59));
    client.get(DETAILS).await.ok();
    app.pass(Millis::from_secs(1));
    let text = "Your token has expired. Please re-authenticate.";
    client.get(DETAILS).await.refused(403, "TokenError", text);
}

#[tokio::test]
async fn a_limited_token_is_refused_after_its_last_use() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({"accessTokenNumUsesLimit": 2})).await;
    let client = machine.client(&app).await;
    client.get(DETAILS).await.ok();
    client.get(DETAILS).await.ok();
    assert_eq!(client.get(DETAILS).await.status, 401);
}

#[tokio::test]
async fn a_renewal_gives_more_time_but_never_more_than_the_maximum() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let settings = json!({"accessTokenTTL": 60, "accessTokenMaxTTL": 100});
    let machine = Machine::make(&admin, "no-access", settings).await;
    let first = machine.client(&app).await;
    app.pass(Millis::from_secs(50));
    let renewed = app
        .nobody()
        .post("/api/v1/auth/token/renew", json!({"accessToken": first.token}))
        .await
        .ok();
    assert_eq!(renewed["expiresIn"], 50);
    let second = app.client(&text(&renewed["accessToken"]));
    app.pass(Millis::from_secs(49));
    second.get(DETAILS).await.ok();
    app.pass(Millis::from_secs(1));
    let seen = app
        .nobody()
        .post("/api/v1/auth/token/renew", json!({"accessToken": second.token}))
        .await;
    assert_eq!(seen.json()["error"], "TokenError");
}

#[tokio::test]
async fn a_periodic_token_can_be_renewed_without_end() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({"accessTokenPeriod": 60})).await;
    let mut answer = machine.log_in(&app.nobody()).await.ok();
    assert_eq!(
        (&answer["expiresIn"], &answer["accessTokenMaxTTL"]),
        (&json!(60), &json!(1_000_000_000))
    );
    for _ in 0..10 {
        app.pass(Millis::from_secs(59));
        let body = json!({"accessToken": answer["accessToken"]});
        answer = app.nobody().post("/api/v1/auth/token/renew", body).await.ok();
    }
    app.client(&text(&answer["accessToken"])).get(DETAILS).await.ok();
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_a_new_login_works() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let client = machine.client(&app).await;
    client.get(DETAILS).await.ok();
    let body = json!({"accessToken": client.token});
    let revoked: Value = app
        .nobody()
        .post("/api/v1/auth/token/revoke", body.clone())
        .await
        .ok();
    assert_eq!(revoked, json!({"message": "Successfully revoked access token"}));
    assert_eq!(client.get(DETAILS).await.status, 401);
    let seen = app.nobody().post("/api/v1/auth/token/renew", body).await;
    seen.refused(401, "UnauthorizedError", "Cannot renew: token has been revoked");
    machine.client(&app).await.get(DETAILS).await.ok();
}

#[tokio::test]
async fn revoking_the_client_secret_ends_its_tokens() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let client = machine.client(&app).await;
    client.get(DETAILS).await.ok();
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    let listed = admin.get(&base).await.ok();
    let id = text(&listed["clientSecretData"][0]["id"]);
    admin.post(&format!("{base}/{id}/revoke"), json!({})).await.ok();
    let text = "Failed to authorize: client secret has been revoked";
    client.get(DETAILS).await.refused(401, "UnauthorizedError", text);
}

#[tokio::test]
async fn tokens_and_secrets_work_from_trusted_addresses_only_and_changes_apply_at_once() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let settings = json!({"clientSecretTrustedIps": [{"ipAddress": "10.0.0.0/24"}]});
    let machine = Machine::make(&admin, "no-access", settings).await;
    let inside = app.nobody().at_address("10.0.0.9");
    assert_eq!(machine.log_in(&app.nobody()).await.status, 403);
    let token = text(&machine.log_in(&inside).await.ok()["accessToken"]);
    let client = app.client(&token);
    client.get(DETAILS).await.ok();

    let path = format!("/api/v1/auth/universal-auth/identities/{}", machine.id);
    admin
        .patch(
            &path,
            json!({"accessTokenTrustedIps": [{"ipAddress": "10.0.0.0/24"}]}),
        )
        .await
        .ok();
    assert_eq!(client.get(DETAILS).await.status, 403);
    client.at_address("10.0.0.9").get(DETAILS).await.ok();
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts() {
    let app = TestApp::start_with(Arc::new(FakeAws), &[("KEYWHEEL_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let admin = app.bootstrapped().await;
    let settings = json!({"clientSecretTrustedIps": [{"ipAddress": "10.0.0.0/24"}]});
    let machine = Machine::make(&admin, "no-access", settings).await;
    let body = json!({"clientId": machine.client_id, "clientSecret": machine.client_secret}).to_string();
    for (forwarded, status) in [("10.0.0.9", 200), ("10.0.1.9", 403), ("10.0.0.9, 10.0.1.9", 403)] {
        let headers = [("x-forwarded-for", forwarded)];
        let seen = app
            .nobody()
            .send(Method::POST, LOGIN, &headers, body.clone().into())
            .await;
        assert_eq!(seen.status, status, "{forwarded}");
    }
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_by_name() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    app.nobody()
        .get(DETAILS)
        .await
        .refused(401, "UnauthorizedError", "Token missing");
    let malformed = "The provided access token is malformed. Please use a valid token or log in again.";
    for token in ["nonsense", "st.abc.def", "a.b.c"] {
        app.client(token)
            .get(DETAILS)
            .await
            .refused(403, "TokenError", malformed);
    }
}

#[tokio::test]
async fn the_organization_of_a_login_has_to_exist() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    let body = json!({"clientId": machine.client_id, "clientSecret": machine.client_secret, "organizationSlug": "x"});
    app.nobody()
        .post(LOGIN, body)
        .await
        .refused(404, "NotFound", "Organization with slug 'x' not found");
}
