//! Anthropic's stream: typed events in SSE frames. What an event is stands in its data too, so its
//! name in the frame is not looked at.

use std::borrow::Cow;

use serde::Deserialize;

use crate::chat::{Error, Event, FinishReason, Kind, ToolCallDelta, Usage};
use crate::dialect::anthropic::{ANSWER_TOOL, UsageFields, stop_reason};
use crate::dialect::refusal::{Class, decode_error};
use crate::dialect::{BadAnswer, Broken, Dialect, Sink};

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    message: Option<Started>,
    #[serde(default)]
    content_block: Option<Block>,
    #[serde(default, borrow)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default, borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    partial_json: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default, borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

/// The block that is open.
#[derive(Debug, Default, PartialEq, Eq)]
enum Open {
    /// The tool that stands for an answer in JSON: its arguments are text.
    Answer,
    /// A tool call, with whether anything of its arguments has come.
    Call { has_arguments: bool },
    /// Any other.
    #[default]
    Other,
}

/// Decodes the data of frames.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    open: Open,
    calls: u32,
    has_answer: bool,
    usage: UsageFields,
}

impl StreamDecoder {
    /// Decodes the data of one frame into events, in order. Types that are not known are left out,
    /// as Anthropic asks of its clients.
    ///
    /// # Errors
    /// The data is no event, or the sink refused one.
    pub fn data(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Result<(), Broken> {
        if data.trim_ascii().is_empty() {
            return Ok(());
        }
        let fields: Data<'_> =
            serde_json::from_slice(data).map_err(|error| BadAnswer::json(&error))?;
        match &*fields.r#type {
            "message_start" => {
                self.usage = fields.message.and_then(|it| it.usage).unwrap_or_default();
                Ok(())
            }
            "content_block_start" => match fields.content_block {
                Some(block) => self.start(block, sink),
                None => Ok(()),
            },
            "content_block_delta" => match fields.delta {
                Some(delta) => self.delta(delta, sink),
                None => Ok(()),
            },
            "content_block_stop" => self.stop(sink),
            "message_delta" => self.end(fields.delta, fields.usage, sink),
            "message_stop" => sink(Event::Done),
            "error" => sink(Event::Error(reported(data))),
            _ => Ok(()),
        }
    }

    fn start(&mut self, block: Block, sink: &mut Sink<'_>) -> Result<(), Broken> {
        self.open = Open::Other;
        if let Some(text) = block.text.filter(|text| !text.is_empty()) {
            sink(Event::Text(text))?;
        }
        if let Some(text) = block.thinking.filter(|text| !text.is_empty()) {
            sink(Event::Thinking(text))?;
        }
        if block.r#type != "tool_use" {
            return Ok(());
        }
        if block.name.as_deref() == Some(ANSWER_TOOL) {
            self.open = Open::Answer;
            self.has_answer = true;
            return Ok(());
        }
        self.open = Open::Call { has_arguments: false };
        let index = self.calls;
        self.calls += 1;
        let (id, name) = (block.id, block.name);
        sink(Event::ToolCall(ToolCallDelta { index, id, name, ..ToolCallDelta::default() }))
    }

    fn delta(&mut self, delta: Delta<'_>, sink: &mut Sink<'_>) -> Result<(), Broken> {
        let event = match delta.r#type.as_deref() {
            Some("text_delta") => delta.text.map(Event::Text),
            Some("thinking_delta") => delta.thinking.map(Event::Thinking),
            Some("signature_delta") => delta.signature.map(Event::Signature),
            Some("input_json_delta") => delta.partial_json.and_then(|piece| self.piece(piece)),
            _ => None,
        };
        match event {
            Some(event) => sink(event),
            None => Ok(()),
        }
    }

    fn piece(&mut self, piece: String) -> Option<Event> {
        if piece.is_empty() {
            return None;
        }
        match &mut self.open {
            Open::Answer => Some(Event::Text(piece)),
            Open::Call { has_arguments } => {
                *has_arguments = true;
                Some(self.arguments(piece))
            }
            Open::Other => None,
        }
    }

    fn arguments(&self, arguments: String) -> Event {
        let index = self.calls.saturating_sub(1);
        Event::ToolCall(ToolCallDelta { index, arguments, ..ToolCallDelta::default() })
    }

    /// A call without arguments has an empty object for them.
    fn stop(&mut self, sink: &mut Sink<'_>) -> Result<(), Broken> {
        match std::mem::take(&mut self.open) {
            Open::Call { has_arguments: false } => sink(self.arguments("{}".to_owned())),
            Open::Answer | Open::Call { .. } | Open::Other => Ok(()),
        }
    }

    fn end(
        &mut self,
        delta: Option<Delta<'_>>,
        usage: Option<UsageFields>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Broken> {
        if let Some(word) = delta.and_then(|it| it.stop_reason) {
            let reason = match stop_reason(&word) {
                FinishReason::ToolCalls if self.has_answer => FinishReason::Stop,
                reason => reason,
            };
            sink(Event::Finish(reason))?;
        }
        self.usage = self.usage.renewed(usage.unwrap_or_default());
        sink(Event::Usage(Usage::from(self.usage)))
    }
}

/// A failure that came inside a stream. There is no status any more, so its type decides.
fn reported(data: &[u8]) -> Error {
    let refusal = decode_error(Dialect::Anthropic, 400, data);
    let kind = match (refusal.class, refusal.code.as_deref().unwrap_or_default()) {
        (Class::ContextLength, _) => Kind::ContextLength,
        (_, "invalid_request_error") => Kind::Invalid,
        (_, "rate_limit_error") => Kind::RateLimited,
        (_, "overloaded_error") => Kind::Unavailable,
        _ => Kind::Upstream,
    };
    Error::new(kind, refusal.message)
}
