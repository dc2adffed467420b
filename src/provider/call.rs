//! What a provider is asked to do.

use std::ops::Range;

use http::HeaderValue;
use std::time::Duration;
use tokio::time::Instant;

use crate::chat::{EmbedRequest, Request};
use crate::config::{Locality, Target};
use crate::dialect::{Dialect, Door};

/// What every attempt is given.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who is to answer.
    pub target: &'a Target,
    /// Estimated tokens of the prompt.
    pub estimate: u32,
    /// When the client's or our own total time is over.
    pub request_end: Instant,
    /// How long a turn or a load may be waited for before another target is tried; `None` if
    /// there is no other.
    pub patience: Option<Duration>,
    /// Where the request may be served.
    pub locality: Locality,
    /// Whether everybody else goes before it when a turn comes free: nobody waits for a job.
    pub goes_last: bool,
}

/// The client's own body, for providers of its dialect.
#[derive(Debug, Clone)]
pub struct Original<'a> {
    /// The body.
    pub body: &'a [u8],
    /// Where in it the model's name stands, with its quotes.
    pub model_span: Range<usize>,
}

/// A chat request on its way to one target.
#[derive(Debug)]
pub struct ChatCall<'a> {
    /// What every attempt is given.
    pub call: Call<'a>,
    /// The request, decoded.
    pub request: &'a Request,
    /// What the client called.
    pub door: Door,
    /// What the client sent, if that may go on as it is.
    pub original: Option<Original<'a>>,
    /// Anthropic's header for features that are being tried.
    pub beta: Option<&'a HeaderValue>,
}

/// A request for embeddings on its way to one target.
#[derive(Debug)]
pub struct EmbedCall<'a> {
    /// What every attempt is given.
    pub call: Call<'a>,
    /// The request, decoded.
    pub request: &'a EmbedRequest,
    /// What the client sent, if that may go on as it is.
    pub original: Option<Original<'a>>,
    /// The dialect whose providers take it.
    pub native: Option<Dialect>,
}

/// A request to count a prompt's tokens, on its way to an Anthropic.
#[derive(Debug)]
pub struct CountCall<'a> {
    /// What every attempt is given.
    pub call: Call<'a>,
    /// What the client sent.
    pub original: Original<'a>,
    /// Anthropic's header for features that are being tried.
    pub beta: Option<&'a HeaderValue>,
}
