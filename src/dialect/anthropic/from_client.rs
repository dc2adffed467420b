//! What a client of Anthropic's asks: `/v1/messages` and `/v1/messages/count_tokens`.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{
    Effort, Error, Format, Image, Message, Part, Request, Role, Sampling, Schema, Tool, ToolCall,
    ToolChoice,
};
use crate::dialect::body::{self, model, object};
use crate::dialect::field::{At, Raw, bad, field, value};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    messages: Raw<'a>,
    #[serde(borrow)]
    max_tokens: Raw<'a>,
    #[serde(borrow)]
    system: Raw<'a>,
    #[serde(borrow)]
    temperature: Raw<'a>,
    #[serde(borrow)]
    top_p: Raw<'a>,
    #[serde(borrow)]
    top_k: Raw<'a>,
    #[serde(borrow)]
    stop_sequences: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
    #[serde(borrow)]
    tools: Raw<'a>,
    #[serde(borrow)]
    tool_choice: Raw<'a>,
    #[serde(borrow)]
    thinking: Raw<'a>,
    #[serde(borrow)]
    output_config: Raw<'a>,
    // What only Anthropic can honour.
    #[serde(borrow)]
    container: Raw<'a>,
    #[serde(borrow)]
    mcp_servers: Raw<'a>,
}

/// The fields of a request that no target of another dialect is told.
pub(in crate::dialect) fn unknown_fields(body: &[u8]) -> Vec<String> {
    body::unknown_fields::<Body<'_>>(body)
}

/// Decodes a request of /v1/messages, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_messages(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: Body<'_> = object(body)?;
    let limit: Option<u32> = field("max_tokens", fields.max_tokens)?;
    let limit = limit
        .ok_or_else(|| Error::invalid_field("max_tokens", "max_tokens must be a whole number"))?;
    let (mut request, span) = common(body, &fields)?;
    if limit == 0 {
        // Anthropic's way to fill its cache with a prompt.
        request.exotic.push("max_tokens of 0");
    }
    request.sampling.max_tokens = Some(limit);
    Ok((request, span))
}

/// Decodes a request of `/v1/messages/count_tokens`, and where its model's name stands.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_count(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    common(body, &object(body)?)
}

fn common(body: &[u8], fields: &Body<'_>) -> Result<(Request, Range<usize>), Error> {
    let (model, span) = model(body, fields.model)?;
    let mut messages = Vec::new();
    let system = parts(At::Field("system"), fields.system)?;
    if !system.is_empty() {
        messages.push(Message::new(Role::System, system));
    }
    turns(fields.messages, &mut messages)?;
    let (tools, mut exotic) = tools(fields.tools)?;
    exotic.extend(only_there(fields));
    let choice: Option<ChoiceBody> = field("tool_choice", fields.tool_choice)?;
    let parallel_tools = choice.as_ref().and_then(|it| it.disable_parallel_tool_use).map(|no| !no);
    let config: OutputConfig = field("output_config", fields.output_config)?.unwrap_or_default();
    let request = Request {
        model,
        messages,
        tools,
        tool_choice: tool_choice(choice)?,
        parallel_tools,
        sampling: Sampling {
            temperature: field("temperature", fields.temperature)?,
            top_p: field("top_p", fields.top_p)?,
            top_k: field("top_k", fields.top_k)?,
            stop: field("stop_sequences", fields.stop_sequences)?.unwrap_or_default(),
            ..Sampling::default()
        },
        effort: effort(field("thinking", fields.thinking)?, config.effort.as_deref()),
        format: format(config.format),
        stream: field("stream", fields.stream)?.unwrap_or(false),
        include_usage: true,
        exotic,
        ..Request::default()
    };
    Ok((request, span))
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    role: String,
    #[serde(default, borrow)]
    content: Raw<'a>,
}

fn turns(raw: Raw<'_>, messages: &mut Vec<Message>) -> Result<(), Error> {
    let wanted = || {
        let words = "messages must be a list with at least one entry";
        Error::invalid_field("messages", words)
    };
    let list: Vec<&RawValue> =
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or_else(wanted)?;
    if list.is_empty() {
        return Err(wanted());
    }
    for (index, raw) in list.iter().enumerate() {
        turn(index, raw, messages)?;
    }
    Ok(())
}

