//! Servers whose AWS is a sandbox.

use std::sync::Arc;

use keywheel_providers::{AwsIam, Endpoints, IamUsers, Options};
use keywheel_sandbox::Sandbox;

/// Waits as short as a sandbox allows.
pub const QUICK: [(&str, &str); 6] = [
    ("KEYWHEEL_UNSAFE_TIMINGS", "true"),
    ("KEYWHEEL_VERIFY_SUCCESSES", "1"),
    ("KEYWHEEL_VERIFY_SPACING", "10ms"),
    ("KEYWHEEL_VERIFY_SETTLE", "10ms"),
    ("KEYWHEEL_LIST_GAP", "10ms"),
    ("KEYWHEEL_LATE_LANDING", "10ms"),
];

/// An account with users whose keys can be rotated, and one to act as.
pub async fn sandbox(users: &[&str]) -> Sandbox {
    let sandbox = Sandbox::start(keywheel_sandbox::Options::default())
        .await
        .unwrap();
    for user in users {
        sandbox
            .with_world(|world, now| world.account.create_user(now, user, None).map(drop))
            .unwrap();
    }
    sandbox
}

/// The way there.
pub fn provider(sandbox: &Sandbox) -> Arc<dyn IamUsers> {
    let endpoints = Endpoints {
        iam: Some(sandbox.url()),
        sts: Some(sandbox.url()),
    };
    Arc::new(AwsIam::new(Options {
        endpoints,
        ..Options::default()
    }))
}
