//! What a client of Responses asks.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::chat::{
    Error, Format, Message, Part, Request, Role, Sampling, Schema, Tool, ToolCall, ToolChoice,
};
use crate::dialect::body::{self, model, object};
use crate::dialect::field::{At, Raw, bad, field, value};
use crate::dialect::openai::from_client::{effort_word, image};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    input: Raw<'a>,
    #[serde(borrow)]
    instructions: Raw<'a>,
    #[serde(borrow)]
    max_output_tokens: Raw<'a>,
    #[serde(borrow)]
    temperature: Raw<'a>,
    #[serde(borrow)]
    top_p: Raw<'a>,
    #[serde(borrow)]
    tools: Raw<'a>,
    #[serde(borrow)]
    tool_choice: Raw<'a>,
    #[serde(borrow)]
    parallel_tool_calls: Raw<'a>,
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    reasoning: Raw<'a>,
    #[serde(borrow)]
    metadata: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
    // What needs a memory, or what OpenAI alone has.
    #[serde(borrow)]
    background: Raw<'a>,
    #[serde(borrow)]
    conversation: Raw<'a>,
    #[serde(borrow)]
    previous_response_id: Raw<'a>,
    #[serde(borrow)]
    prompt: Raw<'a>,
    #[serde(borrow)]
    top_logprobs: Raw<'a>,
}

/// The fields of a request that no target of another dialect is told.
pub(in crate::dialect) fn unknown_fields(body: &[u8]) -> Vec<String> {
    body::unknown_fields::<Body<'_>>(body)
}

/// Decodes a request of /v1/responses, and where its model's name stands. That it be stored is the
/// default there and is never done here.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_responses(body: &[u8]) -> Result<(Request, Range<usize>), Error> {
    let fields: Body<'_> = object(body)?;
    refuse_memory(&fields)?;
    let (model, span) = model(body, fields.model)?;
    let reasoning: Reasoning = field("reasoning", fields.reasoning)?.unwrap_or_default();
    let text: TextBody = field("text", fields.text)?.unwrap_or_default();
    let background = field("background", fields.background)?.unwrap_or(false);
    let request = Request {
        model,
        messages: messages(&fields)?,
        tools: tools(fields.tools)?,
        tool_choice: tool_choice(fields.tool_choice)?,
        parallel_tools: field("parallel_tool_calls", fields.parallel_tool_calls)?,
        sampling: Sampling {
            temperature: field("temperature", fields.temperature)?,
            top_p: field("top_p", fields.top_p)?,
            max_tokens: field("max_output_tokens", fields.max_output_tokens)?,
            ..Sampling::default()
        },
        format: format(text.format)?,
        effort: reasoning.effort.map(|word| effort_word("reasoning.effort", &word)).transpose()?,
        stream: field("stream", fields.stream)?.unwrap_or(false),
        background,
        include_usage: true,
        echo: Some(echo(&fields, background)),
        ..Request::default()
    };
    Ok((request, span))
}

fn refuse_memory(fields: &Body<'_>) -> Result<(), Error> {
    let set = |raw: Raw<'_>| raw.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "0"));
    let table = [
        ("conversation", fields.conversation, "nothing is stored: send the whole input"),
        (
            "previous_response_id",
            fields.previous_response_id,
            "nothing is stored: send the whole input",
        ),
        ("prompt", fields.prompt, "prompts kept at OpenAI cannot be read: send the text"),
        ("top_logprobs", fields.top_logprobs, "no target gives them here"),
    ];
    match table.into_iter().find(|(_, raw, _)| set(*raw)) {
        Some((name, _, why)) => {
            Err(Error::invalid_field(name, format!("{name} is not supported: {why}")))
        }
        None => Ok(()),
    }
}

