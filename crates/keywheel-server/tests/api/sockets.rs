//! Bad input on real sockets: each is answered in the shape of the contract or hung up on, and costs nothing that lasts.

use std::net::SocketAddr;
use std::sync::Arc;

use keywheel_server::http::{listen, router};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{FakeAws, TestApp};

const LOGIN: &str = "/api/v1/auth/universal-auth/login";
/// What a client of HTTP/2 begins with: the preface and empty settings (RFC 9113, sections 3.4 and 6.5).
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A server that listens; the app is kept for as long as it is asked.
struct Served {
    _app: TestApp,
    address: SocketAddr,
}

impl Served {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(Arc::new(FakeAws), settings).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (front, settings) = (router::front(app.app.clone()), app.app.settings().http.clone());
        tokio::spawn(
            async move { listen::serve(listener, front, &settings, CancellationToken::new()).await },
        );
        Self { _app: app, address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// All that is answered to these bytes until the server hangs up.
    async fn answer(&self, sent: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may hang up before it has read all of it.
        let _ = stream.write_all(sent.as_ref()).await;
        rest(&mut stream).await
    }

    /// The status and the body of the one answer to these bytes.
    async fn refusal(&self, sent: impl AsRef<[u8]>) -> (u64, Value) {
        let seen = self.answer(sent).await;
        let (head, body) = seen.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{seen:?}"));
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{seen:?}"));
        let status = head[9..12].parse().unwrap();
        assert_eq!(body["statusCode"], status, "{seen}");
        assert!(
            body["reqId"].as_str().unwrap().starts_with("req-") && body["error"].is_string(),
            "{seen}"
        );
        (status, body)
    }

    /// Whether somebody new is served.
    async fn serves(&self) -> bool {
        let seen = self.answer(get("/healthz", "")).await;
        seen.starts_with("HTTP/1.1 200")
    }
}

/// What still comes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut seen).await;
    String::from_utf8_lossy(&seen).into_owned()
}

fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n")
}

