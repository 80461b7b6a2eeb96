//! How fast the server starts and reads, and how small it is. `docs/benchmarks.md` has the last figures.
//!
//! Reading a secret is compared with a bare handler behind the same sockets, in rounds that alternate, so that
//! a busy machine slows both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)] // a bench stops at the first surprise

use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use keywheel_providers::{AwsIam, Options};
use keywheel_server::config::{Settings, Sources};
use keywheel_server::http::listen;
use keywheel_server::http::router::{Front, front};
use keywheel_server::start;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Rounds per side; the middle one counts.
const ROUNDS: usize = 7;
/// Requests of one connection in one round.
const REQUESTS: usize = 4_000;
/// Connections at the same time.
const CONNECTIONS: usize = 8;
/// What the issue tracker asks for.
const RATIO_MIN: f64 = 0.40;
const READY_MAX: Duration = Duration::from_millis(150);
const RESIDENT_KIB_MAX: u64 = 40 * 1024;
const BINARY_BYTES_MAX: u64 = 25 * 1024 * 1024;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let good = [
        runtime.block_on(read_path()),
        process(env!("CARGO_BIN_EXE_keywheel")),
    ];
    if good.iter().all(|good| *good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `GET /api/v3/secrets/raw/{name}` against a handler that answers a constant of the same size.
async fn read_path() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    let flags = vec![("data_dir", data_dir), ("log_level", "info".to_owned())];
    let settings = Settings::from_sources(&Sources {
        flags,
        ..Sources::default()
    })
    .unwrap();
    let http = settings.http.clone();
    let app = start::build(settings, Arc::new(AwsIam::new(Options::default())))
        .await
        .unwrap();
    let api = front(app);
    let (token, path) = seed(&api).await;

    let secret_at = serve(api, &http).await;
    let request = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
            .into_bytes()
    };
    let secret = request(&path);
    let size = one(
        &mut TcpStream::connect(secret_at).await.unwrap(),
        &secret,
        &mut Vec::new(),
    )
    .await;
    let bare_at = serve(bare("x".repeat(size)), &http).await;
    let constant = request("/bare");

    let (mut bare_rates, mut secret_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_rates.push(rate(bare_at, &constant).await);
        secret_rates.push(rate(secret_at, &secret).await);
    }
    let (bare, secret) = (middle(bare_rates), middle(secret_rates));
    let ratio = secret / bare;
    println!("bare handler                    {bare:>10.0} requests/s, {size} bytes each");
    println!("secret, authenticated, opened   {secret:>10.0} requests/s");
    report(
        "ratio of the two",
        &format!("{ratio:.2}"),
        &format!("at least {RATIO_MIN:.2}"),
        ratio >= RATIO_MIN,
    )
}

fn bare(body: String) -> Front {
    let body: axum::body::Bytes = body.into();
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/json")], body) }
    };
    Router::new()
        .route("/bare", get(answer))
        .map_request((|request| request) as fn(Request) -> Request)
}

async fn serve(front: Front, http: &keywheel_server::config::HttpSettings) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let http = http.clone();
    tokio::spawn(async move { listen::serve(listener, front, &http, CancellationToken::new()).await });
    address
}

/// A secret, made through the API; the token and the path to read it.
async fn seed(api: &Front) -> (String, String) {
    let wanted =
        json!({"email": "a@b.example", "password": "correct horse battery", "organization": "Bench"});
    let made = post(api, "/api/v1/admin/bootstrap", "", &wanted).await;
    let token = made["identity"]["credentials"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let project = post(api, "/api/v1/projects", &token, &json!({"projectName": "Bench"})).await;
    let project = project["project"]["id"].as_str().unwrap();
    let value = "x".repeat(40);
    let secret = json!({"workspaceId": project, "environment": "dev", "secretValue": value});
    post(api, "/api/v3/secrets/raw/AWS_SECRET_ACCESS_KEY", &token, &secret).await;
    let query = format!("workspaceId={project}&environment=dev&secretPath=/");
    (
        token,
        format!("/api/v3/secrets/raw/AWS_SECRET_ACCESS_KEY?{query}"),
    )
}

async fn post(api: &Front, path: &str, token: &str, body: &Value) -> Value {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::from(body.to_string()))
        .unwrap();
    let answer = api.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    serde_json::from_slice(&axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap()
}

/// Requests per second over all connections of one round.
async fn rate(address: SocketAddr, request: &[u8]) -> f64 {
    let started = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| {
        let request = request.to_vec();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = Vec::with_capacity(4_096);
            for _ in 0..REQUESTS {
                one(&mut stream, &request, &mut buffer).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let requests = (CONNECTIONS * REQUESTS) as f64;
    requests / started.elapsed().as_secs_f64()
}

/// One request and its answer; the size of the body.
async fn one(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> usize {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        stream.read_buf(buffer).await.unwrap();
        let Some(head) = buffer.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let text = str::from_utf8(&buffer[..head]).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().unwrap())
        });
        let size = length.unwrap();
        while buffer.len() < head + 4 + size {
            stream.read_buf(buffer).await.unwrap();
        }
        return size;
    }
}

/// Start-up on a folder that exists, memory at rest, and the size of the binary.
fn process(binary: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let started: Vec<(f64, u64)> = (0..6).map(|_| start_once(binary, folder.path())).collect();
    let ready = middle(started[1..].iter().map(|(seconds, _)| *seconds).collect());
    let resident = started.iter().map(|(_, kib)| *kib).max().unwrap();
    let size = std::fs::metadata(binary).unwrap().len();
    let shown = |bytes: u64| format!("{} MiB", bytes / (1 << 20));
    let good = [
        report(
            "ready after",
            &format!("{:.0} ms", ready * 1e3),
            "150 ms",
            ready <= READY_MAX.as_secs_f64(),
        ),
        report(
            "resident at rest",
            &format!("{} MiB", resident / 1024),
            "40 MiB",
            resident <= RESIDENT_KIB_MAX,
        ),
        report(
            "binary of this profile",
            &shown(size),
            "25 MiB when shipped",
            true,
        ),
    ];
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/keywheel");
    let shipped = std::fs::metadata(shipped).map_or(true, |shipped| {
        report(
            "shipped binary",
            &shown(shipped.len()),
            "25 MiB",
            shipped.len() <= BINARY_BYTES_MAX,
        )
    });
    good.iter().all(|good| *good) && shipped
}

/// Seconds until the first answer, and the resident memory in KiB then.
fn start_once(binary: &str, folder: &std::path::Path) -> (f64, u64) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listen = format!("127.0.0.1:{port}");
    let started = Instant::now();
    let mut server = Command::new(binary)
        .args([
            "server",
            "--listen",
            &listen,
            "--log-level",
            "error",
            "--data-dir",
        ])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !answers(&listen) {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not start");
        std::thread::yield_now();
    }
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    (seconds, kib)
}

fn answers(listen: &str) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(listen) else {
        return false;
    };
    let asked = stream.write_all(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut start = [0; 12];
    asked.is_ok() && stream.read_exact(&mut start).is_ok() && &start == b"HTTP/1.1 200"
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn report(what: &str, figure: &str, wanted: &str, good: bool) -> bool {
    println!(
        "{what:<30} {figure:>12}   wanted: {wanted:<22} {}",
        if good { "PASS" } else { "FAIL" }
    );
    good
}
