//! Liveness, readiness, state and metrics.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Response;
use serde_json::{Map, Value, json};

use crate::budget::resident_bytes;
use crate::chat::{Error, Kind};
use crate::config::{Config, TARGET};
use crate::dispatch::Dispatch;
use crate::queue::{Facts, State};
use crate::server::Gateway;
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::respond::{JSON, text, whole};
use crate::telemetry::Gauge;

/// The media type of Prometheus' text format 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// 200 while requests are taken; 503 once the service is stopping.
pub(super) fn ready(gateway: &Gateway) -> Result<Response<Reply>, Failed> {
    if gateway.drain.is_draining() {
        let error = Error::new(Kind::Unavailable, "edgehold is stopping");
        return Err(error.retry_after(Duration::from_secs(5)).into());
    }
    Ok(text("ready\n"))
}

/// Everything that an operator asks first, as JSON.
pub(super) fn status(gateway: &Gateway, dispatch: &Dispatch) -> Response<Reply> {
    let mut body = state(gateway, dispatch).to_string();
    body.push('\n');
    whole(body, JSON)
}

/// The state that /status and the page show.
pub(super) fn state(gateway: &Gateway, dispatch: &Dispatch) -> Value {
    let snapshot = dispatch.snapshot();
    let config = dispatch.config();
    let facts = gateway.queue.facts();
    let providers: Vec<Value> = snapshot
        .providers
        .iter()
        .map(|it| {
            let provider = config.providers.get(&it.name);
            json!({
                "name": &*it.name,
                "kind": provider.map(|provider| provider.kind.to_string()),
                "place": provider.map(|provider| provider.place.to_string()),
                "reach": it.reach,
                "why": it.why,
                "retry_in_seconds": it.retry_in.map(|wait| wait.as_secs_f64()),
            })
        })
        .collect();
    let targets: Vec<Value> = snapshot
        .targets
        .iter()
        .map(|it| {
            json!({
                "target": it.target.to_string(),
                "state": it.state,
                "why": it.why,
                "retry_in_seconds": it.retry_in.map(|wait| wait.as_secs_f64()),
            })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "target": TARGET,
        "uptime_seconds": gateway.began.elapsed().as_secs(),
        "state": if gateway.drain.is_draining() { "draining" } else { "ready" },
        "connectivity": snapshot.connectivity.to_string(),
        "connectivity_why": snapshot.connectivity_why,
        "clock": clock(dispatch),
        "memory": {
            "cap_bytes": config.memory.cap,
            "budget_bytes": gateway.budget.capacity(),
            "reserved_bytes": gateway.budget.used(),
            "peak_bytes": gateway.budget.peak(),
            "resident_bytes": resident_bytes(),
            "shed_total": gateway.budget.sheds(),
        },
        "providers": providers,
        "targets": targets,
        "queue": queue(&facts),
        "documents": documents(gateway, config, &facts),
        "connections": gateway.metrics.connections(),
        "streams": gateway.metrics.streams(),
        "config": configuration(gateway, config),
    })
}

/// Where the configuration is from, and what became of the last reload.
fn configuration(gateway: &Gateway, config: &Config) -> Value {
    let reload = gateway.reload();
    let failed = reload.failed.as_ref();
    json!({
        "source": config.source.as_ref().map(|path| path.display().to_string()),
        "loaded_at": unix_seconds(reload.loaded),
        "reload_error": failed.map(|(error, _)| error),
        "reload_failed_at": failed.map(|(_, at)| unix_seconds(*at)),
        "reload_failures": reload.failures,
    })
}

/// A clock from before 1970 counts as 1970.
fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How the queue stands, and what has happened in it since the start.
fn queue(facts: &Facts) -> Value {
    let jobs: Map<String, Value> = State::ALL
        .into_iter()
        .map(|state| (state.word().to_owned(), facts.counts.of(state).into()))
        .collect();
    let set_aside: Vec<Value> = facts
        .set_aside
        .iter()
        .map(|(path, why)| json!({"path": path.display().to_string(), "why": why}))
        .collect();
    let totals: Map<String, Value> = facts
        .totals
        .all()
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect();
    json!({
        "state": if facts.closed.is_some() { "closed" } else { "open" },
        "why": facts.closed,
        "full": facts.full,
        "path": facts.path.display().to_string(),
        "jobs": jobs,
        "bytes": facts.bytes,
        "quota_bytes": facts.quota,
        "since_start": totals,
        "set_aside": set_aside,
    })
}

/// What lies on the disk of documents: those of jobs, and what is being read for clients that wait.
fn documents(gateway: &Gateway, config: &Config, facts: &Facts) -> Value {
    let spool = gateway.summaries.spool();
    json!({
        "path": spool.as_ref().ok().map(|spool| spool.folder().display().to_string()),
        "why": spool.as_ref().err().map(|error| error.message.clone()),
        "jobs": facts.documents,
        "job_bytes": facts.document_bytes,
        "passing_bytes": spool.as_ref().map_or(0, |spool| spool.held()),
        "quota_bytes": config.summaries.quota,
    })
}

