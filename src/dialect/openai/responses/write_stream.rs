//! A stream as a client of Responses reads it: the response that begins, its items one after the
//! other with their parts and pieces, and the response with all of it.
//!
//! The last event holds the whole answer, so all of it is held until then: this is the one stream
//! that is gathered, and it is counted like any other memory.

use serde_json::{Value, json};

use crate::chat::{Error, Event, FinishReason, ToolCall, ToolCallDelta, Usage};
use crate::dialect::Stamp;
use crate::dialect::openai::responses::object::{
    Item, State, reasoning_part, refusal_part, response, text_part,
};

/// Writes events as frames.
#[derive(Debug)]
pub struct StreamEncoder {
    stamp: Stamp,
    echo: Box<str>,
    sequence: u64,
    items: Vec<Item>,
    /// Whether the last item is still being written.
    open: bool,
    begun: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

/// What is being written into the last item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Reasoning,
    Refusal,
    Text,
}

impl StreamEncoder {
    /// An encoder for one answer. `echo` holds the fields of the request that it repeats.
    pub fn new(stamp: Stamp, echo: Box<str>) -> Self {
        Self {
            stamp,
            echo,
            sequence: 0,
            items: Vec::new(),
            open: false,
            begun: false,
            finish: None,
            usage: None,
        }
    }

    /// Bytes of the answer that are gathered.
    pub fn held_bytes(&self) -> usize {
        self.items.iter().map(Item::held_bytes).sum::<usize>() + self.echo.len()
    }

