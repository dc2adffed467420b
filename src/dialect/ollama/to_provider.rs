//! What an Ollama is asked.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::{
    Effort, EmbedInput, EmbedRequest, Format, Image, Message, Part, Request, Role, Sampling, Tool,
    ToolCall, ToolChoice,
};
use crate::dialect::body::Fields;
use crate::dialect::{Unsupported, to_json};

/// What every call bears, whatever the client said.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The context window in tokens.
    pub num_ctx: u32,
    /// How long the model stays loaded, in Ollama's notation.
    pub keep_alive: &'a str,
    /// Whether the model can think, as far as is known: one that cannot is not told to.
    pub thinks: bool,
}

/// The client's own body, with the target's model and a window in it. What can be streamed is
/// asked for as a stream, as [`chat_body`] does.
///
/// # Errors
/// SECURITY: a field that an Ollama would take for another. It does not look at the case of names
/// (Go's `encoding/json`), so a later `OPTIONS` would undo what is set here.
pub fn own_body(
    original: &[u8],
    model: &str,
    options: &Options<'_>,
    streams: bool,
) -> Result<Vec<u8>, Unsupported> {
    // It has been read before, so it is an object, and so are its options.
    let mut fields = Fields::of(original).unwrap_or_default();
    if let Some(name) = fields.unusual() {
        let name: String = name.chars().take(64).collect();
        return Err(Unsupported(format!("a field called {name:?}: names are in lower case")));
    }
    let theirs = fields.take("options");
    let theirs = theirs.as_deref().map_or("{}", RawValue::get);
    let mut inner = Fields::of(theirs.as_bytes()).unwrap_or_default();
    inner.set("num_ctx", &options.num_ctx);
    fields.set("model", &model);
    if streams {
        fields.set("stream", &true);
    }
    if fields.get("truncate").is_none() {
        fields.set("truncate", &false);
    }
    if fields.get("keep_alive").is_none_or(|raw| raw.get() == "null") {
        fields.set("keep_alive", &KeepAlive::from(options.keep_alive));
    }
    fields.set("options", &inner);
    Ok(fields.write())
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: Vec<MessageBody<'a>>,
    stream: bool,
    /// Newer Ollamas refuse a prompt that does not fit where they are asked to; older ones do
    /// not know the field and cut, which is noticed by the count they report.
    truncate: bool,
    keep_alive: KeepAlive<'a>,
    options: OptionsBody<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
}

/// A bare number is seconds; text is Go's notation. Ollama's Python client makes a float of every
/// number.
#[derive(Serialize)]
#[serde(untagged)]
enum KeepAlive<'a> {
    Fraction(f64),
    Seconds(i64),
    Text(&'a str),
}

impl<'a> From<&'a str> for KeepAlive<'a> {
    fn from(text: &'a str) -> Self {
        let whole = text.strip_suffix(".0").unwrap_or(text);
        match (whole.parse(), text.parse::<f64>()) {
            (Ok(seconds), _) => Self::Seconds(seconds),
            (_, Ok(seconds)) if seconds.is_finite() => Self::Fraction(seconds),
            _ => Self::Text(text),
        }
    }
}

#[derive(Serialize)]
struct OptionsBody<'a> {
    num_ctx: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
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
}

impl<'a> OptionsBody<'a> {
    fn new(num_ctx: u32, sampling: &'a Sampling) -> Self {
        Self {
            num_ctx,
            num_predict: sampling.max_tokens,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            stop: &sampling.stop,
            seed: sampling.seed,
            presence_penalty: sampling.presence_penalty,
            frequency_penalty: sampling.frequency_penalty,
        }
    }
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
}

#[derive(Serialize)]
struct CallBody<'a> {
    function: FunctionBody<'a>,
}

#[derive(Serialize)]
struct FunctionBody<'a> {
    name: &'a str,
    arguments: &'a RawValue,
}

#[derive(Serialize)]
struct ToolBody<'a> {
    r#type: &'static str,
    function: DeclarationBody<'a>,
}

