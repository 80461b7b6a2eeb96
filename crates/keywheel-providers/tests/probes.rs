//! The real SDK against every wire at hand: one suite of probes, one story, a wire that
//! misbehaves, and the environment.
//!
//! A probe is a few calls and one observation in words, next to what AWS documents. Each target answers like
//! AWS or in the way that `deviations.rs` lists, no other. So the sandbox is checked by the same questions as
//! the emulators that others wrote, and a test may trust each of them where it is known to be right.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "helpers of tests; a panic is a failed test"
)]

#[path = "probes/deviations.rs"]
mod deviations;
#[path = "probes/environment.rs"]
mod environment;
#[path = "probes/identity.rs"]
mod identity;
#[path = "probes/keys.rs"]
mod keys;
#[path = "probes/roles.rs"]
mod roles;
#[path = "probes/story.rs"]
mod story;
#[path = "probes/targets.rs"]
mod targets;
#[path = "probes/wire.rs"]
mod wire;

use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;

use targets::{Kind, Target};

/// One question to a target.
pub(crate) struct Probe {
    name: &'static str,
    /// What AWS documents.
    aws: &'static str,
    run: for<'a> fn(&'a Target) -> Pin<Box<dyn Future<Output = String> + 'a>>,
}

/// A probe from the function of its name.
#[macro_export]
macro_rules! probe {
    ($name:ident, $aws:literal) => {
        $crate::Probe {
            name: stringify!($name),
            aws: $aws,
            run: |target| Box::pin($name(target)),
        }
    };
}

fn probes() -> impl Iterator<Item = &'static Probe> {
    [keys::PROBES, identity::PROBES, roles::PROBES]
        .into_iter()
        .flatten()
}

/// Runs every probe and fails with a table of all surprises.
async fn probe_all(kind: Kind) {
    let Some(target) = Target::start(kind).await else {
        return;
    };
    let mut surprises = String::new();
    for probe in probes() {
        let observed = (probe.run)(&target).await;
        let listed = deviations::known(kind)
            .iter()
            .find(|(name, _)| *name == probe.name);
        let expected = listed.map_or(probe.aws, |(_, answer)| answer);
        if observed != expected {
            let (name, aws) = (probe.name, probe.aws);
            writeln!(
                surprises,
                "{name}: {observed:?}, expected {expected:?}; AWS: {aws:?}"
            )
            .unwrap();
        }
    }
    assert!(
        surprises.is_empty(),
        "{kind:?} differs from what is known of it:\n{surprises}"
    );
}

#[tokio::test]
async fn the_sandbox_answers_like_aws() {
    probe_all(Kind::Sandbox).await;
}

#[tokio::test]
async fn moto_answers_as_it_is_known() {
    probe_all(Kind::Moto).await;
}

#[tokio::test]
async fn moto_with_checks_answers_as_it_is_known() {
    probe_all(Kind::MotoWithAuth).await;
}

#[tokio::test]
async fn ministack_answers_as_it_is_known() {
    probe_all(Kind::Ministack).await;
}

#[test]
fn every_listed_deviation_is_of_a_probe_and_differs_from_aws() {
    for kind in [Kind::Sandbox, Kind::Moto, Kind::MotoWithAuth, Kind::Ministack] {
        for (name, answer) in deviations::known(kind) {
            let probe = probes().find(|probe| probe.name == *name);
            let probe = probe.unwrap_or_else(|| panic!("no probe is called {name}"));
            assert_ne!(probe.aws, *answer, "{kind:?} {name}");
        }
    }
}
