//! What Anthropic is asked.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::{
    Effort, Format, Image, Message, Part, Request, Role, Tool, ToolCall, ToolChoice,
};
use crate::dialect::anthropic::ANSWER_TOOL;
use crate::dialect::anthropic::generation::Generation;
use crate::dialect::arguments::as_object;
use crate::dialect::asked::json_in_words;
use crate::dialect::body::{Fields, with_model};
use crate::dialect::{Unsupported, to_json};

/// What one provider wants of every body.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// Fields that it refuses, by their names.
    pub omit: &'a [String],
}

/// Most tokens of an answer where the client names no limit: one has to be named.
const ANSWER_TOKENS: u32 = 8192;

/// The client's own body, with the target's model in it and without what the provider refuses.
pub fn own_body(original: &[u8], span: &Range<usize>, wishes: &Wishes<'_>) -> Vec<u8> {
    let has_unsealed = memchr::memmem::find(original, b"\"signature\":\"\"").is_some()
        || memchr::memmem::find(original, b"\"signature\": \"\"").is_some();
    if wishes.omit.is_empty() && !has_unsealed {
        return with_model(original, span, wishes.model);
    }
    // It has been read before, so it is an object.
    let mut fields = Fields::of(original).unwrap_or_default();
    fields.set("model", &wishes.model);
    if has_unsealed && let Some(messages) = fields.get("messages") {
        let messages = without_unsealed(messages);
        fields.set("messages", &messages);
    }
    for name in wishes.omit {
        fields.take(name);
    }
    fields.write()
}

/// Turns without the thoughts that another provider had: they have no seal, and Anthropic refuses
/// the whole request for one of them. What is left of a turn is what was there.
fn without_unsealed(messages: &RawValue) -> Value {
    let mut turns: Value = serde_json::from_str(messages.get()).unwrap_or_default();
    let is_unsealed =
        |block: &Value| block["type"] == "thinking" && block["signature"].as_str() == Some("");
    for turn in turns.as_array_mut().into_iter().flatten() {
        if let Some(blocks) = turn.get_mut("content").and_then(Value::as_array_mut) {
            blocks.retain(|block| !is_unsealed(block));
        }
    }
    if let Some(turns) = turns.as_array_mut() {
        turns.retain(|turn| turn["content"].as_array().is_none_or(|blocks| !blocks.is_empty()));
    }
    turns
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Image {
        source: Source<'a>,
    },
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Self>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
}

#[derive(Serialize)]
struct ToolBody<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: SchemaBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SchemaBody<'a> {
    Any { r#type: &'static str },
    Given(Cow<'a, RawValue>),
}

#[derive(Serialize)]
struct ChoiceBody<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
struct ThinkingBody {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u32>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<FormatBody<'a>>,
}

#[derive(Serialize)]
struct FormatBody<'a> {
    r#type: &'static str,
    schema: &'a RawValue,
}