#[derive(Serialize)]
struct DeclarationBody<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FormatBody<'a> {
    Word(&'static str),
    Schema(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Think {
    Switch(bool),
    Level(&'static str),
}

/// Writes a chat request. It always asks for a stream, also where the client wants none: silence
/// on a stream is how a hung runner shows.
///
/// # Errors
/// What this dialect has no word for.
pub fn chat_body(
    request: &Request,
    model: &str,
    options: &Options<'_>,
) -> Result<Vec<u8>, Unsupported> {
    to_json(&ChatBody {
        model,
        messages: request
            .messages
            .iter()
            .map(|it| message(it, &request.messages))
            .collect::<Result<_, _>>()?,
        stream: true,
        truncate: false,
        keep_alive: options.keep_alive.into(),
        options: OptionsBody::new(options.num_ctx, &request.sampling),
        tools: tools(request)?,
        format: format(&request.format),
        think: request.effort.filter(|_| options.thinks).map(|effort| think(effort, model)),
    })
}

fn format(format: &Format) -> Option<FormatBody<'_>> {
    match format {
        Format::Text => None,
        Format::Json => Some(FormatBody::Word("json")),
        Format::Schema(it) => Some(FormatBody::Schema(&it.schema)),
    }
}

#[derive(Serialize)]
struct GenerateBody<'a> {
    model: &'a str,
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suffix: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    raw: bool,
    stream: bool,
    truncate: bool,
    keep_alive: KeepAlive<'a>,
    options: OptionsBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatBody<'a>>,
}

/// Writes a request to go on with a text: the request's only message.
///
/// # Errors
/// What this dialect has no word for.
pub fn generate_body(
    request: &Request,
    model: &str,
    options: &Options<'_>,
) -> Result<Vec<u8>, Unsupported> {
    let prompt = request.prompt.as_ref();
    to_json(&GenerateBody {
        model,
        prompt: request.messages.first().map(Message::text).unwrap_or_default(),
        suffix: prompt.and_then(|it| it.suffix.as_deref()),
        raw: prompt.is_some_and(|it| it.raw),
        stream: true,
        truncate: false,
        keep_alive: options.keep_alive.into(),
        options: OptionsBody::new(options.num_ctx, &request.sampling),
        format: format(&request.format),
    })
}

/// Only OpenAI's open models know levels; every other one that reasons knows a switch.
fn think(effort: Effort, model: &str) -> Think {
    match effort {
        Effort::None => Think::Switch(false),
        _ if !model.contains("gpt-oss") => Think::Switch(true),
        Effort::Low => Think::Level("low"),
        Effort::Medium => Think::Level("medium"),
        Effort::High => Think::Level("high"),
    }
}

fn message<'a>(it: &'a Message, all: &'a [Message]) -> Result<MessageBody<'a>, Unsupported> {
    let (content, images) = content(&it.parts)?;
    let thinking = it.parts.iter().find_map(|part| match part {
        Part::Thinking { text, .. } => Some(text.as_str()),
        Part::Image(_) | Part::Other(_) | Part::Text(_) => None,
    });
    let role = match it.role {
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::Tool => "tool",
        Role::User => "user",
    };
    Ok(MessageBody {
        role,
        content,
        thinking,
        images,
        tool_calls: it.tool_calls.iter().map(call).collect::<Result<_, _>>()?,
        tool_name: tool_name(it, all),
    })
}

fn content(parts: &[Part]) -> Result<(String, Vec<&str>), Unsupported> {
    let mut text = String::new();
    let mut images = Vec::new();
    for part in parts {
        match part {
            Part::Text(more) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(more);
            }
            Part::Image(Image::Base64 { data, .. }) => images.push(data.as_str()),
            Part::Image(Image::Url(_)) => {
                return Err(Unsupported(
                    "an image by its address: send it as a data URL, edgehold fetches nothing"
                        .to_owned(),
                ));
            }
            Part::Thinking { .. } => {}
            Part::Other(kind) => return Err(Unsupported(format!("content of type {kind}"))),
        }
    }
    Ok((text, images))
}

