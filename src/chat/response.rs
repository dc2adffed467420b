//! A whole answer.

use crate::chat::{Event, FinishReason, ToolCall, ToolCallDelta, Usage};

/// A whole answer: what a stream's events add up to.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The answer's text.
    pub text: String,
    /// The model's reasoning, where it was shown.
    pub thinking: String,
    /// The seal on the reasoning, where there is one.
    pub signature: Option<String>,
    /// The words by which the model refused.
    pub refusal: String,
    /// Tools that the model called, in order.
    pub tool_calls: Vec<ToolCall>,
    /// Why the model stopped; `None` if the provider did not say.
    pub finish: Option<FinishReason>,
    /// What the call cost, where the provider said.
    pub usage: Option<Usage>,
}

impl Response {
    /// Adds one event of the stream. `Error` and `Done` add nothing.
    pub fn add(&mut self, event: Event) {
        match event {
            Event::Text(text) => self.text.push_str(&text),
            Event::Thinking(text) => self.thinking.push_str(&text),
            Event::Signature(seal) => self.signature.get_or_insert_default().push_str(&seal),
            Event::Refusal(text) => self.refusal.push_str(&text),
            Event::ToolCall(delta) => add_call(&mut self.tool_calls, delta),
            Event::Finish(reason) => self.finish = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(_) | Event::Done => {}
        }
    }
}

/// Adds a piece to the call that it belongs to.
pub fn add_call(calls: &mut Vec<ToolCall>, delta: ToolCallDelta) {
    let index = usize::try_from(delta.index).unwrap_or(usize::MAX);
    if let Some(call) = calls.get_mut(index) {
        call.arguments.push_str(&delta.arguments);
        return;
    }
    calls.push(ToolCall {
        id: delta.id.unwrap_or_default(),
        name: delta.name.unwrap_or_default(),
        arguments: delta.arguments,
        signature: delta.signature,
    });
}
