//! What a client of Anthropic's gets: whole answers, counts, errors.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::{Error, FinishReason, Kind, Response, Usage};
use crate::dialect::arguments::as_object;
use crate::dialect::{Stamp, json};

#[derive(Serialize)]
struct MessageBody<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<()>,
    usage: UsageBody,
}

/// One block of an answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: &'a str },
    ToolUse { id: Cow<'a, str>, name: &'a str, input: Cow<'a, RawValue> },
}

/// Token counts by Anthropic's names.
#[derive(Serialize)]
pub(super) struct UsageBody {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens.saturating_sub(usage.cached_tokens),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: usage.cached_tokens,
            output_tokens: usage.output_tokens,
        }
    }
}

/// The answer's id.
pub(super) fn id(stamp: &Stamp) -> String {
    format!("msg_{}", stamp.id)
}

pub(super) fn stop_word(finish: Option<FinishReason>, called: bool) -> &'static str {
    match finish {
        // A call that was cut short is none to be made.
        Some(FinishReason::ContentFilter) => "refusal",
        Some(FinishReason::Length) => "max_tokens",
        Some(FinishReason::ToolCalls) => "tool_use",
        Some(FinishReason::Stop) | None if called => "tool_use",
        Some(FinishReason::Stop) | None => "end_turn",
    }
}

/// Writes a whole answer.
pub fn encode_response(response: &Response, stamp: &Stamp) -> Vec<u8> {
    let mut content = Vec::new();
    if !response.thinking.is_empty() {
        let signature = response.signature.as_deref().unwrap_or_default();
        content.push(Block::Thinking { thinking: &response.thinking, signature });
    }
    for text in [&response.text, &response.refusal] {
        if !text.is_empty() {
            content.push(Block::Text { text });
        }
    }
    for (index, call) in response.tool_calls.iter().enumerate() {
        let id = match call.id.is_empty() {
            true => Cow::Owned(stamp.call_id(index)),
            false => Cow::Borrowed(call.id.as_str()),
        };
        content.push(Block::ToolUse { id, name: &call.name, input: as_object(&call.arguments) });
    }
    let refused = (!response.refusal.is_empty()).then_some(FinishReason::ContentFilter);
    json(&MessageBody {
        id: id(stamp),
        r#type: "message",
        role: "assistant",
        model: &stamp.model,
        content,
        stop_reason: stop_word(refused.or(response.finish), !response.tool_calls.is_empty()),
        stop_sequence: None,
        usage: response.usage.unwrap_or_default().into(),
    })
}

#[derive(Serialize)]
struct CountBody {
    input_tokens: u64,
}

/// Writes an answer of `/v1/messages/count_tokens`.
pub fn encode_count(input_tokens: u64) -> Vec<u8> {
    json(&CountBody { input_tokens })
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    r#type: &'static str,
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    r#type: &'static str,
    message: &'a str,
}

/// Writes an error: `{"type":"error","error":{"type","message"}}`.
pub fn encode_error(error: &Error) -> Vec<u8> {
    let fields = ErrorFields { r#type: error_type(error.kind), message: &error.message };
    json(&ErrorBody { r#type: "error", error: fields })
}

fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthorized => "authentication_error",
        Kind::Forbidden => "permission_error",
        Kind::ModelNotFound | Kind::NotFound => "not_found_error",
        Kind::QueueFull | Kind::RateLimited => "rate_limit_error",
        Kind::TooLarge => "request_too_large",
        Kind::Timeout => "timeout_error",
        Kind::Overloaded | Kind::Unavailable => "overloaded_error",
        Kind::Internal | Kind::Upstream => "api_error",
        Kind::ContentFilter
        | Kind::ContextLength
        | Kind::Gone
        | Kind::HeadTooLarge
        | Kind::Invalid
        | Kind::MethodNotAllowed
        | Kind::Mismatch
        | Kind::Misdirected
        | Kind::Unsupported
        | Kind::UnsupportedMedia
        | Kind::UriTooLong => "invalid_request_error",
    }
}
