//! edgehold: one local address for language models on an ARM gateway.
//!
//! This is the map of the house. It says which way a request goes, who may use whom, which rules
//! must not be broken, and where a new provider or a new path would go.
//!
//! # The way of a request
//!
//! ```text
//! bytes in -> server::conn (framing, deadlines) -> hyper -> server (limits, Host, Origin, token)
//!          -> dialect::Door (decode) -> chat::Request -> dispatch
//!          -> router (which targets, in which order) -> provider (one attempt)
//!          -> dialect (Relay, Collector or a whole answer) -> bytes out
//! a job -> server::jobs (examined as if it were to be served) -> queue (on the disk: 202)
//!          -> queue::work -> dispatch (the same path) -> queue (its answer) -> bytes out, later
//! a document -> server::summaries (to the disk as it comes) -> summary (another process reads it;
//!          pieces; notes of each, by dispatch; one text) -> bytes out, or a job in steps
//! ```
//!
//! A [`dialect::Door`] is what a client calls, a [`dialect::Dialect`] what a provider speaks. Seven
//! doors and four dialects meet in the neutral vocabulary, so nothing is written per pair. Where
//! the door is the provider's own, the client's bytes go on as they are, fields that we do not
//! know with them, and the answer comes back so.
//!
//! - [`server`] accepts, checks, reads the body under a [`budget`] reservation and hands
//!   [`dispatch`] a decoded [`chat::Request`], with the client's own bytes beside it.
//! - [`dispatch`] resolves the name, asks [`router::plan()`] for an order, and makes one attempt
//!   after the other until a first token is there. A target that lacks what the request needs
//!   ([`chat::Need`]) is passed by before anything is sent. A whole answer is held against the
//!   client's JSON schema where the provider does not see to that.
//! - [`provider`] makes one attempt: its turn, the model's context window and load, the call, the
//!   status. A failure says what the target's health learns and what may be tried next. It speaks
//!   HTTP/1.1 itself (`provider::http1`): a stream that waits must hold no buffer.
//! - [`dialect::Relay`] turns the provider's stream into the client's as it comes. Where both speak
//!   the same dialect the frames go on as slices of what was received. [`dialect::Collector`]
//!   gathers an answer that is no stream. How large things may be is one table: `dialect::limits`.
//!
//! # The levels
//!
//! Imports point down only. `scripts/check-layers` checks that, and the fences.
//!
//! | level | module | what it is | fence |
//! | --- | --- | --- | --- |
//! | | [`cli`] | what a person types; exit codes | the only user of clap, and of descriptors that are passed |
//! | | [`app`] | the composition root: configuration, parts, tasks, drain | may name every module |
//! | 4 | [`server`] | listeners, connections, limits, paths, error kinds as statuses | the only HTTP server |
//! | 3 | [`summary`] | documents: read, cut, mapped, reduced; extracts without a model | the only readers of documents, and the only one that starts a process |
//! | 3 | [`dispatch`] | one request's life: plan, attempt, retry, fall back | |
//! | 2 | [`provider`] | client pools, one attempt with its deadlines, free probes; the clock of certificates, the kernel's word of network changes | the only HTTP client, TLS and netlink |
//! | 2 | [`router`] | names to targets; breakers, pauses, links | no I/O, no clock: the time comes in |
//! | 1 | [`dialect`] | wire formats, both ways | no I/O, no clock, no logging |
//! | 1 | [`queue`] | durable jobs: one thread with the database, the line, the worker; what a job is about is bytes to it | the only SQL |
//! | 1 | [`telemetry`] | logs, counters, histograms | |
//! | 0 | [`chat`] | the neutral vocabulary: requests, events, usage, errors | data only |
//! | 0 | [`config`] | the TOML as checked types with every default; secrets | the only reader of TOML and, with the command line, of the environment |
//! | 0 | [`budget`] | bytes of memory to give out | |
//! | 0 | [`lifecycle`] | signals, drain, tasks; what systemd gives and is told | |
//! | 0 | [`random`] | what nobody has to foresee: ids, jitter | |
//!
//! One step is sideways: `provider` says in `router`'s words how an attempt ended
//! ([`router::Outcome`], [`router::LinkFault`]). The router knows nothing of providers. And `summary`
//! stands on [`dispatch`], which knows nothing of documents.
//!
//! # Tasks
//!
//! One thread runs everything (tokio, `current_thread`); one more owns the queue's database, and up to
//! four more look up names, and read and write the files of documents. [`app`]
//! lists the tasks and what each waits for. Three kinds begin elsewhere, in [`provider`], because
//! they must outlive the request that began them: a model load, the end of a transfer whose answer
//! has been read, and the one that closes pooled connections when their time is over.
//!
//! # Rules that hold everywhere
//!
//! 1. **Nothing is glued together.** Another target is tried in silence only until the first token
//!    has gone out. After that a broken stream ends with an error event and without an end mark.
//! 2. **Nothing is held that was not reserved.** What a client or a provider decides the size of is
//!    taken from the [`budget::Budget`] first. A reservation never waits: 503, or 413.
//! 3. **A link is no target.** That a provider cannot be reached (DNS, connect, TLS, a captive
//!    portal, a clock that is wrong) says nothing of its models: it marks the way down, at once for
//!    all of them, and never opens a breaker. It is asked again after a pause that grows, and at
//!    once when the kernel says that the network changed.
//! 4. **`local` fails closed**, also against models that a local Ollama runs in a cloud.
//! 5. **A cut prompt is no answer.** An Ollama that reports as many prompt tokens as its window has
//!    answered another question.
//! 6. **Probes are free** and wake no model.
//! 7. **Who leaves, cancels**: the upstream call ends with the client's connection. A model load
//!    does not.
//! 8. **Secrets and prompts are in no log, error, page or metric.** A key is read where it is sent,
//!    goes to its provider's origin only, and prints as `***`.
//! 9. **Two readers must agree.** Bytes that RFC 9112 lets two parsers understand differently are
//!    refused before hyper sees them.
//! 10. **Every wait has a deadline**, and every list has a bound.
//! 11. **Coverage never lies.** What of a document is not in its summary is named, with the reason. A
//!     document is data: it stands between marks that it cannot know, and is read where it can do no
//!     harm.
//! 12. **Accepted is kept.** A job's 2xx goes out after its sync, and nothing but its client or its
//!     time takes it away: not a crash, a full disk, or a newer job. [`queue`] has the promises.
//!
//! # Where things go
//!
//! - A provider of a known dialect needs a `base_url` and no code; what it refuses goes into `omit`,
//!   what it cannot do into `lacks`.
//! - A new dialect of providers is a folder in [`dialect`] (`to_provider`, `from_provider`,
//!   `read_stream`), a [`config::ProviderKind`], its addresses and bodies in `provider::wire`, what
//!   it can in `provider::ability`. The compiler names them all: no match on these types has a
//!   wildcard.
//! - A new form for clients is a [`dialect::Door`] (`from_client`, `to_client`, `write_stream`) and
//!   a row of the table in `server::route`. Both get a fixture in `tests/fixtures`, and a
//!   row or a column of `tests/it/matrix.rs` where they are chats.
//! - Another path is a row of the table in `server::route` and a handler.
//! - A new kind of document is a reader in `summary::extract`, its types and endings there, and its
//!   good and broken files in `tests/documents`.
//! - A new setting is a field in `config::file`, its check and default in `config::check`, a line of
//!   `config::describe`, and one of `config/edgehold.toml`: tests hold the four together.
//! - A change of the database is another step of `MIGRATIONS` in `queue::store::schema`; those that are
//!   there stay as they are, because devices have run them.
//! - What systemd is to do differently is a line of `systemd/` with its reason, and a rule in
//!   `tests/systemd/units.py` with the change that breaks it.
//! - A rule for choosing targets belongs in [`router`], with a row in its tables.
//! - A figure to hold is a row of `aims` in `tests/bench/report.py`; `scripts/bench` measures it.
//!   What grows the hot path by more than 3 % of its instructions fails `scripts/test`, until
//!   `scripts/count --write` keeps the new count: a growth is decided, and seen in the diff.

pub mod app;
pub mod budget;
pub mod chat;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod dispatch;
pub mod lifecycle;
pub mod provider;
pub mod queue;
pub mod random;
pub mod router;
pub mod server;
pub mod summary;
pub mod telemetry;
