//! Which models a local provider lists, asked when needed and believed for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a list is believed. A name that is not in it makes us ask again sooner.
const LISTED_FOR: Duration = Duration::from_secs(30);

/// How soon a list may be asked for again because a name was not in it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The last list of one provider.
#[derive(Debug, Default)]
pub(super) struct Listing(Mutex<Option<(Vec<String>, Instant)>>);

impl Listing {
    /// The list, if there is one, however old.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        self.lock().as_ref().map(|(names, _)| names.clone())
    }

    pub(super) fn keep(&self, names: Vec<String>, now: Instant) {
        *self.lock() = Some((names, now));
    }

    /// The provider could not be asked: what it listed may be gone.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    /// Whether the list is too old: by a lower measure when a name was missed in it.
    pub(super) fn is_due(&self, missed: bool, now: Instant) -> bool {
        let life = if missed { ASK_AGAIN_AFTER } else { LISTED_FOR };
        self.lock().as_ref().is_none_or(|(_, at)| now >= *at + life)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Vec<String>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
