//! What a client asked for, whatever dialect it spoke.

use serde_json::value::RawValue;

/// A chat request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The model name as the client wrote it: an alias, a target or a local model.
    pub model: String,
    /// The conversation, oldest first. Never empty.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called.
    pub tool_choice: ToolChoice,
    /// How tokens are drawn, and how many.
    pub sampling: Sampling,
    /// The form that the answer must have.
    pub format: Format,
    /// How hard the model should reason, where the client said.
    pub effort: Option<Effort>,
    /// Whether the answer is wanted as a stream.
    pub stream: bool,
    /// Whether the stream is to end with a usage chunk.
    pub include_usage: bool,
    /// Features of the request that only a provider of the same dialect can honour, by their field
    /// names (`n`, `logprobs`, `audio`): a target of another dialect must decline, not ignore them.
    pub exotic: Vec<&'static str>,
}

/// One turn of the conversation.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said. Empty for a turn that only calls tools.
    pub parts: Vec<Part>,
    /// Tools that the assistant called in this turn.
    pub tool_calls: Vec<ToolCall>,
    /// For a tool's answer: the call it answers.
    pub tool_call_id: Option<String>,
    /// For a tool's answer, where the client said it: the tool's name.
    pub name: Option<String>,
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Assistant,
    /// Instructions; OpenAI's `developer` is the same.
    System,
    /// A tool's answer.
    Tool,
    /// The person or program that asks.
    User,
}

/// A part of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture.
    Image(Image),
    /// A part that only the client's own dialect knows; its type name (`input_audio`, `file`).
    Other(String),
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// The bytes in base64, with their media type.
    Base64 {
        /// `image/png` and the like.
        media_type: String,
        /// Standard base64, no `data:` prefix.
        data: String,
    },
    /// An address that a provider may fetch itself. edgehold fetches none.
    Url(String),
}

/// A tool that the model may call.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The function's name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON schema of its arguments, word for word.
    pub parameters: Option<Box<RawValue>>,
}

/// A call that the model made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// JSON text of its arguments.
    pub arguments: String,
}

/// Whether and which tool must be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No tool may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This tool must be called.
    Named(String),
}

/// How tokens are drawn, and how many. `None` leaves it to the model's own defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Randomness, 0 and up.
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Draw from the k likeliest tokens.
    pub top_k: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For answers that can be repeated.
    pub seed: Option<i64>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// Against tokens that occurred at all.
    pub presence_penalty: Option<f64>,
    /// Against tokens by how often they occurred.
    pub frequency_penalty: Option<f64>,
}

/// The form that the answer must have.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// Free text.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON by this schema, word for word.
    Schema(Box<RawValue>),
}

/// How hard the model should reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Not at all.
    None,
    /// A little (OpenAI's `minimal` and `low`).
    Low,
    /// Some.
    Medium,
    /// A lot (OpenAI's `high` and `xhigh`).
    High,
}
