//! What a client of an Ollama asks: /api/chat, /api/generate, /api/embed, /api/embeddings and
//! /api/show.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{
    Effort, EmbedInput, EmbedRequest, Error, Format, Image, Message, Part, Prompt, Request, Role,
    Sampling, Schema, Tool, ToolCall,
};
use crate::dialect::body::{self, model, object};
use crate::dialect::field::{At, Raw, bad, field, value};
use crate::dialect::openai;

/// The fields of a chat and of a text to go on with. A stream is the default.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    messages: Raw<'a>,
    #[serde(borrow)]
    prompt: Raw<'a>,
    #[serde(borrow)]
    system: Raw<'a>,
    #[serde(borrow)]
    suffix: Raw<'a>,
    #[serde(borrow)]
    images: Raw<'a>,
    #[serde(borrow)]
    raw: Raw<'a>,
    #[serde(borrow)]
    context: Raw<'a>,
    #[serde(borrow)]
    template: Raw<'a>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
    #[serde(borrow)]
    tools: Raw<'a>,
    #[serde(borrow)]
    format: Raw<'a>,
    #[serde(borrow)]
    think: Raw<'a>,
    #[serde(borrow)]
    options: Raw<'a>,
    #[serde(borrow)]
    keep_alive: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
}

/// The fields of a request that no target of another dialect is told.
pub(in crate::dialect) fn unknown_fields(body: &[u8]) -> Vec<String> {
    body::unknown_fields::<Body<'_>>(body)
}

/// Decodes a request of /api/chat, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_chat(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: Body<'_> = object(body)?;
    let messages = messages(fields.messages)?;
    common(body, &fields, messages, None)
}

/// Decodes a request of /api/generate, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_generate(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: Body<'_> = object(body)?;
    let mut messages = Vec::new();
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(system) = said(field("system", fields.system)?) {
        messages.push(Message::new(Role::System, vec![Part::Text(system)]));
    }
    let mut parts = images(At::Field("images"), fields.images)?;
    parts.extend(said(field("prompt", fields.prompt)?).map(Part::Text));
    if parts.is_empty() {
        // Without a question the model is loaded, or unloaded.
        messages.clear();
    } else {
        messages.push(Message::new(Role::User, parts));
    }
    let prompt = Prompt {
        suffix: said(field("suffix", fields.suffix)?),
        raw: field("raw", fields.raw)?.unwrap_or(false),
    };
    common(body, &fields, messages, Some(prompt))
}

fn common(
    body: &[u8],
    fields: &Body<'_>,
    messages: Vec<Message>,
    prompt: Option<Prompt>,
) -> Result<(Request, Range<usize>), Error> {
    let (model, span) = model(body, fields.model)?;
    let options: OptionFields = field("options", fields.options)?.unwrap_or_default();
    let num_ctx = options.num_ctx.and_then(whole);
    let request = Request {
        model,
        messages,
        tools: tools(fields.tools)?,
        sampling: options.sampling(),
        format: format(fields.format)?,
        effort: effort(fields.think)?,
        stream: field("stream", fields.stream)?.unwrap_or(true),
        include_usage: true,
        prompt,
        keep_alive: keep_alive(fields.keep_alive)?,
        num_ctx,
        exotic: exotic(fields),
        ..Request::default()
    };
    Ok((request, span))
}

#[derive(Default, Deserialize)]
struct OptionFields {
    /// Whole numbers come as floats too: an Ollama cuts them, and so do we. Negative ones are as good
    /// as none.
    num_ctx: Option<f64>,
    num_predict: Option<f64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<f64>,
    stop: Option<Stop>,
    seed: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    Many(Vec<String>),
    One(String),
}

impl OptionFields {
    fn sampling(self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k.and_then(whole),
            stop: match self.stop {
                None => Vec::new(),
                Some(Stop::Many(all)) => all,
                Some(Stop::One(only)) => vec![only],
            },
            seed: self.seed.and_then(signed),
            max_tokens: self.num_predict.and_then(whole),
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
        }
    }
}

fn signed(number: f64) -> Option<i64> {
    // Every whole number that a float holds exactly; what is beyond is no seed.
    format!("{:.0}", number.trunc()).parse().ok()
}

fn whole(number: f64) -> Option<u32> {
    signed(number).and_then(|number| u32::try_from(number).ok())
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    role: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default, borrow)]
    images: Raw<'a>,
    #[serde(default, borrow)]
    tool_calls: Raw<'a>,
    #[serde(default)]
    tool_name: Option<String>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

