//! The rules of key rotation.
//!
//! This crate has no input or output, no clock, no randomness and no async: time, random bytes and the
//! answers of the world come in as arguments, effects go out as data. The same input gives the same output.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`], [`names`], [`clock`], [`aws`] | the words: parsed once, never wrong afterwards |
//! | [`issues`] | what is wrong with a request, and where |

pub mod aws;
pub mod clock;
pub mod ids;
pub mod issues;
pub mod names;
