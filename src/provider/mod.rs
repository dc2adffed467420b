//! The providers that we call: one client pool each, one attempt with its deadlines, free probes.
//!
//! An attempt goes: a turn (`max_concurrent`), for an Ollama the context window and the model
//! load, the call, the status. What comes back is an [`Exchange`]: a body to be pumped, or a
//! [`Failure`] that says what the target's health learns and what may be tried next. Nothing
//! here decides which target that is: `dispatch` does.
//!
//! Two things of the device that only providers need are here as well: the [`Clock`] by which their
//! certificates are judged, and the [`NetworkChanges`] after which the ways to them are looked at
//! again.

mod ability;
mod about;
mod attempt;
mod call;
mod client;
mod clock;
mod connect;
mod context;
mod failure;
mod http1;
mod listing;
mod network;
mod ollama;
mod pool;
mod probe;
mod pump;
mod retry_after;
mod room;
mod slots;
mod tls;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Provider, ProviderName, Proxy};
use crate::dialect::Dialect;
use crate::lifecycle::Tasks;
use crate::provider::client::HttpClient;
use crate::provider::listing::Listing;
use crate::provider::ollama::Models;
use crate::provider::slots::Slots;
use crate::provider::wire::Paths;

pub use about::{About, MOST_ABOUT, Untold};
pub use call::{Call, ChatCall, CountCall, EmbedCall, Original};
pub use clock::Clock;
pub use failure::{Failure, Next, Phase, RETRY_BASE};
pub use network::NetworkChanges;
pub use pump::Pump;
pub use room::Room;
pub use slots::Turn;

/// How long the end of a transfer is waited for when all of its answer has come.
const TRANSFER_END: Duration = Duration::from_secs(1);

/// All configured providers.
#[derive(Debug, Clone)]
pub struct Providers {
    all: BTreeMap<ProviderName, Arc<Upstream>>,
    clock: Arc<Clock>,
}

impl Providers {
    /// Makes a client for each provider. Nothing is connected yet.
    ///
    /// # Errors
    /// Where a `ca_file` or an address cannot be used; the message names the provider.
    pub fn new(config: &Config, background: &Tasks, clock: &Arc<Clock>) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for (name, provider) in &config.providers {
            let (provider, clock) = (Arc::clone(provider), Arc::clone(clock));
            let upstream = Upstream::new(provider, &config.proxy, background.clone(), clock)
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("providers.{name}: {error}"))
                })?;
            all.insert(Arc::clone(name), Arc::new(upstream));
        }
        Ok(Self { all, clock: Arc::clone(clock) })
    }

    /// The provider of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.all.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.all.values()
    }

    /// The clock by which their certificates are judged.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }
}

/// One provider with everything that is known of it.
pub struct Upstream {
    config: Arc<Provider>,
    http: HttpClient,
    slots: Slots,
    models: Models,
    listing: Listing,
    paths: Paths,
    background: Tasks,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.config.name).finish_non_exhaustive()
    }
}

impl Upstream {
    fn new(
        config: Arc<Provider>,
        proxy: &Proxy,
        background: Tasks,
        clock: Arc<Clock>,
    ) -> io::Result<Self> {
        Ok(Self {
            http: HttpClient::new(&config, proxy, background.clone(), clock)?,
            slots: Slots::new(config.max_concurrent, config.max_waiting),
            models: Models::default(),
            listing: Listing::default(),
            paths: Paths::new(&config)?,
            config,
            background,
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &Arc<Provider> {
        &self.config
    }

    /// Forgets the connections that wait for a request: on another network they lead nowhere,
    /// without a word.
    pub fn close_idle(&self) {
        self.http.close_idle();
    }

    /// Whether a model of it is known to run beyond the device and its LAN.
    pub fn is_remote(&self, model: &str) -> bool {
        self.models.is_remote(model)
    }

    /// Lets an answer's transfer end by itself, for a moment, so that its connection can be used
    /// again. All of the answer has been read.
    pub fn let_end(&self, mut pump: Pump) {
        if pump.has_ended() {
            return;
        }
        self.background.spawn(async move {
            let end = async { while let Ok(Some(_)) = pump.next().await {} };
            tokio::time::timeout(TRANSFER_END, end).await.ok();
        });
    }

    /// What a request learned about a model's prompt: the estimate, and what was reported.
    pub fn learn_prompt(&self, model: &str, estimate: u32, reported: u64) {
        self.models.learn(model, estimate, reported);
    }

    /// The model's runner cut a prompt: the estimate was far too small.
    pub fn learn_cut(&self, model: &str) {
        self.models.cut(model);
    }
}

/// An answer that has begun: the head was good, the body is to be pumped.
#[derive(Debug)]
pub struct Exchange {
    /// The body.
    pub pump: Pump,
    /// The turn at the provider; to be held until the body has ended.
    pub turn: Turn,
    /// For an Ollama: the context window that the prompt had, in tokens.
    pub num_ctx: Option<u32>,
}
