//! Invitations, links, roles, and accounts that go.

use keywheel_core::clock::Millis;
use keywheel_server::auth::links;
use serde_json::{Value, json};

use super::{ACCOUNTS, Browser, CURRENT, OVER, SESSIONS, admin, invited};
use crate::support::{TestApp, project, text};

const JOIN: &str = "/api/v1/accounts/join";
const NO_LINK: &str = "The link was used before or has ended. Ask an administrator for a new one.";
const LAST: &str = "This is the last account with a password that administers the organization. Give another account \
    the role admin first.";

fn join(link: &Value) -> Value {
    json!({"token": link["token"], "password": "a new password"})
}

async fn account(browser: &Browser<'_>, email: &str) -> Value {
    let listed = browser.get(ACCOUNTS).await.ok();
    let mut accounts = listed["accounts"].as_array().unwrap().iter();
    accounts.find(|one| one["email"] == email).unwrap().clone()
}

#[tokio::test]
async fn an_invitation_leads_to_a_session_once_and_for_a_week() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let body = json!({"email": "B@example.com", "role": "member"});
    let made = browser.post(ACCOUNTS, body.clone()).await.ok();
    assert_eq!(made["account"]["hasPassword"], false);
    assert_eq!(made["account"]["role"], "member");
    let path = format!("/join#{}", text(&made["link"]["token"]));
    assert_eq!(made["link"]["path"], path);
    let seen = browser.post(ACCOUNTS, body).await;
    seen.refused(400, "BadRequest", "There is already an account for b@example.com");

    app.pass(Millis::new(links::INVITATION_LASTS.get() - 1));
    let seen = app.nobody().post(JOIN, join(&made["link"])).await;
    let session = &seen.ok()["session"];
    assert_eq!(session["account"]["email"], "b@example.com");
    assert_eq!(session["identity"]["role"], "member");
    let again = app.nobody().post(JOIN, join(&made["link"])).await;
    again.refused(401, "UnauthorizedError", NO_LINK);
    let body = json!({"email": "b@example.com", "password": "a new password"});
    app.nobody().post(SESSIONS, body).await.ok();
}

#[tokio::test]
async fn an_account_without_a_password_lets_nobody_in() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let body = json!({"email": "b@example.com", "role": "admin"});
    let made = browser.post(ACCOUNTS, body).await.ok();
    let body = json!({"email": "b@example.com", "password": "-"});
    app.nobody().post(SESSIONS, body).await.refusal(401);
    app.pass(links::INVITATION_LASTS);
    let seen = app.nobody().post(JOIN, join(&made["link"])).await;
    seen.refused(401, "UnauthorizedError", NO_LINK);
}

#[tokio::test]
async fn a_reset_ends_all_sessions_and_a_newer_link_the_older_one() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let other = invited(&app, &browser, "b@example.com", "member").await;
    let id = text(&account(&browser, "b@example.com").await["id"]);
    let path = format!("{ACCOUNTS}/{id}/link");
    let older = browser.post(&path, json!({})).await.ok();
    let newer = browser.post(&path, json!({})).await.ok();
    let seen = app.nobody().post(JOIN, join(&older["link"])).await;
    seen.refused(401, "UnauthorizedError", NO_LINK);
    other.get(CURRENT).await.ok();
    app.nobody().post(JOIN, join(&newer["link"])).await.ok();
    other.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_needs_the_old_one() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let (browser, other) = (Browser::of_admin(&app).await, Browser::of_admin(&app).await);
    let path = "/api/v1/accounts/me/password";
    let body = |old: &str| json!({"password": old, "newPassword": "a new password"});
    let seen = browser.post(path, body("wrong")).await;
    seen.refused(403, "ForbiddenError", "The password is wrong");
    browser.post(path, body("correct horse")).await.ok();
    browser.get(CURRENT).await.ok();
    other.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
    app.nobody().post(SESSIONS, admin()).await.refusal(401);
}

