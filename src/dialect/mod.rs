//! Wire formats: bytes to the neutral vocabulary and back.
//!
//! Pure: no I/O, no clock, no logging. Each dialect is a folder that translates both ways; a
//! [`Relay`] turns a provider's stream into the client's as it comes, a [`Collector`] gathers one.

pub mod estimate;
pub mod json;
pub mod ollama;
pub mod openai;

mod frames;
mod refusal;
mod relay;

pub use refusal::{Class, Refusal, decode_error};
pub use relay::{Broken, Collector, Facts, Relay};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Ollama's native API.
    Ollama,
    /// OpenAI's API.
    OpenAi,
}

/// An answer that is none: not JSON, or not the JSON that was promised. Says why, in words that
/// hold nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAnswer(pub String);

impl BadAnswer {
    pub(in crate::dialect) fn json(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        Self(match error.classify() {
            Category::Eof => "its JSON is cut off".to_owned(),
            Category::Syntax => "it is not JSON".to_owned(),
            Category::Io | Category::Data => "its JSON is not that of an answer".to_owned(),
        })
    }
}

/// Something that a target of another dialect cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub String);