fn messages(raw: Raw<'_>) -> Result<Vec<Message>, Error> {
    let list: Vec<&RawValue> = match raw.map(RawValue::get) {
        None | Some("null") => Vec::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|_| Error::invalid_field("messages", "messages must be a list"))?,
    };
    let mut messages = Vec::with_capacity(list.len());
    for (index, raw) in list.iter().enumerate() {
        messages.push(message(index, raw)?);
    }
    name_calls(&mut messages);
    Ok(messages)
}

fn message(index: usize, raw: &RawValue) -> Result<Message, Error> {
    let list = At::Field("messages");
    let at = At::Entry(&list, index);
    let body: MessageBody<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let role = match body.role.as_str() {
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "tool" => Role::Tool,
        "user" => Role::User,
        _ => {
            let param = At::Member(&at, "role").to_string();
            let words = format!("{param} must be system, user, assistant or tool");
            return Err(Error::invalid_field(param, words));
        }
    };
    let mut parts = images(At::Member(&at, "images"), body.images)?;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(text) = said(body.thinking) {
        parts.insert(0, Part::Thinking { text, signature: None });
    }
    parts.extend(said(body.content).map(Part::Text));
    Ok(Message {
        tool_calls: calls(At::Member(&at, "tool_calls"), body.tool_calls)?,
        tool_call_id: body.tool_call_id,
        name: body.tool_name,
        ..Message::new(role, parts)
    })
}

/// Pictures are bare base64 here, and nobody says of what type: their first bytes do.
fn images(at: At<'_>, raw: Raw<'_>) -> Result<Vec<Part>, Error> {
    let all: Vec<String> = value(at, raw)?.unwrap_or_default();
    let part = |data: String| {
        let media_type = media_type(&data).to_owned();
        Part::Image(Image::Base64 { media_type, data })
    };
    Ok(all.into_iter().map(part).collect())
}

/// By the base64 of each format's first bytes.
fn media_type(data: &str) -> &'static str {
    match data.as_bytes() {
        [b'/', b'9', b'j', ..] => "image/jpeg",
        [b'R', b'0', b'l', b'G', ..] => "image/gif",
        [b'U', b'k', b'l', b'G', ..] => "image/webp",
        _ => "image/png",
    }
}

#[derive(Deserialize)]
struct CallBody {
    #[serde(default)]
    id: Option<String>,
    function: FunctionBody,
}

#[derive(Deserialize)]
struct FunctionBody {
    name: String,
    #[serde(default)]
    arguments: Option<Box<RawValue>>,
}

fn calls(at: At<'_>, raw: Raw<'_>) -> Result<Vec<ToolCall>, Error> {
    let all: Vec<CallBody> = value(at, raw)?.unwrap_or_default();
    let call = |it: CallBody| ToolCall {
        id: it.id.unwrap_or_default(),
        name: it.function.name,
        arguments: it.function.arguments.map_or_else(|| "{}".to_owned(), |it| it.get().to_owned()),
        signature: None,
    };
    Ok(all.into_iter().map(call).collect())
}

/// Calls need no id here, and their answers name the tool. Other dialects want ids, so each call
/// gets one, and each answer that of the first call of its tool that has no answer yet.
fn name_calls(messages: &mut [Message]) {
    let mut open: Vec<(String, String)> = Vec::new();
    let mut count = 0;
    for message in messages {
        for call in &mut message.tool_calls {
            if call.id.is_empty() {
                call.id = format!("call_{count}");
            }
            count += 1;
            open.push((call.name.clone(), call.id.clone()));
        }
        if message.role == Role::Tool && message.tool_call_id.is_none() {
            let fits = |(name, _): &(String, String)| {
                message.name.as_ref().is_none_or(|wanted| wanted == name)
            };
            if let Some(at) = open.iter().position(fits) {
                message.tool_call_id = Some(open.remove(at).1);
            }
        }
    }
}

#[derive(Deserialize)]
struct ToolBody {
    function: DeclarationBody,
}

#[derive(Deserialize)]
struct DeclarationBody {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
}

fn tools(raw: Raw<'_>) -> Result<Vec<Tool>, Error> {
    let all: Vec<ToolBody> = field("tools", raw)?.unwrap_or_default();
    let tool = |ToolBody { function: it }: ToolBody| Tool {
        name: it.name,
        description: it.description,
        parameters: it.parameters,
        strict: None,
    };
    Ok(all.into_iter().map(tool).collect())
}

