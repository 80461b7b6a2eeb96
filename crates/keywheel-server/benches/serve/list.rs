//! A list of 1,000 secrets in one folder, and the same list for a client that has it already.

use std::net::SocketAddr;
use std::time::Instant;

use super::client::{Connection, Seen};
use super::figures::{middle, report};
use super::house::{BARE, House};

/// Secrets in the folder.
const SECRETS: usize = 1_000;
/// Those that are made at the same time: their writes are waited for together.
const MADE_AT_ONCE: usize = 20;
/// Lists of each kind; the middle one counts.
const ROUNDS: usize = 101;
/// What the issue tracker asks for.
const LIST_MS_MAX: f64 = 25.0;
/// How many times what it takes to send a constant of the same size.
const BARE_TIMES_MAX: f64 = 40.0;
/// What a list costs that is not opened, as a part of one that is. Most of both is reading the rows.
const UNCHANGED_SHARE_MAX: f64 = 0.95;

pub(crate) async fn list() -> bool {
    let house = House::build().await;
    let numbers: Vec<usize> = (0..SECRETS).collect();
    for some in numbers.chunks(MADE_AT_ONCE) {
        let mut making: Vec<_> = Vec::new();
        for number in some {
            let (house, name) = (&house, format!("SECRET_{number:04}"));
            making.push(async move { house.make_secret(&name).await });
        }
        join_all(making).await;
    }
    let wanted = house.read("");
    let first = ask(house.address, &wanted, "200").await;
    let tag = first.header("etag").unwrap();
    let known = house.read_unless("", &format!("If-None-Match: {tag}\r\n"));
    let bare_at = house.bare(first.body_bytes).await;

    let (mut full, mut unchanged, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        full.push(took_ms(house.address, &wanted, "200").await);
        unchanged.push(took_ms(house.address, &known, "304").await);
        bare.push(took_ms(bare_at, BARE, "200").await);
    }
    let (full, unchanged, bare) = (middle(full), middle(unchanged), middle(bare));
    let ms = |ms: f64| format!("{ms:.1} ms");
    let what = format!("list of {SECRETS}, {} KiB", first.body_bytes / 1_024);
    println!("{:<38} {:>12}", "a constant of the same size", ms(bare));
    println!("{:<38} {:>12}", "the same list, unchanged", ms(unchanged));
    let (times, share) = (full / bare, unchanged / full);
    [
        report(
            &what,
            &ms(full),
            &format!("under {}", ms(LIST_MS_MAX)),
            full < LIST_MS_MAX,
        ),
        report(
            "times the constant",
            &format!("{times:.1}"),
            &format!("at most {BARE_TIMES_MAX:.1}"),
            times <= BARE_TIMES_MAX,
        ),
        report(
            "unchanged, as a part of the list",
            &format!("{share:.2}"),
            &format!("at most {UNCHANGED_SHARE_MAX:.2}"),
            share <= UNCHANGED_SHARE_MAX,
        ),
    ]
    .iter()
    .all(|good| *good)
}

async fn ask(address: SocketAddr, request: &[u8], status: &str) -> Seen {
    Connection::open(address).await.ask(request, status).await
}

async fn took_ms(address: SocketAddr, request: &[u8], status: &str) -> f64 {
    let mut connection = Connection::open(address).await;
    let started = Instant::now();
    connection.ask(request, status).await;
    started.elapsed().as_secs_f64() * 1e3
}

/// Waits for all of them at once.
async fn join_all(mut futures: Vec<impl Future<Output = ()>>) {
    let mut pending: Vec<_> = futures.drain(..).map(Box::pin).collect();
    std::future::poll_fn(move |context| {
        pending.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pending.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
