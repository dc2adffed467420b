//! A provider's stream for a client of another dialect: `chat.completion.chunk` objects, decoded.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Event, ToolCallDelta, Usage};
use crate::dialect::openai::from_client::ExtraContent;
use crate::dialect::openai::from_provider::{UsageFields, finish_reason};
use crate::dialect::openai::look::{is_failure, reported};
use crate::dialect::{BadAnswer, Broken, Sink};

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default, borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<UsageFields>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    index: Option<u32>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
    #[serde(default)]
    extra_content: Option<ExtraContent>,
}

#[derive(Default, Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

/// Decodes the data of frames. It counts tool calls, because some services number none of them.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    calls: u32,
}

impl StreamDecoder {
    /// Decodes the data of one frame into events, in order.
    ///
    /// # Errors
    /// The data is no event, or the sink refused one.
    pub fn data(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Result<(), Broken> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return sink(Event::Done);
        }
        let chunk: Chunk<'_> =
            serde_json::from_slice(data).map_err(|error| BadAnswer::json(&error))?;
        if chunk.error.is_some_and(is_failure) {
            return sink(Event::Error(reported(data)));
        }
        // A client of another dialect can be given one answer only.
        let first = chunk.choices.into_iter().flatten().find(|choice| choice.index == 0);
        if let Some(choice) = first {
            if let Some(delta) = choice.delta {
                self.delta(delta, sink)?;
            }
            if let Some(word) = choice.finish_reason {
                sink(Event::Finish(finish_reason(&word)))?;
            }
        }
        match chunk.usage {
            Some(usage) => sink(Event::Usage(Usage::from(usage))),
            None => Ok(()),
        }
    }

    fn delta(&mut self, delta: Delta, sink: &mut Sink<'_>) -> Result<(), Broken> {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(text) = said(delta.reasoning_content).or_else(|| said(delta.reasoning)) {
            sink(Event::Thinking(text))?;
        }
        if let Some(text) = said(delta.content) {
            sink(Event::Text(text))?;
        }
        if let Some(text) = said(delta.refusal) {
            sink(Event::Refusal(text))?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            sink(Event::ToolCall(self.call(call)))?;
        }
        Ok(())
    }

    fn call(&mut self, call: Call) -> ToolCallDelta {
        let function = call.function.unwrap_or_default();
        let name = function.name.filter(|name| !name.is_empty());
        let index = call.index.unwrap_or_else(|| match name.is_some() {
            true => self.calls,
            false => self.calls.saturating_sub(1),
        });
        // Some services repeat the name in every piece.
        let is_new = index >= self.calls && name.is_some();
        if is_new {
            self.calls = index.saturating_add(1);
        }
        ToolCallDelta {
            index,
            id: call.id.filter(|id| is_new && !id.is_empty()),
            name: name.filter(|_| is_new),
            arguments: function.arguments.unwrap_or_default(),
            signature: call.extra_content.and_then(ExtraContent::signature),
        }
    }
}
