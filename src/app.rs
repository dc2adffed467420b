//! The composition root: a checked configuration becomes parts, the parts become tasks, and a
//! signal ends them. The only module that may name every other.
//!
//! | task | waits for |
//! | --- | --- |
//! | one accept loop a listener | a connection or the drain; then a place for it |
//! | one task a connection | the client, the provider, the drain; then 2 s for a first request |
//! | prober | the health of a provider, its next probe, the probes under way |
//! | network watch | the kernel, the drain |
//! | clock keeper | a minute, the drain |
//! | reporter | ten seconds or half the interval that systemd gave, the queue's thread, the drain |
//! | pace keeper | a minute, the drain |
//! | worker, and one task a job that runs | the queue's line, the targets, the drain |
//! | `serve` itself | signals |

mod systemd;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::budget::{self, Budget};
use crate::config::{Config, ConfigError};
use crate::dispatch::Dispatch;
use crate::lifecycle::{Drain, Notify, Signal, Signals, Tasks};
use crate::provider::{Clock, NetworkChanges, Providers, Upstream};
use crate::queue::{self, Archive, Durability, Limits, Place, Queue, Weak};
use crate::server::{self, Gateway, Hands, ListenError};
use crate::summary::{Document, Progress, Summaries};
use crate::telemetry::{Metrics, log};

pub use systemd::{Given, hold_back};

/// Memory that the program takes whatever is asked of it: code, tables, the runtime, SQLite. The rest
/// of the cap is the budget, but for what the queue knows of each job without asking the database.
const BASE_BYTES: u64 = 6 * 1024 * 1024;
const JOB_BYTES: u64 = 256;

/// How long the queue's thread may take to close its database.
const CLOSING: Duration = Duration::from_secs(5);

/// How often it is seen whether the time of day is worth remembering, and how much later than the
/// last it has to be: each writes to flash.
const CLOCK_LOOKED_AT: Duration = Duration::from_mins(1);
const CLOCK_KEPT: Duration = Duration::from_hours(1);

/// Threads for name look-ups, and for the files of documents. More than one, so that one hung look-up
/// does not hold up the next, nor a slow disk.
const LOOKUP_THREADS: usize = 4;
const LOOKUP_STACK_BYTES: usize = 256 * 1024;

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A listener could not be bound.
    #[error("{0}")]
    Listen(ListenError),
    /// A part of the configuration that only shows when it is used: a certificate file, a header.
    #[error("{0}")]
    Parts(io::Error),
    /// The runtime could not be made.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

impl AppError {
    /// The exit code, by sysexits.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen(ListenError::Bind(_, error)) => match error.kind() {
                io::ErrorKind::PermissionDenied => 77,
                _ => 69,
            },
            Self::Listen(ListenError::Passed(_)) | Self::Parts(_) => 78,
            Self::Runtime(_) => 71,
        }
    }
}

/// Serves until a signal ends it: the first one drains, a second one aborts. Every reload signal
/// calls `reload`; where that fails the old configuration stays.
///
/// # Errors
/// Why it could not start.
pub fn serve(
    config: Config,
    reload: impl Fn() -> Result<Config, ConfigError> + Send + 'static,
    given: Given,
) -> Result<(), AppError> {
    runtime()?.block_on(run(config, reload, given))
}

fn runtime() -> Result<Runtime, AppError> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(LOOKUP_THREADS)
        .thread_stack_size(LOOKUP_STACK_BYTES)
        .thread_name("edgehold-lookup")
        .build()
        .map_err(AppError::Runtime)
}

