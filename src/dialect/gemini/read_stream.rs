//! Gemini's stream: whole answers' objects in SSE frames, each with the next parts. There is no end
//! mark: a stream that said why it stopped is whole.

use serde_json::value::RawValue;

use crate::chat::{Error, Event, Kind, ToolCallDelta, Usage};
use crate::dialect::gemini::from_provider::{Answer, PartBody, finish_reason};
use crate::dialect::refusal::{Class, decode_error};
use crate::dialect::{BadAnswer, Broken, Dialect, Sink};

/// Decodes the data of frames. It counts tool calls, which come whole and without numbers.
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
        if data.trim_ascii().is_empty() {
            return Ok(());
        }
        let answer: Answer<'_> =
            serde_json::from_slice(data).map_err(|error| BadAnswer::json(&error))?;
        if answer.error.is_some() {
            return sink(Event::Error(reported(data)));
        }
        if let Some(error) = answer.blocked() {
            return sink(Event::Error(error));
        }
        if answer.candidates.is_none() && answer.usage_metadata.is_none() {
            return Err(Broken::BadAnswer("a frame of it has no candidates".to_owned()));
        }
        let usage = answer.usage_metadata;
        if let Some(candidate) = answer.candidates.into_iter().flatten().next() {
            let parts = candidate.content.and_then(|content| content.parts);
            for part in parts.into_iter().flatten() {
                self.part(part, sink)?;
            }
            if let Some(word) = candidate.finish_reason {
                sink(Event::Finish(finish_reason(&word, self.calls > 0)?))?;
            }
        }
        match usage {
            Some(usage) => sink(Event::Usage(Usage::from(usage))),
            None => Ok(()),
        }
    }

    fn part(&mut self, part: PartBody<'_>, sink: &mut Sink<'_>) -> Result<(), Broken> {
        if let Some(text) = part.text.filter(|text| !text.is_empty()) {
            sink(if part.thought { Event::Thinking(text) } else { Event::Text(text) })?;
        }
        let Some(call) = part.function_call else { return Ok(()) };
        let index = self.calls;
        self.calls += 1;
        sink(Event::ToolCall(ToolCallDelta {
            index,
            id: call.id,
            name: Some(call.name),
            arguments: call.args.map_or("{}", RawValue::get).to_owned(),
            signature: part.thought_signature,
        }))
    }
}

/// A failure that came inside a stream: its code stands for the status.
fn reported(data: &[u8]) -> Error {
    let refusal = decode_error(Dialect::Gemini, 400, data);
    let kind = match (refusal.class, refusal.code.as_deref().unwrap_or_default()) {
        (Class::ContextLength, _) => Kind::ContextLength,
        (_, "INVALID_ARGUMENT") => Kind::Invalid,
        (_, "RESOURCE_EXHAUSTED") => Kind::RateLimited,
        (_, "UNAVAILABLE") => Kind::Unavailable,
        _ => Kind::Upstream,
    };
    let error = Error::new(kind, refusal.message);
    match refusal.wait {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}
