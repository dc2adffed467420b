//! What can be seen of the queue without asking its thread: for /status, metrics and the page.

use std::path::PathBuf;
use std::time::Instant;

use crate::queue::job::State;

/// How the queue stands.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Why it cannot be used now.
    pub closed: Option<String>,
    /// Why no new job is taken.
    pub full: Option<String>,
    /// Jobs by state.
    pub counts: Counts,
    /// What has happened since the start.
    pub totals: Totals,
    /// Bytes of the database that are in use.
    pub bytes: u64,
    /// Most bytes that it may have.
    pub quota: u64,
    /// Files that jobs have beside the database.
    pub documents: u64,
    /// Bytes of those.
    pub document_bytes: u64,
    /// Whether there is room for one more result: without it nothing is started.
    pub has_room: bool,
    /// Where the database is.
    pub path: PathBuf,
    /// The queue's own time in milliseconds, and when it was that.
    pub(super) time: Option<(u64, Instant)>,
    /// Where damaged ones were put since the start, and what was wrong.
    pub set_aside: Vec<(PathBuf, String)>,
}

impl Facts {
    /// The queue's own time, in milliseconds.
    pub(super) fn now(&self) -> u64 {
        let Some((then, at)) = self.time else { return 0 };
        then.saturating_add(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// Jobs by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; 7]);

impl Counts {
    /// How many jobs are in a state.
    pub fn of(&self, state: State) -> u64 {
        self.0.get(index(state)).copied().unwrap_or_default()
    }

    /// How many there are in all.
    pub fn all(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, state: State) {
        if let Some(count) = self.0.get_mut(index(state)) {
            *count += 1;
        }
    }

    pub(super) fn remove(&mut self, state: State) {
        if let Some(count) = self.0.get_mut(index(state)) {
            *count = count.saturating_sub(1);
        }
    }
}

fn index(state: State) -> usize {
    State::ALL.iter().position(|known| *known == state).unwrap_or_default()
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs that were taken.
    pub accepted: u64,
    /// Jobs that were handed in once more.
    pub replayed: u64,
    /// Jobs that were refused for want of room.
    pub refused: u64,
    /// Jobs that ended with an answer.
    pub succeeded: u64,
    /// Jobs that ended with an error.
    pub failed: u64,
    /// Jobs whose time ran out.
    pub expired: u64,
    /// Jobs whose checksum was wrong.
    pub corrupt: u64,
    /// Steps whose checksum was wrong: they are done again.
    pub corrupt_steps: u64,
    /// Jobs that crashed the process too often.
    pub quarantined: u64,
    /// Times that the disk failed.
    pub faults: u64,
}

impl Totals {
    /// Each with its word.
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("accepted", self.accepted),
            ("replayed", self.replayed),
            ("refused", self.refused),
            ("succeeded", self.succeeded),
            ("failed", self.failed),
            ("expired", self.expired),
            ("corrupt", self.corrupt),
            ("corrupt_steps", self.corrupt_steps),
            ("quarantined", self.quarantined),
            ("faults", self.faults),
        ]
    }
}