fn format(raw: Raw<'_>) -> Result<Format, Error> {
    match raw {
        None => Ok(Format::Text),
        Some(raw) => match raw.get() {
            "null" | "\"\"" => Ok(Format::Text),
            "\"json\"" => Ok(Format::Json),
            text if text.starts_with('{') => {
                Ok(Format::Schema(Schema { name: None, schema: raw.to_owned(), strict: None }))
            }
            _ => Err(Error::invalid_field("format", "format must be \"json\" or a JSON schema")),
        },
    }
}

fn effort(raw: Raw<'_>) -> Result<Option<Effort>, Error> {
    Ok(match raw.map(RawValue::get) {
        None | Some("null") => None,
        Some("false") => Some(Effort::None),
        Some("\"low\"") => Some(Effort::Low),
        Some("true" | "\"medium\"") => Some(Effort::Medium),
        Some("\"high\"" | "\"max\"") => Some(Effort::High),
        Some(_) => {
            let words = "think must be true, false, low, medium or high";
            return Err(Error::invalid_field("think", words));
        }
    })
}

/// Text in Go's notation, or a number of seconds.
fn keep_alive(raw: Raw<'_>) -> Result<Option<String>, Error> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    let wanted =
        || Error::invalid_field("keep_alive", "keep_alive must be a time such as \"5m\" or 300");
    let text = match raw.get() {
        text if text.starts_with('"') => serde_json::from_str(text).map_err(|_| wanted())?,
        text => text.parse::<f64>().map(|_| text.to_owned()).map_err(|_| wanted())?,
    };
    Ok(Some(text))
}

fn exotic(fields: &Body<'_>) -> Vec<&'static str> {
    let set = |raw: Raw<'_>| {
        raw.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "[]" | "\"\""))
    };
    let table = [
        ("context", set(fields.context)),
        ("template", set(fields.template)),
        ("logprobs", set(fields.logprobs)),
    ];
    table.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

#[derive(Deserialize)]
struct EmbedBody<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    input: Raw<'a>,
    #[serde(borrow)]
    prompt: Raw<'a>,
    #[serde(borrow)]
    dimensions: Raw<'a>,
    #[serde(borrow)]
    keep_alive: Raw<'a>,
}

/// Decodes a request of /api/embed, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_embed(body: &[u8]) -> Result<(EmbedRequest, Range<usize>), Error> {
    let fields: EmbedBody<'_> = object(body)?;
    let input = match openai::embed_input("input", fields.input)? {
        EmbedInput::Texts(texts) => EmbedInput::Texts(texts),
        EmbedInput::Tokens(_) => {
            return Err(Error::invalid_field("input", "input must be text or a list of texts"));
        }
    };
    embed(body, &fields, input)
}

/// Decodes a request of the older /api/embeddings: one text, at `prompt`.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_embeddings(body: &[u8]) -> Result<(EmbedRequest, Range<usize>), Error> {
    let fields: EmbedBody<'_> = object(body)?;
    let prompt: Option<String> = field("prompt", fields.prompt)?;
    let text = prompt.ok_or_else(|| Error::invalid_field("prompt", "prompt must be text"))?;
    embed(body, &fields, EmbedInput::Texts(vec![text]))
}

fn embed(
    body: &[u8],
    fields: &EmbedBody<'_>,
    input: EmbedInput,
) -> Result<(EmbedRequest, Range<usize>), Error> {
    let (model, span) = model(body, fields.model)?;
    let request = EmbedRequest {
        model,
        input,
        dimensions: field("dimensions", fields.dimensions)?,
        base64: false,
        keep_alive: keep_alive(fields.keep_alive)?,
    };
    Ok((request, span))
}

#[derive(Deserialize)]
struct ShowBody<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    /// What older clients call it.
    #[serde(borrow)]
    name: Raw<'a>,
}

/// The model whose description is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Its name as the client wrote it.
    pub model: String,
}

/// Decodes a request of /api/show.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_show(body: &[u8]) -> Result<Show, Error> {
    let fields: ShowBody<'_> = object(body)?;
    // Ollama's own program sends both, one of them empty.
    let said = fields.model.filter(|raw| !matches!(raw.get(), "\"\"" | "null"));
    let (model, _) = model(body, said.or(fields.name))?;
    Ok(Show { model })
}
