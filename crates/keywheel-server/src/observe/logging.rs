//! Log lines: text for people, JSON for programs, always to standard error.
//!
//! What is logged never holds a secret: secrets live in types that do not show themselves, and neither
//! bodies nor queries nor headers are logged.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// What the database says of statements that do nothing, such as making a table that is there. The settings may say
/// otherwise.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// A filter that cannot be read, or a second start of the log.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be started: {0}")]
pub struct LogError(String);

/// Starts the log of the process.
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    let filter: EnvFilter = format!("{QUIET},{}", settings.filter)
        .parse()
        .map_err(|fault| LogError(format!("{fault}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|fault| LogError(fault.to_string()))
}
