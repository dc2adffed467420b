//! One decoded item of a stream.

use crate::chat::Error;

/// What a model said next.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A piece of the answer's text.
    Text(String),
    /// A piece of the model's reasoning.
    Thinking(String),
    /// The seal on the reasoning so far.
    Signature(String),
    /// A piece of the words by which the model refuses.
    Refusal(String),
    /// A piece of a tool call.
    ToolCall(ToolCallDelta),
    /// Why the model stopped. More events (usage) may follow.
    Finish(FinishReason),
    /// What the call cost so far.
    Usage(Usage),
    /// The provider reported a failure inside the stream.
    Error(Error),
    /// The provider's own mark that the stream is whole.
    Done,
}

/// A piece of a tool call. Pieces of one call share its index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolCallDelta {
    /// Which of the answer's calls this is, from 0.
    pub index: u32,
    /// The call's id: in its first piece only.
    pub id: Option<String>,
    /// The tool's name: in its first piece only.
    pub name: Option<String>,
    /// A fragment of the arguments' JSON text. The fragments joined are one JSON object.
    pub arguments: String,
    /// Gemini's seal on the thought behind the call.
    pub signature: Option<String>,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The provider withheld the rest.
    ContentFilter,
    /// The token limit was reached.
    Length,
    /// A natural end or a stop sequence.
    Stop,
    /// The model waits for tool results.
    ToolCalls,
}

/// Tokens of one call, by OpenTelemetry's GenAI names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// The part of `input_tokens` that came from the provider's cache.
    pub cached_tokens: u64,
    /// The part of `output_tokens` that was reasoning.
    pub reasoning_tokens: u64,
}
