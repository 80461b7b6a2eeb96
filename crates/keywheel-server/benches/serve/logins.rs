//! Reads of a secret while 200 clients log in, each anew as soon as it is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::client::{Connection, pace};
use super::figures::{middle, report_at_least};
use super::house::{House, text};

/// Clients that log in.
const CLIENTS: usize = 200;
/// Rounds of reads with and without them; the middle one of each counts.
const ROUNDS: usize = 5;
/// Reads of one connection in one round.
const REQUESTS: usize = 2_000;
/// Until the logins are under way.
const WARM_UP: Duration = Duration::from_millis(500);
/// What is left of the rate of reads: logins take their share of the processor, and no more.
const RATIO_MIN: f64 = 0.40;

pub(crate) async fn logins() -> bool {
    let house = House::build().await;
    house.make_secret("KEY").await;
    let (read, login) = (house.read("/KEY"), login(&house).await);
    let (mut alone, mut beside, mut login_rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(pace(house.address, &read, REQUESTS).await.rate);
        let crowd = Crowd::start(&house, &login);
        tokio::time::sleep(WARM_UP).await;
        let (before, started) = (crowd.count(), Instant::now());
        beside.push(pace(house.address, &read, REQUESTS).await.rate);
        login_rates.push((crowd.count() - before) as f64 / started.elapsed().as_secs_f64());
        crowd.end().await;
    }
    let (alone, beside) = (middle(alone), middle(beside));
    let tell = |what: &str, rate: f64| println!("{what:<38} {rate:>12.0}   a second");
    tell("reads alone", alone);
    tell(&format!("reads beside {CLIENTS} clients that log in"), beside);
    tell("logins then", middle(login_rates));
    report_at_least("share of the reads", beside / alone, RATIO_MIN)
}

/// A login of a fresh identity, as bytes.
async fn login(house: &House) -> Vec<u8> {
    let made = house
        .post("/api/v1/identities", &json!({"name": "ci", "role": "member"}))
        .await;
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}",
        text(&made["identity"]["id"])
    );
    let auth = house.post(&base, &json!({})).await;
    let secret = house.post(&format!("{base}/client-secrets"), &json!({})).await;
    let client_id = &auth["identityUniversalAuth"]["clientId"];
    let body = json!({"clientId": client_id, "clientSecret": secret["clientSecret"]}).to_string();
    let length = body.len();
    format!(
        "POST /api/v1/auth/universal-auth/login HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Clients that log in again and again.
struct Crowd {
    done: Arc<AtomicUsize>,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    fn start(house: &House, login: &[u8]) -> Self {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let tasks = (0..CLIENTS).map(|_| {
            let (address, login) = (house.address, login.to_vec());
            let (done, stop) = (Arc::clone(&done), stop.clone());
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                while !stop.is_cancelled() {
                    connection.ask(&login, "200").await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let tasks = tasks.collect();
        Self { done, stop, tasks }
    }

    fn count(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}
