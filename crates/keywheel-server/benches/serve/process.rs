//! Start-up on a folder that exists, memory at rest, and the size of the binary.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figures::{middle, report};

const READY_MAX: Duration = Duration::from_millis(150);
const RESIDENT_KIB_MAX: u64 = 40 * 1024;
const BINARY_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Start-up on a folder that exists, memory at rest, and the size of the binary.
pub(crate) fn process(binary: &str) -> bool {
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
