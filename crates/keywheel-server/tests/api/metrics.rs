//! `/metrics`: who may see them, and what moves them.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Method;
use keywheel_providers::observer::{CallObserver, CallResult, Called};
use serde_json::json;

use crate::rotations::stage::{ROTATIONS, Stage};
use crate::support::{Client, Fault, Machine, Op, TestApp, project};

const METRICS: &str = "/metrics";

/// Samples by their name with labels, as they are written.
fn read(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    samples.map(sample).collect()
}

async fn seen(client: &Client<'_>) -> BTreeMap<String, f64> {
    let seen = client.get(METRICS).await;
    assert_eq!(seen.status, 200);
    assert_eq!(
        seen.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    read(std::str::from_utf8(&seen.body).unwrap())
}

fn at(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    *samples
        .get(name)
        .unwrap_or_else(|| panic!("{name} is not among {samples:#?}"))
}

#[tokio::test]
async fn a_rotation_moves_the_counters() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.rotate(&id).await.ok();
    stage.iam.fail(Op::Issue, 1, Fault::Refused("AccessDenied", "no"));
    stage.rotate(&id).await;
    let displaced = &stage.iam.key_ids("demo-app")[0];
    stage
        .iam
        .fail(Op::Delete, 1, Fault::Refused("AccessDenied", "no"));
    let path = format!("{ROTATIONS}/{id}/keys/{displaced}/retire");
    stage.admin().post(&path, json!({})).await;
    let seen = seen(&stage.app.nobody()).await;
    for (outcome, trigger, count) in [
        ("published", "create", 1.0_f64),
        ("published", "manual", 1.0),
        ("failed", "manual", 1.0),
    ] {
        let name = format!("keywheel_rotations_total{{outcome=\"{outcome}\",trigger=\"{trigger}\"}}");
        assert_eq!(at(&seen, &name).to_bits(), count.to_bits(), "{name}");
    }
    let name = "keywheel_other_runs_total{goal=\"retire\",outcome=\"failed\"}";
    assert_eq!(at(&seen, name).to_bits(), 1_f64.to_bits());
    assert!(at(&seen, "keywheel_rotation_duration_seconds_count") > 2.5);
    assert!(at(&seen, "keywheel_step_duration_seconds_count{step=\"verify\"}") > 5.5);
    assert!(at(&seen, "keywheel_rotation_states{state=\"failing\"}") > 0.5);
    for nothing in [
        "keywheel_rotation_states{state=\"healthy\"}",
        "keywheel_rotations_overdue",
        "keywheel_leases_held",
        "keywheel_key_suspects",
        "keywheel_outbox_waiting",
    ] {
        assert_eq!(at(&seen, nothing).to_bits(), 0_f64.to_bits(), "{nothing}");
    }
    assert_eq!(at(&seen, "keywheel_database_up").to_bits(), 1_f64.to_bits());
    let route = format!("{ROTATIONS}/{{rotationId}}/rotate-secrets");
    let name = format!("keywheel_http_requests_total{{method=\"POST\",route=\"{route}\",status=\"200\"}}");
    assert_eq!(at(&seen, &name).to_bits(), 1_f64.to_bits());
}

#[tokio::test]
async fn what_somebody_sends_is_no_label() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    for path in [
        "/planted/path",
        "/api/planted",
        &format!("/api/v1/projects/{project}?x=planted"),
    ] {
        admin.get(path).await;
    }
    let planted = Method::from_bytes(b"PLANTED").unwrap();
    admin.send(planted, "/api/status", &[], Body::empty()).await;
    let samples = seen(&app.nobody()).await;
    let labelled: BTreeSet<&String> = samples.keys().collect();
    for name in labelled {
        assert!(
            !name.to_lowercase().contains("planted") && !name.contains(&project),
            "{name}"
        );
    }
    assert!(
        at(
            &samples,
            "keywheel_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}"
        ) > 0.5
    );
    assert!(samples.keys().any(|name| name.contains("method=\"other\"")));
}