/// The fields that the answer repeats.
fn echo(fields: &Body<'_>, background: bool) -> Box<str> {
    let given = |raw: Raw<'_>, default: &str| {
        let text = raw.map(RawValue::get).filter(|text| *text != "null").unwrap_or(default);
        serde_json::from_str(text).unwrap_or(Value::Null)
    };
    let echo: Map<String, Value> = [
        ("background", Value::Bool(background)),
        ("instructions", given(fields.instructions, "null")),
        ("max_output_tokens", given(fields.max_output_tokens, "null")),
        ("metadata", given(fields.metadata, "{}")),
        ("parallel_tool_calls", given(fields.parallel_tool_calls, "true")),
        ("previous_response_id", Value::Null),
        ("reasoning", given(fields.reasoning, r#"{"effort":null,"summary":null}"#)),
        ("store", Value::Bool(background)),
        ("temperature", given(fields.temperature, "1.0")),
        ("text", given(fields.text, r#"{"format":{"type":"text"}}"#)),
        ("tool_choice", given(fields.tool_choice, "\"auto\"")),
        ("tools", given(fields.tools, "[]")),
        ("top_p", given(fields.top_p, "1.0")),
        ("truncation", Value::from("disabled")),
        ("user", Value::Null),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    Value::Object(echo).to_string().into_boxed_str()
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default, borrow)]
    content: Raw<'a>,
    #[serde(default)]
    call_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
    #[serde(default, borrow)]
    output: Raw<'a>,
}

fn messages(fields: &Body<'_>) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    let instructions: Option<String> = field("instructions", fields.instructions)?;
    messages.extend(instructions.map(|text| Message::new(Role::System, vec![Part::Text(text)])));
    let wanted = || Error::invalid_field("input", "input must be text or a list of items");
    let raw = fields.input.ok_or_else(wanted)?;
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|_| wanted())?;
        messages.push(Message::new(Role::User, vec![Part::Text(text)]));
        return Ok(messages);
    }
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wanted())?;
    if list.is_empty() {
        return Err(Error::invalid_field("input", "input must hold at least one item"));
    }
    for (index, raw) in list.iter().enumerate() {
        item(index, raw, &mut messages)?;
    }
    Ok(messages)
}

/// Calls that stand side by side, and the words before them, are one turn of the assistant's.
fn item(index: usize, raw: &RawValue, messages: &mut Vec<Message>) -> Result<(), Error> {
    let list = At::Field("input");
    let at = At::Entry(&list, index);
    let item: Item<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let missing =
        |name: &str| Error::invalid_field(at.to_string(), format!("{at}.{name} is missing"));
    match item.r#type.as_deref().unwrap_or("message") {
        "message" => {
            let role = match item.role.as_deref() {
                Some("assistant") => Role::Assistant,
                Some("developer" | "system") => Role::System,
                Some("user") => Role::User,
                _ => {
                    let words = format!("{at}.role must be user, assistant, system or developer");
                    return Err(Error::invalid_field(format!("{at}.role"), words));
                }
            };
            messages.push(Message::new(role, content(At::Member(&at, "content"), item.content)?));
        }
        "function_call" => {
            let call = ToolCall {
                id: item.call_id.ok_or_else(|| missing("call_id"))?,
                name: item.name.ok_or_else(|| missing("name"))?,
                arguments: item.arguments.unwrap_or_default(),
                signature: None,
            };
            match messages.last_mut().filter(|last| last.role == Role::Assistant) {
                Some(last) => last.tool_calls.push(call),
                None => {
                    let turn = Message::new(Role::Assistant, Vec::new());
                    messages.push(Message { tool_calls: vec![call], ..turn });
                }
            }
        }
        "function_call_output" => {
            let parts = content(At::Member(&at, "output"), item.output)?;
            let turn = Message::new(Role::Tool, parts);
            let id = item.call_id.ok_or_else(|| missing("call_id"))?;
            messages.push(Message { tool_call_id: Some(id), ..turn });
        }
        // Thoughts of an earlier answer: they are of use to the model that had them only.
        "reasoning" => {}
        _ => {
            let words = format!(
                "{at}.type must be message, function_call, function_call_output or reasoning"
            );
            return Err(Error::invalid_field(format!("{at}.type"), words));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct PartBody {
    r#type: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    image_url: Option<String>,
}

fn content(at: At<'_>, raw: Raw<'_>) -> Result<Vec<Part>, Error> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(Vec::new()),
        Some(text) if text.starts_with('"') => {
            Ok(value(at, raw)?.map(Part::Text).into_iter().collect())
        }
        Some(text) => {
            let list: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| bad(at, &error))?;
            list.iter().enumerate().map(|(index, raw)| part(At::Entry(&at, index), raw)).collect()
        }
    }
}

