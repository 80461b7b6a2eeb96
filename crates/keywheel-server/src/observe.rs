//! Seeing what happens.
//!
//! | module | what it holds |
//! |---|---|
//! | [`logging`] | log lines |
//! | [`metrics`] | what is counted and measured while it happens |
//! | `traces` | spans to a collector of OpenTelemetry (feature `otel`) |
//! | [`scrape`] | what is read from the database when somebody looks; the text for Prometheus |

pub mod logging;
pub mod metrics;
pub mod scrape;
#[cfg(feature = "otel")]
pub mod traces;
#[cfg(not(feature = "otel"))]
#[path = "observe/untraced.rs"]
pub mod traces;
