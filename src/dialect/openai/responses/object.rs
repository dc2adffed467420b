//! The response object, and the items of its output.

use serde_json::{Map, Value, json};

use crate::chat::{Error, FinishReason, Response, ToolCall, Usage};
use crate::dialect::Stamp;

/// How a response stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    Ended(Option<FinishReason>),
    Failed(&'a Error),
    Waiting(Waiting),
    Running,
}

/// How a response stands whose client comes for it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It was taken back.
    Cancelled,
    /// It is being made.
    InProgress,
    /// It waits for its turn.
    Queued,
}

/// The response object: what the request said, and what has come of it.
pub(super) fn response(
    stamp: &Stamp,
    echo: &str,
    state: State<'_>,
    output: Vec<Value>,
    usage: Option<Usage>,
) -> Value {
    let mut fields: Map<String, Value> = serde_json::from_str(echo).unwrap_or_default();
    let (status, incomplete, error) = match state {
        State::Running | State::Waiting(Waiting::InProgress) => {
            ("in_progress", Value::Null, Value::Null)
        }
        State::Waiting(Waiting::Queued) => ("queued", Value::Null, Value::Null),
        State::Waiting(Waiting::Cancelled) => ("cancelled", Value::Null, Value::Null),
        State::Ended(Some(FinishReason::Length)) => {
            ("incomplete", json!({"reason": "max_output_tokens"}), Value::Null)
        }
        State::Ended(Some(FinishReason::ContentFilter)) => {
            ("incomplete", json!({"reason": "content_filter"}), Value::Null)
        }
        State::Ended(Some(FinishReason::Stop | FinishReason::ToolCalls) | None) => {
            ("completed", Value::Null, Value::Null)
        }
        State::Failed(error) => {
            let error = json!({"code": "server_error", "message": error.message});
            ("failed", Value::Null, error)
        }
    };
    let own = [
        ("id", Value::from(format!("resp_{}", stamp.id))),
        ("object", Value::from("response")),
        ("created_at", Value::from(stamp.created)),
        ("model", Value::from(stamp.model.as_str())),
        ("status", Value::from(status)),
        ("incomplete_details", incomplete),
        ("error", error),
        ("output", Value::from(output)),
        ("usage", usage.map_or(Value::Null, usage_body)),
    ];
    fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields)
}

fn usage_body(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens, "cache_write_tokens": 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}

/// An item of the output.
#[derive(Debug)]
pub(super) enum Item {
    Call(ToolCall),
    Message { text: String, refusal: String },
    Reasoning(String),
}

impl Item {
    pub(super) fn id(&self, stamp: &Stamp, index: usize) -> String {
        let word = match self {
            Self::Call(_) => "fc",
            Self::Message { .. } => "msg",
            Self::Reasoning(_) => "rs",
        };
        format!("{word}_{}_{index}", stamp.id)
    }

    /// The item as far as it has come. `status` is `in_progress`, `completed` or `incomplete`.
    pub(super) fn body(&self, stamp: &Stamp, index: usize, status: &str) -> Value {
        let id = self.id(stamp, index);
        match self {
            Self::Call(call) => json!({
                "id": id, "type": "function_call", "status": status,
                "call_id": call.id, "name": call.name, "arguments": call.arguments,
            }),
            Self::Message { text, refusal } => {
                let mut content = Vec::new();
                if !text.is_empty() {
                    content.push(text_part(text));
                }
                if !refusal.is_empty() {
                    content.push(refusal_part(refusal));
                }
                json!({
                    "id": id, "type": "message", "status": status, "role": "assistant",
                    "content": content,
                })
            }
            Self::Reasoning(text) => {
                let content: &[Value] = &[reasoning_part(text)];
                let content = if text.is_empty() { &[] } else { content };
                json!({
                    "id": id, "type": "reasoning", "status": status, "summary": [],
                    "content": content,
                })
            }
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Call(call) => call.arguments.len() + call.name.len() + call.id.len(),
            Self::Message { text, refusal } => text.len() + refusal.len(),
            Self::Reasoning(text) => text.len(),
        }
    }
}

pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

pub(super) fn refusal_part(refusal: &str) -> Value {
    json!({"type": "refusal", "refusal": refusal})
}

pub(super) fn reasoning_part(text: &str) -> Value {
    json!({"type": "reasoning_text", "text": text})
}

/// Writes a response that has no answer yet, or will have none: how it stands, or why.
pub fn encode_unanswered(stamp: &Stamp, echo: &str, state: Result<Waiting, &Error>) -> Vec<u8> {
    let state = match state {
        Ok(waiting) => State::Waiting(waiting),
        Err(error) => State::Failed(error),
    };
    response(stamp, echo, state, Vec::new(), None).to_string().into_bytes()
}

/// Writes a whole answer. `echo` holds the fields of the request that it repeats.
pub fn encode_response(response: &Response, stamp: &Stamp, echo: &str) -> Vec<u8> {
    let mut items = Vec::new();
    if !response.thinking.is_empty() {
        items.push(Item::Reasoning(response.thinking.clone()));
    }
    let spoke = !response.text.is_empty() || !response.refusal.is_empty();
    if spoke || response.tool_calls.is_empty() {
        let (text, refusal) = (response.text.clone(), response.refusal.clone());
        items.push(Item::Message { text, refusal });
    }
    for (index, call) in response.tool_calls.iter().enumerate() {
        let mut call = call.clone();
        if call.id.is_empty() {
            call.id = stamp.call_id(index);
        }
        items.push(Item::Call(call));
    }
    let last = items.len().saturating_sub(1);
    let status = |index| match response.finish {
        Some(FinishReason::Length) if index == last => "incomplete",
        _ => "completed",
    };
    let output = items.iter().enumerate().map(|(index, it)| it.body(stamp, index, status(index)));
    let state = State::Ended(response.finish);
    let object = self::response(stamp, echo, state, output.collect(), response.usage);
    object.to_string().into_bytes()
}
