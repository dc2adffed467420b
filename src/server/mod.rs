//! What clients talk to: listeners, connections with their limits, paths, and the one table that
//! turns error kinds into HTTP statuses.
//!
//! A connection's bytes pass [`conn`]'s guard before hyper sees them. A request passes `gate`
//! (Host, Origin, token), then its path's handler. Nothing is read from a client before the
//! memory for it is reserved.

pub mod conn;

mod admin;
mod bind;
mod body;
mod events;
mod failed;
mod gate;
mod inference;
mod jobs;
mod listen;
mod models;
mod names;
mod ollama;
mod page;
mod query;
mod respond;
mod route;
mod standing;
mod summaries;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use crate::budget::Budget;
use crate::chat::{Error, Kind};
use crate::dialect::Door;
use crate::dispatch::Dispatch;
use crate::lifecycle::Drain;
use crate::queue::Queue;
use crate::random;
use crate::server::body::Reply;
use crate::server::conn::Busy;
use crate::server::failed::Failed;
use crate::server::gate::Gate;
use crate::server::names::{TARGET, X_REQUEST_ID};
use crate::server::route::{Found, Route, Voice};
use crate::summary::Summaries;
use crate::telemetry::Metrics;

pub use bind::{ListenError, Listener, bind};
pub use jobs::{Hands, export_line};
pub use listen::serve;
pub use standing::standing;
pub use summaries::summarize;

/// What all connections share.
pub struct Gateway {
    current: RwLock<Arc<Current>>,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// The memory there is to give out.
    pub budget: Arc<Budget>,
    /// Whether the service is stopping.
    pub drain: Drain,
    /// Jobs.
    pub queue: Queue,
    /// Who makes summaries.
    pub summaries: Summaries,
    reload: Mutex<Reload>,
    began: Instant,
    ids: Ids,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// What became of the configuration's file.
pub(in crate::server) struct Reload {
    /// When the configuration was read that is served.
    pub(in crate::server) loaded: SystemTime,
    /// What the last reload failed with, and when; `None` where it did not.
    pub(in crate::server) failed: Option<(String, SystemTime)>,
    /// How many have failed since the start.
    pub(in crate::server) failures: u64,
}

impl Default for Reload {
    fn default() -> Self {
        Self { loaded: SystemTime::now(), failed: None, failures: 0 }
    }
}

/// What a reload replaces.
pub(in crate::server) struct Current {
    dispatch: Arc<Dispatch>,
    gate: Gate,
}

impl Gateway {
    /// A gateway that serves `dispatch`'s configuration.
    pub fn new(
        dispatch: Arc<Dispatch>,
        drain: Drain,
        queue: Queue,
        summaries: Summaries,
    ) -> Arc<Self> {
        let gate = Gate::new(dispatch.config());
        Arc::new(Self {
            metrics: Arc::clone(dispatch.metrics()),
            budget: Arc::clone(dispatch.budget()),
            current: RwLock::new(Arc::new(Current { dispatch, gate })),
            drain,
            queue,
            summaries,
            reload: Mutex::default(),
            began: Instant::now(),
            ids: Ids::new(),
        })
    }

    /// Serves another configuration from the next request on.
    pub fn replace(&self, dispatch: Arc<Dispatch>) {
        let gate = Gate::new(dispatch.config());
        let next = Arc::new(Current { dispatch, gate });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        let mut reload = self.reload();
        *reload = Reload { loaded: SystemTime::now(), failed: None, failures: reload.failures };
    }

    /// Keeps what a reload failed with: the configuration stays as it is.
    pub fn reload_failed(&self, error: String) {
        let mut reload = self.reload();
        reload.failures += 1;
        reload.failed = Some((error, SystemTime::now()));
    }