#[tokio::test]
async fn strangers_and_those_behind_a_proxy_do_not_see_metrics() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let machine = Machine::make(&admin, "member", json!({})).await;
    let member = machine.client(&app).await;
    for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        let headers = [(header, "127.0.0.1")];
        let asked =
            async |client: &Client<'_>| client.send(Method::GET, METRICS, &headers, Body::empty()).await;
        asked(&app.nobody())
            .await
            .refused(401, "UnauthorizedError", "Token missing");
        asked(&member)
            .await
            .refused(403, "PermissionDenied", "You are not allowed to read on metrics");
        assert_eq!(asked(&admin).await.status, 200);
    }
    for host in [
        "keywheel.example",
        "10.0.0.1:8080",
        "127.0.0.1.example",
        "localhost.example",
        "",
    ] {
        let seen = app
            .nobody()
            .send(Method::GET, METRICS, &[("host", host)], Body::empty())
            .await;
        seen.refused(401, "UnauthorizedError", "Token missing");
    }
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.2", "[::1]:8080"] {
        let seen = app
            .nobody()
            .send(Method::GET, METRICS, &[("host", host)], Body::empty())
            .await;
        assert_eq!(seen.status, 200, "{host}");
    }
    let nobody = app.nobody().at_address("10.0.0.9");
    nobody
        .get(METRICS)
        .await
        .refused(401, "UnauthorizedError", "Token missing");
}

#[tokio::test]
async fn a_trusted_proxy_on_this_machine_is_no_caller_on_it() {
    let proxy = [("KEYWHEEL_TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_with(std::sync::Arc::new(crate::support::FakeAws), &proxy).await;
    let seen = app.nobody().get(METRICS).await;
    seen.refused(401, "UnauthorizedError", "Token missing");
}

#[tokio::test]
async fn calls_to_aws_are_counted_by_what_they_ended_in() {
    let app = TestApp::start().await;
    for result in [CallResult::Success, CallResult::Success, CallResult::Throttled] {
        app.app.metrics().called(&Called {
            operation: "GetUser",
            result,
            took: std::time::Duration::from_secs(2),
        });
    }
    let seen = seen(&app.nobody()).await;
    for (sample, count) in [
        ("calls_total{operation=\"GetUser\",result=\"success\"}", 2.0_f64),
        ("calls_total{operation=\"GetUser\",result=\"throttled\"}", 1.0),
        ("call_duration_seconds_sum{operation=\"GetUser\"}", 6.0),
    ] {
        let name = format!("keywheel_aws_{sample}");
        assert_eq!(at(&seen, &name).to_bits(), count.to_bits(), "{name}");
    }
}

#[tokio::test]
async fn the_age_of_the_oldest_key_is_told_in_seconds() {
    let stage = Stage::set().await;
    stage.rotation().await;
    stage.app.pass(keywheel_core::clock::Millis::from_hours(2));
    let seen = seen(&stage.app.nobody()).await;
    assert_eq!(
        at(&seen, "keywheel_oldest_key_age_seconds").to_bits(),
        7_200_f64.to_bits()
    );
}

#[tokio::test]
async fn with_an_address_of_their_own_metrics_are_not_on_the_api() {
    let own = [("KEYWHEEL_METRICS_LISTEN", "127.0.0.1:0")];
    let app = TestApp::start_with(std::sync::Arc::new(crate::support::FakeAws), &own).await;
    let text = "Metrics are at the address of the setting metrics_listen";
    app.nobody().get(METRICS).await.refused(404, "NotFound", text);
}

#[tokio::test]
async fn the_database_is_asked_once_in_a_while() {
    let stage = Stage::set().await;
    let nobody = stage.app.nobody();
    let healthy = "keywheel_rotation_states{state=\"healthy\"}";
    assert_eq!(at(&seen(&nobody).await, healthy).to_bits(), 0_f64.to_bits());
    stage.rotation().await;
    assert_eq!(at(&seen(&nobody).await, healthy).to_bits(), 0_f64.to_bits());
    stage.app.clock.pass(keywheel_core::clock::Millis::from_secs(10));
    assert_eq!(at(&seen(&nobody).await, healthy).to_bits(), 1_f64.to_bits());
}