/// Writes a request.
///
/// # Errors
/// What this dialect has no word for.
pub fn chat_body(request: &Request, wishes: &Wishes<'_>) -> Result<Vec<u8>, Unsupported> {
    let model = Generation::of(wishes.model);
    let form = Form::of(request, model);
    if model.is_its_own_master()
        && matches!(request.tool_choice, ToolChoice::Named(_) | ToolChoice::Required)
    {
        return Err(Unsupported("a tool_choice that forces a call".to_owned()));
    }
    let (thinking, effort) = thinking(request, model, &form);
    let sampling = &request.sampling;
    let limit = sampling.max_tokens.unwrap_or(ANSWER_TOKENS);
    let budget = thinking.as_ref().and_then(|it| it.budget_tokens).unwrap_or_default();
    // Thoughts are drawn as the model likes.
    let may_draw = thinking.is_none() && model.takes_sampling();
    let format = match (&form, &request.format) {
        (Form::Config, Format::Schema(it)) => {
            Some(FormatBody { r#type: "json_schema", schema: &it.schema })
        }
        _ => None,
    };
    let has_config = effort.is_some() || format.is_some();
    let body = Body {
        model: wishes.model,
        // What is thought counts as answer.
        max_tokens: limit.saturating_add(budget),
        system: system(request, &form),
        messages: turns(&request.messages)?,
        stream: request.stream.then_some(true),
        temperature: sampling.temperature.map(|it| it.min(1.0)).filter(|_| may_draw),
        // One of the two: newer models refuse both.
        top_p: sampling.top_p.filter(|_| may_draw && sampling.temperature.is_none()),
        top_k: sampling.top_k.filter(|_| may_draw),
        stop_sequences: stops(&sampling.stop),
        tools: tools(request, &form),
        tool_choice: choice(request, &form),
        thinking,
        output_config: has_config.then_some(OutputConfig { effort, format }),
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

/// How an answer in JSON is brought about.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// It is asked for in words: there is no schema, and no tool can stand for the answer.
    Asked,
    /// The API's own way, which takes not every schema.
    Config,
    /// By a tool that must be called: any schema of an object will do.
    Tool,
    /// It is text.
    Text,
}

impl Form {
    fn of(request: &Request, model: Generation) -> Self {
        let has_tools = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
        let is_of_object = match &request.format {
            Format::Schema(it) => is_of_object(&it.schema),
            Format::Json | Format::Text => true,
        };
        let may_force = !has_tools && !model.is_its_own_master() && is_of_object;
        match &request.format {
            Format::Text => Self::Text,
            Format::Json | Format::Schema(_) if may_force => Self::Tool,
            Format::Json => Self::Asked,
            Format::Schema(_) => Self::Config,
        }
    }
}

fn is_of_object(schema: &RawValue) -> bool {
    let fields = Fields::of(schema.get().as_bytes()).unwrap_or_default();
    fields.get("type").is_none_or(|raw| raw.get() == "\"object\"")
}

/// Thoughts need their own seals back: a turn of tool calls that came without ends them. A tool
/// that must be called leaves no room for them either.
fn thinking(
    request: &Request,
    model: Generation,
    form: &Form,
) -> (Option<ThinkingBody>, Option<&'static str>) {
    let forced = !matches!(request.tool_choice, ToolChoice::Auto | ToolChoice::None);
    let Some(effort) = request.effort.filter(|_| model.thinks()) else { return (None, None) };
    let (word, budget) = match effort {
        Effort::None | Effort::Low => ("low", 1024),
        Effort::Medium => ("medium", 4096),
        Effort::High => ("high", 16_384),
    };
    let off = model.may_be_told_not_to_think().then_some(ThinkingBody::of("disabled", None));
    let no_room = forced || *form == Form::Tool || lost_seals(&request.messages);
    match (effort, model.is_adaptive()) {
        (Effort::None, _) if model.is_its_own_master() => (None, Some("low")),
        (Effort::None, _) => (off, None),
        (_, true) if no_room => (None, Some(word)),
        (_, false) if no_room => (None, None),
        (_, true) => (Some(ThinkingBody::of("adaptive", None)), Some(word)),
        (_, false) => (Some(ThinkingBody::of("enabled", Some(budget))), None),
    }
}

impl ThinkingBody {
    fn of(r#type: &'static str, budget_tokens: Option<u32>) -> Self {
        Self { r#type, budget_tokens }
    }
}

fn lost_seals(messages: &[Message]) -> bool {
    let last = messages.iter().rfind(|message| message.role == Role::Assistant);
    last.is_some_and(|it| !it.tool_calls.is_empty() && !it.parts.iter().any(is_sealed))
}

fn is_sealed(part: &Part) -> bool {
    matches!(part, Part::Thinking { signature: Some(_), .. })
}

fn system(request: &Request, form: &Form) -> String {
    let all = request.messages.iter().filter(|message| message.role == Role::System);
    let mut texts: Vec<String> = all.map(Message::text).filter(|text| !text.is_empty()).collect();
    if *form == Form::Asked {
        texts.push(json_in_words(&request.format));
    }
    texts.join("\n\n")
}

/// Turns alternate: the results of tools are the user's, and what stands side by side is one turn.
fn turns(messages: &[Message]) -> Result<Vec<Turn<'_>>, Unsupported> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System => continue,
            Role::Assistant => "assistant",
            Role::Tool | Role::User => "user",
        };
        let content = blocks(message)?;
        match turns.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(content),
            _ => turns.push(Turn { role, content }),
        }
    }
    // The user has to begin, and to say something.
    if turns.first().is_none_or(|first| first.role == "assistant") {
        turns.insert(0, Turn { role: "user", content: vec![Block::Text { text: "Begin." }] });
    }
    Ok(turns)
}

