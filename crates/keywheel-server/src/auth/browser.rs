//! What a browser sends: the cookie of a session, where its page came from, and the proof that a page of ours asks.
//!
//! A cookie comes along with every request to this server, whoever made the browser send it. So with a cookie everything
//! that changes something needs a header that other sites cannot set without being allowed to, with a value that they
//! cannot read. And what says of itself that another site made it is refused, reads too.

use std::net::IpAddr;

use aws_lc_rs::constant_time;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header};
use keywheel_core::clock::Millis;

use super::caller::{client_ip, is_from_proxy};
use crate::app::App;
use crate::http::errors::ApiError;

/// The name of the cookie where the browser speaks plain HTTP.
pub const COOKIE: &str = "keywheel_session";
/// Its name over HTTPS. Browsers take a name with this prefix from the very host only, and with `Secure`: neither a
/// neighbour in the domain nor somebody on the wire can plant one.
pub const HOST_COOKIE: &str = "__Host-keywheel_session";
/// Carries the proof.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-keywheel-csrf");
/// Where a request comes from, as browsers tell (Fetch Metadata, section 2.4).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How the client reached the proxy, and by which name.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Longest `User-Agent` that is kept with a session, in characters. Those of browsers have some 120.
const USER_AGENT_CHARS_MAX: usize = 256;

/// Somebody at a browser, who may be about to sign in; not one whom another site sends.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Where they are.
    pub address: IpAddr,
    /// Their browser, in its own words.
    pub user_agent: Option<String>,
    /// Whether they came by HTTPS.
    pub is_secure: bool,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        require_same_site(parts, app)?;
        let headers = &parts.headers;
        let user_agent = text(headers, &header::USER_AGENT);
        Ok(Self {
            address: client_ip(&parts.extensions, headers, app),
            user_agent: user_agent.map(|words| words.chars().take(USER_AGENT_CHARS_MAX).collect()),
            is_secure: is_secure(&parts.extensions, headers, app),
        })
    }
}

/// Somebody who is at no browser. Pages of any site are kept out, own ones too: who makes a name of theirs lead to this
/// server (DNS rebinding) has a page whose origin is where its requests go.
#[derive(Clone, Copy, Debug)]
pub struct Program;

impl FromRequestParts<App> for Program {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        // Every browser sends the one with whatever is not a read, and newer ones the other.
        let by_browsers = [header::ORIGIN, FETCH_SITE];
        if by_browsers.iter().any(|name| parts.headers.contains_key(name)) {
            return Err(ApiError::forbidden(
                "This is for programs. In a browser, an instance is set up by the link that the server printed.",
            ));
        }
        Ok(Self)
    }
}

/// The token in the cookie. The bare name counts only where nothing says that the browser speaks HTTPS: neither the
/// request, nor a cookie with the other name.
pub fn cookie<'a>(parts: &'a Parts, app: &App) -> Result<Option<&'a str>, ApiError> {
    let headers = &parts.headers;
    match named(headers, HOST_COOKIE)? {
        Some(token) => Ok(Some(token)),
        None if is_secure(&parts.extensions, headers, app) => Ok(None),
        None => named(headers, COOKIE),
    }
}

/// The value of the cookie of a name. Of several, some may be planted by others, and nothing tells which.
fn named<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    let sent = headers.get_all(header::COOKIE).into_iter();
    let pairs = sent
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    let named = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut values = named.filter(|(of, value)| *of == name && !value.is_empty());
    let first = values.next().map(|(_, value)| value);
    if values.next().is_some() {
        return Err(ApiError::unauthorized(format!(
            "The browser sent several cookies named {name}. Delete the cookies of this site and sign in again."
        )));
    }
    Ok(first)
}

