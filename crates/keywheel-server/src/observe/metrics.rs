//! What is counted and measured while it happens, for Prometheus.
//!
//! Names and units are those of its conventions. Labels have few values that are known beforehand: routes, operations,
//! words of ours. No id, no name, nothing that somebody sends.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use keywheel_core::clock::Millis;
use keywheel_providers::observer::{CallObserver, Called};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of requests and calls in seconds: from what a cache answers to the longest that either may take.
const SHORT: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of rotations and their steps in seconds. A rotation takes some sixteen; with a slow AWS, minutes.
const LONG: [f64; 11] = [0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 180.0];

type Labels<const COUNT: usize> = [(&'static str, &'static str); COUNT];
type HttpLabels<const COUNT: usize> = [(&'static str, Cow<'static, str>); COUNT];
/// How long things took, by their labels.
type Timed<L> = Family<L, Histogram, fn() -> Histogram>;

/// All families; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    rotations: Family<Labels<2>, Counter>,
    other_runs: Family<Labels<2>, Counter>,
    rotation_seconds: Histogram,
    step_seconds: Timed<Labels<1>>,
    aws_calls: Family<Labels<2>, Counter>,
    aws_seconds: Timed<Labels<1>>,
    leases: Gauge,
    deliveries: Family<Labels<1>, Counter>,
    requests: Family<HttpLabels<3>, Counter>,
    request_seconds: Timed<HttpLabels<2>>,
    stored: Stored,
}

/// What the database knows, as it was when somebody last looked.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) states: Family<Labels<1>, Gauge>,
    pub(super) overdue: Gauge,
    pub(super) oldest_key_seconds: Gauge<f64, AtomicU64>,
    pub(super) key_suspects: Gauge,
    pub(super) foreign_keys: Gauge,
    pub(super) outbox: Gauge,
    pub(super) database_up: Gauge,
    pub(super) database_seconds: Gauge<f64, AtomicU64>,
}

/// A run under way.
pub struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at nothing.
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::default(),
            rotations: Family::default(),
            other_runs: Family::default(),
            rotation_seconds: long(),
            step_seconds: Timed::new_with_constructor(long),
            aws_calls: Family::default(),
            aws_seconds: Timed::new_with_constructor(short),
            leases: Gauge::default(),
            deliveries: Family::default(),
            requests: Family::default(),
            request_seconds: Timed::new_with_constructor(short),
            stored: Stored::default(),
        };
        inner.register_events();
        inner.register_stored();
        inner.begin_at_nothing();
        Self(Arc::new(inner))
    }

    /// A rotation of the keys has ended: what started it, in what it ended, and how long it took.
    pub fn rotated(&self, trigger: &'static str, outcome: &'static str, took: Millis) {
        let labels = [("outcome", outcome), ("trigger", trigger)];
        self.0.rotations.get_or_create(&labels).inc();
        self.0.rotation_seconds.observe(seconds(took));
    }

    /// A run has ended that does not rotate: what it was for, and in what it ended.
    pub fn ran(&self, goal: &'static str, outcome: &'static str) {
        let labels = [("goal", goal), ("outcome", outcome)];
        self.0.other_runs.get_or_create(&labels).inc();
    }

    /// A step of a run has ended.
    pub fn stepped(&self, step: &'static str, took: Millis) {
        let labels = [("step", step)];
        self.0.step_seconds.get_or_create(&labels).observe(seconds(took));
    }

    /// A run has a lease, for as long as the value lives.
    pub fn holds_lease(&self) -> Running {
        let leases = self.0.leases.clone();
        leases.inc();
        Running(leases)
    }

    /// An attempt to tell a webhook has ended.
    pub fn delivered(&self, is_told: bool) {
        let result = if is_told { "success" } else { "failed" };
        self.0.deliveries.get_or_create(&[("result", result)]).inc();
    }

    /// A request was answered. Its route is the pattern, never what was sent.
    pub fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Millis) {
        let method = ("method", Cow::Borrowed(known_method(method)));
        let route = (
            "route",
            route.map_or("none".into(), |route| route.to_owned().into()),
        );
        let status = ("status", Cow::Owned(status.as_u16().to_string()));
        let labels = [method.clone(), route.clone(), status];
        self.0.requests.get_or_create(&labels).inc();
        let labels = [method, route];
        self.0
            .request_seconds
            .get_or_create(&labels)
            .observe(seconds(took));
    }

    pub(super) fn stored(&self) -> &Stored {
        &self.0.stored
    }

    /// All of it in the text format of OpenMetrics.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

