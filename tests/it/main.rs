//! The black-box suite: the real binary on real sockets, between a raw client and scripted
//! providers that misbehave as real ones do.
//!
//! `EDGEHOLD_BIN` names another binary than the one just built, `EDGEHOLD_RUNNER` an emulator to
//! run it under (`qemu-aarch64-static`). Nothing here waits by the clock: what is waited for is a
//! condition, and every test has a bound.

#![expect(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise, and its helpers are shared within this crate"
)]

mod abilities;
mod ask;
mod bombs;
mod chat;
mod cli;
mod clock;
mod context;
mod dialects;
mod embeddings;
mod fallback;
mod gate;
mod health;
mod jobs;
mod keys;
mod leaving;
mod lifecycle;
mod limits;
mod locality;
mod matrix;
mod models;
mod portal;
mod protocol;
mod proxy;
mod schema;
mod slot;
mod smuggling;
mod streams;
mod summaries;
mod support;
mod systemd;
mod tools;
mod upstream;
mod waits;
