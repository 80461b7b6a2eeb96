//! `GET /api/v3/secrets/raw/{name}` against a handler that answers a constant of the same size.

use super::client::{Connection, Pace, pace};
use super::figures::{middle, report_at_least, tell_rate};
use super::house::{BARE, House};

/// Rounds per side; the middle one counts.
const ROUNDS: usize = 7;
/// Requests of one connection in one round.
const REQUESTS: usize = 4_000;
/// What the issue tracker asks for.
const RATIO_MIN: f64 = 0.40;

pub(crate) async fn read(requests: Option<usize>) -> bool {
    let requests = requests.unwrap_or(REQUESTS);
    let house = House::build().await;
    house.make_secret("AWS_SECRET_ACCESS_KEY").await;
    let wanted = house.read("/AWS_SECRET_ACCESS_KEY");
    let mut connection = Connection::open(house.address).await;
    let size = connection.ask(&wanted, "200").await.body_bytes;
    let bare_at = house.bare(size).await;

    let (mut bare, mut secret) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(pace(bare_at, BARE, requests).await);
        secret.push(pace(house.address, &wanted, requests).await);
    }
    let rate = |paces: &[Pace]| middle(paces.iter().map(|pace| pace.rate).collect());
    let cpu_us = |paces: &[Pace]| middle(paces.iter().map(|pace| pace.cpu_us).collect());
    tell_rate(&format!("bare handler, {size} bytes"), rate(&bare), cpu_us(&bare));
    tell_rate("secret, authenticated, opened", rate(&secret), cpu_us(&secret));
    println!(
        "{:<38} {:>12.2}",
        "ratio by processor time",
        cpu_us(&bare) / cpu_us(&secret)
    );
    report_at_least("ratio of the two", rate(&secret) / rate(&bare), RATIO_MIN)
}
