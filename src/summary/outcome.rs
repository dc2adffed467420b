//! A summary, and what is said of it: who made it, and of how much of the document.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Place;
use crate::summary::step::Cost;

/// Most reasons that are named for what was left out.
const MOST_REASONS: usize = 20;

/// A summary.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its text.
    pub text: String,
    /// Who wrote the last of it, as `provider/model`.
    pub target: String,
    /// Where that is.
    pub place: Place,
    /// How it was made.
    pub method: Method,
    /// Of how much of the document.
    pub coverage: Coverage,
    /// The document's own title, where it has one.
    pub title: Option<String>,
    pub(super) cost: Cost,
    pub(super) timings: Timings,
}

/// How a summary was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Of sentences of the document, without a model.
    Extractive,
    /// Notes of each piece, put together.
    MapReduce,
    /// In one call.
    Single,
}

impl Method {
    /// Its word in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Extractive => "extractive",
            Self::MapReduce => "map_reduce",
            Self::Single => "single",
        }
    }
}

/// Of how much of a document a summary is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Bytes of the document's text, as UTF-8.
    pub bytes: u64,
    /// Bytes of it that are in the summary's making.
    pub bytes_summarised: u64,
    /// Pieces that it was cut into.
    pub chunks: u64,
    /// Pieces that are in the summary's making.
    pub chunks_summarised: u64,
    /// What was left out, and why: pieces of the text, and what of the document is no text.
    pub skipped: Vec<String>,
}

impl Coverage {
    /// How many pieces are in it, and how many are not.
    pub fn counts(&self) -> [(&'static str, u64); 2] {
        let skipped = self.chunks.saturating_sub(self.chunks_summarised);
        [("summarised", self.chunks_summarised), ("skipped", skipped)]
    }

    /// Names something that was left out.
    pub(super) fn skip(&mut self, reason: String) {
        match self.skipped.len() {
            length if length < MOST_REASONS => self.skipped.push(reason),
            MOST_REASONS => self.skipped.push("and more that is not named here".to_owned()),
            _ => {}
        }
    }
}

/// How long each stage took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timings {
    pub(super) extract: Duration,
    pub(super) map: Duration,
    pub(super) reduce: Duration,
    pub(super) total: Duration,
}

impl Summary {
    /// How many calls of models it took.
    pub fn calls(&self) -> u32 {
        self.cost.calls
    }

    /// As the API tells it.
    pub fn json(&self, id: &str) -> Value {
        let (coverage, timings) = (&self.coverage, &self.timings);
        let mut object = json!({
            "id": id,
            "object": "summary",
            "summary": self.text,
            "title": self.title,
            "target": self.target,
            "locality": self.place.to_string(),
            "method": self.method.word(),
            "coverage": {
                "bytes": coverage.bytes,
                "bytes_summarised": coverage.bytes_summarised,
                "chunks": coverage.chunks,
                "chunks_summarised": coverage.chunks_summarised,
                "skipped": coverage.skipped,
            },
            "usage": {
                "input_tokens": self.cost.input_tokens,
                "output_tokens": self.cost.output_tokens,
                "calls": self.cost.calls,
            },
            "timings": {
                "extract_ms": millis(timings.extract),
                "map_ms": millis(timings.map),
                "reduce_ms": millis(timings.reduce),
                "total_ms": millis(timings.total),
            },
        });
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        object
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
