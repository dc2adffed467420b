//! OpenAI's older Completions: a text that is gone on with
//! (platform.openai.com/docs/api-reference/completions).

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat::{
    Error, Event, FinishReason, Message, Part, Prompt, Request, Response, Role, Sampling, Usage,
};
use crate::dialect::body::{self, model, object};
use crate::dialect::field::{Raw, field};
use crate::dialect::openai::from_client::{StreamOptions, stop};
use crate::dialect::openai::to_client::{UsageBody, finish_word};
use crate::dialect::{Stamp, json};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    prompt: Raw<'a>,
    #[serde(borrow)]
    suffix: Raw<'a>,
    #[serde(borrow)]
    max_tokens: Raw<'a>,
    #[serde(borrow)]
    temperature: Raw<'a>,
    #[serde(borrow)]
    top_p: Raw<'a>,
    #[serde(borrow)]
    stop: Raw<'a>,
    #[serde(borrow)]
    seed: Raw<'a>,
    #[serde(borrow)]
    presence_penalty: Raw<'a>,
    #[serde(borrow)]
    frequency_penalty: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
    #[serde(borrow)]
    stream_options: Raw<'a>,
    // What only a provider of this dialect can honour.
    #[serde(borrow)]
    n: Raw<'a>,
    #[serde(borrow)]
    best_of: Raw<'a>,
    #[serde(borrow)]
    echo: Raw<'a>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
    #[serde(borrow)]
    logit_bias: Raw<'a>,
}

/// The fields of a request that no target of another dialect is told.
pub(in crate::dialect) fn unknown_fields(body: &[u8]) -> Vec<String> {
    body::unknown_fields::<Body<'_>>(body)
}

/// Decodes a request of /v1/completions, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_completions(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: Body<'_> = object(body)?;
    let (model, span) = model(body, fields.model)?;
    let mut exotic = exotic(&fields);
    let prompt = match prompt(fields.prompt)? {
        Given::Text(text) => text,
        Given::Exotic(what) => {
            exotic.push(what);
            String::new()
        }
    };
    let suffix: Option<String> = field("suffix", fields.suffix)?;
    let request = Request {
        model,
        messages: vec![Message::new(Role::User, vec![Part::Text(prompt)])],
        sampling: Sampling {
            temperature: field("temperature", fields.temperature)?,
            top_p: field("top_p", fields.top_p)?,
            stop: stop(fields.stop)?,
            seed: field("seed", fields.seed)?,
            max_tokens: field("max_tokens", fields.max_tokens)?,
            presence_penalty: field("presence_penalty", fields.presence_penalty)?,
            frequency_penalty: field("frequency_penalty", fields.frequency_penalty)?,
            ..Sampling::default()
        },
        stream: field("stream", fields.stream)?.unwrap_or(false),
        include_usage: field::<StreamOptions>("stream_options", fields.stream_options)?
            .is_some_and(|options| options.include_usage.unwrap_or(false)),
        prompt: Some(Prompt { suffix: suffix.filter(|text| !text.is_empty()), raw: false }),
        exotic,
        ..Request::default()
    };
    Ok((request, span))
}

enum Given {
    Exotic(&'static str),
    Text(String),
}

fn prompt(raw: Raw<'_>) -> Result<Given, Error> {
    let wanted = || Error::invalid_field("prompt", "prompt must be text");
    let text = raw.ok_or_else(wanted)?.get();
    if text.starts_with('"') {
        return serde_json::from_str(text).map(Given::Text).map_err(|_| wanted());
    }
    if let Ok([only]) = serde_json::from_str::<[String; 1]>(text) {
        return Ok(Given::Text(only));
    }
    if serde_json::from_str::<Vec<String>>(text).is_ok_and(|all| !all.is_empty()) {
        return Ok(Given::Exotic("several prompts at once"));
    }
    let tokens = serde_json::from_str::<Vec<u32>>(text).is_ok()
        || serde_json::from_str::<Vec<Vec<u32>>>(text).is_ok();
    if tokens && text.len() > 2 {
        Ok(Given::Exotic("a prompt of token numbers"))
    } else {
        Err(wanted())
    }
}

fn exotic(fields: &Body<'_>) -> Vec<&'static str> {
    let set = |raw: Raw<'_>, empty: &[&str]| {
        raw.map(RawValue::get).is_some_and(|text| text != "null" && !empty.contains(&text))
    };
    let table = [
        ("n", set(fields.n, &["1"])),
        ("best_of", set(fields.best_of, &["1"])),
        ("echo", set(fields.echo, &["false"])),
        ("logprobs", set(fields.logprobs, &[])),
        ("logit_bias", set(fields.logit_bias, &["{}"])),
    ];
    table.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

#[derive(Serialize)]
struct Completion<'a> {
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
    text: &'a str,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

fn choice(text: &str, finish: Option<FinishReason>) -> Choice<'_> {
    Choice { index: 0, text, logprobs: None, finish_reason: finish.map(finish_word) }
}

fn id(stamp: &Stamp) -> String {
    format!("cmpl-{}", stamp.id)
}

/// Writes a whole answer: `text_completion`.
pub fn encode_completion(response: &Response, stamp: &Stamp) -> Vec<u8> {
    let text = format!("{}{}", response.text, response.refusal);
    json(&Completion {
        id: &id(stamp),
        object: "text_completion",
        created: stamp.created,
        model: &stamp.model,
        choices: &[choice(&text, Some(response.finish.unwrap_or(FinishReason::Stop)))],
        usage: response.usage.map(|usage| Some(usage.into())),
    })
}

/// Writes events as frames: `text_completion` objects, each with the next piece.
#[derive(Debug)]
pub struct StreamEncoder {
    stamp: Stamp,
    id: String,
    include_usage: bool,
    usage: Option<Usage>,
}

impl StreamEncoder {
    /// `include_usage` is the client's wish for a last chunk with token counts.
    pub fn new(stamp: Stamp, include_usage: bool) -> Self {
        Self { id: id(&stamp), stamp, include_usage, usage: None }
    }

    /// Writes one event. An `Error` is not written here: it ends the stream in its own form.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) | Event::Refusal(text) => {
                self.write(&[choice(text, None)], None, out);
            }
            Event::Finish(reason) => self.write(&[choice("", Some(*reason))], None, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                if self.include_usage {
                    self.write(&[], Some(self.usage.unwrap_or_default()), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Event::Error(_) | Event::Signature(_) | Event::Thinking(_) | Event::ToolCall(_) => {}
        }
    }

    fn write(&self, choices: &[Choice<'_>], usage: Option<Usage>, out: &mut Vec<u8>) {
        let piece = Completion {
            id: &self.id,
            object: "text_completion",
            created: self.stamp.created,
            model: &self.stamp.model,
            choices,
            usage: self.include_usage.then(|| usage.map(UsageBody::from)),
        };
        out.extend_from_slice(b"data: ");
        // Writing JSON of our own types to memory cannot fail.
        serde_json::to_writer(&mut *out, &piece).ok();
        out.extend_from_slice(b"\n\n");
    }
}
