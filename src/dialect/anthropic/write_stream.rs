//! A stream as a client of Anthropic's reads it: a message that starts, blocks one after the other,
//! the reason to stop with what it cost, and the end.

use std::borrow::Cow;

use serde::Serialize;

use crate::chat::{Error, Event, FinishReason, ToolCallDelta, Usage};
use crate::dialect::Stamp;
use crate::dialect::anthropic::encode_error;
use crate::dialect::anthropic::to_client::{UsageBody, id, stop_word};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Data<'a> {
    MessageStart { message: Started<'a> },
    ContentBlockStart { index: u32, content_block: BlockStart<'a> },
    ContentBlockDelta { index: u32, delta: Delta<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: End, usage: UsageBody },
    MessageStop,
}

#[derive(Serialize)]
struct Started<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: UsageBody,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockStart<'a> {
    Text { text: &'static str },
    Thinking { thinking: &'static str, signature: &'static str },
    ToolUse { id: Cow<'a, str>, name: &'a str, input: Empty },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
}

#[derive(Serialize)]
struct End {
    stop_reason: &'static str,
    stop_sequence: Option<()>,
}

/// The block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Call(u32),
    Text,
    Thinking,
}

/// Writes events as frames.
#[derive(Debug)]
pub struct StreamEncoder {
    stamp: Stamp,
    begun: bool,
    open: Option<Open>,
    /// Blocks so far, the open one among them.
    blocks: u32,
    called: bool,
    refused: bool,
    finish: Option<FinishReason>,
    usage: Usage,
}

impl StreamEncoder {
    /// An encoder for one answer.
    pub fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            begun: false,
            open: None,
            blocks: 0,
            called: false,
            refused: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    /// Writes one event. An `Error` is not written here: it ends the stream in its own form.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => self.text(text, out),
            Event::Refusal(text) => {
                self.refused = true;
                self.text(text, out);
            }
            Event::Thinking(thinking) => {
                self.open(
                    Open::Thinking,
                    &|| BlockStart::Thinking { thinking: "", signature: "" },
                    out,
                );
                self.delta(Delta::Thinking { thinking }, out);
            }
            Event::Signature(signature) => {
                if self.open == Some(Open::Thinking) {
                    self.delta(Delta::Signature { signature }, out);
                }
            }
            Event::ToolCall(call) => self.call(call, out),
            Event::Finish(reason) => self.finish = Some(*reason),
            Event::Usage(usage) => self.usage = *usage,
            Event::Done => self.done(out),
            Event::Error(_) => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.open(Open::Text, &|| BlockStart::Text { text: "" }, out);
        self.delta(Delta::Text { text }, out);
    }

    fn call(&mut self, call: &ToolCallDelta, out: &mut Vec<u8>) {
        self.called = true;
        let index = usize::try_from(call.index).unwrap_or_default();
        let made_up = self.stamp.call_id(index);
        let given = call.id.as_deref().filter(|id| !id.is_empty());
        let id = || Cow::Borrowed(given.unwrap_or(&made_up));
        let name = call.name.as_deref().unwrap_or_default();
        let start = || BlockStart::ToolUse { id: id(), name, input: Empty {} };
        self.open(Open::Call(call.index), &start, out);
        if !call.arguments.is_empty() {
            self.delta(Delta::Input { partial_json: &call.arguments }, out);
        }
    }

    /// Opens a block, and closes the one before, if it is not open already.
    fn open<'a>(&mut self, open: Open, start: &dyn Fn() -> BlockStart<'a>, out: &mut Vec<u8>) {
        self.begin(out);
        if self.open == Some(open) {
            return;
        }
        self.close(out);
        self.open = Some(open);
        write(
            "content_block_start",
            &Data::ContentBlockStart { index: self.blocks, content_block: start() },
            out,
        );
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.blocks.saturating_sub(1);
            write("content_block_stop", &Data::ContentBlockStop { index }, out);
        }
    }

    fn delta(&self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        write("content_block_delta", &Data::ContentBlockDelta { index, delta }, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = Started {
            id: id(&self.stamp),
            r#type: "message",
            role: "assistant",
            model: &self.stamp.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            // What it costs is known at the end; the counts there stand in the place of these.
            usage: Usage::default().into(),
        };
        write("message_start", &Data::MessageStart { message }, out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let finish = if self.refused { Some(FinishReason::ContentFilter) } else { self.finish };
        let delta = End { stop_reason: stop_word(finish, self.called), stop_sequence: None };
        write("message_delta", &Data::MessageDelta { delta, usage: self.usage.into() }, out);
        write("message_stop", &Data::MessageStop, out);
    }
}

/// Writes the event that ends a broken stream.
pub(in crate::dialect) fn error(error: &Error, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&encode_error(error));
    out.extend_from_slice(b"\n\n");
}

fn write(name: &str, data: &Data<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Writing JSON of our own types to memory cannot fail.
    serde_json::to_writer(&mut *out, data).ok();
    out.extend_from_slice(b"\n\n");
}
