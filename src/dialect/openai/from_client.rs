//! A client's request for a chat.

mod embed;
mod tools;

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Effort, Error, Format, Image, Message, Part, Request, Role, Sampling, Schema};
use crate::dialect::body::{self, model, object};
use crate::dialect::field::{At, Raw, bad, field, value};
use crate::dialect::openai::from_client::tools::{tool_calls, tool_choice, tools};

pub use embed::decode_embed;
pub(in crate::dialect) use embed::embed_input;
pub(super) use tools::ExtraContent;

/// The fields that we understand, each still as it was written, so that what is wrong with one
/// can be said by its name. A field that is there twice is an error: two readers could differ.
#[derive(Deserialize)]
struct ChatBody<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    messages: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
    #[serde(borrow)]
    stream_options: Raw<'a>,
    #[serde(borrow)]
    max_tokens: Raw<'a>,
    #[serde(borrow)]
    max_completion_tokens: Raw<'a>,
    #[serde(borrow)]
    temperature: Raw<'a>,
    #[serde(borrow)]
    top_p: Raw<'a>,
    #[serde(borrow)]
    top_k: Raw<'a>,
    #[serde(borrow)]
    stop: Raw<'a>,
    #[serde(borrow)]
    seed: Raw<'a>,
    #[serde(borrow)]
    presence_penalty: Raw<'a>,
    #[serde(borrow)]
    frequency_penalty: Raw<'a>,
    #[serde(borrow)]
    tools: Raw<'a>,
    #[serde(borrow)]
    tool_choice: Raw<'a>,
    #[serde(borrow)]
    parallel_tool_calls: Raw<'a>,
    #[serde(borrow)]
    response_format: Raw<'a>,
    #[serde(borrow)]
    reasoning_effort: Raw<'a>,
    // What only a provider of this dialect can honour.
    #[serde(borrow)]
    n: Raw<'a>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
    #[serde(borrow)]
    logit_bias: Raw<'a>,
    #[serde(borrow)]
    audio: Raw<'a>,
    #[serde(borrow)]
    modalities: Raw<'a>,
    #[serde(borrow)]
    prediction: Raw<'a>,
    #[serde(borrow)]
    web_search_options: Raw<'a>,
    #[serde(borrow)]
    functions: Raw<'a>,
}

/// The fields of a request that no target of another dialect is told.
pub(in crate::dialect) fn unknown_fields(body: &[u8]) -> Vec<String> {
    body::unknown_fields::<ChatBody<'_>>(body)
}

/// Decodes a chat request. Returns with it where the model's name stands in the body, quotes
/// included. Fields that we do not know are left alone.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_chat(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: ChatBody<'_> = object(body)?;
    let (model, span) = model(body, fields.model)?;
    let (tools, has_others) = tools(fields.tools)?;
    let mut exotic = exotic(&fields);
    let (tool_choice, is_others) = tool_choice(fields.tool_choice)?;
    let (messages, has_other_calls) = messages(fields.messages)?;
    if has_others || is_others || has_other_calls {
        exotic.push("tools that are no functions");
    }
    let request = Request {
        background: false,
        model,
        messages,
        tools,
        tool_choice,
        parallel_tools: field("parallel_tool_calls", fields.parallel_tool_calls)?,
        sampling: sampling(&fields)?,
        format: format(fields.response_format)?,
        effort: effort(fields.reasoning_effort)?,
        stream: field("stream", fields.stream)?.unwrap_or(false),
        include_usage: field::<StreamOptions>("stream_options", fields.stream_options)?
            .is_some_and(|options| options.include_usage.unwrap_or(false)),
        prompt: None,
        keep_alive: None,
        num_ctx: None,
        echo: None,
        exotic,
    };
    Ok((request, span))
}

#[derive(Deserialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
}