    /// Writes one event. An `Error` is not written here: it ends the stream in its own form.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => self.piece(Part::Text, text, out),
            Event::Refusal(text) => self.piece(Part::Refusal, text, out),
            Event::Thinking(text) => self.piece(Part::Reasoning, text, out),
            Event::ToolCall(call) => self.call(call, out),
            Event::Finish(reason) => self.finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done(out),
            Event::Error(_) | Event::Signature(_) => {}
        }
    }

    fn piece(&mut self, part: Part, piece: &str, out: &mut Vec<u8>) {
        let fits = self.open
            && match self.items.last() {
                Some(Item::Message { refusal, .. }) if part == Part::Text => refusal.is_empty(),
                Some(Item::Message { text, .. }) if part == Part::Refusal => text.is_empty(),
                Some(Item::Reasoning(_)) => part == Part::Reasoning,
                _ => false,
            };
        if !fits {
            let (item, begun) = match part {
                Part::Reasoning => (Item::Reasoning(String::new()), reasoning_part("")),
                Part::Refusal => (message(), refusal_part("")),
                Part::Text => (message(), text_part("")),
            };
            self.add(item, out);
            let fields = json!({"content_index": 0, "part": begun});
            self.of_item("response.content_part.added", fields, out);
        }
        match (self.items.last_mut(), part) {
            (Some(Item::Message { text, .. }), Part::Text) => text.push_str(piece),
            (Some(Item::Message { refusal, .. }), Part::Refusal) => refusal.push_str(piece),
            (Some(Item::Reasoning(text)), _) => text.push_str(piece),
            _ => {}
        }
        let (name, fields) = match part {
            Part::Reasoning => {
                ("response.reasoning_text.delta", json!({"content_index": 0, "delta": piece}))
            }
            Part::Refusal => {
                ("response.refusal.delta", json!({"content_index": 0, "delta": piece}))
            }
            Part::Text => (
                "response.output_text.delta",
                json!({"content_index": 0, "delta": piece, "logprobs": []}),
            ),
        };
        self.of_item(name, fields, out);
    }

    fn call(&mut self, delta: &ToolCallDelta, out: &mut Vec<u8>) {
        if let Some(name) = &delta.name {
            let calls = self.items.iter().filter(|item| matches!(item, Item::Call(_))).count();
            let given = delta.id.clone().filter(|id| !id.is_empty());
            let id = given.unwrap_or_else(|| self.stamp.call_id(calls));
            let (name, arguments) = (name.clone(), String::new());
            self.add(Item::Call(ToolCall { id, name, arguments, signature: None }), out);
        }
        if delta.arguments.is_empty() {
            return;
        }
        if let Some(Item::Call(call)) = self.items.last_mut() {
            call.arguments.push_str(&delta.arguments);
            let fields = json!({"delta": delta.arguments});
            self.of_item("response.function_call_arguments.delta", fields, out);
        }
    }

    fn add(&mut self, item: Item, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let index = self.items.len();
        let body = item.body(&self.stamp, index, "in_progress");
        self.items.push(item);
        self.open = true;
        let fields = json!({"output_index": index, "item": body});
        self.write("response.output_item.added", fields, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let Some(item) = self.items.last() else { return };
        let index = self.items.len() - 1;
        let done = item.body(&self.stamp, index, self.status_of(index));
        let ends = match item {
            Item::Call(call) => vec![(
                "response.function_call_arguments.done",
                json!({"arguments": call.arguments, "name": call.name}),
            )],
            Item::Message { text, refusal } if refusal.is_empty() => vec![
                (
                    "response.output_text.done",
                    json!({"content_index": 0, "text": text, "logprobs": []}),
                ),
                (
                    "response.content_part.done",
                    json!({"content_index": 0, "part": text_part(text)}),
                ),
            ],
            Item::Message { refusal, .. } => vec![
                ("response.refusal.done", json!({"content_index": 0, "refusal": refusal})),
                (
                    "response.content_part.done",
                    json!({"content_index": 0, "part": refusal_part(refusal)}),
                ),
            ],
            Item::Reasoning(text) => vec![
                ("response.reasoning_text.done", json!({"content_index": 0, "text": text})),
                (
                    "response.content_part.done",
                    json!({"content_index": 0, "part": reasoning_part(text)}),
                ),
            ],
        };
        for (name, fields) in ends {
            self.of_item(name, fields, out);
        }
        let fields = json!({"output_index": index, "item": done});
        self.write("response.output_item.done", fields, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let object = response(&self.stamp, &self.echo, State::Running, Vec::new(), None);
            self.write(name, json!({"response": object}), out);
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let name = match self.finish {
            Some(FinishReason::ContentFilter | FinishReason::Length) => "response.incomplete",
            Some(FinishReason::Stop | FinishReason::ToolCalls) | None => "response.completed",
        };
        let object = self.object(State::Ended(self.finish));
        self.write(name, json!({"response": object}), out);
    }

    /// Ends a broken stream.
    pub fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.begin(out);
        let fields = json!({
            "code": error.kind.to_string(), "message": error.message, "param": error.param,
        });
        self.write("error", fields, out);
        let object = self.object(State::Failed(error));
        self.write("response.failed", json!({"response": object}), out);
    }

    fn object(&self, state: State<'_>) -> Value {
        let items = self.items.iter().enumerate();
        let output =
            items.map(|(index, it)| it.body(&self.stamp, index, self.status_of(index))).collect();
        response(&self.stamp, &self.echo, state, output, self.usage)
    }

    /// The last item is what a limit cuts.
    fn status_of(&self, index: usize) -> &'static str {
        let is_cut = self.finish == Some(FinishReason::Length) && index + 1 == self.items.len();
        if is_cut { "incomplete" } else { "completed" }
    }

    /// Writes an event of the last item.
    fn of_item(&mut self, name: &str, mut fields: Value, out: &mut Vec<u8>) {
        let index = self.items.len().saturating_sub(1);
        if let (Some(item), Some(fields)) = (self.items.last(), fields.as_object_mut()) {
            fields.insert("item_id".to_owned(), item.id(&self.stamp, index).into());
            fields.insert("output_index".to_owned(), index.into());
        }
        self.write(name, fields, out);
    }

    fn write(&mut self, name: &str, mut fields: Value, out: &mut Vec<u8>) {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("type".to_owned(), name.into());
            fields.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        // Writing JSON to memory cannot fail.
        serde_json::to_writer(&mut *out, &fields).ok();
        out.extend_from_slice(b"\n\n");
    }
}

fn message() -> Item {
    Item::Message { text: String::new(), refusal: String::new() }
}
