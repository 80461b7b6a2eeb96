//! The rules of key rotation.
//!
//! This crate has no input or output, no clock, no randomness and no async: time, random bytes and the
//! answers of the world come in as arguments, effects go out as data. The same input gives the same output.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`], [`names`], [`clock`], [`aws`] | the words: parsed once, never wrong afterwards |
//! | [`issues`] | what is wrong with a request, and where |
//! | [`references`] | what values of secrets say of other secrets |
//! | [`key`], [`intent`], [`lease`], [`ledger`] | the durable record of an IAM user's keys, and who may act |
//! | [`rotation`], [`timings`] | what the owner asks for, and when it is due |
//! | [`owner`] | what an owner says of one key between runs |
//! | [`webhooks`] | what happened, who hears of it, and when it is told again |
//! | [`run`] | one run of the engine: a state machine that asks for effects and is fed events |

pub mod aws;
pub mod clock;
pub mod ids;
pub mod intent;
pub mod issues;
pub mod key;
pub mod lease;
pub mod ledger;
pub mod names;
pub mod owner;
pub mod references;
pub mod rotation;
pub mod run;
pub mod timings;
pub mod webhooks;
