//! A provider's stream for a client of another dialect: `chat.completion.chunk` objects, decoded.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Event, ToolCallDelta, Usage};
use crate::dialect::openai::from_client::ExtraContent;
use crate::dialect::openai::from_provider::{Content, UsageFields, finish_reason};
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
    content: Option<Content>,
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

/// Decodes the data of frames. It numbers tool calls itself: some services number none of them, and
/// some give several the same number.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    /// The calls so far: the service's number, and the id that it gave.
    calls: Vec<(Option<u32>, String)>,
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
        let (text, thought) = delta.content.map(Content::split).unwrap_or_default();
        let thoughts = [delta.reasoning_content, delta.reasoning, Some(thought)];
        if let Some(text) = thoughts.into_iter().find_map(said) {
            sink(Event::Thinking(text))?;
        }
        if let Some(text) = said(Some(text)) {
            sink(Event::Text(text))?;
        }
        if let Some(text) = said(delta.refusal) {
            sink(Event::Refusal(text))?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            if let Some(call) = self.call(call) {
                sink(Event::ToolCall(call))?;
            }
        }
        Ok(())
    }

    fn call(&mut self, call: Call) -> Option<ToolCallDelta> {
        let function = call.function.unwrap_or_default();
        let name = function.name.filter(|name| !name.is_empty());
        let id = call.id.filter(|id| !id.is_empty());
        let known = match call.index {
            Some(_) => self.calls.iter().rposition(|(index, _)| *index == call.index),
            None => self.calls.len().checked_sub(1),
        };
        // Names are repeated by some in every piece; a call is new by its number, or by its id.
        let same_id = |at: &usize| {
            let known = self.calls.get(*at).map_or("", |(_, id)| id.as_str());
            id.as_deref().is_none_or(|id| id == known)
        };
        let starts = name.is_some() && (call.index.is_some() || id.is_none());
        let known = match call.index {
            Some(_) => known.filter(same_id).or_else(|| known.filter(|_| name.is_none())),
            None => known.filter(|at| name.is_none() || (!starts && same_id(at))),
        };
        let (index, is_new) = match known {
            Some(at) => (at, false),
            // A piece of a call that never began.
            None if name.is_none() => return None,
            None => {
                self.calls.push((call.index, id.clone().unwrap_or_default()));
                (self.calls.len() - 1, true)
            }
        };
        Some(ToolCallDelta {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            id: id.filter(|_| is_new),
            name: name.filter(|_| is_new),
            arguments: function.arguments.unwrap_or_default(),
            signature: call.extra_content.and_then(ExtraContent::signature),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls by their index, name and arguments, from chunks of `tool_calls`.
    fn calls(chunks: &[&str]) -> Vec<(u32, Option<String>, String)> {
        let mut decoder = StreamDecoder::default();
        let mut calls = Vec::new();
        for chunk in chunks {
            let data = format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{chunk}]}}}}]}}"#);
            let sink = &mut |event| {
                if let Event::ToolCall(it) = event {
                    calls.push((it.index, it.name, it.arguments));
                }
                Ok(())
            };
            decoder.data(data.as_bytes(), sink).unwrap();
        }
        calls
    }

    #[test]
    fn calls_are_told_apart_however_they_are_numbered() {
        let (f, g) = (Some("f".to_owned()), Some("g".to_owned()));
        let want = |rest: &[(u32, Option<String>, &str)]| {
            rest.iter().map(|(i, n, a)| (*i, n.clone(), (*a).to_owned())).collect::<Vec<_>>()
        };
        // As OpenAI does it.
        let chunks = [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
            r#"{"index":0,"function":{"arguments":"{}"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
        ];
        assert_eq!(
            calls(&chunks),
            want(&[(0, f.clone(), ""), (0, None, "{}"), (1, g.clone(), "{}")])
        );
        // One number for all of them.
        let chunks = [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
        ];
        assert_eq!(calls(&chunks), want(&[(0, f.clone(), "{}"), (1, g.clone(), "{}")]));
        // No numbers, and no ids.
        let chunks = [
            r#"{"function":{"name":"f","arguments":"{}"}}"#,
            r#"{"function":{"name":"g","arguments":"{"}}"#,
            r#"{"function":{"arguments":"}"}}"#,
        ];
        assert_eq!(calls(&chunks), want(&[(0, f.clone(), "{}"), (1, g, "{"), (1, None, "}")]));
        // The name and the id in every piece; numbers that begin elsewhere.
        let chunks = [
            r#"{"index":3,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":3,"id":"a","function":{"name":"f","arguments":"}"}}"#,
        ];
        assert_eq!(calls(&chunks), want(&[(0, f, "{"), (0, None, "}")]));
        // Pieces of nothing.
        assert_eq!(calls(&[r#"{"index":5,"function":{"arguments":"x"}}"#]), want(&[]));
    }
}