fn sampling(fields: &ChatBody<'_>) -> Result<Sampling, Error> {
    let limit = field("max_completion_tokens", fields.max_completion_tokens)?;
    Ok(Sampling {
        temperature: field("temperature", fields.temperature)?,
        top_p: field("top_p", fields.top_p)?,
        top_k: off_if_negative("top_k", fields.top_k)?,
        stop: stop(fields.stop)?,
        seed: field("seed", fields.seed)?,
        max_tokens: match limit {
            Some(limit) => Some(limit),
            None => off_if_negative("max_tokens", fields.max_tokens)?,
        },
        presence_penalty: field("presence_penalty", fields.presence_penalty)?,
        frequency_penalty: field("frequency_penalty", fields.frequency_penalty)?,
    })
}

/// vLLM's and llama.cpp's way to say without a limit.
fn off_if_negative(name: &'static str, raw: Raw<'_>) -> Result<Option<u32>, Error> {
    match raw.map(RawValue::get) {
        Some("-1") => Ok(None),
        _ => field(name, raw),
    }
}

pub(super) fn stop(raw: Raw<'_>) -> Result<Vec<String>, Error> {
    match raw.map(RawValue::get) {
        Some(text) if text.starts_with('"') => Ok(field("stop", raw)?.into_iter().collect()),
        _ => field("stop", raw)
            .map(Option::unwrap_or_default)
            .map_err(|_| Error::invalid_field("stop", "stop must be text or a list of texts")),
    }
}

/// The conversation, and whether tools were called in it that are no functions.
fn messages(raw: Raw<'_>) -> Result<(Vec<Message>, bool), Error> {
    let wanted = || {
        let words = "messages must be a list with at least one entry";
        Error::invalid_field("messages", words)
    };
    let list: Vec<&RawValue> =
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or_else(wanted)?;
    if list.is_empty() {
        return Err(wanted());
    }
    let mut has_others = false;
    let message = |(index, raw): (usize, &&RawValue)| {
        let (message, others) = message(index, raw)?;
        has_others |= others;
        Ok(message)
    };
    let messages = list.iter().enumerate().map(message).collect::<Result<Vec<_>, Error>>()?;
    Ok((messages, has_others))
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Raw<'a>,
    #[serde(borrow)]
    reasoning_content: Raw<'a>,
    #[serde(borrow)]
    tool_calls: Raw<'a>,
    #[serde(borrow)]
    tool_call_id: Raw<'a>,
    #[serde(borrow)]
    name: Raw<'a>,
}

fn message(index: usize, raw: &RawValue) -> Result<(Message, bool), Error> {
    let list = At::Field("messages");
    let at = At::Entry(&list, index);
    let fields: MessageBody<'_> =
        serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let role = match fields.role.as_deref() {
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        Some("tool" | "function") => Role::Tool,
        Some("user") => Role::User,
        _ => {
            let param = At::Member(&at, "role").to_string();
            let words = format!("{param} must be system, developer, user, assistant or tool");
            return Err(Error::invalid_field(param, words));
        }
    };
    let mut parts = content(At::Member(&at, "content"), fields.content)?;
    let thought = value(At::Member(&at, "reasoning_content"), fields.reasoning_content)?;
    if let Some(text) = thought {
        parts.insert(0, Part::Thinking { text, signature: None });
    }
    let (tool_calls, has_others) = tool_calls(At::Member(&at, "tool_calls"), fields.tool_calls)?;
    let message = Message {
        role,
        parts,
        tool_calls,
        tool_call_id: value(At::Member(&at, "tool_call_id"), fields.tool_call_id)?,
        name: value(At::Member(&at, "name"), fields.name)?,
        is_error: false,
    };
    Ok((message, has_others))
}

/// Text, a list of parts, or nothing (a turn that only calls tools).
fn content(at: At<'_>, raw: Raw<'_>) -> Result<Vec<Part>, Error> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(Vec::new()),
        Some(text) if text.starts_with('"') => {
            Ok(value(at, raw)?.map(Part::Text).into_iter().collect())
        }
        Some(text) if text.starts_with('[') => {
            let parts: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| bad(at, &error))?;
            parts.iter().enumerate().map(|(i, it)| part(At::Entry(&at, i), it)).collect()
        }
        Some(_) => {
            let words = format!("{at} must be text, a list of parts, or null");
            Err(Error::invalid_field(at.to_string(), words))
        }
    }
}

#[derive(Deserialize)]
struct PartBody {
    r#type: Option<String>,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
}

