//! Webhooks (platform contract, section 6.11): one test for each promise.

mod mail;
mod repeating;
mod requests;
mod stage;
mod telling;
