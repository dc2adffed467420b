//! A whole answer.

use crate::chat::{Event, FinishReason, ToolCall, Usage};

/// A whole answer: what a stream's events add up to.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The answer's text.
    pub text: String,
    /// The model's reasoning, where it was shown.
    pub thinking: String,
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
            Event::ToolCall(delta) => {
                let index = usize::try_from(delta.index).unwrap_or(usize::MAX);
                if let Some(call) = self.tool_calls.get_mut(index) {
                    call.arguments.push_str(&delta.arguments);
                } else {
                    self.tool_calls.push(ToolCall {
                        id: delta.id.unwrap_or_default(),
                        name: delta.name.unwrap_or_default(),
                        arguments: delta.arguments,
                    });
                }
            }
            Event::Finish(reason) => self.finish = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(_) | Event::Done => {}
        }
    }
}
