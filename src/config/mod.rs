//! The configuration: checked types with every default filled in.
//!
//! `file` mirrors the TOML word for word; this module turns that into types in which a wrong state
//! cannot be written. Nothing else in the crate reads TOML or the environment's settings.

mod check;
mod describe;
mod file;
mod load;
mod names;
mod secret;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use load::{ConfigError, Env, Problem};
pub use names::{Conflict, TARGET};
pub use secret::{Key, KeyError, KeySource, Secret};
pub use units::parse_wait;

/// Everything that can be configured, checked and with defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it came from; `None` is the built-in default.
    pub source: Option<PathBuf>,
    /// Listeners and what a client may do to them.
    pub server: Server,
    /// The memory that edgehold may use.
    pub memory: Memory,
    /// What is logged.
    pub log: Log,
    /// How long each phase of an attempt may take.
    pub deadlines: Deadlines,
    /// Retries, waits and the breaker.
    pub routing: Routing,
    /// Accounts and endpoints that we call, by name.
    pub providers: BTreeMap<ProviderName, Arc<Provider>>,
    /// Names of providers of kind `builtin`: what edgehold does itself, and nobody is called for.
    pub builtins: BTreeSet<ProviderName>,
    /// Local names for models, by name.
    pub models: BTreeMap<String, Alias>,
    /// Who may call, in file order. Empty: anybody who reaches a loopback or Unix listener.
    pub clients: Vec<Client>,
    /// The durable queue.
    pub queue: Queue,
    /// How documents are read and summarised.
    pub summaries: Summaries,
    /// The outgoing HTTP proxy, as the environment names it.
    pub proxy: Proxy,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Addresses to listen on. At least one.
    pub listen: Vec<Listen>,
    /// Further `name` or `name:port` values that a Host header may have, in lower case.
    pub hosts: Vec<String>,
    /// Permission bits of a Unix socket.
    pub socket_mode: u32,
    /// Largest request body in bytes.
    pub max_body: u64,
    /// Largest document to be summarised, in bytes: it is spooled to the disk and not held.
    pub max_document: u64,
    /// Most connections open at once.
    pub max_connections: usize,
    /// How long running requests may go on after a stop signal.
    pub grace: Duration,
    /// How long a request's head may take from its first byte.
    pub header_timeout: Duration,
    /// How long a request's body may stand still.
    pub body_timeout: Duration,
    /// How long a connection may be kept without a request.
    pub idle_timeout: Duration,
    /// How long a client may refuse to take bytes of an answer.
    pub write_timeout: Duration,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// `[memory]`
#[derive(Debug, Clone)]
pub struct Memory {
    /// Most bytes of resident memory; the cgroup's own limit lowers it at start.
    pub cap: u64,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// The least severe level that is written.
    pub level: Level,
}

/// A log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Only what needs a person.
    Error,
    /// What may soon need one.
    Warn,
    /// Starts, stops, reloads, changes of reachability.
    Info,
    /// Each request and attempt.
    Debug,
    /// Each step.
    Trace,
}

/// `[deadlines]`, also in a provider's table, where they override these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Name look-up, TCP connect and TLS handshake together.
    pub connect: Duration,
    /// Loading a model into an Ollama.
    pub load: Duration,
    /// From the request sent to the first token.
    pub first_token: Duration,
    /// Between two pieces of a stream.
    pub idle: Duration,
    /// The whole request, all attempts and waits included.
    pub total: Duration,
}

/// `[routing]`
#[derive(Debug, Clone)]
pub struct Routing {
    /// Most retries of one target within a request.
    pub retries: u32,
    /// Longest Retry-After that is waited out within a request, when no other target is left.
    pub max_wait: Duration,
    /// Failures in a row that open a target's breaker.
    pub breaker_failures: u32,
    /// How long an open breaker waits before one trial is let through.
    pub breaker_cooldown: Duration,
}

/// A provider's name in the configuration.
pub type ProviderName = Arc<str>;

/// `[providers.NAME]`
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: ProviderName,
    /// What it speaks.
    pub kind: ProviderKind,
    /// `http` or `https`, host, port and path without a trailing slash.
    pub base_url: BaseUrl,
    /// The key that it wants, if any. Only ever sent to `base_url`'s origin.
    pub api_key: Option<KeySource>,
    /// Whether it is on this device or its LAN.
    pub place: Place,
    /// Further request headers, in file order. Their values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// Further query parameters (`api-version` and the like), in file order.
    pub query: Vec<(String, String)>,
    /// A PEM file of roots to trust for this provider in place of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// Most calls at once; further ones wait their turn.
    pub max_concurrent: usize,
    /// Most requests that wait for a turn.
    pub max_waiting: usize,
    /// How long a request waits for a turn or a model load here before its next target is tried.
    pub patience: Duration,
    /// Ollama: how long a model stays loaded after its last use, in Ollama's own notation.
    pub keep_alive: String,
    /// Most tokens of prompt and answer: for an Ollama the largest `num_ctx` that is ever asked
    /// for, for others what their models can take, where that is known.
    pub max_context: Option<u32>,
    /// Largest whole answer, and largest single stream event, in bytes.
    pub max_answer: u64,
    /// Fields of a request that it refuses: they are left out of every body.
    pub omit: Vec<String>,
    /// What its models cannot do.
    pub lacks: Vec<Ability>,
    /// Whether its answers follow a JSON schema by its own doing, and need not be checked.
    pub enforces_schema: bool,
    /// How long each phase may take here.
    pub deadlines: Deadlines,
}

