#![doc = include_str!("../README.md")]

pub mod aws;
pub mod coverage;
pub mod events;
pub mod exhaustive;
pub mod explore;
pub mod faults;
pub mod invariants;
pub mod job;
pub mod liveness;
pub mod plan;
pub mod replay;
pub mod rng;
pub mod shrink;
pub mod store;
pub mod truth;
pub mod world;

mod calls;
mod commands;
mod driver;
mod harm;
mod words;
