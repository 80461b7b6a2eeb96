//! People: signing in, sessions, accounts.

mod accounts;
mod codes;
mod sessions;
mod setting_up;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Client, Seen, TestApp, text};

pub const SESSIONS: &str = "/api/v1/sessions";
pub const CURRENT: &str = "/api/v1/sessions/current";
pub const ACCOUNTS: &str = "/api/v1/accounts";
pub const OVER: &str = "Your session has ended. Sign in again.";

/// The administrator of [`TestApp::bootstrapped`].
pub fn admin() -> Value {
    json!({"email": "admin@example.com", "password": "correct horse"})
}

/// A browser that has signed in.
pub struct Browser<'a> {
    client: Client<'a>,
    pub cookie: String,
    pub csrf: String,
}

impl<'a> Browser<'a> {
    /// What the answer to a sign-in left in the browser.
    pub fn of(app: &'a TestApp, seen: &Seen) -> Self {
        let session = &seen.ok()["session"];
        Self {
            client: app.nobody(),
            cookie: set_cookie(seen).split(';').next().unwrap().to_owned(),
            csrf: text(&session["csrfToken"]),
        }
    }

    /// The administrator's.
    pub async fn of_admin(app: &'a TestApp) -> Self {
        Self::of(app, &app.nobody().post(SESSIONS, admin()).await)
    }

    /// The token in the cookie.
    pub fn token(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.send(Method::GET, path, &[], json!({})).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Seen {
        let proof = [("x-keywheel-csrf", self.csrf.as_str())];
        self.send(Method::POST, path, &proof, body).await
    }

    pub async fn delete(&self, path: &str, body: Value) -> Seen {
        let proof = [("x-keywheel-csrf", self.csrf.as_str())];
        self.send(Method::DELETE, path, &proof, body).await
    }

    /// A request with the cookie and these headers.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Seen {
        let cookie = [("cookie", self.cookie.as_str())];
        let headers = [&cookie, headers].concat();
        let body = Body::from(body.to_string());
        self.client.send(method, path, &headers, body).await
    }
}

/// The cookie as it was set.
#[track_caller]
pub fn set_cookie(seen: &Seen) -> String {
    seen.headers[header::SET_COOKIE].to_str().unwrap().to_owned()
}

/// Somebody who was invited and has chosen a password; their browser.
pub async fn invited<'a>(app: &'a TestApp, admin: &Browser<'_>, email: &str, role: &str) -> Browser<'a> {
    let made = admin
        .post(ACCOUNTS, json!({"email": email, "role": role}))
        .await
        .ok();
    let body = json!({"token": made["link"]["token"], "password": "correct horse"});
    let seen = app.nobody().post("/api/v1/accounts/join", body).await;
    Browser::of(app, &seen)
}