    fn reload(&self) -> MutexGuard<'_, Reload> {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests are served by now.
    pub fn dispatch(&self) -> Arc<Dispatch> {
        Arc::clone(&self.current().dispatch)
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers one request. Never fails: every error becomes a response.
    pub(in crate::server) async fn answer(
        self: Arc<Self>,
        peer: Peer,
        busy: Busy,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, Infallible> {
        let asked = Asked::new(&self, &request);
        let head_only = request.method() == Method::HEAD;
        let response = match self.handle(&asked, &peer, request).await {
            Ok(response) => response,
            Err(failed) => respond::error(asked.voice, &failed),
        };
        let response = respond::finish(response, asked.id.clone(), asked.voice, head_only);
        let (path, status) =
            (asked.route.map_or("other", Route::label), response.status().as_u16());
        self.metrics.request(path, status);
        let by = response.headers().get(&TARGET);
        tracing::debug!(id = asked.id(), path, status, by = ?by, "answered");
        Ok(response.map(|reply| reply.keeping(busy)))
    }

    async fn handle(
        self: &Arc<Self>,
        asked: &Asked,
        peer: &Peer,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, Failed> {
        let current = self.current();
        let caller = current.gate.admit(asked.route, peer, &request)?;
        let found = route::find(&request)?;
        let route = match found {
            Found::Options(allow) => return Ok(respond::options(&allow)),
            Found::Route(route) => route,
        };
        match route {
            Route::Ask
            | Route::Chat
            | Route::Completions
            | Route::CountTokens
            | Route::Embeddings
            | Route::Messages
            | Route::OllamaChat
            | Route::OllamaEmbed
            | Route::OllamaEmbeddings
            | Route::OllamaGenerate
            | Route::OllamaShow
            | Route::Responses => {
                inference::serve(self, &current, asked, route, &caller, request).await
            }
            Route::Job
            | Route::JobEvents
            | Route::JobExport
            | Route::JobResult
            | Route::JobRetry
            | Route::Jobs => {
                // Every connection would else have room for what few of them ask.
                Box::pin(jobs::serve(self, &current, asked, route, &caller, request)).await
            }
            Route::Summaries => {
                Box::pin(summaries::serve(self, &current, asked, &caller, request)).await
            }
            Route::Response | Route::ResponseCancel => {
                jobs::background(self, route, &caller, &request).await
            }
            Route::Models => models::list(&current.dispatch, request.headers()).await,
            Route::OllamaTags => ollama::tags(&current.dispatch).await,
            Route::OllamaPs => ollama::ps(&current.dispatch).await,
            Route::OllamaVersion => ollama::version(&current.dispatch).await,
            // The table of paths refuses them.
            Route::OllamaBlob | Route::OllamaChange | Route::OllamaDelete => {
                Err(Error::new(Kind::Forbidden, "the models of an Ollama are not changed here")
                    .into())
            }
            Route::Model => models::one(&current.dispatch, &caller, &request).await,
            Route::Health => Ok(respond::text("ok\n")),
            Route::Ready => admin::ready(self),
            Route::Status => Ok(admin::status(self, &current.dispatch)),
            Route::Metrics => Ok(admin::metrics(self, &current.dispatch)),
            Route::Page if !accepts_html(request.headers()) => Ok(respond::text(OLLAMA_HERE)),
            Route::Page => Ok(page::render(self, &current.dispatch)),
        }
    }
}

/// What is known of a request before anything is decided about it.
pub(in crate::server) struct Asked {
    /// Its id: the client's own where that is fit to be repeated, else ours.
    pub(in crate::server) id: HeaderValue,
    /// Where its path leads, if it leads anywhere.
    pub(in crate::server) route: Option<Route>,
    /// The form of its answer.
    pub(in crate::server) voice: Voice,
}

/// What clients of an Ollama look for at the root, to the letter.
const OLLAMA_HERE: &str = "Ollama is running";

fn accepts_html(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|media| media.trim_start().starts_with("text/html"))
}

impl Asked {
    fn new(gateway: &Gateway, request: &Request<Incoming>) -> Self {
        let theirs = request.headers().get(&X_REQUEST_ID).filter(|id| is_plain_id(id.as_bytes()));
        let id = theirs.cloned().unwrap_or_else(|| gateway.ids.next());
        let path = request.uri().path();
        let route = route::of_path(path);
        let voice = match route {
            Some(Route::Summaries) if summaries::wants_text(request.headers()) => {
                Voice::Door(Door::Ask)
            }
            Some(route) => route.voice(),
            None => route::voice_of_unknown(path),
        };
        Self { id, route, voice }
    }

    /// The dialect's form of its answer.
    pub(in crate::server) fn door(&self) -> Door {
        match self.voice {
            Voice::Door(door) => door,
            Voice::Problem => Door::Chat,
        }
    }

    /// Its id, as text.
    pub(in crate::server) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }
}

fn is_plain_id(id: &[u8]) -> bool {
    (1..=64).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Who is at the other end of a connection, and where it came in.
#[derive(Debug, Clone)]
pub(in crate::server) enum Peer {
    /// The address of ours that it connected to.
    Tcp(SocketAddr),
    /// Came through a Unix socket, whose file mode decides who may.
    Unix,
}

/// Request ids: unlike those of any other start, and each unlike the last.
struct Ids {
    start: String,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        Self { start: format!("{:016x}", random::bits()), next: AtomicU64::new(1) }
    }

    fn next(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = Vec::with_capacity(self.start.len() + 8);
        id.extend_from_slice(self.start.as_bytes());
        id.extend((0..8).rev().map(|place| match (number >> (4 * place) & 15) as u8 {
            digit @ 0..=9 => b'0' + digit,
            letter => b'a' + letter - 10,
        }));
        // Hexadecimal digits are a header's value.
        HeaderValue::from_maybe_shared(Bytes::from(id))
            .unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}
