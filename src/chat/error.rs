//! What went wrong, said once: the kind decides the HTTP status and each dialect's error code, the
//! message is for a person and is safe to show.

use std::fmt;
use std::time::Duration;

/// An error on its way to a client. Its message says what to do next and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Whose fault it is and what may be done about it.
    pub kind: Kind,
    /// One or two sentences for a person. Never a key, a prompt or an answer.
    pub message: String,
    /// The least wait before the same request has a chance, where one is known.
    pub retry_after: Option<Duration>,
    /// The request field at fault, in the client's own spelling.
    pub param: Option<String>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, param: None }
    }

    /// The client's request cannot be taken as it is.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The same, naming the field at fault.
    pub fn invalid_field(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..Self::new(Kind::Invalid, message) }
    }

    /// Adds the least wait before another try.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What a log may hold of it. A provider that blames the request may quote it, prompt and all:
    /// then it is only the kind.
    pub fn for_log(&self) -> String {
        match self.kind {
            Kind::ContentFilter | Kind::ContextLength | Kind::Invalid | Kind::Unsupported => {
                self.kind.to_string()
            }
            _ => self.message.clone(),
        }
    }
}

/// What kind of error it is. `server` maps each to a status, each dialect to its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The provider will not answer this prompt.
    ContentFilter,
    /// The prompt does not fit any target's context.
    ContextLength,
    /// The caller may not do this.
    Forbidden,
    /// What was asked for was there, and will not be again.
    Gone,
    /// The request's head is too large.
    HeadTooLarge,
    /// Our own fault.
    Internal,
    /// The request is malformed.
    Invalid,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The Host header names another server.
    Misdirected,
    /// The same name was used for another request before.
    Mismatch,
    /// No alias, target or local model has this name.
    ModelNotFound,
    /// No such path.
    NotFound,
    /// Over the memory budget or a queue's bound: try again later.
    Overloaded,
    /// The queue has no room for another job.
    QueueFull,
    /// Every target asks to wait.
    RateLimited,
    /// A deadline of ours or of the client passed.
    Timeout,
    /// Larger than can ever be served.
    TooLarge,
    /// A token is missing or wrong.
    Unauthorized,
    /// No target can be reached now.
    Unavailable,
    /// The target cannot do what was asked (an image, a tool, a format).
    Unsupported,
    /// The body's type or encoding is not taken here.
    UnsupportedMedia,
    /// A provider failed, or answered what is no answer.
    Upstream,
    /// The request's path or query is too long.
    UriTooLong,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentFilter => "content_filter",
            Self::ContextLength => "context_length_exceeded",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::HeadTooLarge => "request_header_fields_too_large",
            Self::Internal => "internal_error",
            Self::Invalid => "invalid_request",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Misdirected => "misdirected_request",
            Self::Mismatch => "idempotency_mismatch",
            Self::ModelNotFound => "model_not_found",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::QueueFull => "queue_full",
            Self::RateLimited => "rate_limit_exceeded",
            Self::Timeout => "timeout",
            Self::TooLarge => "request_too_large",
            Self::Unauthorized => "invalid_api_key",
            Self::Unavailable => "no_target_available",
            Self::Unsupported => "unsupported_by_target",
            Self::UnsupportedMedia => "unsupported_media_type",
            Self::Upstream => "upstream_error",
            Self::UriTooLong => "uri_too_long",
        })
    }
}
