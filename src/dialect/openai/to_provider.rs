//! What a provider of this dialect is sent: the client's own body where the client speaks the
//! dialect too, else one that is written here.

use std::ops::Range;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::chat::{
    Effort, EmbedInput, EmbedRequest, Format, Image, Message, Part, Request, Role, ToolCall,
    ToolChoice,
};
use crate::dialect::body::{Fields, with_model};
use crate::dialect::{Unsupported, to_json};

/// What one provider wants of every body.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// Fields that it refuses, by their names.
    pub omit: &'a [String],
    /// Whether it is OpenAI's own API: that one wants `max_completion_tokens` and knows no
    /// `top_k`, and others the reverse.
    pub is_official: bool,
}

impl Wishes<'_> {
    fn wants(&self, name: &str) -> bool {
        !self.omit.iter().any(|omitted| omitted == name)
    }
}

/// The client's own body, with the target's model in it and without what the provider refuses. A
/// token limit in a refused spelling goes in the other one.
pub fn own_body(original: &[u8], span: &Range<usize>, wishes: &Wishes<'_>) -> Vec<u8> {
    if wishes.omit.is_empty() {
        return with_model(original, span, wishes.model);
    }
    // It has been read before, so it is an object.
    let mut fields = Fields::of(original).unwrap_or_default();
    fields.set("model", &wishes.model);
    for (one, other) in
        [("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens")]
    {
        if !wishes.wants(one) && wishes.wants(other) && fields.get(other).is_none() {
            fields.rename(one, other);
        }
    }
    for name in wishes.omit {
        fields.take(name);
    }
    fields.write()
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: Vec<MessageBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Nothing(()),
    Parts(Vec<PartBody<'a>>),
    Text(String),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PartBody<'a> {
    ImageUrl { image_url: ImageUrl<'a> },
    Text { text: &'a str },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: Address<'a>,
}

/// A picture's address, or the picture itself as one (RFC 2397). It is written where it goes:
/// pictures are large, and a copy more would be one too many.
struct Address<'a>(&'a Image);

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Image::Url(url) => serializer.serialize_str(url),
            Image::Base64 { media_type, data } => {
                serializer.collect_str(&format_args!("data:{media_type};base64,{data}"))
            }
        }
    }
}

#[derive(Serialize)]
struct CallBody<'a> {
    id: &'a str,
    r#type: &'static str,
    function: FunctionBody<'a>,
}

#[derive(Serialize)]
struct FunctionBody<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct ToolBody<'a> {
    r#type: &'static str,
    function: DeclarationBody<'a>,
}

#[derive(Serialize)]
struct DeclarationBody<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChoiceBody<'a> {
    Named { r#type: &'static str, function: Named<'a> },
    Word(&'static str),
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FormatBody<'a> {
    JsonObject,
    JsonSchema { json_schema: SchemaBody<'a> },
}

#[derive(Serialize)]
struct SchemaBody<'a> {
    name: &'a str,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Writes a chat request. A stream is asked to end with what it cost.
///
/// # Errors
/// What this dialect has no word for.
pub fn chat_body(request: &Request, wishes: &Wishes<'_>) -> Result<Vec<u8>, Unsupported> {
    let sampling = &request.sampling;
    let (newer, older) = match wishes.is_official || !wishes.wants("max_tokens") {
        true => (sampling.max_tokens, None),
        false => (None, sampling.max_tokens),
    };
    let has_tools = !request.tools.is_empty();
    let body = ChatBody {
        model: wishes.model,
        messages: messages(&request.messages, wishes)?,
        stream: request.stream.then_some(true),
        stream_options: request.stream.then_some(StreamOptions { include_usage: true }),
        max_tokens: older,
        max_completion_tokens: newer,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k.filter(|_| !wishes.is_official),
        stop: &sampling.stop,
        seed: sampling.seed,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        tools: tools(request),
        tool_choice: has_tools.then(|| choice(&request.tool_choice)).flatten(),
        parallel_tool_calls: request.parallel_tools.filter(|_| has_tools),
        response_format: format(&request.format),
        reasoning_effort: request.effort.and_then(|effort| self::effort(effort, wishes)),
    };
    let written = to_json(&body)?;
    if wishes.omit.is_empty() {
        return Ok(written);
    }
    let mut fields = Fields::of(&written).unwrap_or_default();
    for name in wishes.omit {
        fields.take(name);
    }
    Ok(fields.write())
}

fn messages<'a>(
    all: &'a [Message],
    wishes: &Wishes<'_>,
) -> Result<Vec<MessageBody<'a>>, Unsupported> {
    let mut bodies = Vec::with_capacity(all.len());
    // Pictures among a tool's results have no place there: they follow in a turn of the user's.
    let mut pictures = Vec::new();
    for message in all {
        if message.role != Role::Tool && !pictures.is_empty() {
            bodies.push(shown(std::mem::take(&mut pictures)));
        }
        if message.role == Role::Tool {
            for part in message.parts.iter().filter(|part| matches!(part, Part::Image(_))) {
                pictures.extend(part_body(part)?);
            }
        }
        bodies.push(message_body(message, wishes)?);
    }
    if !pictures.is_empty() {
        bodies.push(shown(pictures));
    }
    Ok(bodies)
}

