//! An Ollama's stream: one JSON object a line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Error, Event, FinishReason, Kind, ToolCallDelta, Usage};
use crate::dialect::refusal::{Class, decode_error};
use crate::dialect::{BadAnswer, Broken, Dialect, Sink};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    message: Option<MessageFields<'a>>,
    /// The answer of /api/generate, and its thoughts.
    #[serde(default)]
    response: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    done: bool,
    #[serde(default, borrow)]
    done_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageFields<'a> {
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default, borrow)]
    tool_calls: Option<Vec<CallFields<'a>>>,
}

#[derive(Deserialize)]
struct CallFields<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow)]
    function: FunctionFields<'a>,
}

#[derive(Deserialize)]
struct FunctionFields<'a> {
    name: String,
    #[serde(default, borrow)]
    arguments: Option<&'a RawValue>,
}

/// Decodes lines. It counts tool calls, which are numbered over the whole stream.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    calls: u32,
}

impl StreamDecoder {
    /// Decodes one line into events, in order.
    ///
    /// # Errors
    /// The line is no event, or `event` refused one.
    pub fn line(&mut self, line: &[u8], event: &mut Sink<'_>) -> Result<(), Broken> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let fields: Line<'_> =
            serde_json::from_slice(line).map_err(|error| BadAnswer::json(&error))?;
        if fields.error.is_some() {
            return event(Event::Error(reported(line)));
        }
        if fields.message.is_none() && fields.response.is_none() && !fields.done {
            return Err(Broken::BadAnswer("a line of it has no message".to_owned()));
        }
        if let Some(message) = fields.message {
            self.message(message, event)?;
        }
        if let Some(text) = fields.thinking.filter(|text| !text.is_empty()) {
            event(Event::Thinking(text))?;
        }
        if let Some(text) = fields.response.filter(|text| !text.is_empty()) {
            event(Event::Text(text))?;
        }
        if fields.done {
            event(Event::Finish(self.reason(fields.done_reason.as_deref())))?;
            if let Some(usage) = usage(fields.prompt_eval_count, fields.eval_count) {
                event(Event::Usage(usage))?;
            }
            event(Event::Done)?;
        }
        Ok(())
    }

    fn message(&mut self, message: MessageFields<'_>, event: &mut Sink<'_>) -> Result<(), Broken> {
        if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
            event(Event::Thinking(text))?;
        }
        if !message.content.is_empty() {
            event(Event::Text(message.content))?;
        }
        for call in message.tool_calls.into_iter().flatten() {
            let index = self.calls;
            self.calls += 1;
            let arguments = call.function.arguments.map_or("{}", RawValue::get).to_owned();
            let name = Some(call.function.name);
            let call = ToolCallDelta { index, id: call.id, name, arguments, signature: None };
            event(Event::ToolCall(call))?;
        }
        Ok(())
    }

    fn reason(&self, word: Option<&str>) -> FinishReason {
        match word {
            Some("length") => FinishReason::Length,
            _ if self.calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        }
    }
}

/// Either count may be absent: an answer may be empty, and some versions leave a cached prompt
/// out.
fn usage(input: Option<u64>, output: Option<u64>) -> Option<Usage> {
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: input.unwrap_or_default(),
        output_tokens: output.unwrap_or_default(),
        ..Usage::default()
    })
}

fn reported(line: &[u8]) -> Error {
    let refusal = decode_error(Dialect::Ollama, 400, line);
    let kind = match refusal.class {
        Class::ContextLength => Kind::ContextLength,
        _ => Kind::Upstream,
    };
    Error::new(kind, refusal.message)
}
