//! The steps that are finished, on the disk: notes of a long document do not fit into the memory. What
//! is known of each without reading it is where it stands.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

use crate::budget::Reservation;
use crate::chat::Error;
use crate::dialect::estimate;
use crate::dispatch::budget_error;
use crate::summary::disk::{self, SharedFile};
use crate::summary::spool::{Passing, Share};
use crate::summary::step::{Span, Step};

/// What to say where they are not there, or not kept.
const LOST: &str = "the notes on a document cannot be kept";

/// Memory that is held for each step.
const ENTRY_BYTES: usize = 128;

/// All finished steps.
#[derive(Debug)]
pub(super) struct Ledger {
    file: SharedFile,
    share: Share,
    end: u64,
    steps: BTreeMap<(u32, u64), Entry>,
    memory: Reservation,
}

/// What is known of a step without reading it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) span: Span,
    /// What its notes weigh, in twelfths of a token; `None` where there are none.
    pub(super) weight: Option<usize>,
    at: u64,
    length: usize,
}

impl Ledger {
    pub(super) fn new(passing: Passing, memory: Reservation) -> Self {
        let Passing { file, share } = passing;
        Self { file, share, end: 0, steps: BTreeMap::new(), memory }
    }

    /// Writes a step down. One that was there is replaced.
    pub(super) async fn add(&mut self, step: &Step) -> Result<Vec<u8>, Error> {
        self.memory.grow(ENTRY_BYTES).map_err(|shed| budget_error(&shed))?;
        // Our own types always have a JSON form.
        let bytes = serde_json::to_vec(step).unwrap_or_default();
        let entry = Entry {
            span: step.span,
            weight: step.notes().map(estimate::weigh),
            at: self.end,
            length: bytes.len(),
        };
        let (file, at, copy) = (self.file.clone(), self.end, bytes.clone());
        let written = disk::small(move || file.write_all_at(&copy, at));
        written.await.map_err(disk::failed(LOST))?;
        self.end += bytes.len() as u64;
        self.share.hold(self.end);
        self.steps.insert((step.level, step.span.from), entry);
        Ok(bytes)
    }

    /// Reads a step.
    pub(super) async fn read(&self, entry: &Entry) -> Result<Step, Error> {
        let (file, at) = (self.file.clone(), entry.at);
        let mut bytes = vec![0; entry.length];
        let read = disk::small(move || file.read_exact_at(&mut bytes, at).map(|()| bytes));
        let bytes = read.await.map_err(disk::failed(LOST))?;
        serde_json::from_slice(&bytes).map_err(|error| disk::failed(LOST)(error.into()))
    }

    /// The steps of a level, in the document's order.
    pub(super) fn level(&self, level: u32) -> impl Iterator<Item = &Entry> {
        self.steps.range((level, 0)..=(level, u64::MAX)).map(|(_, entry)| entry)
    }

    /// The step of a level that begins here.
    pub(super) fn at(&self, level: u32, from: u64) -> Option<&Entry> {
        self.steps.get(&(level, from))
    }

    /// The first step of a level that begins behind this place.
    pub(super) fn next(&self, level: u32, from: u64) -> Option<&Entry> {
        self.steps.range((level, from + 1)..=(level, u64::MAX)).next().map(|(_, entry)| entry)
    }
}
