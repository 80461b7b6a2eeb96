//! Spans to a collector of OpenTelemetry, by OTLP over HTTP: a request, the run that it starts, its steps, their calls to AWS.
//!
//! Spans hold what log lines hold, and like those no secret.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::Layer;

use super::logging::Sink;

/// Where collectors take spans (OTLP specification).
const PATH: &str = "/v1/traces";
/// Spans that wait to be sent; further ones are dropped, since a collector that is away must not hold up work.
const WAITING_MAX: usize = 8_192;
/// Spans of one request to the collector.
const BATCH_MAX: usize = 512;
/// How long one request may take.
const SEND_MAX: Duration = Duration::from_secs(5);
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(2);
/// How long the end of the process may wait for the last spans.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// What sends spans.
#[derive(Debug)]
pub struct Traces {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts to send spans to a collector, such as `http://127.0.0.1:4318`. To be called within the runtime.
pub fn start(endpoint: &str) -> anyhow::Result<(Sink, Traces)> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(SEND_MAX)
        .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
        .build()
        .with_context(|| format!("otel_endpoint {endpoint} cannot be used"))?;
    let resource = Resource::builder()
        .with_service_name("keywheel")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let (queue, waiting) = mpsc::channel(WAITING_MAX);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(Forward { queue })
        .build();
    let tracer = provider.tracer("keywheel");
    let stop = CancellationToken::new();
    let task = tokio::spawn(send(exporter, resource, waiting, stop.clone()));
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).boxed();
    Ok((layer, Traces { stop, task }))
}

impl Traces {
    /// Sends what waits, for a while at most.
    pub async fn shut_down(self) {
        self.stop.cancel();
        if tokio::time::timeout(FLUSH_MAX, self.task).await.is_err() {
            tracing::warn!("the last spans did not reach the collector in time");
        }
    }
}

/// Hands spans that have ended to the task that sends them: the exporter needs the runtime, which ends of spans have not.
#[derive(Debug)]
struct Forward {
    queue: mpsc::Sender<SpanData>,
}

impl SpanProcessor for Forward {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // Dropped where too many wait.
        let _ = self.queue.try_send(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

async fn send(
    mut exporter: SpanExporter,
    resource: Resource,
    mut waiting: mpsc::Receiver<SpanData>,
    stop: CancellationToken,
) {
    exporter.set_resource(&resource);
    loop {
        let gathered = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(GATHER) => false,
        };
        while let Some(batch) = next_batch(&mut waiting) {
            if let Err(fault) = exporter.export(batch).await {
                tracing::debug!(%fault, "spans did not reach the collector");
            }
        }
        if gathered {
            return;
        }
    }
}

fn next_batch(waiting: &mut mpsc::Receiver<SpanData>) -> Option<Vec<SpanData>> {
    let mut batch = Vec::new();
    while batch.len() < BATCH_MAX
        && let Ok(span) = waiting.try_recv()
    {
        batch.push(span);
    }
    (!batch.is_empty()).then_some(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Bytes;
    use axum::routing::post;
    use tokio::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// A collector on this machine, and what it was sent.
    async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let take = move |body: Bytes| async move { kept.lock().unwrap().extend_from_slice(&body) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route(PATH, post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (url, seen)
    }

    #[tokio::test]
    async fn spans_reach_the_collector_before_the_end() {
        let (url, seen) = collector().await;
        let (layer, traces) = start(&url).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        let guard = tracing::subscriber::set_default(subscriber);
        tracing::info_span!("request", req_id = "req-0123456789abcdef").in_scope(|| {
            tracing::info_span!("run", run = "some-run").in_scope(|| {
                tracing::info_span!("step", step = "create").in_scope(|| {
                    tracing::info_span!("aws_call", operation = "CreateAccessKey").in_scope(|| ())
                });
            });
        });
        traces.shut_down().await;
        drop(guard);
        let seen = seen.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&seen);
        for part in [
            "keywheel",
            "request",
            "req-0123456789abcdef",
            "run",
            "step",
            "aws_call",
            "CreateAccessKey",
        ] {
            assert!(text.contains(part), "{part} did not come: {text}");
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_away_delays_the_end_by_no_more_than_said() {
        let (layer, traces) = start("http://127.0.0.1:9").unwrap();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        tracing::info_span!("request").in_scope(|| ());
        tokio::time::timeout(FLUSH_MAX * 2, traces.shut_down())
            .await
            .unwrap();
        drop(guard);
    }
}
