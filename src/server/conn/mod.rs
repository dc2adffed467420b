//! One connection: what its bytes must be, and how long each part of it may take.
//!
//! hyper parses requests, but it is lenient where two readers could differ (a length and a chunked
//! coding together, a length twice, a bare LF), and it has no deadline for a body, for a client
//! that takes nothing, or for an idle connection. [`Guarded`] stands under it and is strict:
//! `framing` follows every byte and refuses what RFC 9112 does not allow.

mod framing;
mod guarded;
mod idle;

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;

use crate::config::Server;

pub use guarded::Guarded;
pub use idle::{Busy, Idle, Seat, SeatHandle};

/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// How long the parts of a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    header: Duration,
    body: Duration,
    idle: Duration,
    write: Duration,
}

impl Limits {
    /// The limits that the configuration sets.
    pub fn new(server: &Server) -> Self {
        Self {
            header: server.header_timeout,
            body: server.body_timeout,
            idle: server.idle_timeout,
            write: server.write_timeout,
        }
    }
}

/// hyper's side of a connection. Deadlines are [`Guarded`]'s, so its own for heads is off.
pub fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(LARGEST_HEAD);
    builder
}