/// A login with this body.
fn post(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {LOGIN} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The same in chunks of a hundred bytes.
fn post_in_chunks(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {LOGIN} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let chunks: Vec<u8> = body.chunks(100).flat_map(chunk).collect();
    [head.as_bytes(), &chunks, b"0\r\n\r\n"].concat()
}

/// A login of exactly so many bytes.
fn login_of(bytes: usize) -> Vec<u8> {
    let empty = r#"{"clientId": "x", "clientSecret": ""}"#;
    let secret = "s".repeat(bytes - empty.len());
    format!(r#"{{"clientId": "x", "clientSecret": "{secret}"}}"#).into_bytes()
}

#[tokio::test]
async fn unknown_routes_and_methods_are_answered_with_the_404_of_the_contract() {
    let served = Served::start(&[]).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/api/v9/nothing"),
        ("GET", "//////"),
        ("GET", "/api/../../etc/passwd"),
        ("PURGE", "/api/status"),
        ("TRACE", "/api/status"),
        ("POST", "/api/status"),
        ("DELETE", LOGIN),
    ] {
        let sent = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let (status, body) = served.refusal(sent).await;
        assert_eq!(
            (status, &body["error"]),
            (404, &"Not Found".into()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_body_of_one_byte_too_many_is_413_with_a_length_and_in_chunks() {
    let served = Served::start(&[("KEYWHEEL_BODY_BYTES_MAX", "2048")]).await;
    for send in [post, post_in_chunks] {
        let (status, _) = served.refusal(send(&login_of(2_048))).await;
        assert_eq!(status, 401);
        let (status, body) = served.refusal(send(&login_of(2_049))).await;
        assert_eq!((status, &body["error"]), (413, &"PayloadTooLarge".into()));
    }
    // One that only says so is not waited for.
    let says = format!("POST {LOGIN} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{{");
    assert_eq!(served.refusal(says).await.0, 413);
}

#[tokio::test]
async fn what_is_no_text_is_refused_and_never_a_fault_of_the_server() {
    let served = Served::start(&[]).await;
    let bearer = |token: &[u8]| {
        let head = b"GET /api/v1/identities/details HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ";
        [head.as_slice(), token, b"\r\n\r\n"].concat()
    };
    let nested = format!(r#"{{"clientId": {}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (sent, expected) in [
        (get("/api/v3/secrets/raw/%FF%FE", "").into_bytes(), [400, 401]),
        (get("/api/v3/secrets/raw/a%00b", "").into_bytes(), [400, 401]),
        (
            get("/api/v3/secrets/raw?secretPath=%FF%00", "").into_bytes(),
            [401, 401],
        ),
        (bearer(b"\xff\xfe"), [401, 403]),
        (
            post(b"{\"clientId\": \"\xff\", \"clientSecret\": \"x\"}"),
            [400, 400],
        ),
        (
            post(b"{\"clientId\": \"a\\u0000b\", \"clientSecret\": \"\\u0000\"}"),
            [401, 422],
        ),
        (post(b"\0\0\0\0"), [400, 400]),
        (post(b"[]"), [422, 422]),
        (post(nested.as_bytes()), [400, 400]),
    ] {
        let (status, body) = served.refusal(&sent).await;
        assert!(
            expected.contains(&status),
            "{}: {body}",
            String::from_utf8_lossy(&sent)
        );
    }
    // What is not even HTTP is hung up on.
    for sent in [
        b"\0\0\0\0\r\n\r\n".as_slice(),
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\r\n\r\n",
    ] {
        let seen = served.answer(sent).await;
        assert!(seen.is_empty() || seen.starts_with("HTTP/1.1 400"), "{seen:?}");
    }
    let raw = get("/healthz", "x-odd: a\0b\r\n");
    assert!(served.answer(raw).await.starts_with("HTTP/1.1 400"));
    assert!(served.serves().await);
}

#[tokio::test]
async fn huge_heads_are_431_and_hung_up_on() {
    let served = Served::start(&[("KEYWHEEL_CONNECTIONS_MAX", "1")]).await;
    let long = format!("x-long: {}\r\n", "y".repeat(100_000));
    let many = "x-many: y\r\n".repeat(2_000);
    let path = format!("/{}", "z".repeat(100_000));
    for sent in [get("/healthz", &long), get("/healthz", &many), get(&path, "")] {
        let seen = served.answer(sent).await;
        let status = seen.get(9..12).unwrap_or("gone");
        assert!(["431", "414", "gone"].contains(&status), "{seen}");
        assert!(served.serves().await);
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_hung_up_on_and_its_place_is_free() {
    let served = Served::start(&[
        ("KEYWHEEL_CONNECTIONS_MAX", "1"),
        ("KEYWHEEL_HEADER_TIMEOUT", "100ms"),
    ])
    .await;
    for sent in ["GET ", "GET /healthz HTTP/1.1\r\nx-slow: "] {
        let mut slow = served.connect().await;
        slow.write_all(sent.as_bytes()).await.unwrap();
        assert!(served.serves().await);
        assert_eq!(rest(&mut slow).await, "", "{sent:?}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_408_and_its_place_is_free() {
    let served = Served::start(&[
        ("KEYWHEEL_CONNECTIONS_MAX", "1"),
        ("KEYWHEEL_BODY_TIMEOUT", "500ms"),
        // A request that is under way is not idle.
        ("KEYWHEEL_IDLE_TIMEOUT", "100ms"),
    ])
    .await;
    for head in [
        "content-length: 100\r\n\r\n{",
        "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
    ] {
        let mut slow = served.connect().await;
        let sent = format!("POST {LOGIN} HTTP/1.1\r\nhost: x\r\n{head}");
        slow.write_all(sent.as_bytes()).await.unwrap();
        assert!(served.serves().await);
        let seen = rest(&mut slow).await;
        assert!(
            seen.starts_with("HTTP/1.1 408") && seen.contains("RequestTimeout"),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn connections_without_requests_do_not_keep_others_out() {
    let served = Served::start(&[
        ("KEYWHEEL_CONNECTIONS_MAX", "3"),
        ("KEYWHEEL_IDLE_TIMEOUT", "100ms"),
    ])
    .await;
    let (mut silent, mut done, mut http_2) = (
        served.connect().await,
        served.connect().await,
        served.connect().await,
    );
    done.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    http_2.write_all(HTTP_2).await.unwrap();
    assert!(served.serves().await);
    assert_eq!(rest(&mut silent).await, "");
    assert!(rest(&mut done).await.starts_with("HTTP/1.1 200"));
    let mut frames = Vec::new();
    let _ = http_2.read_to_end(&mut frames).await;
    assert_eq!(frames[3], 4, "settings were answered: {frames:?}");
}

#[tokio::test]
async fn a_client_that_never_takes_its_answers_is_hung_up_on() {
    let served = Served::start(&[
        ("KEYWHEEL_CONNECTIONS_MAX", "1"),
        ("KEYWHEEL_IDLE_TIMEOUT", "100ms"),
    ])
    .await;
    let mut deaf = served.connect().await;
    // More answers than the buffers of both sides hold.
    let requests = "GET /api/docs/json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200);
    deaf.write_all(requests.as_bytes()).await.unwrap();
    assert!(served.serves().await);
}

#[tokio::test]
async fn a_client_that_only_listens_after_its_request_is_answered() {
    let served = Served::start(&[]).await;
    let mut half = served.connect().await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    half.shutdown().await.unwrap();
    assert!(rest(&mut half).await.starts_with("HTTP/1.1 200"));
    // One that goes in the middle of its head or its body is let go.
    for sent in [
        "GET /hea",
        "POST /api/v1/auth/universal-auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let mut gone = served.connect().await;
        gone.write_all(sent.as_bytes()).await.unwrap();
        gone.shutdown().await.unwrap();
        let seen = rest(&mut gone).await;
        assert!(seen.is_empty() || seen.starts_with("HTTP/1.1 400"), "{seen:?}");
    }
    assert!(served.serves().await);
}

#[tokio::test]
async fn requests_that_are_sent_together_are_answered_in_their_order() {
    let served = Served::start(&[]).await;
    let paths = ["/healthz", "/api/v9/first", "/healthz", "/api/v9/second"];
    let requests = paths.map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    let last = get("/api/v9/third", "");
    let seen = served.answer(format!("{}{last}", requests.concat())).await;
    let places: Vec<_> = ["first", "second", "third"]
        .map(|word| seen.find(word).unwrap())
        .into();
    assert!(places.is_sorted(), "{seen}");
    assert_eq!(seen.matches("HTTP/1.1 ").count(), 5, "{seen}");
}
