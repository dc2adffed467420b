//! A stream that is held against a JSON schema when it has ended.

use serde_json::value::RawValue;

use crate::chat::{Event, FinishReason};
use crate::dialect::{Broken, violation};

/// Gathers an answer's text and holds it against a schema.
#[derive(Debug)]
pub(super) struct Judge {
    schema: Box<RawValue>,
    pub(super) text: String,
    /// It is a refusal or a tool call, or was cut short: no answer by a schema, and it says so.
    is_other: bool,
}

impl Judge {
    pub(super) fn new(schema: Box<RawValue>) -> Self {
        Self { schema, text: String::new(), is_other: false }
    }

    pub(super) fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Text(text) => self.text.push_str(text),
            Event::Refusal(_) | Event::ToolCall(_) => self.is_other = true,
            Event::Finish(FinishReason::ContentFilter | FinishReason::Length) => {
                self.is_other = true;
            }
            Event::Done if !self.is_other => {
                if let Some(why) = violation(&self.schema, &self.text) {
                    return Err(Broken::OffSchema(why));
                }
            }
            Event::Done
            | Event::Error(_)
            | Event::Finish(_)
            | Event::Signature(_)
            | Event::Thinking(_)
            | Event::Usage(_) => {}
        }
        Ok(())
    }
}