fn clock(dispatch: &Dispatch) -> Value {
    let clock = dispatch.clock_state();
    json!({
        "now": clock.now,
        "floor": clock.floor,
        "suspect": clock.why.is_some(),
        "why": clock.why,
    })
}

/// Counters and gauges in Prometheus' text format.
pub(super) fn metrics(gateway: &Gateway, dispatch: &Dispatch) -> Response<Reply> {
    let mut gauges = memory_gauges(gateway, dispatch);
    gauges.extend(health_gauges(dispatch));
    gauges.extend(config_gauges(gateway));
    gauges.extend(queue_gauges(&gateway.queue.facts()));
    whole(gateway.metrics.render(&gauges), PROMETHEUS)
}

/// One without labels.
fn gauge(name: &'static str, help: &'static str, value: u64) -> Gauge {
    Gauge { name, help, labels: Vec::new(), value: as_float(value) }
}

fn memory_gauges(gateway: &Gateway, dispatch: &Dispatch) -> Vec<Gauge> {
    let budget = &gateway.budget;
    vec![
        gauge(
            "edgehold_memory_cap_bytes",
            "Most resident memory allowed.",
            dispatch.config().memory.cap,
        ),
        gauge(
            "process_resident_memory_bytes",
            "Resident memory.",
            resident_bytes().unwrap_or_default(),
        ),
        gauge("edgehold_budget_capacity_bytes", "Memory there is to give out.", budget.capacity()),
        gauge("edgehold_budget_reserved_bytes", "Memory given out.", budget.used()),
        gauge("edgehold_budget_peak_bytes", "Most memory given out at once.", budget.peak()),
        gauge("edgehold_budget_shed_total", "Reservations refused.", budget.sheds()),
        gauge(
            "edgehold_uptime_seconds",
            "Time since the start.",
            gateway.began.elapsed().as_secs(),
        ),
    ]
}

fn config_gauges(gateway: &Gateway) -> Vec<Gauge> {
    let reload = gateway.reload();
    vec![
        gauge(
            "edgehold_config_last_reload_successful",
            "0 while the last reload was refused and the configuration before it is served.",
            u64::from(reload.failed.is_none()),
        ),
        gauge(
            "edgehold_config_loaded_timestamp_seconds",
            "When the configuration was read that is served.",
            unix_seconds(reload.loaded),
        ),
        gauge(
            "edgehold_config_reload_failures_total",
            "Reloads that were refused.",
            reload.failures,
        ),
    ]
}

fn queue_gauges(facts: &Facts) -> Vec<Gauge> {
    let mut gauges = vec![
        gauge(
            "edgehold_queue_open",
            "1 while the queue can be used.",
            u64::from(facts.closed.is_none()),
        ),
        gauge("edgehold_queue_bytes", "Bytes of its database in use.", facts.bytes),
        gauge("edgehold_queue_quota_bytes", "Most bytes of its database.", facts.quota),
        gauge("edgehold_documents_bytes", "Bytes of the documents of jobs.", facts.document_bytes),
        gauge(
            "edgehold_queue_set_aside",
            "Damaged databases set aside since the start.",
            facts.set_aside.len() as u64,
        ),
    ];
    for state in State::ALL {
        let labels = vec![("state", state.word().to_owned())];
        let all = gauge("edgehold_jobs", "Jobs by state.", facts.counts.of(state));
        gauges.push(Gauge { labels, ..all });
    }
    for (what, count) in facts.totals.all() {
        let labels = vec![("what", what.to_owned())];
        let help = "What has happened to jobs since the start.";
        gauges.push(Gauge { labels, ..gauge("edgehold_jobs_total", help, count) });
    }
    gauges
}

fn health_gauges(dispatch: &Dispatch) -> Vec<Gauge> {
    let snapshot = dispatch.snapshot();
    let mut gauges = vec![Gauge {
        name: "edgehold_connectivity",
        help: "1 for the state that the way to the cloud is in.",
        labels: vec![("state", snapshot.connectivity.to_string())],
        value: 1.0,
    }];
    for provider in &snapshot.providers {
        gauges.push(Gauge {
            name: "edgehold_provider_reach",
            help: "1 for the state that the way to a provider is in.",
            labels: vec![
                ("gen_ai_provider_name", provider.name.to_string()),
                ("state", provider.reach.to_string()),
            ],
            value: 1.0,
        });
    }
    for target in &snapshot.targets {
        gauges.push(Gauge {
            name: "edgehold_target_state",
            help: "1 for the state that a target is in.",
            labels: vec![
                ("target", target.target.to_string()),
                ("state", target.state.to_string()),
            ],
            value: 1.0,
        });
    }
    gauges
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are 64-bit floats")]
fn as_float(value: u64) -> f64 {
    value as f64
}