#[tokio::test]
async fn a_person_has_the_rights_of_the_own_identity() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let member = invited(&app, &browser, "b@example.com", "no-access").await;
    let denied = member.get(ACCOUNTS).await;
    assert_eq!(denied.refusal(403), "You are not allowed to read on accounts");
    let project = project(&app.client(browser.token())).await;
    let path = format!("/api/v1/projects/{project}");
    member.get(&path).await.refusal(403);
    let own = account(&browser, "b@example.com").await;
    let identity = text(&own["identityId"]);
    let joins = format!("/api/v2/workspace/{project}/identity-memberships/{identity}");
    browser.post(&joins, json!({"role": "viewer"})).await.ok();
    member.get(&path).await.ok();
}

#[tokio::test]
async fn of_the_identity_of_a_person_the_role_can_be_changed_and_not_the_name() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    invited(&app, &browser, "b@example.com", "admin").await;
    let own = account(&browser, "b@example.com").await;
    let path = format!("/api/v1/identities/{}", text(&own["identityId"]));
    let found = browser.get(&path).await.ok()["identity"]["identity"].clone();
    let administrator = app.client(browser.token());
    let is_kept = found["hasDeleteProtection"].as_bool().unwrap();
    let same = json!({"name": found["name"], "hasDeleteProtection": is_kept, "role": "member"});
    administrator.patch(&path, same).await.ok();
    assert_eq!(account(&browser, "b@example.com").await["role"], "member");
    for other in [
        json!({"name": "somebody"}),
        json!({"hasDeleteProtection": !is_kept}),
    ] {
        let refused = administrator.patch(&path, other).await;
        assert!(refused.refusal(400).contains("account of b@example.com"));
    }
}

#[tokio::test]
async fn a_deleted_account_is_out_at_once_with_its_identity() {
    let app = TestApp::start().await;
    app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let other = invited(&app, &browser, "b@example.com", "admin").await;
    let own = account(&browser, "b@example.com").await;
    let path = format!("{ACCOUNTS}/{}", text(&own["id"]));
    browser.delete(&path, json!({})).await.ok();
    other.get(CURRENT).await.refused(401, "UnauthorizedError", OVER);
    let identity = format!("/api/v1/identities/{}", text(&own["identityId"]));
    browser.get(&identity).await.refusal(404);
    browser.delete(&path, json!({})).await.refusal(404);
}

#[tokio::test]
async fn the_last_account_that_administers_stays_one() {
    let app = TestApp::start().await;
    let machine = app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let own = account(&browser, "admin@example.com").await;
    let path = format!("{ACCOUNTS}/{}", text(&own["id"]));
    let identity = format!("/api/v1/identities/{}", text(&own["identityId"]));
    browser
        .delete(&path, json!({}))
        .await
        .refused(400, "BadRequest", LAST);
    machine
        .patch(&identity, json!({"role": "member"}))
        .await
        .refused(400, "BadRequest", LAST);
    invited(&app, &browser, "b@example.com", "admin").await;
    machine.patch(&identity, json!({"role": "member"})).await.ok();
    machine.delete(&path, json!({})).await.ok();
}

#[tokio::test]
async fn an_identity_of_a_person_is_not_parted_from_its_account() {
    let app = TestApp::start().await;
    let machine = app.bootstrapped().await;
    let browser = Browser::of_admin(&app).await;
    let own = account(&browser, "admin@example.com").await;
    let id = text(&own["identityId"]);
    let identity = format!("/api/v1/identities/{id}");
    let belongs = "this identity belongs to the account of admin@example.com. See /api/v1/accounts.";
    for seen in [
        machine.delete(&identity, json!({})).await,
        machine.patch(&identity, json!({"name": "other"})).await,
        machine
            .patch(&identity, json!({"hasDeleteProtection": false}))
            .await,
        machine
            .post(&format!("/api/v1/auth/universal-auth/identities/{id}"), json!({}))
            .await,
    ] {
        assert!(seen.refusal(400).ends_with(belongs));
    }
}