fn part(at: At<'_>, raw: &RawValue) -> Result<Part, Error> {
    let body: PartBody = serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))?;
    let missing =
        |name: &str| Error::invalid_field(at.to_string(), format!("{at}.{name} is missing"));
    match body.r#type.as_str() {
        "input_text" | "output_text" | "text" => {
            body.text.map(Part::Text).ok_or_else(|| missing("text"))
        }
        "refusal" => body.refusal.map(Part::Text).ok_or_else(|| missing("refusal")),
        "input_image" => {
            let url = body.image_url.ok_or_else(|| missing("image_url"))?;
            image(&format!("{at}.image_url"), url).map(Part::Image)
        }
        _ => {
            let words =
                format!("{at}.type must be input_text, output_text, refusal or input_image");
            Err(Error::invalid_field(format!("{at}.type"), words))
        }
    }
}

#[derive(Deserialize)]
struct ToolBody {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    strict: Option<bool>,
}

fn tools(raw: Raw<'_>) -> Result<Vec<Tool>, Error> {
    let bodies: Vec<ToolBody> = field("tools", raw)?.unwrap_or_default();
    let tool = |(index, it): (usize, ToolBody)| match (it.r#type.as_str(), it.name) {
        ("function", Some(name)) => Ok(Tool {
            name,
            description: it.description,
            parameters: it.parameters,
            strict: it.strict,
        }),
        ("function", None) => {
            let at = format!("tools[{index}].name");
            Err(Error::invalid_field(at.clone(), format!("{at} is missing")))
        }
        _ => {
            let at = format!("tools[{index}].type");
            let words = format!("{at} must be function: tools that OpenAI runs are not to be had");
            Err(Error::invalid_field(at, words))
        }
    };
    bodies.into_iter().enumerate().map(tool).collect()
}

#[derive(Deserialize)]
struct ChoiceBody {
    r#type: String,
    name: Option<String>,
}

fn tool_choice(raw: Raw<'_>) -> Result<ToolChoice, Error> {
    match raw.map(RawValue::get) {
        None | Some("null" | "\"auto\"") => return Ok(ToolChoice::Auto),
        Some("\"none\"") => return Ok(ToolChoice::None),
        Some("\"required\"") => return Ok(ToolChoice::Required),
        Some(_) => {}
    }
    let named = value::<ChoiceBody>(At::Field("tool_choice"), raw).ok().flatten();
    let name = named.filter(|it| it.r#type == "function").and_then(|it| it.name);
    name.map(ToolChoice::Named).ok_or_else(|| {
        let words = "tool_choice must be auto, none, required or a function by its name";
        Error::invalid_field("tool_choice", words)
    })
}

#[derive(Default, Deserialize)]
struct Reasoning {
    effort: Option<String>,
}

#[derive(Default, Deserialize)]
struct TextBody {
    format: Option<FormatBody>,
}

#[derive(Deserialize)]
struct FormatBody {
    r#type: String,
    name: Option<String>,
    schema: Option<Box<RawValue>>,
    strict: Option<bool>,
}

fn format(body: Option<FormatBody>) -> Result<Format, Error> {
    let Some(FormatBody { r#type, name, schema, strict }) = body else { return Ok(Format::Text) };
    match (r#type.as_str(), schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::Json),
        ("json_schema", Some(schema)) => Ok(Format::Schema(Schema { name, schema, strict })),
        ("json_schema", None) => {
            Err(Error::invalid_field("text.format.schema", "text.format.schema is missing"))
        }
        _ => Err(Error::invalid_field(
            "text.format.type",
            "text.format.type must be text, json_object or json_schema",
        )),
    }
}
