//! What a client of an Ollama gets: lines, whole answers, vectors, errors.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::{EmbedResponse, Error, Event, FinishReason, Response, ToolCall, Usage, add_call};
use crate::dialect::arguments::{as_object, held_bytes};
use crate::dialect::body::Fields;
use crate::dialect::{Stamp, Took, json};

/// Which of the two forms an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// /api/chat: a message.
    Chat,
    /// /api/generate: a text.
    Generate,
}

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    created_at: &'a str,
    #[serde(flatten)]
    said: Said<'a>,
    done: bool,
    #[serde(flatten)]
    end: Option<End>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Chat {
        message: MessageBody<'a>,
    },
    Generate {
        response: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        thinking: &'a str,
    },
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallBody<'a>>,
}

#[derive(Serialize)]
struct CallBody<'a> {
    id: &'a str,
    function: FunctionBody<'a>,
}

#[derive(Serialize)]
struct FunctionBody<'a> {
    index: usize,
    name: &'a str,
    arguments: Cow<'a, RawValue>,
}

/// What the last line says. Times in nanoseconds; a model elsewhere is not loaded here.
#[derive(Serialize)]
struct End {
    done_reason: &'static str,
    total_duration: u128,
    load_duration: u128,
    prompt_eval_count: u64,
    prompt_eval_duration: u128,
    eval_count: u64,
    eval_duration: u128,
}

impl End {
    fn new(finish: Option<FinishReason>, usage: Option<Usage>, took: Took) -> Self {
        let usage = usage.unwrap_or_default();
        Self {
            done_reason: match finish {
                Some(FinishReason::Length) => "length",
                Some(
                    FinishReason::ContentFilter | FinishReason::Stop | FinishReason::ToolCalls,
                )
                | None => "stop",
            },
            total_duration: took.total.as_nanos(),
            load_duration: 0,
            prompt_eval_count: usage.input_tokens,
            prompt_eval_duration: took.to_first.as_nanos(),
            eval_count: usage.output_tokens,
            eval_duration: took.total.saturating_sub(took.to_first).as_nanos(),
        }
    }
}

fn said<'a>(form: Form, content: &'a str, thinking: &'a str, calls: Vec<CallBody<'a>>) -> Said<'a> {
    match form {
        Form::Generate => Said::Generate { response: content, thinking },
        Form::Chat => {
            let message = MessageBody { role: "assistant", content, thinking, tool_calls: calls };
            Said::Chat { message }
        }
    }
}

fn calls<'a>(all: &'a [(String, ToolCall)]) -> Vec<CallBody<'a>> {
    let body = |(index, (id, call)): (usize, &'a (String, ToolCall))| CallBody {
        id,
        function: FunctionBody { index, name: &call.name, arguments: as_object(&call.arguments) },
    };
    all.iter().enumerate().map(body).collect()
}

fn named(stamp: &Stamp, calls: &[ToolCall]) -> Vec<(String, ToolCall)> {
    let id = |(index, call): (usize, &ToolCall)| {
        let id = if call.id.is_empty() { stamp.call_id(index) } else { call.id.clone() };
        (id, call.clone())
    };
    calls.iter().enumerate().map(id).collect()
}

/// Writes a whole answer.
pub fn encode_response(form: Form, response: &Response, stamp: &Stamp, took: Took) -> Vec<u8> {
    let named = named(stamp, &response.tool_calls);
    let text = spoken(response);
    json(&Line {
        model: &stamp.model,
        created_at: &stamp.created_at(),
        said: said(form, &text, &response.thinking, calls(&named)),
        done: true,
        end: Some(End::new(response.finish, response.usage, took)),
    })
}

/// There is no place for a refusal but the text.
fn spoken(response: &Response) -> String {
    format!("{}{}", response.text, response.refusal)
}