fn call(it: &ToolCall) -> Result<CallBody<'_>, Unsupported> {
    let text = if it.arguments.trim().is_empty() { "{}" } else { it.arguments.as_str() };
    let arguments: Result<&RawValue, _> = serde_json::from_str(text);
    match arguments {
        Ok(arguments) if arguments.get().starts_with('{') => {
            Ok(CallBody { function: FunctionBody { name: &it.name, arguments } })
        }
        _ => Err(Unsupported("tool call arguments that are no JSON object".to_owned())),
    }
}

/// A tool's answer names the tool here, and its call there: looked up by the call's id.
fn tool_name<'a>(it: &'a Message, all: &'a [Message]) -> Option<&'a str> {
    if it.role != Role::Tool {
        return None;
    }
    let id = it.tool_call_id.as_deref();
    let called = all.iter().flat_map(|message| &message.tool_calls);
    let mut found = called.filter(|call| Some(call.id.as_str()) == id);
    it.name.as_deref().or_else(|| found.next_back().map(|call| call.name.as_str()))
}

fn tools(request: &Request) -> Result<Vec<ToolBody<'_>>, Unsupported> {
    match &request.tool_choice {
        ToolChoice::Auto => Ok(request.tools.iter().map(tool).collect()),
        ToolChoice::None => Ok(Vec::new()),
        ToolChoice::Required | ToolChoice::Named(_) => Err(Unsupported(
            "tool_choice that forces a call: an Ollama lets the model decide".to_owned(),
        )),
    }
}

fn tool(it: &Tool) -> ToolBody<'_> {
    ToolBody {
        r#type: "function",
        function: DeclarationBody {
            name: &it.name,
            description: it.description.as_deref().unwrap_or_default(),
            parameters: it.parameters.as_deref(),
        },
    }
}

#[derive(Serialize)]
struct LoadBody<'a> {
    model: &'a str,
    messages: [(); 0],
    keep_alive: KeepAlive<'a>,
    options: Window,
}

#[derive(Serialize)]
struct Window {
    num_ctx: u32,
}

/// Writes a request that loads a model and asks nothing of it: one without messages.
pub fn load_body(model: &str, options: &Options<'_>) -> Vec<u8> {
    let body = LoadBody {
        model,
        messages: [],
        keep_alive: options.keep_alive.into(),
        options: Window { num_ctx: options.num_ctx },
    };
    to_json(&body).unwrap_or_default()
}

#[derive(Serialize)]
struct EmbedBody<'a> {
    model: &'a str,
    input: &'a [String],
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    keep_alive: KeepAlive<'a>,
    options: Window,
}

/// Writes a request for embeddings. A text that does not fit is refused, not cut.
///
/// # Errors
/// What this dialect has no word for.
pub fn embed_body(
    request: &EmbedRequest,
    model: &str,
    options: &Options<'_>,
) -> Result<Vec<u8>, Unsupported> {
    let EmbedInput::Texts(texts) = &request.input else {
        return Err(Unsupported("input as token numbers: send text".to_owned()));
    };
    to_json(&EmbedBody {
        model,
        input: texts,
        truncate: false,
        dimensions: request.dimensions,
        keep_alive: options.keep_alive.into(),
        options: Window { num_ctx: options.num_ctx },
    })
}

/// Writes a request that loads an embedding model: one without texts.
pub fn embed_load_body(model: &str, options: &Options<'_>) -> Vec<u8> {
    let body = EmbedBody {
        model,
        input: &[],
        truncate: false,
        dimensions: None,
        keep_alive: options.keep_alive.into(),
        options: Window { num_ctx: options.num_ctx },
    };
    to_json(&body).unwrap_or_default()
}

#[derive(Serialize)]
struct ShowBody<'a> {
    model: &'a str,
}

/// Writes a request for a model's description.
pub fn show_body(model: &str) -> Vec<u8> {
    to_json(&ShowBody { model }).unwrap_or_default()
}

#[cfg(test)]
#[path = "to_provider/tests.rs"]
mod tests;