async fn run(
    config: Config,
    reload: impl Fn() -> Result<Config, ConfigError>,
    given: Given,
) -> Result<(), AppError> {
    let mut signals = Signals::new().map_err(AppError::Runtime)?;
    let notify = Notify::new(&given.notify);
    let tasks = Tasks::new();
    let parts = Parts { config: Arc::new(config), background: Tasks::new(), clock: Arc::default() };
    let listeners = server::bind(&parts.config.server, given.passed).map_err(AppError::Listen)?;
    let queue = start_queue(&parts.config).map_err(AppError::Runtime)?;
    let gateway = parts.gateway(queue.clone()).map_err(AppError::Parts)?;
    notify.tick(false, Some("opening the queue's database"));
    queue.opened().await;
    if let Ok(Some(late)) = queue.remembered().await {
        parts.clock.raise(late);
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listeners.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", "),
        budget_bytes = gateway.budget.capacity(),
        "ready"
    );
    tasks.spawn(server::serve(Arc::clone(&gateway), listeners, tasks.clone()));
    tasks.spawn(systemd::tell(notify.clone(), Arc::clone(&gateway)));
    tasks.spawn(systemd::keep_pace(given.pace, gateway.drain.clone()));
    start_tasks(&gateway, &queue, &parts.clock, &tasks);
    notify.ready(&server::standing(&gateway));
    while let Signal::Reload = signals.next().await {
        notify.reloading();
        apply(&gateway, &parts, reload());
        notify.ready(&server::standing(&gateway));
    }
    notify.stopping();
    stop(&gateway, &tasks, &mut signals).await;
    // Its own handle is the last but those of requests that were cut off.
    drop(gateway);
    queue.close(CLOSING).await;
    Ok(())
}

/// Lets what runs come to its end, within the grace.
async fn stop(gateway: &Gateway, tasks: &Tasks, signals: &mut Signals) {
    gateway.drain.start();
    let grace = gateway.dispatch().config().server.grace;
    tracing::info!(grace_seconds = grace.as_secs(), "stopping");
    tokio::select! {
        left = tasks.finished(grace) => match left {
            0 => tracing::info!("stopped"),
            left => tracing::warn!(left, "the grace is over; requests were cut off"),
        },
        () = signals.stop() => tracing::warn!("second signal: stopped at once"),
    }
}

/// What goes on beside the requests, until the drain.
fn start_tasks(gateway: &Arc<Gateway>, queue: &Queue, clock: &Arc<Clock>, tasks: &Tasks) {
    let (hands, drain) = (Arc::new(Hands(Arc::clone(gateway))), gateway.drain.clone());
    tasks.spawn(queue::work(queue.clone(), hands, drain.clone(), tasks.clone()));
    tasks.spawn(keep_clock(Arc::clone(clock), queue.clone(), drain));
    tasks.spawn(probe(Arc::clone(gateway)));
    tasks.spawn(watch_network(Arc::clone(gateway)));
}

/// What parts are made of.
struct Parts {
    config: Arc<Config>,
    background: Tasks,
    clock: Arc<Clock>,
}

impl Parts {
    fn gateway(&self, queue: Queue) -> io::Result<Arc<Gateway>> {
        let summaries = Summaries::open(&self.config);
        Ok(Gateway::new(self.dispatch()?, Drain::new(), queue, summaries))
    }

    fn dispatch(&self) -> io::Result<Arc<Dispatch>> {
        let metrics = Arc::new(Metrics::default());
        let budget = Budget::new(budget_bytes(&self.config));
        let providers = Providers::new(&self.config, &self.background, &self.clock)?;
        Ok(Dispatch::new(Arc::clone(&self.config), providers, None, metrics, budget))
    }
}

/// Starts the queue's thread. A database that cannot be used is said in the log and in /status, and
/// stops nothing else.
fn start_queue(config: &Config) -> io::Result<Queue> {
    let weakened = &config.queue.weakened;
    let durability = Durability {
        weakened: match weakened.synchronous.as_deref() {
            Some("OFF") => Some(Weak::Off),
            Some("NORMAL") => Some(Weak::Normal),
            _ => None,
        },
        power_safe_overwrite: weakened.power_safe_overwrite,
    };
    if durability != Durability::default() {
        tracing::warn!(?durability, "the queue is weakened for a test: it will lose jobs");
    }
    let documents = config.summaries.path.clone();
    Queue::start(
        config.queue.path.clone().map(|path| Place { path, durability, documents }),
        limits(config),
    )
}

