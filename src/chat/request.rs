//! What a client asked for, whatever dialect it spoke.

use serde_json::value::RawValue;

/// A chat request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The model name as the client wrote it: an alias, a target or a local model.
    pub model: String,
    /// The conversation, oldest first. Empty only where a model is to be loaded, or unloaded.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called.
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called in one turn, where the client said.
    pub parallel_tools: Option<bool>,
    /// How tokens are drawn, and how many.
    pub sampling: Sampling,
    /// The form that the answer must have.
    pub format: Format,
    /// How hard the model should reason, where the client said.
    pub effort: Option<Effort>,
    /// Whether the answer is wanted as a stream.
    pub stream: bool,
    /// Whether the client comes for the answer later.
    pub background: bool,
    /// Whether the stream is to end with a usage chunk.
    pub include_usage: bool,
    /// Set where a text is to be gone on with: the only message is that text.
    pub prompt: Option<Prompt>,
    /// Ollama: how long the model is to stay loaded, where the client said; Ollama's notation.
    pub keep_alive: Option<String>,
    /// Ollama: tokens of context that the client wants at least.
    pub num_ctx: Option<u32>,
    /// A JSON object of fields that the answer has to repeat, where the client's dialect does that.
    pub echo: Option<Box<str>>,
    /// Features of the request that only a provider of the same dialect can honour, by their field
    /// names (`n`, `logprobs`, `audio`): a target of another dialect must decline, not ignore them.
    pub exotic: Vec<&'static str>,
}

/// How a text is to be gone on with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What follows the gap that is to be filled.
    pub suffix: Option<String>,
    /// Whether the model gets it without its chat template.
    pub raw: bool,
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
    /// For a tool's answer: whether the tool failed.
    pub is_error: bool,
}

impl Message {
    /// A turn of these parts, with no tool in it.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        let tool_calls = Vec::new();
        Self { role, parts, tool_calls, tool_call_id: None, name: None, is_error: false }
    }

    /// Its text: the parts' texts, one a line.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) | Part::Other(_) | Part::Thinking { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
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
    /// What the model thought in an earlier turn.
    Thinking {
        /// The thought.
        text: String,
        /// Anthropic's seal on it; without one it is not taken back.
        signature: Option<String>,
    },
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
    /// Whether calls must follow the schema to the letter, where the client said.
    pub strict: Option<bool>,
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
    /// Gemini's seal on the thought behind the call: it wants it back with the call.
    pub signature: Option<String>,
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
    /// JSON by this schema.
    Schema(Schema),
}

/// A JSON schema that an answer must follow.
#[derive(Debug, Clone)]
pub struct Schema {
    /// What the client calls it.
    pub name: Option<String>,
    /// The schema, word for word.
    pub schema: Box<RawValue>,
    /// Whether it must be followed to the letter, where the client said.
    pub strict: Option<bool>,
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
