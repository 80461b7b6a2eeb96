//! Log lines: text for people, JSON for programs, always to standard error; and spans, if somebody collects them.
//!
//! What is logged never holds a secret: secrets live in types that do not show themselves, and neither
//! bodies nor queries nor headers are logged.
//!
//! Every line of a request carries its id, also the lines of the run that it starts and of that run's calls to AWS: they are
//! spans inside of each other, which the text shows before the message, and JSON in `spans`.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogFormat, LogSettings};

/// What the database says of statements that do nothing, such as making a table that is there. The settings may say
/// otherwise.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// A filter that cannot be read, or a second start of the log.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be started: {0}")]
pub struct LogError(String);

/// Something that sees lines and spans.
pub type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of the process, and whatever else is to see what it sees.
pub fn start(settings: &LogSettings, others: impl IntoIterator<Item = Sink>) -> Result<(), LogError> {
    let filter: EnvFilter = format!("{QUIET},{}", settings.filter)
        .parse()
        .map_err(|fault| LogError(format!("{fault}")))?;
    let mut sinks = vec![lines(settings.format)];
    sinks.extend(others);
    tracing_subscriber::registry()
        .with(sinks)
        .with(filter)
        .try_init()
        .map_err(|fault| LogError(fault.to_string()))
}

fn lines(format: LogFormat) -> Sink {
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}
