//! Seeing what happens.

pub mod logging;