fn limits(config: &Config) -> Limits {
    let queue = &config.queue;
    Limits {
        quota: queue.quota,
        max_jobs: u64::from(queue.max_jobs),
        result_ttl: queue.result_ttl,
        max_attempts: queue.max_attempts,
    }
}

/// The cap, or the cgroup's own limit where that is lower, less what the program itself takes.
fn budget_bytes(config: &Config) -> u64 {
    let cap =
        budget::cgroup_limit().map_or(config.memory.cap, |limit| limit.min(config.memory.cap));
    let jobs = u64::from(config.queue.max_jobs) * JOB_BYTES;
    cap.saturating_sub(BASE_BYTES + jobs).max(BASE_BYTES / 4)
}

/// Serves a new configuration, or keeps the old one and says why. Listeners stay as they are.
fn apply(gateway: &Gateway, parts: &Parts, loaded: Result<Config, ConfigError>) {
    let old = gateway.dispatch();
    let made = loaded.map_err(|error| error.to_string()).and_then(|config| {
        let providers = Providers::new(&config, &parts.background, &parts.clock)
            .map_err(|error| error.to_string())?;
        Ok((Arc::new(config), providers))
    });
    match made {
        Ok((config, providers)) => {
            if config.server.listen != old.config().server.listen {
                tracing::warn!("server.listen changed: that takes a restart");
            }
            log::set_level(config.log.level);
            gateway.budget.set_capacity(budget_bytes(&config));
            gateway.queue.set_limits(limits(&config));
            let metrics = Arc::clone(&gateway.metrics);
            let budget = Arc::clone(&gateway.budget);
            gateway.replace(Dispatch::new(config, providers, Some(&old), metrics, budget));
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            tracing::error!(%error, "the new configuration is refused; the old one stays");
            gateway.reload_failed(error);
        }
    }
    old.wake_prober();
}

/// What is to be said of a cap that cannot be reached here; `None` where it can.
pub fn memory_warning(config: &Config) -> Option<String> {
    let (cap, limit) = (config.memory.cap, budget::cgroup_limit()?);
    (limit < cap).then(|| {
        format!(
            "memory.cap is {cap} bytes, but this cgroup has no more than {limit} (MemoryMax= of the \
             unit): the lower counts; change both together"
        )
    })
}

/// Probes providers that are worth it, under the configuration that is served now.
async fn probe(gateway: Arc<Gateway>) {
    let drain = gateway.drain.clone();
    loop {
        let dispatch = gateway.dispatch();
        tokio::select! {
            () = drain.started() => return,
            () = dispatch.probe() => {}
        }
    }
}

/// The version of SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    queue::sqlite_version()
}

/// Writes every job of a database that no service uses, each with all that is kept of it, as a line
/// of JSON. Returns how many there were.
///
/// # Errors
/// Why the database, or the rest of it, cannot be read.
pub fn export(path: &Path, mut write: impl FnMut(&str)) -> Result<usize, String> {
    let mut archive = Archive::open(path).map_err(|error| error.to_string())?;
    let (mut after, mut count) = (0, 0);
    loop {
        let jobs = archive.jobs_after(after).map_err(|error| error.to_string())?;
        let Some(last) = jobs.last() else { return Ok(count) };
        after = last.seq;
        for job in &jobs {
            let (payload, answer) = archive.bodies(&job.key).map_err(|error| error.to_string())?;
            write(&server::export_line(job, payload, answer));
            count += 1;
        }
    }
}

