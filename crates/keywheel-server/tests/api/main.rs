//! The API as clients see it: whole stories and bad input, one file per noun, over the real router and a
//! real SQLite file, with a clock that stands still and repeatable randomness.

// Helpers outside of `#[test]` functions may panic too: a failing helper is a failing test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod access;
mod audit;
mod bootstrap;
mod compatibility;
mod connections;
mod docs;
mod envelope;
mod identities;
mod logged;
mod login;
#[cfg(feature = "dev")]
mod matrix;
mod metrics;
mod organization_admin;
mod paging;
mod people;
mod projects;
mod root_key;
#[cfg(feature = "dev")]
mod rotated;
mod rotations;
mod secret_imports;
mod secret_references;
mod secrets;
mod secrets_in_bulk;
mod secrets_moved;
mod served;
mod sockets;
mod support;
mod tags;
mod webhooks;