/// Some clients send the address itself where the reference has an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Object { url: String },
    Text(String),
}

fn part(at: At<'_>, raw: &RawValue) -> Result<Part, Error> {
    let body: PartBody = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let missing =
        |name: &str| Error::invalid_field(at.to_string(), format!("{at}.{name} is missing"));
    match body.r#type.as_deref() {
        Some("text") => body.text.map(Part::Text).ok_or_else(|| missing("text")),
        Some("refusal") => body.refusal.map(Part::Text).ok_or_else(|| missing("refusal")),
        Some("image_url") => match body.image_url.ok_or_else(|| missing("image_url"))? {
            ImageUrl::Object { url } | ImageUrl::Text(url) => {
                let at = format!("{at}.image_url");
                image(&at, url).map(Part::Image)
            }
        },
        Some(other) => Ok(Part::Other(other.chars().take(64).collect())),
        None => Err(missing("type")),
    }
}

/// `data:image/png;base64,...` (RFC 2397) is the picture itself; anything else is an address.
pub(super) fn image(at: &str, url: String) -> Result<Image, Error> {
    let Some(rest) = url.strip_prefix("data:") else { return Ok(Image::Url(url)) };
    let parsed = rest.split_once(',').and_then(|(head, data)| {
        // Parameters of the type, and a name for JPEG that is none, are refused by others.
        let media_type = head.strip_suffix(";base64")?.split(';').next().unwrap_or_default();
        let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
        Some(Image::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
    });
    parsed.ok_or_else(|| {
        let words = format!("{at}: a data URL must be data:TYPE;base64,DATA");
        Error::invalid_field(at, words)
    })
}

#[derive(Deserialize)]
struct FormatBody {
    r#type: String,
    json_schema: Option<SchemaBody>,
}

#[derive(Default, Deserialize)]
struct SchemaBody {
    name: Option<String>,
    schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

fn format(raw: Raw<'_>) -> Result<Format, Error> {
    let Some(body): Option<FormatBody> = field("response_format", raw)? else {
        return Ok(Format::Text);
    };
    match body.r#type.as_str() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let SchemaBody { name, schema, strict } = body.json_schema.unwrap_or_default();
            let schema = schema.ok_or_else(|| {
                let at = "response_format.json_schema.schema";
                Error::invalid_field(at, format!("{at} is missing"))
            })?;
            Ok(Format::Schema(Schema { name, schema, strict }))
        }
        _ => Err(Error::invalid_field(
            "response_format.type",
            "response_format.type must be text, json_object or json_schema",
        )),
    }
}

fn effort(raw: Raw<'_>) -> Result<Option<Effort>, Error> {
    let word: Option<String> = field("reasoning_effort", raw)?;
    word.map(|word| effort_word("reasoning_effort", &word)).transpose()
}

pub(super) fn effort_word(at: &str, word: &str) -> Result<Effort, Error> {
    match word {
        "none" => Ok(Effort::None),
        "minimal" | "low" => Ok(Effort::Low),
        "medium" => Ok(Effort::Medium),
        "high" | "xhigh" | "max" => Ok(Effort::High),
        _ => {
            let words = format!("{at} must be none, minimal, low, medium, high or xhigh");
            Err(Error::invalid_field(at, words))
        }
    }
}

fn exotic(fields: &ChatBody<'_>) -> Vec<&'static str> {
    let set = |raw: Raw<'_>, empty: &[&str]| {
        raw.is_some_and(|raw| raw.get() != "null" && !empty.contains(&raw.get()))
    };
    let table = [
        ("n", set(fields.n, &["1"])),
        ("logprobs", set(fields.logprobs, &["false"])),
        ("logit_bias", set(fields.logit_bias, &["{}"])),
        ("audio", set(fields.audio, &[])),
        ("modalities", set(fields.modalities, &["[\"text\"]"])),
        ("prediction", set(fields.prediction, &[])),
        ("web_search_options", set(fields.web_search_options, &[])),
        ("functions", set(fields.functions, &["[]"])),
    ];
    table.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

#[cfg(test)]
#[path = "from_client/tests.rs"]
mod tests;
