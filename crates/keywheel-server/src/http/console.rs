//! The web console: files that are compiled in, for browsers. Everything they show they ask the API for.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;

use super::answer::Written;
use super::errors::ApiError;

/// Where the files are; addresses of pages have no file of their own.
const FOLDER: &str = "/console/";
const INDEX: &str = "index.html";
/// Bytes of the digest in the folder's versioned name.
const VERSION_BYTES: usize = 8;

/// What the pages may load and do: nothing but what this server gives, and no markup made of texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (header::VARY, HeaderValue::from_static("accept-encoding")),
];

/// For files under the name of their version: they never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For all others: asked for each time, and answered without a body while the entity tag is the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The files. Builds for development read them from their folder, so that a change is seen at once.
#[derive(Embed)]
#[folder = "console/"]
struct Files;

/// Names the files as they are now. Nothing in builds for development, where they change while the server runs.
static VERSION: LazyLock<Option<String>> = LazyLock::new(|| (!cfg!(debug_assertions)).then(version));
/// Compressed content by what it is made from: the page that starts the console is one file and is sent in two forms.
static COMPRESSED: LazyLock<Mutex<HashMap<Bytes, Bytes>>> = LazyLock::new(Mutex::default);

/// Answers what no route of the API is for: a file of the console, the page that starts it, or the refusal.
pub(super) async fn or_refuse(request: Request) -> Response {
    let (path, headers) = (request.uri().path(), request.headers());
    let found = match path.strip_prefix(FOLDER) {
        Some(name) if is_read(request.method()) => named(name, headers),
        None if is_read(request.method()) && wants_page(headers) => index(headers),
        _ => None,
    };
    found.unwrap_or_else(|| ApiError::no_route(request.method(), path).into_response())
}

/// A file by its name, with or without a version in front. Where a cluster is exchanged node by node, another version than
/// this one's may be asked for.
fn named(name: &str, headers: &HeaderMap) -> Option<Response> {
    let versioned = name.strip_prefix('v').and_then(|rest| rest.split_once('/'));
    let (version, name) = versioned.map_or((None, name), |(version, name)| (Some(version), name));
    let file = Files::get(name)?;
    let is_this_version = version.is_some() && version == VERSION.as_deref();
    let kept = if is_this_version { FOR_EVER } else { ASK_AGAIN };
    Some(answer(name, Bytes::from(file.data.into_owned()), kept, headers))
}

/// The page that starts the console. It names the files by their version.
fn index(headers: &HeaderMap) -> Option<Response> {
    let data = Files::get(INDEX)?.data;
    let content = match VERSION.as_deref() {
        Some(version) => {
            let page = std::str::from_utf8(&data).ok()?;
            page.replace(FOLDER, &format!("{FOLDER}v{version}/")).into()
        }
        None => Bytes::from(data.into_owned()),
    };
    Some(answer(INDEX, content, ASK_AGAIN, headers))
}

fn answer(name: &str, content: Bytes, kept: HeaderValue, asked: &HeaderMap) -> Response {
    let accepted = asked
        .get(header::ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok());
    let compressed = accepted
        .filter(|accepted| accepted.contains("gzip"))
        .and_then(|_| compress(&content));
    let is_compressed = compressed.is_some();
    let body = compressed.unwrap_or(content);
    let mut response = (HEADERS, Body::from(body.clone())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind_of(name)));
    headers.insert(header::CACHE_CONTROL, kept);
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.extensions_mut().insert(Written(body));
    response
}

/// The content compressed, once for each content.
fn compress(content: &Bytes) -> Option<Bytes> {
    let mut compressed = COMPRESSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = compressed.get(content) {
        return Some(known.clone());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    let bytes = Bytes::from(encoder.finish().ok()?);
    compressed.insert(content.clone(), bytes.clone());
    Some(bytes)
}

/// A digest of all files.
fn version() -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for file in Files::iter().filter_map(|name| Files::get(&name)) {
        context.update(&file.metadata.sha256_hash());
    }
    hex::encode(&context.finish().as_ref()[..VERSION_BYTES])
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether somebody looks at it with a browser. Clients of the API never ask for HTML.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All files together as they are sent, in bytes.
    const SENT_BYTES_MAX: usize = 150_000;

    fn get(path: &str, headers: &[(HeaderName, &'static str)]) -> Option<Response> {
        let mut asked = HeaderMap::new();
        for (name, value) in headers {
            asked.insert(name, HeaderValue::from_static(value));
        }
        named(path, &asked)
    }

    #[test]
    fn the_console_is_small_and_every_file_has_a_type() {
        let sizes = Files::iter().map(|name| {
            assert_ne!(kind_of(&name), "application/octet-stream", "{name}");
            let response = get(&name, &[(header::ACCEPT_ENCODING, "gzip, br")]).unwrap();
            assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
            response.extensions().get::<Written>().unwrap().0.len()
        });
        let size: usize = sizes.sum();
        assert!(size > 0 && size <= SENT_BYTES_MAX, "{size} bytes");
    }

    #[test]
    fn who_cannot_read_gzip_gets_the_file_as_it_is() {
        let response = get(INDEX, &[]).unwrap();
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(
            response.extensions().get::<Written>().unwrap().0,
            Files::get(INDEX).unwrap().data.as_ref()
        );
    }

    #[test]
    fn what_was_compressed_is_sent_for_the_same_content_only() {
        let [one, other] = ["one", "other"].map(|text| Bytes::from_static(text.as_bytes()));
        assert_ne!(compress(&one), compress(&other));
        assert_eq!(compress(&one), compress(&one.clone()));
    }

    #[test]
    fn a_file_of_another_version_is_not_kept_for_ever() {
        let response = get("v0123456789abcdef/app.css", &[]).unwrap();
        assert_eq!(response.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        assert!(get("v0123456789abcdef/nothing.css", &[]).is_none());
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
        let words = [
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ];
        for name in Files::iter().filter(|name| !name.ends_with(".svg")) {
            let data = Files::get(&name).unwrap().data;
            let text = std::str::from_utf8(&data)
                .unwrap()
                .replace("http://www.w3.org/2000/svg", "");
            for word in words {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
    }
}
