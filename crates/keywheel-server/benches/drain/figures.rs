//! What came of a drain: from the ledger when keys were published, from the sandbox what it was asked.

use std::collections::BTreeMap;

use keywheel_core::clock::Moment;
use keywheel_core::key::KeyState;
use keywheel_core::rotation::RotationStatus;
use keywheel_sandbox::world::Recorded;

use super::setup::{Account, House};
use crate::Drain;

/// Of the limit, at the least.
const RATE_MIN: f64 = 0.80;
/// Changing calls of a steady-state rotation: deactivate, delete, create.
const CHANGES_MAX: usize = 3;
/// A run from its first call to its publish, against the middle one of all: nobody is starved half-way.
const RUN_FACTOR_MAX: f64 = 2.0;
/// The last of a quiet account, beside a busy one against alone.
const BESIDE_FACTOR_MAX: f64 = 1.5;

const CHANGES: [&str; 3] = ["UpdateAccessKey", "DeleteAccessKey", "CreateAccessKey"];
const BY_CONNECTION: &str = "GetCallerIdentity by the connection";
const BY_NEW_KEY: &str = "GetCallerIdentity by the new key";

/// One rotation of a drain, in milliseconds since it was due.
struct Rotated {
    began: i64,
    published: i64,
    changes: usize,
}

/// A drain of one account.
pub(crate) struct Figures {
    rotated: Vec<Rotated>,
    wanted: usize,
    failed: usize,
    calls: BTreeMap<String, usize>,
}

impl Figures {
    pub(crate) async fn gather(house: &House, account: &Account, drain: &Drain) -> Self {
        let number = usize::from(account.name == "quiet");
        let root = house.provider.sandboxes()[number].root_key().access_key_id;
        let recorded: Vec<Recorded> = house.provider.sandboxes()[number].with_world(|world, _| {
            let new = world
                .calls()
                .filter(|call| call.number > drain.calls_before[number]);
            new.cloned().collect()
        });
        let mut calls = BTreeMap::new();
        let mut of_user: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
        for call in &recorded {
            *calls.entry(kind(call, root)).or_default() += 1;
            if let Some(user) = &call.user_name {
                of_user.entry(user).or_default().push(call);
            }
        }
        let (mut rotated, mut failed) = (Vec::new(), 0);
        for user in &account.users {
            let ledger = house.store.load(*user).await.unwrap().unwrap();
            let calls = of_user
                .get(ledger.user.name.as_str())
                .map_or(&[][..], Vec::as_slice);
            let published = ledger.keys.values().find(|key| key.state == KeyState::Published);
            let published_at = published.and_then(|key| key.published_at).unwrap();
            let rotation = ledger.rotation.unwrap();
            if published_at < drain.due_at || rotation.status != RotationStatus::Success {
                println!("{}: {:?}", ledger.user.name, rotation.last_message);
                failed += 1;
                continue;
            }
            rotated.push(Rotated {
                began: since(drain, Moment::from_millis(calls[0].at.as_millis())),
                published: since(drain, published_at),
                changes: calls
                    .iter()
                    .filter(|call| CHANGES.contains(&call.action.as_str()))
                    .count(),
            });
        }
        Self {
            rotated,
            wanted: account.users.len(),
            failed,
            calls,
        }
    }

    /// How often each call was made, for one rotation.
    pub(crate) fn print_calls(&self) {
        println!("\n{:<44} {:>8} {:>14}", "calls to AWS", "all", "per rotation");
        for (title, wanted) in [
            ("changing", &CHANGES[..]),
            (
                "reading before a change",
                &[BY_CONNECTION, "GetUser", "ListAccessKeys", "GetAccessKeyLastUsed"],
            ),
            ("verifying", &[BY_NEW_KEY]),
        ] {
            let count = |kind: &&str| self.calls.get(*kind).copied().unwrap_or(0);
            self.print_count(title, wanted.iter().map(count).sum());
            for kind in wanted {
                self.print_count(&format!("  {kind}"), count(kind));
            }
        }
        self.print_count("together", self.calls.values().sum());
        println!();
    }

    fn print_count(&self, what: &str, count: usize) {
        println!(
            "{what:<44} {count:>8} {:>14.2}",
            count as f64 / self.wanted as f64
        );
    }

