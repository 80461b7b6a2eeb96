//! The rotation API to the letter: one test for each promise of its contract (`docs/api-compatibility.md`).
//!
//! Every answer of these endpoints is held against the schemas in `tests/contract` by the client itself.

mod checking;
mod concurrency;
mod connection_checks;
mod connections;
mod creating;
mod credentials;
mod deleting;
mod errors;
mod keys;
mod moves;
mod pairs;
mod permissions;
mod protection;
mod publishing;
mod reading;
mod references;
mod requests;
mod retirement_default;
mod rotating;
mod rules;
mod schedule;
pub(crate) mod stage;
mod telling;
mod updating;
mod validation;
mod views;
