#![doc = include_str!("../README.md")]

pub mod clock;
pub mod faults;
pub mod foreign;
pub mod model;
pub mod world;

#[cfg(feature = "wire")]
mod control;
#[cfg(feature = "wire")]
mod sandbox;
#[cfg(feature = "wire")]
pub mod wire;

#[cfg(feature = "wire")]
pub use sandbox::{Options, RootKey, Sandbox, StartError};