/// The header that hands a browser its cookie: no script reads it, no other site sends it, and it is gone with the
/// session at the latest.
pub fn set_cookie(token: &str, lasts: Millis, is_secure: bool) -> Result<HeaderValue, ApiError> {
    let (name, secure) = if is_secure {
        (HOST_COOKIE, "; Secure")
    } else {
        (COOKIE, "")
    };
    let secs = lasts.get() / 1_000;
    let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={secs}{secure}");
    let mut value = HeaderValue::try_from(text).map_err(ApiError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The header that takes it away again.
pub fn clear_cookie(is_secure: bool) -> Result<HeaderValue, ApiError> {
    set_cookie("", Millis::new(0), is_secure)
}

/// 401: there is no session any more, whatever was wrong with the token in the cookie. Trouble of the server stays what
/// it is.
pub fn sign_in_again(refusal: ApiError) -> ApiError {
    if refusal.status().is_client_error() {
        session_over()
    } else {
        refusal
    }
}

/// 401: the session has ended.
pub fn session_over() -> ApiError {
    ApiError::unauthorized("Your session has ended. Sign in again.")
}

/// Refuses what another site made the browser send. Those that say nothing of it are no browsers, or too old.
pub fn require_same_site(parts: &Parts, app: &App) -> Result<(), ApiError> {
    let from_us = match text(&parts.headers, &FETCH_SITE) {
        // `none` is a person who typed the address.
        Some(site) => matches!(site, "same-origin" | "none"),
        None => is_own_origin(parts, app),
    };
    if from_us {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "Another site made this request; use the console at its own address",
    ))
}

/// Whether the origin, if there is one, is where the request went.
fn is_own_origin(parts: &Parts, app: &App) -> bool {
    let Some(origin) = text(&parts.headers, &header::ORIGIN) else {
        return true;
    };
    let Some((_, origin)) = origin.split_once("://") else {
        return false;
    };
    let forwarded = is_from_proxy(&parts.extensions, app)
        .then(|| text(&parts.headers, &FORWARDED_HOST))
        .flatten();
    let host = forwarded
        .or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))
        .or_else(|| text(&parts.headers, &header::HOST));
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin))
}

/// Whether the browser speaks HTTPS: its page came so, or a proxy that is trusted says so.
fn is_secure(extensions: &Extensions, headers: &HeaderMap, app: &App) -> bool {
    let page = text(headers, &header::ORIGIN).is_some_and(|origin| origin.starts_with("https://"));
    let proxy = || text(headers, &FORWARDED_PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    page || (is_from_proxy(extensions, app) && proxy())
}

/// Refuses a request that changes something, unless a page of ours asks: it knows the value.
pub fn require_csrf(method: &Method, headers: &HeaderMap, expected: &str) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let given = headers.get(CSRF_HEADER).map(HeaderValue::as_bytes);
    let is_right =
        given.is_some_and(|given| constant_time::verify_slices_are_equal(given, expected.as_bytes()).is_ok());
    if is_right {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "The header X-Keywheel-CSRF is missing or wrong: it has to be the csrfToken of GET /api/v1/sessions/current",
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn of_several_cookies_of_the_name_none_is_believed() {
        for lines in [
            &["keywheel_session=x; keywheel_session=y"][..],
            &["keywheel_session=x", "a=b; keywheel_session=x"],
        ] {
            let refusal = named(&headers(lines), COOKIE).unwrap_err();
            assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
        }
        let other = headers(&["keywheel_session=x; __Host-keywheel_session=y"]);
        assert_eq!(named(&other, HOST_COOKIE).unwrap(), Some("y"));
    }

    #[test]
    fn the_cookie_is_found_among_others_and_by_its_whole_name() {
        let found = |lines: &[&'static str]| {
            let headers = headers(lines);
            named(&headers, COOKIE).unwrap().map(str::to_owned)
        };
        assert_eq!(
            found(&["a=b; keywheel_session=x.y.z; c=d"]).as_deref(),
            Some("x.y.z")
        );
        assert_eq!(found(&["a=b", "keywheel_session=x"]).as_deref(), Some("x"));
        for none in [
            "",
            "keywheel_session=",
            "other_keywheel_session=x",
            "keywheel_session",
        ] {
            assert_eq!(found(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_cookie_is_for_no_script_and_no_other_site() {
        let text = |secure| {
            let value = set_cookie("a.b.c", Millis::from_secs(60), secure).unwrap();
            value.to_str().unwrap().to_owned()
        };
        assert_eq!(
            text(true),
            "__Host-keywheel_session=a.b.c; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
        );
        assert_eq!(
            text(false),
            "keywheel_session=a.b.c; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
        );
    }

    #[test]
    fn only_reads_need_no_proof() {
        let mut headers = HeaderMap::new();
        for method in [Method::GET, Method::HEAD] {
            assert!(require_csrf(&method, &headers, "good").is_ok());
        }
        for method in [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            headers.remove(CSRF_HEADER);
            assert!(require_csrf(&method, &headers, "good").is_err(), "{method}");
            headers.insert(CSRF_HEADER, HeaderValue::from_static("bad"));
            assert!(require_csrf(&method, &headers, "good").is_err(), "{method}");
            headers.insert(CSRF_HEADER, HeaderValue::from_static("good"));
            assert!(require_csrf(&method, &headers, "good").is_ok(), "{method}");
        }
    }
}