fn blocks(message: &Message) -> Result<Vec<Block<'_>>, Unsupported> {
    let mut blocks = Vec::new();
    for part in &message.parts {
        blocks.extend(block(part)?);
    }
    if message.role == Role::Tool {
        let tool_use_id = plain_id(message.tool_call_id.as_deref().unwrap_or_default());
        let is_error = message.is_error;
        return Ok(vec![Block::ToolResult { tool_use_id, content: blocks, is_error }]);
    }
    blocks.extend(message.tool_calls.iter().map(call));
    Ok(blocks)
}

/// Empty texts are refused there, and thoughts without their seal.
fn block(part: &Part) -> Result<Option<Block<'_>>, Unsupported> {
    Ok(match part {
        Part::Text(text) if text.trim().is_empty() => None,
        Part::Text(text) => Some(Block::Text { text }),
        Part::Image(Image::Base64 { media_type, data }) => {
            Some(Block::Image { source: Source::Base64 { media_type, data } })
        }
        Part::Image(Image::Url(url)) => Some(Block::Image { source: Source::Url { url } }),
        Part::Thinking { text, signature } => {
            signature.as_deref().map(|signature| Block::Thinking { thinking: text, signature })
        }
        Part::Other(kind) => return Err(Unsupported(format!("content of type {kind}"))),
    })
}

fn call(it: &ToolCall) -> Block<'_> {
    Block::ToolUse { id: plain_id(&it.id), name: &it.name, input: as_object(&it.arguments) }
}

/// Ids are letters, digits, `_` and `-` there; those of other providers are not always.
fn plain_id(id: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match id {
        "" => Cow::Borrowed("call"),
        id if id.chars().all(is_plain) => Cow::Borrowed(id),
        id => Cow::Owned(id.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()),
    }
}

/// A tool's schema is that of an object there, and has to say so.
fn object_schema(schema: &RawValue) -> Cow<'_, RawValue> {
    let mut fields = Fields::of(schema.get().as_bytes()).unwrap_or_default();
    if fields.get("type").is_some() {
        return Cow::Borrowed(schema);
    }
    fields.set("type", &"object");
    serde_json::value::to_raw_value(&fields).map_or(Cow::Borrowed(schema), Cow::Owned)
}

/// Stops of nothing but white space are refused there.
fn stops(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).filter(|stop| !stop.trim().is_empty()).collect()
}

fn tools<'a>(request: &'a Request, form: &Form) -> Vec<ToolBody<'a>> {
    if *form == Form::Tool {
        let input_schema = match &request.format {
            Format::Schema(it) => SchemaBody::Given(object_schema(&it.schema)),
            Format::Json | Format::Text => SchemaBody::Any { r#type: "object" },
        };
        let description = Some("Gives the answer to the user, as JSON.");
        return vec![ToolBody { name: ANSWER_TOOL, description, input_schema, strict: None }];
    }
    let tool = |it: &'a Tool| ToolBody {
        name: &it.name,
        description: it.description.as_deref(),
        input_schema: match it.parameters.as_deref() {
            Some(schema) => SchemaBody::Given(object_schema(schema)),
            None => SchemaBody::Any { r#type: "object" },
        },
        strict: it.strict.filter(|strict| *strict),
    };
    request.tools.iter().map(tool).collect()
}

fn choice<'a>(request: &'a Request, form: &Form) -> Option<ChoiceBody<'a>> {
    let disable_parallel_tool_use = request.parallel_tools.map(|may| !may).filter(|no| *no);
    let body = |r#type, name| ChoiceBody { r#type, name, disable_parallel_tool_use };
    if *form == Form::Tool {
        return Some(ChoiceBody {
            r#type: "tool",
            name: Some(ANSWER_TOOL),
            disable_parallel_tool_use: Some(true),
        });
    }
    if request.tools.is_empty() {
        return None;
    }
    match &request.tool_choice {
        ToolChoice::Auto => disable_parallel_tool_use.map(|_| body("auto", None)),
        ToolChoice::None => {
            Some(ChoiceBody { r#type: "none", name: None, disable_parallel_tool_use: None })
        }
        ToolChoice::Required => Some(body("any", None)),
        ToolChoice::Named(name) => Some(body("tool", Some(name))),
    }
}
