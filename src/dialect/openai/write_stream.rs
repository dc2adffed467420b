//! A stream as an OpenAI client reads it: `chat.completion.chunk` objects in SSE frames.

use serde::Serialize;

use crate::chat::{Event, FinishReason, ToolCallDelta, Usage};
use crate::dialect::Stamp;
use crate::dialect::openai::to_client::{ExtraContent, UsageBody, finish_word, id};

/// Writes events as frames. Id, time and model are the same in all of them.
#[derive(Debug)]
pub struct StreamEncoder {
    stamp: Stamp,
    id: String,
    include_usage: bool,
    begun: bool,
    called: bool,
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageBody>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
}

#[derive(Serialize)]
struct Call<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl StreamEncoder {
    /// `include_usage` is the client's wish for a last chunk with token counts
    /// (`stream_options`).
    pub fn new(stamp: Stamp, include_usage: bool) -> Self {
        Self { id: id(&stamp), stamp, include_usage, begun: false, called: false, usage: None }
    }

    /// Writes one event. An `Error` is not written here: it ends the stream in its own form.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => {
                self.delta(Delta { content: Some(text), ..Delta::default() }, None, out);
            }
            Event::Thinking(text) => {
                self.delta(Delta { reasoning_content: Some(text), ..Delta::default() }, None, out);
            }
            Event::Refusal(text) => {
                self.delta(Delta { refusal: Some(text), ..Delta::default() }, None, out);
            }
            Event::ToolCall(call) => self.call(call, out),
            Event::Finish(reason) => {
                // Ollama says stop where the model calls tools; OpenAI's clients look for this.
                let reason = match reason {
                    FinishReason::Stop if self.called => FinishReason::ToolCalls,
                    reason => *reason,
                };
                self.delta(Delta::default(), Some(finish_word(reason)), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done(out),
            Event::Error(_) | Event::Signature(_) => {}
        }
    }

    fn call(&mut self, call: &ToolCallDelta, out: &mut Vec<u8>) {
        self.called = true;
        let is_first = call.name.is_some();
        let index = usize::try_from(call.index).unwrap_or_default();
        let id = call.id.clone().filter(|id| !id.is_empty());
        let body = Call {
            index: call.index,
            id: is_first.then(|| id.unwrap_or_else(|| self.stamp.call_id(index))),
            r#type: is_first.then_some("function"),
            function: Function { name: call.name.as_deref(), arguments: &call.arguments },
            extra_content: ExtraContent::of(call.signature.as_deref()),
        };
        self.delta(Delta { tool_calls: Some([body]), ..Delta::default() }, None, out);
    }

    fn delta(&mut self, delta: Delta<'_>, finish: Option<&'static str>, out: &mut Vec<u8>) {
        let role = (!self.begun).then_some("assistant");
        self.begun = true;
        let choice = Choice {
            index: 0,
            delta: Delta { role, ..delta },
            logprobs: None,
            finish_reason: finish,
        };
        self.chunk(&[choice], self.include_usage.then_some(None), out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        if self.include_usage {
            let usage = self.usage.unwrap_or_default();
            self.chunk(&[], Some(Some(usage.into())), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<Option<UsageBody>>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.stamp.created,
            model: &self.stamp.model,
            choices,
            usage,
        };
        out.extend_from_slice(b"data: ");
        // Writing JSON of our own types to memory cannot fail.
        serde_json::to_writer(&mut *out, &chunk).ok();
        out.extend_from_slice(b"\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(include_usage: bool, events: &[Event]) -> String {
        let stamp = Stamp { id: "7".to_owned(), created: 5, model: "m".to_owned() };
        let mut encoder = StreamEncoder::new(stamp, include_usage);
        let mut out = Vec::new();
        for event in events {
            encoder.event(event, &mut out);
        }
        String::from_utf8(out).unwrap().replace(
            r#""id":"chatcmpl-7","object":"chat.completion.chunk","created":5,"model":"m","#,
            "",
        )
    }

    #[test]
    fn role_first_then_text_and_end() {
        let usage = Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() };
        let events = [
            Event::Text("a".to_owned()),
            Event::Text("b".to_owned()),
            Event::Finish(FinishReason::Stop),
            Event::Usage(usage),
            Event::Done,
        ];
        assert_eq!(
            write(false, &events),
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n\
             data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n\
             data: {\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n\
             data: [DONE]\n\n"
        );
        let with_usage = write(true, &events);
        assert!(with_usage.contains("\"finish_reason\":\"stop\"}],\"usage\":null}"));
        assert!(with_usage.ends_with(
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n"
        ));
    }

    #[test]
    fn a_tool_call_has_id_and_name_once() {
        let first = ToolCallDelta {
            name: Some("f".to_owned()),
            arguments: "{}".to_owned(),
            ..ToolCallDelta::default()
        };
        let text = write(false, &[Event::ToolCall(first), Event::Finish(FinishReason::Stop)]);
        assert!(text.contains(r#""tool_calls":[{"index":0,"id":"call_7_0","type":"function","function":{"name":"f","arguments":"{}"}}]"#), "{text}");
        assert!(text.contains(r#""finish_reason":"tool_calls""#), "{text}");
    }
}