/// Results of tools are turns of their own in the neutral vocabulary; here they are parts of the
/// user's.
fn turn(index: usize, raw: &RawValue, messages: &mut Vec<Message>) -> Result<(), Error> {
    let list = At::Field("messages");
    let at = At::Entry(&list, index);
    let body: MessageBody<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let role = match body.role.as_str() {
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "user" => Role::User,
        _ => {
            let param = At::Member(&at, "role").to_string();
            let words = format!("{param} must be user or assistant");
            return Err(Error::invalid_field(param, words));
        }
    };
    let at = At::Member(&at, "content");
    let mut message = Message::new(role, Vec::new());
    for block in blocks(at, body.content)? {
        match block {
            Block::Call(call) => message.tool_calls.push(call),
            Block::Part(part) => message.parts.push(part),
            Block::Result(result) => messages.push(result),
        }
    }
    if !message.parts.is_empty() || !message.tool_calls.is_empty() {
        messages.push(message);
    }
    Ok(())
}

enum Block {
    Call(ToolCall),
    Part(Part),
    Result(Message),
}

#[derive(Deserialize)]
struct BlockBody<'a> {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default, borrow)]
    source: Raw<'a>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, borrow)]
    input: Raw<'a>,
    #[serde(default)]
    tool_use_id: Option<String>,
    #[serde(default, borrow)]
    content: Raw<'a>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Url {
        url: String,
    },
    #[serde(other)]
    Other,
}

/// Text, or a list of blocks.
fn blocks(at: At<'_>, raw: Raw<'_>) -> Result<Vec<Block>, Error> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(Vec::new()),
        Some(text) if text.starts_with('"') => {
            Ok(value(at, raw)?.map(|text| Block::Part(Part::Text(text))).into_iter().collect())
        }
        Some(text) => {
            let list: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| bad(at, &error))?;
            list.iter().enumerate().map(|(index, raw)| block(At::Entry(&at, index), raw)).collect()
        }
    }
}

fn block(at: At<'_>, raw: &RawValue) -> Result<Block, Error> {
    let body: BlockBody<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let missing =
        |name: &str| Error::invalid_field(at.to_string(), format!("{at}.{name} is missing"));
    Ok(match body.r#type.as_deref().ok_or_else(|| missing("type"))? {
        "text" => Block::Part(Part::Text(body.text.ok_or_else(|| missing("text"))?)),
        "image" => Block::Part(match source(at, body.source)? {
            Source::Base64 { media_type, data } => Part::Image(Image::Base64 { media_type, data }),
            Source::Url { url } => Part::Image(Image::Url(url)),
            Source::Other => Part::Other("image of a file".to_owned()),
        }),
        "tool_use" => Block::Call(ToolCall {
            id: body.id.ok_or_else(|| missing("id"))?,
            name: body.name.ok_or_else(|| missing("name"))?,
            arguments: body.input.map_or("{}", RawValue::get).to_owned(),
            signature: None,
        }),
        "tool_result" => Block::Result(Message {
            tool_call_id: Some(body.tool_use_id.ok_or_else(|| missing("tool_use_id"))?),
            is_error: body.is_error.unwrap_or(false),
            ..Message::new(Role::Tool, parts(At::Member(&at, "content"), body.content)?)
        }),
        "thinking" => Block::Part(Part::Thinking {
            text: body.thinking.unwrap_or_default(),
            signature: body.signature.filter(|seal| !seal.is_empty()),
        }),
        // Sealed thoughts: nobody else can read them, and nobody misses them.
        "redacted_thinking" => Block::Part(Part::Thinking { text: String::new(), signature: None }),
        other => Block::Part(Part::Other(other.chars().take(64).collect())),
    })
}

/// Only a picture's: other blocks have something else by this name.
fn source(at: At<'_>, raw: Raw<'_>) -> Result<Source, Error> {
    let at = At::Member(&at, "source");
    value(at, raw)?.ok_or_else(|| Error::invalid_field(at.to_string(), format!("{at} is missing")))
}

