//! The same questions to a small database and to a large one, in rounds that alternate: what grows with the number of
//! rotations and secrets, and what does not. `tests/scale/size.py` makes the databases and runs this.
//!
//! `size fill URL COPIES` copies the projects of a database; `size ask SMALL_URL COPIES LARGE_URL COPIES` asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    missing_docs
)] // a bench stops at the first surprise, and takes the time

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{FolderId, ProjectId, RotationId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_store::ledgers::LeaseTerms;
use keywheel_store::sql::testing::copies;
use keywheel_store::{Page, Store};

const ROUNDS: u32 = 15;
/// Of each kind, to each database, in one round.
const QUESTIONS: u32 = 200;
/// Of those that are answered with a list.
const LISTS: u32 = 20;
/// A tick of the schedule, against one with few rotations.
const TICK_MAX: f64 = 1.2;
/// Anything else, each time about rows that were not read before: an index of a thousand times as many rows is two or
/// three levels deeper, and none of it is in a connection's cache. What grows with the rows would be hundreds.
const FLAT_MAX: f64 = 4.0;

#[derive(Clone, Copy)]
enum Question {
    Tick,
    Rotation,
    RotationsOfProject,
    Secret,
    SecretsOfFolder,
}

const ALL: [(Question, &str, u32, f64); 5] = [
    (
        Question::Tick,
        "tick of the schedule, nothing due",
        QUESTIONS,
        TICK_MAX,
    ),
    (Question::Rotation, "rotation by its id", QUESTIONS, FLAT_MAX),
    (Question::Secret, "secret by its name", QUESTIONS, FLAT_MAX),
    (
        Question::RotationsOfProject,
        "rotations of a project",
        LISTS,
        FLAT_MAX,
    ),
    (Question::SecretsOfFolder, "secrets of a folder", LISTS, FLAT_MAX),
];

#[tokio::main]
async fn main() -> ExitCode {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|given| given != "--bench")
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match given[..] {
        ["fill", url, copies] => fill(url, copies.parse().unwrap()).await,
        ["ask", small, few, large, many] => {
            let small = Asked::open(small, few.parse().unwrap()).await;
            let large = Asked::open(large, many.parse().unwrap()).await;
            compare(&small, &large).await
        }
        // Without arguments, as `cargo bench` runs all benches.
        _ => {
            println!("run this by tests/scale/size.py");
            ExitCode::SUCCESS
        }
    }
}

async fn fill(url: &str, copies: u32) -> ExitCode {
    let began = Instant::now();
    copies::copy_projects(url, copies).await.unwrap();
    let took = began.elapsed().as_secs_f64();
    let filled = copies::size(url).await.unwrap();
    let (rotations, secrets) = (filled.rotations, filled.secrets);
    let gib = filled.bytes as f64 / f64::from(1 << 30);
    println!("{rotations} rotations, {secrets} secrets: {gib:.2} GiB, filled in {took:.0} s");
    ExitCode::SUCCESS
}

async fn compare(small: &Asked, large: &Asked) -> ExitCode {
    let mut good = true;
    for (question, what, times, ratio_max) in ALL {
        let mut micros = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            for turn in 0..2 {
                let place = ((round + turn) % 2) as usize;
                let asked = [small, large][place];
                micros[place].push(asked.ask(question, round * times, times).await);
            }
        }
        let [few, many] = micros.map(middle);
        let ratio = many / few;
        let verdict = if ratio <= ratio_max { "PASS" } else { "FAIL" };
        println!(
            "{what:<36} {few:>8.0} µs {many:>8.0} µs {ratio:>6.2}   wanted: at most {ratio_max:.1} {verdict}"
        );
        good &= ratio <= ratio_max;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The middle one of several measurements: one that something else disturbed does not count.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A database of copies.
struct Asked {
    store: Arc<dyn Store>,
    originals: Vec<(ProjectId, RotationId, FolderId)>,
    copies: u32,
}

impl Asked {
    async fn open(url: &str, copies: u32) -> Self {
        let originals = copies::originals(url).await.unwrap();
        let store = keywheel_store::open(url).await.unwrap();
        Self {
            store,
            originals,
            copies,
        }
    }

    /// Microseconds of one question of several, each about something else.
    async fn ask(&self, question: Question, first: u32, times: u32) -> f64 {
        let began = Instant::now();
        for number in first..first + times {
            self.ask_once(question, number).await;
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    }

    async fn ask_once(&self, question: Question, number: u32) {
        let (project, rotation, folder) = self.originals[number as usize % self.originals.len()];
        match question {
            Question::Tick => self.tick().await,
            Question::Rotation => {
                let id = self.copy_of(rotation, number).parse().unwrap();
                assert!(self.store.rotation(id).await.unwrap().is_some());
            }
            Question::RotationsOfProject => {
                let id = self.copy_of(project, number).parse().unwrap();
                let found = self.store.rotations(id, &Page::whole()).await.unwrap();
                assert!(!found.rows.is_empty());
            }
            Question::Secret => {
                let id = self.copy_of(project, number).parse().unwrap();
                let path = SecretPath::parse(&format!("/f{}", number % 10)).unwrap();
                let name = SecretName::parse(&format!("PLAIN_{}", number % 80)).unwrap();
                let environment = Slug::parse("environment", "dev").unwrap();
                let found = self.store.secret_at(id, &environment, &path, &name).await;
                assert!(found.unwrap().is_some());
            }
            Question::SecretsOfFolder => {
                let id = self.copy_of(folder, number).parse().unwrap();
                let mut snapshot = self.store.snapshot().await.unwrap();
                assert!(!snapshot.secrets_in(&[id], None).await.unwrap().is_empty());
            }
        }
    }

    /// What the schedule asks when it has nothing to do.
    async fn tick(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = Moment::from_millis(now.try_into().unwrap());
        let terms = LeaseTerms {
            node: "bench",
            now,
            until: now + Millis::from_secs(60),
        };
        assert!(
            self.store
                .claim_due(terms, terms.now, 1, &[], 16)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(self.store.next_due().await.unwrap().is_some());
    }

    /// The same in one of the copies; in another one for each number.
    fn copy_of(&self, id: impl std::fmt::Display, number: u32) -> String {
        // Prime, so that numbers that follow each other are far from each other.
        const STRIDE: u32 = 7_919;
        copies::copy_of(id, number.wrapping_mul(STRIDE) % self.copies + 1)
    }
}