impl CallObserver for Metrics {
    fn called(&self, call: &Called) {
        let labels = [("operation", call.operation), ("result", call.result.as_str())];
        self.0.aws_calls.get_or_create(&labels).inc();
        let labels = [("operation", call.operation)];
        let took: Duration = call.took;
        self.0
            .aws_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }
}

impl Inner {
    /// What alerts look at begins at 0: a counter that appears with its first event shows no increase.
    fn begin_at_nothing(&self) {
        for trigger in ["create", "manual", "scheduled"] {
            for outcome in ["published", "failed", "parked"] {
                let labels = [("outcome", outcome), ("trigger", trigger)];
                drop(self.rotations.get_or_create(&labels));
            }
        }
        for goal in ["retire", "revoke", "roll-back", "settle"] {
            let labels = [("goal", goal), ("outcome", "failed")];
            drop(self.other_runs.get_or_create(&labels));
        }
        for result in ["success", "failed"] {
            drop(self.deliveries.get_or_create(&[("result", result)]));
        }
    }

    fn register_events(&mut self) {
        let all = &mut self.registry;
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        all.register("keywheel_build", "The program", version);
        let what = "Rotations of keys that have ended, by outcome and by what started them";
        all.register("keywheel_rotations", what, self.rotations.clone());
        let what = "Runs that have ended and did not rotate, by what they were for and by outcome";
        all.register("keywheel_other_runs", what, self.other_runs.clone());
        let what = "How long rotations of keys took";
        let seconds = self.rotation_seconds.clone();
        all.register_with_unit("keywheel_rotation_duration", what, Unit::Seconds, seconds);
        let what = "How long the steps of runs took";
        let seconds = self.step_seconds.clone();
        all.register_with_unit("keywheel_step_duration", what, Unit::Seconds, seconds);
        let what = "Calls to AWS, by operation and result";
        all.register("keywheel_aws_calls", what, self.aws_calls.clone());
        let what = "How long calls to AWS took, repeats of the SDK included";
        let seconds = self.aws_seconds.clone();
        all.register_with_unit("keywheel_aws_call_duration", what, Unit::Seconds, seconds);
        let what = "Leases that runs of this node hold";
        all.register("keywheel_leases_held", what, self.leases.clone());
        let what = "Attempts to tell webhooks, by result";
        all.register("keywheel_deliveries", what, self.deliveries.clone());
        let what = "Requests that were answered, by route";
        all.register("keywheel_http_requests", what, self.requests.clone());
        let what = "How long requests took, by route";
        let seconds = self.request_seconds.clone();
        all.register_with_unit("keywheel_http_request_duration", what, Unit::Seconds, seconds);
    }

    fn register_stored(&mut self) {
        let (all, stored) = (&mut self.registry, &self.stored);
        let what = "Rotations by state; the same on every node";
        all.register("keywheel_rotation_states", what, stored.states.clone());
        let what = "Rotations that should have begun more than an hour ago; the same on every node";
        all.register("keywheel_rotations_overdue", what, stored.overdue.clone());
        let what = "Age of the oldest published key, 0 without keys; the same on every node";
        let age = stored.oldest_key_seconds.clone();
        all.register_with_unit("keywheel_oldest_key_age", what, Unit::Seconds, age);
        let what = "Keys that may be Keywheel's and whose owner has to decide; the same on every node";
        all.register("keywheel_key_suspects", what, stored.key_suspects.clone());
        let what = "Keys of rotated users that somebody else made; the same on every node";
        all.register("keywheel_foreign_keys", what, stored.foreign_keys.clone());
        let what = "Deliveries to webhooks that wait; the same on every node";
        all.register("keywheel_outbox_waiting", what, stored.outbox.clone());
        let what = "Whether the database answered when somebody last looked";
        all.register("keywheel_database_up", what, stored.database_up.clone());
        let what = "How long the database took to answer when somebody last looked";
        let took = stored.database_seconds.clone();
        all.register_with_unit("keywheel_database_answer", what, Unit::Seconds, took);
    }
}

fn short() -> Histogram {
    Histogram::new(SHORT)
}

fn long() -> Histogram {
    Histogram::new(LONG)
}

/// As seconds, the unit of Prometheus.
pub(super) fn seconds(length: Millis) -> f64 {
    Duration::from_millis(u64::try_from(length.get()).unwrap_or_default()).as_secs_f64()
}

/// Anybody can send any word as a method.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