    pub(crate) fn report_rate(&self, limit: u32) -> bool {
        let seconds = self.last() as f64 / 1e3;
        let calls = self.calls.values().sum::<usize>() as f64;
        let share = calls / seconds / f64::from(limit);
        println!(
            "drained in {seconds:.1} s, {:.1} calls/s, {:.2} rotations/s",
            calls / seconds,
            self.wanted as f64 / seconds
        );
        report(
            "share of the limit",
            &format!("{share:.2}"),
            &format!("at least {RATE_MIN:.2}"),
            share >= RATE_MIN,
        )
    }

    pub(crate) fn report_changes(&self) -> bool {
        let most = self.rotated.iter().map(|one| one.changes).max().unwrap_or(0);
        report(
            "changing calls of one rotation, at most",
            &most.to_string(),
            &format!("at most {CHANGES_MAX}"),
            most <= CHANGES_MAX,
        )
    }

    /// Whether everybody had a turn, and nobody was passed by more than those who ran at the same time.
    pub(crate) fn report_waits(&self, rotations_max: u32) -> bool {
        let waits = sorted(self.rotated.iter().map(|one| one.published));
        let runs = sorted(self.rotated.iter().map(|one| one.published - one.began));
        println!(
            "from due to published: p50 {}, p95 {}, max {}",
            shown(&waits, 50),
            shown(&waits, 95),
            shown(&waits, 100)
        );
        println!(
            "from the first call to published: p50 {}, p95 {}, max {}",
            shown(&runs, 50),
            shown(&runs, 95),
            shown(&runs, 100)
        );
        let factor = at(&runs, 100) as f64 / at(&runs, 50) as f64;
        let passed = self.most_passed();
        let all = [
            report(
                "rotations that did not go through",
                &self.failed.to_string(),
                "0",
                self.failed == 0,
            ),
            report(
                "longest run, of the middle one",
                &format!("{factor:.2}"),
                &format!("at most {RUN_FACTOR_MAX:.2}"),
                factor <= RUN_FACTOR_MAX,
            ),
            report(
                "begun later and published earlier, at most",
                &passed.to_string(),
                &format!("at most {rotations_max} (rotations_max)"),
                passed <= rotations_max as usize,
            ),
        ];
        all.iter().all(|good| *good)
    }

    /// What a busy account costs a quiet one.
    pub(crate) fn report_beside(&self, alone: &Self) -> bool {
        let factor = self.last() as f64 / alone.last() as f64;
        let seconds = |figures: &Self| format!("{:.1} s", figures.last() as f64 / 1e3);
        println!(
            "the quiet account: alone {}, beside the busy one {}",
            seconds(alone),
            seconds(self)
        );
        report(
            "quiet account, beside against alone",
            &format!("{factor:.2}"),
            &format!("at most {BESIDE_FACTOR_MAX:.2}"),
            factor <= BESIDE_FACTOR_MAX && self.failed == 0,
        )
    }

    fn last(&self) -> i64 {
        self.rotated
            .iter()
            .map(|one| one.published)
            .max()
            .unwrap_or(i64::MAX)
    }

    /// For the one that was passed most: how many began after it and were published before it.
    fn most_passed(&self) -> usize {
        let passed = |one: &Rotated| {
            let earlier = |other: &&Rotated| other.began > one.began && other.published < one.published;
            self.rotated.iter().filter(earlier).count()
        };
        self.rotated.iter().map(passed).max().unwrap_or(0)
    }
}

fn kind(call: &Recorded, connection: &str) -> String {
    match (call.action.as_str(), call.caller_key_id.as_deref()) {
        ("GetCallerIdentity", Some(key)) if key == connection => BY_CONNECTION.to_owned(),
        ("GetCallerIdentity", _) => BY_NEW_KEY.to_owned(),
        (action, _) => action.to_owned(),
    }
}

fn since(drain: &Drain, at: Moment) -> i64 {
    (at - drain.due_at).get()
}

fn sorted(figures: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut figures: Vec<i64> = figures.collect();
    figures.sort_unstable();
    figures
}

fn at(figures: &[i64], percent: usize) -> i64 {
    let last = figures.len().saturating_sub(1);
    figures.get(last * percent / 100).copied().unwrap_or(0)
}

fn shown(figures: &[i64], percent: usize) -> String {
    format!("{:.1} s", at(figures, percent) as f64 / 1e3)
}

fn report(what: &str, figure: &str, wanted: &str, good: bool) -> bool {
    let verdict = if good { "PASS" } else { "FAIL" };
    println!("{what:<44} {figure:>8}   wanted: {wanted:<28} {verdict}");
    good
}