fn shown(parts: Vec<PartBody<'_>>) -> MessageBody<'_> {
    let content = Content::Parts(parts);
    MessageBody {
        role: "user",
        content,
        reasoning_content: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
    }
}

fn message_body<'a>(
    message: &'a Message,
    wishes: &Wishes<'_>,
) -> Result<MessageBody<'a>, Unsupported> {
    let role = match message.role {
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::Tool => "tool",
        Role::User => "user",
    };
    // Thinking models of other services (DeepSeek) want the thought before a call back.
    let wants_thought = !wishes.is_official && !message.tool_calls.is_empty();
    let thought = message.parts.iter().find_map(|part| match part {
        Part::Thinking { text, .. } if wants_thought => Some(text.as_str()),
        _ => None,
    });
    Ok(MessageBody {
        role,
        content: content(message)?,
        reasoning_content: thought.filter(|text| !text.is_empty()),
        tool_calls: message.tool_calls.iter().map(call).collect(),
        tool_call_id: message.tool_call_id.as_deref(),
    })
}

fn content(message: &Message) -> Result<Content<'_>, Unsupported> {
    let has_picture = message.parts.iter().any(|part| matches!(part, Part::Image(_)));
    if has_picture && message.role != Role::Tool {
        let mut parts = Vec::new();
        for part in &message.parts {
            parts.extend(part_body(part)?);
        }
        return Ok(Content::Parts(parts));
    }
    if let Some(Part::Other(kind)) =
        message.parts.iter().find(|part| matches!(part, Part::Other(_)))
    {
        return Err(Unsupported(format!("content of type {kind}")));
    }
    let text = message.text();
    match text.is_empty() && !message.tool_calls.is_empty() {
        true => Ok(Content::Nothing(())),
        false => Ok(Content::Text(text)),
    }
}

fn part_body(part: &Part) -> Result<Option<PartBody<'_>>, Unsupported> {
    Ok(match part {
        Part::Text(text) => Some(PartBody::Text { text }),
        Part::Image(image) => {
            Some(PartBody::ImageUrl { image_url: ImageUrl { url: Address(image) } })
        }
        Part::Thinking { .. } => None,
        Part::Other(kind) => return Err(Unsupported(format!("content of type {kind}"))),
    })
}

fn call(it: &ToolCall) -> CallBody<'_> {
    let arguments = if it.arguments.trim().is_empty() { "{}" } else { &it.arguments };
    CallBody {
        id: &it.id,
        r#type: "function",
        function: FunctionBody { name: &it.name, arguments },
    }
}

fn tools(request: &Request) -> Vec<ToolBody<'_>> {
    let tool = request.tools.iter().map(|it| ToolBody {
        r#type: "function",
        function: DeclarationBody {
            name: &it.name,
            description: it.description.as_deref(),
            parameters: it.parameters.as_deref(),
            strict: it.strict,
        },
    });
    tool.collect()
}

fn choice(choice: &ToolChoice) -> Option<ChoiceBody<'_>> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(ChoiceBody::Word("none")),
        ToolChoice::Required => Some(ChoiceBody::Word("required")),
        ToolChoice::Named(name) => {
            Some(ChoiceBody::Named { r#type: "function", function: Named { name } })
        }
    }
}

fn format(format: &Format) -> Option<FormatBody<'_>> {
    match format {
        Format::Text => None,
        Format::Json => Some(FormatBody::JsonObject),
        Format::Schema(it) => Some(FormatBody::JsonSchema {
            json_schema: SchemaBody {
                name: it.name.as_deref().unwrap_or("answer"),
                schema: &it.schema,
                strict: it.strict,
            },
        }),
    }
}

/// How hard to think is a wish, and a model that knows no such thing refuses the word: OpenAI's own
/// that think are known by their names, and not to think is what all others do by themselves.
fn effort(effort: Effort, wishes: &Wishes<'_>) -> Option<&'static str> {
    let name = wishes.model.rsplit('/').next().unwrap_or_default();
    let thinks = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|known| name.starts_with(known));
    if wishes.is_official && !thinks {
        return None;
    }
    match effort {
        Effort::None => None,
        Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::High => Some("high"),
    }
}

#[derive(Serialize)]
struct EmbedBody<'a> {
    model: &'a str,
    input: InputBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputBody<'a> {
    Texts(&'a [String]),
    Tokens(&'a RawValue),
}

/// Writes a request for embeddings, as numbers.
///
/// # Errors
/// None that a request that was read can cause.
pub fn embed_body(request: &EmbedRequest, wishes: &Wishes<'_>) -> Result<Vec<u8>, Unsupported> {
    let input = match &request.input {
        EmbedInput::Texts(texts) => InputBody::Texts(texts),
        EmbedInput::Tokens(tokens) => InputBody::Tokens(tokens),
    };
    let dimensions = request.dimensions.filter(|_| wishes.wants("dimensions"));
    to_json(&EmbedBody { model: wishes.model, input, dimensions })
}
