//! How far a summary has come.

use serde_json::{Value, json};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Pieces of the text that are done.
    pub chunk: u64,
    /// About how many there are: how much fits into one shows as they are made.
    pub chunks: u64,
    /// Tokens that models have read and written so far.
    pub tokens: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The document is read.
    Extract,
    /// Notes are made of its pieces.
    Map,
    /// The notes are put together.
    Reduce,
}

impl Stage {
    /// Its word in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Map => "map",
            Self::Reduce => "reduce",
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self { stage: Stage::Extract, chunk: 0, chunks: 0, tokens: 0 }
    }
}

impl Progress {
    /// As the API tells it.
    pub fn json(&self) -> Value {
        json!({
            "stage": self.stage.word(),
            "chunk": self.chunk,
            "chunks": self.chunks,
            "tokens": self.tokens,
        })
    }
}