/// The one model of a provider of kind `builtin`: it extracts sentences, and answers summaries only.
pub const EXTRACTIVE: &str = "extractive";

/// The name of the provider of kind `builtin` that is always there, unless another has its name.
pub const BUILTIN: &str = "builtin";

/// Something that not every model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Turning text into vectors.
    Embeddings,
    /// Looking at pictures.
    Images,
    /// Answering by a JSON schema.
    JsonSchema,
    /// Calling tools.
    Tools,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Ollama's native API.
    Ollama,
    /// OpenAI's API, or a compatible one.
    OpenAi,
}

/// Where a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this device or its LAN.
    Local,
    /// Beyond it.
    Cloud,
}

/// A checked base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether TLS is used.
    pub https: bool,
    /// Host name or IP literal, without brackets.
    pub host: String,
    /// Port, the scheme's own where none was named.
    pub port: u16,
    /// Path without a trailing slash; may be empty.
    pub path: String,
}

/// `[models.NAME]`
#[derive(Debug, Clone)]
pub struct Alias {
    /// Targets in order of preference. At least one.
    pub targets: Arc<[Target]>,
    /// Targets whose answers are worth waiting for, the best first: a job that asks for it is
    /// answered by a local target at once, and again by the first of these that can be reached.
    pub refine: Arc<[Target]>,
    /// Where requests for it may be served.
    pub locality: Locality,
}

/// One model of one provider.
#[derive(Debug, Clone, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The provider's name.
    pub provider: ProviderName,
    /// The model's name there.
    pub model: Arc<str>,
    /// Both, as people write them: every request has to say it several times.
    name: Arc<str>,
}

impl Target {
    /// A model of a provider.
    pub fn new(provider: ProviderName, model: &str) -> Self {
        let name = Arc::from(format!("{provider}/{model}"));
        Self { provider, model: Arc::from(model), name }
    }

    /// The extracts that edgehold makes itself, at the provider of this name.
    pub fn extractive(provider: ProviderName) -> Self {
        Self::new(provider, EXTRACTIVE)
    }

    /// `provider/model`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

// A provider's name holds no slash, so that the name says both.
impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Where a request may be served. The strictest of all that apply wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locality {
    /// Anywhere.
    #[default]
    Any,
    /// Only beyond the device and its LAN.
    Cloud,
    /// Only on the device or its LAN.
    Local,
}

/// `[[clients]]`
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name in logs and metrics.
    pub name: String,
    /// The bearer token that it shows.
    pub token: KeySource,
    /// Where its requests may be served.
    pub locality: Locality,
}

/// `[queue]`
#[derive(Debug, Clone)]
pub struct Queue {
    /// The database's file; `None` where no folder for it is known.
    pub path: Option<PathBuf>,
    /// Most bytes of the database.
    pub quota: u64,
    /// Most jobs, finished ones among them.
    pub max_jobs: u32,
    /// How long after its acceptance a job is worth doing, where it does not say.
    pub ttl: Duration,
    /// How long a result is kept.
    pub result_ttl: Duration,
    /// Most calls of upstreams for one job.
    pub max_attempts: u32,
    /// Most jobs that run at once.
    pub concurrency: usize,
    /// How the tests of power cuts weaken it. Only builds with debug assertions read this.
    pub weakened: Weakened,
}

/// `[summaries]`
#[derive(Debug, Clone)]
pub struct Summaries {
    /// The folder in which documents are spooled; `None` where no folder for it is known.
    pub path: Option<PathBuf>,
    /// Most bytes of all documents that are there.
    pub quota: u64,
    /// Most memory that the reading of one document may take, in bytes.
    pub memory: u64,
    /// Most processor time that the reading of one document may take.
    pub time: Duration,
    /// What the process that reads documents is run under: an emulator and its arguments. Empty for
    /// a binary that the system runs by itself.
    pub runner: Vec<String>,
    /// Whether a prompt that its runner cut goes unnoticed. Only builds with debug assertions read
    /// this: the tests show by it that cuts are noticed.
    pub is_blind: bool,
}

/// What the negative controls of the power cut tests ask for: a queue that loses jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weakened {
    /// `OFF` or `NORMAL` in place of FULL.
    pub synchronous: Option<String>,
    /// Whether neighbours of a sector that is being written are taken to be safe.
    pub power_safe_overwrite: bool,
}

/// The outgoing proxy: the values of `HTTP_PROXY`, `HTTPS_PROXY` (or `ALL_PROXY`) and
/// `NO_PROXY`.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// For `http` addresses. May hold a password.
    pub http: Option<Secret>,
    /// For `https` addresses. May hold a password.
    pub https: Option<Secret>,
    /// Hosts that are reached without a proxy.
    pub no: Option<String>,
}

#[cfg(test)]
mod tests;
