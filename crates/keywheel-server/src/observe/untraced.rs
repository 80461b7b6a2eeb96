//! In the place of [`super::traces`] where it is not built in.

use crate::observe::logging::Sink;

/// What sends spans: nothing.
#[derive(Debug)]
pub struct Traces(std::convert::Infallible);

/// Refuses: this program cannot send spans.
pub fn start(_: &str) -> anyhow::Result<(Sink, Traces)> {
    anyhow::bail!("otel_endpoint needs a program that is built with --features otel")
}

impl Traces {
    /// There is nothing to wait for.
    #[expect(clippy::unused_async, reason = "as its other form")]
    pub async fn shut_down(self) {
        match self.0 {}
    }
}
