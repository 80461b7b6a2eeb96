//! What the provider takes from the environment: endpoints, and Keywheel's own credentials for assuming roles.
//!
//! A process cannot change its own environment safely, so these tests start themselves again in one of their
//! making and read what the call there ended in.

use std::process::Command;

use keywheel_core::aws::{Arn, Region};
use keywheel_providers::connection::Role;
use keywheel_providers::{AwsIam, ConnectionCredentials, IamUsers, Options};

use crate::targets::SESSION;
use crate::wire::{DENIED, Reply, Wire};

/// How a call through a role ended in this environment, in the words of `Debug`.
async fn call_with(environment: &[(&str, &str)]) -> String {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([
        "--exact",
        "environment::call_through_a_role",
        "--ignored",
        "--nocapture",
    ]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        again.env_remove(name);
    }
    again
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied());
    let ended = tokio::task::spawn_blocking(move || again.output())
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(ended.stdout).unwrap()
}

#[tokio::test]
#[ignore = "started by the tests below, in an environment of their making"]
async fn call_through_a_role() {
    let connection = ConnectionCredentials::AssumeRole(Role {
        role_arn: Arn::from_trusted("arn:aws:iam::111122223333:role/r"),
        external_id: Some("keywheel/1".to_owned()),
        sts_endpoint: None,
    });
    let provider = AwsIam::new(Options::default());
    let ended = provider.caller(&connection, &Region::default(), SESSION).await;
    println!("{ended:?}");
}

#[tokio::test]
async fn endpoints_and_own_credentials_come_from_the_environment() {
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        let wire = Wire::replying(Reply::Http(403, DENIED)).await;
        let environment = [
            (variable, wire.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let ended = call_with(&environment).await;
        assert!(ended.contains("AccessDenied"), "{variable}: {ended}");
        let asked = wire.asked().concat();
        assert!(asked.contains("Credential=AKIAENVIRONMENT/"), "{asked}");
        assert!(asked.contains("ExternalId=keywheel%2F1"), "{asked}");
    }
}

#[tokio::test]
async fn a_role_without_own_credentials_says_where_they_were_looked_for() {
    let ended = call_with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]).await;
    assert!(
        ended.contains("Unavailable") && ended.contains("no AWS credentials were found"),
        "{ended}"
    );
}
