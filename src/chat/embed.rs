//! Texts turned into vectors.

use serde_json::value::RawValue;

use crate::chat::Usage;

/// A client's wish for embeddings.
#[derive(Debug, Clone)]
pub struct EmbedRequest {
    /// The model name as the client wrote it.
    pub model: String,
    /// What is to be embedded.
    pub input: EmbedInput,
    /// The wanted number of dimensions, where the client named one.
    pub dimensions: Option<u32>,
    /// Whether the vectors are wanted as base64 of little-endian `f32` rather than as JSON numbers.
    pub base64: bool,
    /// Ollama: how long the model is to stay loaded, where the client said.
    pub keep_alive: Option<String>,
}

/// What is to be embedded.
#[derive(Debug, Clone)]
pub enum EmbedInput {
    /// One text or several, in order.
    Texts(Vec<String>),
    /// Lists of token numbers: only providers of the client's own dialect can take them.
    Tokens(Box<RawValue>),
}

/// The vectors, in the order of the input.
#[derive(Debug, Clone)]
pub struct EmbedResponse {
    /// One vector for each input text.
    pub vectors: Vec<Vec<f32>>,
    /// What it cost; output tokens are zero.
    pub usage: Option<Usage>,
}