/// Has every provider looked at again when the network changed.
async fn watch_network(gateway: Arc<Gateway>) {
    let drain = gateway.drain.clone();
    let watching = async {
        let mut changes = NetworkChanges::listen()?;
        loop {
            changes.next().await?;
            gateway.dispatch().network_changed();
        }
    };
    let ended: Result<Infallible, io::Error> = tokio::select! {
        () = drain.started() => return,
        ended = watching => ended,
    };
    let Err(error) = ended;
    tracing::info!(%error, "changes of the network cannot be seen; probes alone find out");
}

/// Remembers the time of day while it is known to be right, for a start at which it is not: a device
/// without a battery begins in 1970.
async fn keep_clock(clock: Arc<Clock>, queue: Queue, drain: Drain) {
    let mut kept = clock.floor();
    let mut ticks = tokio::time::interval(CLOCK_LOOKED_AT);
    loop {
        let (least, last) = tokio::select! {
            () = drain.started() => (Duration::ZERO, true),
            _ = ticks.tick() => (CLOCK_KEPT, false),
        };
        if let Some(good) = clock.good()
            && good > kept.saturating_add(least.as_secs())
            && queue.remember(good).await.is_ok()
        {
            kept = good;
        }
        if last {
            return;
        }
    }
}

/// A document that is summarised without a service.
#[derive(Debug)]
pub struct Paperwork<'a> {
    /// A folder of its own for what passes.
    pub folder: &'a Path,
    /// The document.
    pub document: &'a Document,
    /// What is wanted, in the API's words.
    pub options: &'a [(&'static str, String)],
}

/// Makes a summary without a service. Why there is none comes with the status that the service would
/// have answered with.
///
/// # Errors
/// Where the parts cannot be made of the configuration.
pub fn summarize(
    config: &Config,
    paperwork: &Paperwork<'_>,
    mut show: impl FnMut(Progress),
) -> Result<Result<Value, (u16, String)>, AppError> {
    let mut config = config.clone();
    config.summaries.path = Some(paperwork.folder.to_owned());
    let parts = Parts { config: Arc::new(config), background: Tasks::new(), clock: Arc::default() };
    runtime()?.block_on(async {
        let dispatch = parts.dispatch().map_err(AppError::Parts)?;
        let summaries = Summaries::open(&parts.config);
        let (sender, mut progress) = watch::channel(Progress::default());
        let making = server::summarize(
            &summaries,
            &dispatch,
            paperwork.document,
            paperwork.options,
            &sender,
        );
        tokio::pin!(making);
        loop {
            tokio::select! {
                made = &mut making => return Ok(made),
                Ok(()) = progress.changed() => show(*progress.borrow_and_update()),
            }
        }
    })
}

/// What a probe of one provider found.
#[derive(Debug)]
pub struct ProbeReport {
    /// The provider's name.
    pub provider: String,
    /// Whether it can be reached.
    pub ok: bool,
    /// For a person: what it lists, or what is wrong.
    pub detail: String,
}

/// Probes every provider of a configuration once, at no cost.
///
/// # Errors
/// Where the parts cannot be made of the configuration.
pub fn probe_all(config: &Config) -> Result<Vec<ProbeReport>, AppError> {
    runtime()?.block_on(async {
        let background = Tasks::new();
        let providers =
            Providers::new(config, &background, &Arc::default()).map_err(AppError::Parts)?;
        let mut reports = Vec::new();
        for upstream in providers.iter() {
            let (ok, detail) = match upstream.probe().await {
                Ok(()) => (true, listed(upstream).await),
                Err((fault, why)) => (false, format!("{fault}: {why}")),
            };
            reports.push(ProbeReport { provider: upstream.config().name.to_string(), ok, detail });
        }
        Ok(reports)
    })
}

async fn listed(upstream: &Upstream) -> String {
    upstream.refresh_listing(true).await;
    match upstream.listed() {
        None => "reachable; it does not list its models".to_owned(),
        Some(names) if names.len() > 8 => format!("reachable; {} models", names.len()),
        Some(names) => format!("reachable; models: {}", names.join(", ")),
    }
}
