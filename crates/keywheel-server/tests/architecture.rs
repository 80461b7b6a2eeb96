//! Keeps the directions of dependence: who may name whom, and what may be nowhere in the tree.
//!
//! `ARCHITECTURE.md` tells the reasons. A failure here is a question about the design, not a test to mend.
#![allow(clippy::unwrap_used, clippy::panic)] // a helper of a test may fail the test

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// What one crate of ours may depend on. `None` where any crate from outside may be used.
struct Rule {
    name: &'static str,
    ours: &'static [&'static str],
    ours_in_tests: &'static [&'static str],
    outside: Option<&'static [&'static str]>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "keywheel-core",
        ours: &[],
        ours_in_tests: &[],
        outside: Some(&["jiff", "serde", "thiserror", "uuid"]),
    },
    Rule {
        name: "keywheel-envelope",
        ours: &[],
        ours_in_tests: &[],
        outside: Some(&["aws-lc-rs", "base64", "hex", "secrecy", "thiserror", "zeroize"]),
    },
    Rule {
        name: "keywheel-sandbox",
        ours: &[],
        ours_in_tests: &[],
        outside: None,
    },
    Rule {
        name: "keywheel-providers",
        ours: &["keywheel-core"],
        ours_in_tests: &["keywheel-sandbox"],
        outside: None,
    },
    Rule {
        name: "keywheel-store",
        ours: &["keywheel-core"],
        // Its store is held to the same promises.
        ours_in_tests: &["keywheel-simulator"],
        outside: None,
    },
    // Development only: the rules, and the sandbox's model of IAM without its HTTP front.
    Rule {
        name: "keywheel-simulator",
        ours: &["keywheel-core", "keywheel-sandbox"],
        ours_in_tests: &[],
        outside: Some(&["clap", "serde", "serde_json"]),
    },
    // A client of the API like any other: what the server knows, it asks for.
    Rule {
        name: "keywheel-cli",
        ours: &[],
        ours_in_tests: &[],
        outside: None,
    },
    Rule {
        name: "keywheel",
        ours: &[
            "keywheel-cli",
            "keywheel-core",
            "keywheel-envelope",
            "keywheel-providers",
            "keywheel-sandbox",
            "keywheel-store",
        ],
        ours_in_tests: &["keywheel-sandbox"],
        outside: None,
    },
];

/// Beginning of a crate's name, and the only crates of ours that may name it, in tests too.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["keywheel-store"]),
    ("axum", &["keywheel", "keywheel-sandbox"]),
    ("aws-config", &["keywheel-providers"]),
    ("aws-sdk-", &["keywheel-providers"]),
    ("aws-smithy-", &["keywheel-providers"]),
    // Providers and sandbox use it in tests, as a client.
    (
        "reqwest",
        &[
            "keywheel",
            "keywheel-cli",
            "keywheel-providers",
            "keywheel-sandbox",
        ],
    ),
    ("lettre", &["keywheel"]),
];

/// Nowhere in the tree: a second cryptographic or TLS library, or versions with unmended advisories that default
/// features of the AWS SDK would bring in.
const BANNED: &[&str] = &[
    "ring",
    "openssl",
    "openssl-sys",
    "native-tls",
    "rustls v0.21",
    "hyper v0.14",
    "h2 v0.3",
];

/// One dependency as a manifest states it.
struct Dependency {
    name: String,
    for_tests: bool,
    optional: bool,
}

struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

fn cargo(arguments: &[&str]) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Package> {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let dependency = |value: &Value| Dependency {
        name: name(value),
        for_tests: value["kind"] == "dev",
        optional: value["optional"] == true,
    };
    let package = |value: &Value| Package {
        name: name(value),
        dependencies: value["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(dependency)
            .collect(),
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(package)
        .collect()
}

fn is_ours(name: &str) -> bool {
    name == "keywheel" || name.starts_with("keywheel-")
}

#[test]
fn every_crate_of_the_workspace_has_a_rule() {
    let found: BTreeSet<_> = packages().into_iter().map(|package| package.name).collect();
    let ruled: BTreeSet<_> = RULES.iter().map(|rule| rule.name.to_owned()).collect();
    assert_eq!(found, ruled);
}

#[test]
fn crates_depend_on_each_other_in_one_direction_only() {
    for package in packages() {
        let rule = RULES.iter().find(|rule| rule.name == package.name).unwrap();
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            // A crate may name itself for tests, to switch on a feature of its own.
            let in_tests = || rule.ours_in_tests.contains(&name) || name == package.name;
            let allowed = !is_ours(name) || rule.ours.contains(&name) || dependency.for_tests && in_tests();
            assert!(allowed, "{} must not depend on {name}", package.name);
        }
    }
}

#[test]
fn the_rules_and_the_envelope_use_few_crates_from_outside() {
    for package in packages() {
        let rule = RULES.iter().find(|rule| rule.name == package.name).unwrap();
        let Some(allowed) = rule.outside else { continue };
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| !dependency.for_tests)
        {
            let name = dependency.name.as_str();
            assert!(
                is_ours(name) || allowed.contains(&name),
                "{} must not depend on {name}",
                package.name
            );
        }
    }
}

#[test]
fn each_outside_system_is_known_to_one_layer() {
    for package in packages() {
        for dependency in &package.dependencies {
            for (reserved, owners) in RESERVED {
                let allowed =
                    !dependency.name.starts_with(reserved) || owners.contains(&package.name.as_str());
                assert!(allowed, "{} must not name {}", package.name, dependency.name);
            }
        }
    }
}

/// Requests to where somebody else has said go through one file, which knows what is not to be asked.
#[test]
fn one_file_of_the_server_sends_requests_of_others() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut naming = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("reqwest") {
                naming.push(path);
            }
        }
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/webhooks/sender.rs");
    assert_eq!(naming, [file]);
    let outside_of_tests = |package: &Package| {
        let mut dependencies = package.dependencies.iter();
        // The command line is no part of a server: it sends requests to where its user says.
        let is_server = !["keywheel", "keywheel-cli"].contains(&package.name.as_str());
        is_server && dependencies.any(|found| found.name == "reqwest" && !found.for_tests)
    };
    assert!(!packages().iter().any(outside_of_tests));
}

#[test]
fn a_server_without_the_dev_feature_carries_no_sandbox() {
    let packages = packages();
    let server = packages
        .iter()
        .find(|package| package.name == "keywheel")
        .unwrap();
    let sandbox = |dependency: &&Dependency| dependency.name == "keywheel-sandbox" && !dependency.for_tests;
    assert!(server.dependencies.iter().find(sandbox).unwrap().optional);
}

/// Asks for the tree and not for the lock file, which also lists optional crates that nothing switches on.
/// Only the machine's own platform is looked at, because other platforms' crates need not have been fetched.
#[test]
fn one_cryptographic_library_and_no_outdated_transport() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--all-features",
        "--edges",
        "all",
        "--prefix",
        "none",
        "--offline",
    ]);
    let in_tree = |name: &str| {
        let with_space = format!("{name} ");
        let with_dot = format!("{name}.");
        tree.lines()
            .find(|line| line.starts_with(&with_space) || line.starts_with(&with_dot))
    };
    assert!(
        in_tree("aws-lc-rs").is_some(),
        "the tree was not read as expected"
    );
    assert!(
        in_tree("rustls v0.23").is_some(),
        "the tree was not read as expected"
    );
    for name in BANNED {
        assert_eq!(
            in_tree(name),
            None,
            "{name} has come in; see it with: cargo tree -i {name}"
        );
    }
}
