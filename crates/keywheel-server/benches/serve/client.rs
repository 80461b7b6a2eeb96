//! A client that costs little beside the server: bytes over a socket.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The unit of times in `/proc` (`USER_HZ`), which is the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// Connections at the same time.
const CONNECTIONS: usize = 8;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body_bytes: usize,
}

impl Seen {
    /// A header of the answer.
    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::with_capacity(4_096),
        }
    }

    /// One request and its answer, whose status is the expected one.
    pub(crate) async fn ask(&mut self, request: &[u8], status: &str) -> Seen {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        let mut searched: usize = 0;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server hung up");
            let from = searched.saturating_sub(3);
            let end = self.buffer[from..].windows(4).position(|end| end == b"\r\n\r\n");
            searched = self.buffer.len();
            let Some(end) = end.map(|end| from + end) else {
                continue;
            };
            let head = str::from_utf8(&self.buffer[..end]).unwrap().to_owned();
            assert!(head[9..].starts_with(status), "{head}");
            let mut seen = Seen { head, body_bytes: 0 };
            seen.body_bytes = seen
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            while self.buffer.len() < end + 4 + seen.body_bytes {
                let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
                assert!(read > 0, "the server hung up");
            }
            return seen;
        }
    }
}

/// What a round of requests took.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Processor time of one, of client and server together.
    pub(crate) cpu_us: f64,
}

/// Many requests over several connections, of which each sends so many.
pub(crate) async fn pace(address: SocketAddr, request: &[u8], requests: usize) -> Pace {
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let clients = (0..CONNECTIONS).map(|_| {
        let request = request.to_vec();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            for _ in 0..requests {
                connection.ask(&request, "200").await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let sent = (CONNECTIONS * requests) as f64;
    Pace {
        rate: sent / started.elapsed().as_secs_f64(),
        cpu_us: (cpu_seconds() - cpu_before) * 1e6 / sent,
    }
}

/// Processor time of this process so far: what other processes take does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name in parentheses may hold anything; user and system time are the 14th and the 15th field.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_PER_SECOND
}
