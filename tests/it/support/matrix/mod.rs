//! What is asked and answered in the matrix of clients and providers: once in every client's words,
//! once in every provider's.

pub mod ask;
pub mod got;
pub mod serve;

use serde_json::{Value, json};

/// What a client calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Chat,
    Messages,
    Ollama,
    Responses,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Anthropic,
    Gemini,
    Ollama,
    OpenAi,
}

/// What is asked, and how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Plain,
    Stream,
    Tools,
    ToolsStream,
    Parallel,
    ParallelStream,
    Results,
    ForcedTool,
    Image,
    ImageUrl,
    Schema,
    Thinking,
    ThinkingStream,
    Length,
    LengthStream,
    ErrorBefore,
    ErrorWithin,
    Empty,
    EmptyStream,
    UsageAsked,
    UsageNotAsked,
}

pub const CLIENTS: [Client; 4] =
    [Client::Chat, Client::Responses, Client::Messages, Client::Ollama];
pub const PROVIDERS: [Provider; 4] =
    [Provider::OpenAi, Provider::Ollama, Provider::Anthropic, Provider::Gemini];
pub const CASES: [Case; 21] = [
    Case::Plain,
    Case::Stream,
    Case::Tools,
    Case::ToolsStream,
    Case::Parallel,
    Case::ParallelStream,
    Case::Results,
    Case::ForcedTool,
    Case::Image,
    Case::ImageUrl,
    Case::Schema,
    Case::Thinking,
    Case::ThinkingStream,
    Case::Length,
    Case::LengthStream,
    Case::ErrorBefore,
    Case::ErrorWithin,
    Case::Empty,
    Case::EmptyStream,
    Case::UsageAsked,
    Case::UsageNotAsked,
];

impl Case {
    pub fn streams(self) -> bool {
        matches!(
            self,
            Self::Stream
                | Self::ToolsStream
                | Self::ParallelStream
                | Self::ThinkingStream
                | Self::LengthStream
                | Self::ErrorWithin
                | Self::EmptyStream
                | Self::UsageAsked
                | Self::UsageNotAsked
        )
    }

    pub fn has_tools(self) -> bool {
        matches!(
            self,
            Self::Tools
                | Self::ToolsStream
                | Self::Parallel
                | Self::ParallelStream
                | Self::Results
                | Self::ForcedTool
        )
    }

    pub fn is_of_thought(self) -> bool {
        matches!(self, Self::Thinking | Self::ThinkingStream)
    }
}

/// Words that go through every layer: an umlaut, an emoji, a quote.
pub const SYSTEM: &str = "Be brief, \"please\".";
pub const QUESTION: &str = "Wie ist das Wetter in Graz? 🦀";
pub const ANSWER: &str = "Schön, und 🌞 warm.";
pub const THOUGHT: &str = "Graz is a city.";
pub const PARTIAL: &str = "It is ";
pub const SCHEMA_ANSWER: &str = r#"{"b":"x","a":1}"#;
/// A PNG of one pixel.
pub const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
pub const IMAGE_URL: &str = "https://pictures.example/cat.png";

/// The properties are not in alphabetical order, and must not become so.
pub fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

pub const SCHEMA: &str = r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"required":["b","a"],"additionalProperties":false}"#;

pub fn parameters() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// The calls of a case: names and arguments.
pub fn calls(case: Case) -> Vec<(&'static str, Value)> {
    let weather = ("get_weather", json!({"city": "Graz"}));
    match case {
        Case::Tools | Case::ToolsStream | Case::ForcedTool => vec![weather],
        Case::Parallel | Case::ParallelStream => vec![weather, ("get_time", json!({}))],
        _ => Vec::new(),
    }
}

/// The text of a case's answer.
pub fn text(case: Case) -> &'static str {
    match case {
        Case::Schema => SCHEMA_ANSWER,
        Case::Empty | Case::EmptyStream => "",
        Case::ErrorWithin => PARTIAL,
        Case::Tools
        | Case::ToolsStream
        | Case::ForcedTool
        | Case::Parallel
        | Case::ParallelStream => "",
        _ => ANSWER,
    }
}
