//! The systems whose credentials Keywheel rotates. Today there is one: the access keys of AWS IAM users.
//!
//! | file | idea |
//! |---|---|
//! | [`provider`] | what the engine asks of IAM, as a trait that a test can stand in for |
//! | [`connection`] | the credentials that a person stored so that Keywheel may act |
//! | [`aws`] | the trait over the real AWS SDK |
//! | `aws_clients` | SDK clients: endpoints, deadline, attempts, user agent, AssumeRole |
//! | `aws_outcome` | what a failed call says about its effect: one table |
//! | `aws_date` | AWS's clock, read from its answers |
//! | [`observer`] | who counts calls |
//! | `scripted` | the trait over a script (feature `scripted`) |
//!
//! Nothing here decides anything: an answer or a failure goes back to the engine as it came. The crate is a
//! leaf, so that the tests of core and store never wait for the SDK to compile.

pub mod aws;
mod aws_clients;
mod aws_date;
mod aws_outcome;
pub mod connection;
pub mod observer;
pub mod provider;
#[cfg(feature = "scripted")]
pub mod scripted;

pub use aws::AwsIam;
pub use aws_clients::{Endpoints, Options};
pub use connection::ConnectionCredentials;
pub use provider::{ExternalId, IamUser, IamUsers, IssuedKey, Target};
