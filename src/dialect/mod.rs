//! Wire formats: bytes to the neutral vocabulary and back.
//!
//! Pure: no I/O, no clock, no logging. Each dialect is a folder, and its files are named after the
//! way that they translate: `from_client` and `to_provider` for requests, `from_provider` and
//! `to_client` for answers, `read_stream` and `write_stream` for streams. A [`Door`] is what a
//! client calls, a [`Dialect`] what a provider speaks; a [`Relay`] turns the provider's stream into
//! the client's as it comes, a [`Collector`] gathers one.

pub mod anthropic;
pub mod estimate;
pub mod gemini;
pub mod json;
pub mod ollama;
pub mod openai;

mod answer;
mod arguments;
mod asked;
mod body;
mod decoder;
mod door;
mod encoder;
mod field;
mod frames;
mod limits;
mod refusal;
mod relay;
mod schema;
mod stamp;

use serde::Serialize;

use crate::chat::Event;

pub use body::model_name;
pub use door::Door;
pub use limits::{DEEPEST_JSON, LONGEST_ARGUMENTS, Limit, MOST_CALLS};
pub use refusal::{Class, Refusal, decode_error};
pub use relay::{Broken, Collector, Facts, Relay};
pub use schema::violation;
pub use stamp::{Stamp, Took};

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini's generateContent.
    Gemini,
    /// Ollama's native API.
    Ollama,
    /// OpenAI's API.
    OpenAi,
}

/// What takes a stream's events, one after the other.
pub type Sink<'a> = dyn FnMut(Event) -> Result<(), Broken> + 'a;

/// Types of ours, with text for keys, always have a JSON form.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A request's body. NaN and infinities are the only values of ours that JSON has no form for.
fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Unsupported> {
    serde_json::to_vec(value).map_err(|error| Unsupported(error.to_string()))
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
