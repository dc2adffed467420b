//! An error between the place that found it and the response that tells it.

use crate::chat::Error;
use crate::dispatch::Refusal;

/// An error on its way out, with what its headers say.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    /// How many calls of providers were made for it.
    pub(super) attempts: u32,
    /// For 405: the methods that there are.
    pub(super) allow: Option<String>,
    /// Whether the rest of the request was not read, so that the connection has to end.
    pub(super) unread: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, attempts: 0, allow: None, unread: false }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { attempts: refusal.attempts, ..refusal.error.into() }
    }
}