/// An Ollama's own last line with all of the answer in it: what it says besides stays as it was.
pub fn merge_response(form: Form, last: &[u8], response: &Response, stamp: &Stamp) -> Vec<u8> {
    let named = named(stamp, &response.tool_calls);
    // It has been read before, so it is an object.
    let mut fields = Fields::of(last).unwrap_or_default();
    let whole = said(form, &response.text, &response.thinking, calls(&named));
    match &whole {
        Said::Chat { message } => fields.set("message", message),
        Said::Generate { response, thinking } => {
            fields.set("response", response);
            if !thinking.is_empty() {
                fields.set("thinking", thinking);
            }
        }
    }
    fields.write()
}

/// Writes events as lines. A tool call goes out whole, as clients of an Ollama expect it.
#[derive(Debug)]
pub struct StreamEncoder {
    form: Form,
    stamp: Stamp,
    created_at: String,
    calls: Vec<ToolCall>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    took: Took,
}

impl StreamEncoder {
    /// An encoder for answers of this form.
    pub fn new(form: Form, stamp: Stamp) -> Self {
        Self {
            form,
            created_at: stamp.created_at(),
            stamp,
            calls: Vec::new(),
            finish: None,
            usage: None,
            took: Took::default(),
        }
    }

    /// How long the answer has taken so far.
    pub fn took(&mut self, took: Took) {
        self.took = took;
    }

    /// Bytes of tool calls that are gathered.
    pub fn held_bytes(&self) -> usize {
        held_bytes(&self.calls)
    }

    /// Writes one event. An `Error` is not written here: it ends the stream in its own form.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) | Event::Refusal(text) => self.line(text, "", &[], out),
            Event::Thinking(text) => self.line("", text, &[], out),
            Event::ToolCall(delta) => add_call(&mut self.calls, delta.clone()),
            Event::Finish(reason) => {
                self.finish = Some(*reason);
                self.called(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done(out),
            Event::Error(_) | Event::Signature(_) => {}
        }
    }

    fn line(&self, text: &str, thinking: &str, done: &[ToolCall], out: &mut Vec<u8>) {
        let named = named(&self.stamp, done);
        self.write(said(self.form, text, thinking, calls(&named)), None, out);
    }

    fn called(&mut self, out: &mut Vec<u8>) {
        let called = std::mem::take(&mut self.calls);
        if !called.is_empty() && self.form == Form::Chat {
            self.line("", "", &called, out);
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        // Some services leave the reason out.
        self.called(out);
        let end = End::new(self.finish, self.usage, self.took);
        self.write(said(self.form, "", "", Vec::new()), Some(end), out);
    }

    fn write(&self, said: Said<'_>, end: Option<End>, out: &mut Vec<u8>) {
        let line = Line {
            model: &self.stamp.model,
            created_at: &self.created_at,
            said,
            done: end.is_some(),
            end,
        };
        // Writing JSON of our own types to memory cannot fail.
        serde_json::to_writer(&mut *out, &line).ok();
        out.push(b'\n');
    }
}

#[derive(Serialize)]
struct Embeddings<'a> {
    model: &'a str,
    embeddings: &'a [Vec<f32>],
    total_duration: u128,
    load_duration: u128,
    prompt_eval_count: u64,
}

/// Writes the vectors of /api/embed.
pub fn encode_embed(response: &EmbedResponse, model: &str, took: Took) -> Vec<u8> {
    json(&Embeddings {
        model,
        embeddings: &response.vectors,
        total_duration: took.total.as_nanos(),
        load_duration: 0,
        prompt_eval_count: response.usage.map_or(0, |usage| usage.input_tokens),
    })
}

#[derive(Serialize)]
struct Embedding<'a> {
    embedding: &'a [f32],
}

/// Writes the one vector of /api/embeddings.
pub fn encode_embeddings(response: &EmbedResponse) -> Vec<u8> {
    json(&Embedding { embedding: response.vectors.first().map_or(&[], Vec::as_slice) })
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

/// Writes an error: `{"error":"text"}`, also as the last line of a stream.
pub fn encode_error(error: &Error) -> Vec<u8> {
    json(&ErrorBody { error: &error.message })
}
