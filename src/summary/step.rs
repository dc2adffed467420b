//! One finished step of a summary: the notes of a piece, or why there are none.

use serde::{Deserialize, Serialize};

use crate::chat::Usage;
use crate::config::Place;

/// A piece of a text: bytes from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    pub(super) fn bytes(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// A step that was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// The checksum of the text that it belongs to: another text's steps are of no use.
    pub(super) of: u32,
    /// 0: a piece of the document. Above: notes of so many levels of notes.
    pub(super) level: u32,
    /// The piece of the document that it covers.
    pub(super) span: Span,
    /// What came of it.
    pub(super) made: Made,
    pub(super) cost: Cost,
}

/// What came of a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Made {
    /// Notes by a model.
    Notes(String, By),
    /// Sentences of the piece itself, where no model would.
    Extract(String),
    /// Nothing, for this reason.
    Skipped(String),
}

/// Who made something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct By {
    pub(super) target: String,
    pub(super) is_cloud: bool,
}

impl By {
    pub(super) fn place(&self) -> Place {
        if self.is_cloud { Place::Cloud } else { Place::Local }
    }
}

/// What something cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) calls: u32,
}

impl Cost {
    pub(super) fn of(usage: Option<Usage>, calls: u32) -> Self {
        let usage = usage.unwrap_or_default();
        Self { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens, calls }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.calls = self.calls.saturating_add(other.calls);
    }
}

impl Step {
    /// The notes, if there are any.
    pub(super) fn notes(&self) -> Option<&str> {
        match &self.made {
            Made::Notes(notes, _) | Made::Extract(notes) => Some(notes),
            Made::Skipped(_) => None,
        }
    }
}