fn parts(at: At<'_>, raw: Raw<'_>) -> Result<Vec<Part>, Error> {
    let part = |block| match block {
        Block::Part(part) => Ok(part),
        Block::Call(_) | Block::Result(_) => {
            let words = format!("{at} must be text or a list of text and image blocks");
            Err(Error::invalid_field(at.to_string(), words))
        }
    };
    blocks(at, raw)?.into_iter().map(part).collect()
}

#[derive(Deserialize)]
struct ToolBody {
    r#type: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

/// The tools, and a word for those that Anthropic runs itself.
fn tools(raw: Raw<'_>) -> Result<(Vec<Tool>, Vec<&'static str>), Error> {
    let bodies: Vec<ToolBody> = field("tools", raw)?.unwrap_or_default();
    let all = bodies.len();
    let is_ours = |it: &ToolBody| it.r#type.as_deref().is_none_or(|kind| kind == "custom");
    let tool = |it: ToolBody| {
        let name = it.name.ok_or_else(|| {
            Error::invalid_field("tools", "each of the tools must have a name, or a type")
        })?;
        let (description, parameters) = (it.description, it.input_schema);
        Ok(Tool { name, description, parameters, strict: it.strict })
    };
    let ours = bodies.into_iter().filter(is_ours);
    let tools = ours.map(tool).collect::<Result<Vec<Tool>, Error>>()?;
    let others = if tools.len() < all { vec!["tools that the provider runs"] } else { Vec::new() };
    Ok((tools, others))
}

#[derive(Deserialize)]
struct ChoiceBody {
    r#type: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

fn tool_choice(body: Option<ChoiceBody>) -> Result<ToolChoice, Error> {
    let Some(body) = body else { return Ok(ToolChoice::Auto) };
    match (body.r#type.as_str(), body.name) {
        ("auto", _) => Ok(ToolChoice::Auto),
        ("any", _) => Ok(ToolChoice::Required),
        ("none", _) => Ok(ToolChoice::None),
        ("tool", Some(name)) => Ok(ToolChoice::Named(name)),
        _ => {
            let words = "tool_choice.type must be auto, any, none, or tool with a name";
            Err(Error::invalid_field("tool_choice.type", words))
        }
    }
}

#[derive(Deserialize)]
struct ThinkingBody {
    r#type: String,
    budget_tokens: Option<u32>,
}

#[derive(Default, Deserialize)]
struct OutputConfig {
    effort: Option<String>,
    format: Option<FormatBody>,
}

#[derive(Deserialize)]
struct FormatBody {
    schema: Option<Box<RawValue>>,
}

fn effort(thinking: Option<ThinkingBody>, word: Option<&str>) -> Option<Effort> {
    let by_word = || match word {
        Some("low") => Some(Effort::Low),
        Some("medium") => Some(Effort::Medium),
        Some(_) => Some(Effort::High),
        None => None,
    };
    let Some(thinking) = thinking else { return by_word() };
    match (thinking.r#type.as_str(), thinking.budget_tokens) {
        ("disabled", _) => Some(Effort::None),
        (_, Some(0..=2048)) => Some(Effort::Low),
        (_, Some(2049..=8192)) => Some(Effort::Medium),
        (_, Some(_)) => Some(Effort::High),
        (_, None) => by_word().or(Some(Effort::Medium)),
    }
}

/// The one format there is besides text is a schema. Anthropic keeps to it; what others mean by a
/// strict one wants more of it than Anthropic does.
fn format(body: Option<FormatBody>) -> Format {
    match body.and_then(|it| it.schema) {
        Some(schema) => Format::Schema(Schema { name: None, schema, strict: None }),
        None => Format::Text,
    }
}

fn only_there(fields: &Body<'_>) -> impl Iterator<Item = &'static str> {
    let set = |raw: Raw<'_>| raw.is_some_and(|raw| !matches!(raw.get(), "null" | "[]" | "{}"));
    let table = [("container", set(fields.container)), ("mcp_servers", set(fields.mcp_servers))];
    table.into_iter().filter(|(_, set)| *set).map(|(name, _)| name)
}
