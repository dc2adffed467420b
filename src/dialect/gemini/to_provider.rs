//! What Gemini is asked.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::{
    Effort, EmbedInput, EmbedRequest, Format, Image, Message, Part, Request, Role, ToolCall,
    ToolChoice,
};
use crate::dialect::arguments::as_object;
use crate::dialect::asked::json_in_words;
use crate::dialect::body::Fields;
use crate::dialect::{Unsupported, to_json};

/// What one provider wants of every body.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// Fields of `generationConfig` that it refuses, by their names.
    pub omit: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: Box<RawValue>,
}

#[derive(Serialize)]
struct Instruction {
    parts: [Text; 1],
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Content<'a> {
    role: &'static str,
    parts: Vec<PartBody<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PartBody<'a> {
    #[serde(rename_all = "camelCase")]
    Call {
        function_call: CallBody<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'a str>,
    },
    #[serde(rename_all = "camelCase")]
    Data {
        inline_data: DataBody<'a>,
    },
    #[serde(rename_all = "camelCase")]
    Result {
        function_response: ResultBody<'a>,
    },
    Text {
        text: &'a str,
    },
}

#[derive(Serialize)]
struct CallBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    args: Cow<'a, RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DataBody<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct ResultBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    response: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Error(String),
    Output(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolBody<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: CallingConfig<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    include_thoughts: bool,
}

/// Writes a request. Whether it is a stream stands in the address.
///
/// # Errors
/// What this dialect has no word for.
pub fn chat_body(request: &Request, wishes: &Wishes<'_>) -> Result<Vec<u8>, Unsupported> {
    let generation = generation(wishes.model);
    let has_tools = !request.tools.is_empty();
    to_json(&Body {
        contents: contents(&request.messages, generation)?,
        system_instruction: system(request, generation),
        tools: if has_tools { vec![tools(request)] } else { Vec::new() },
        tool_config: has_tools.then(|| tool_config(&request.tool_choice)).flatten(),
        generation_config: generation_config(request, wishes, generation)?,
    })
}

fn generation_config(
    request: &Request,
    wishes: &Wishes<'_>,
    generation: u32,
) -> Result<Box<RawValue>, Unsupported> {
    let sampling = &request.sampling;
    let (response_mime_type, response_json_schema) = match &request.format {
        _ if asks_for_json(request, generation) => (None, None),
        Format::Text => (None, None),
        Format::Json => (Some("application/json"), None),
        Format::Schema(it) => (Some("application/json"), Some(&*it.schema)),
    };
    let written = to_json(&GenerationConfig {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        max_output_tokens: sampling.max_tokens,
        stop_sequences: &sampling.stop,
        seed: sampling.seed,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        response_mime_type,
        response_json_schema,
        thinking_config: request.effort.and_then(|effort| thinking(effort, wishes.model)),
    })?;
    let mut fields = Fields::of(&written).unwrap_or_default();
    for name in wishes.omit {
        fields.take(name);
    }
    serde_json::value::to_raw_value(&fields).map_err(|error| Unsupported(error.to_string()))
}

/// The number of the model's generation: `gemini-2.5-flash` is of the second. An unknown name is
/// taken for the newest.
fn generation(model: &str) -> u32 {
    let rest = model.split_once("gemini-").map_or("", |(_, rest)| rest);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(u32::MAX)
}

/// The second generation is told from 2.5 on how many tokens to think, the third how hard; the
/// larger models always think, and of the levels they know the outer two. What a name does not
/// tell is left to the model: how hard to think is a wish.
fn thinking(effort: Effort, model: &str) -> Option<ThinkingConfig> {
    let is_pro = model.contains("-pro");
    let (thinking_budget, thinking_level) = match generation(model) {
        2 if model.contains("gemini-2.5") => match effort {
            Effort::None if is_pro => return None,
            Effort::None => (Some(0), None),
            Effort::Low => (Some(1024), None),
            Effort::Medium => (Some(8192), None),
            Effort::High => (Some(24_576), None),
        },
        // No name that we know.
        u32::MAX => return None,
        3.. => match effort {
            Effort::None | Effort::Low => (None, Some("low")),
            Effort::Medium if is_pro => (None, Some("high")),
            Effort::Medium => (None, Some("medium")),
            Effort::High => (None, Some("high")),
        },
        _ => return None,
    };
    let include_thoughts = effort != Effort::None;
    Some(ThinkingConfig { thinking_budget, thinking_level, include_thoughts })
}

/// Before the third generation an answer has a form or the model has tools, not both: then JSON is
/// asked for in words.
fn asks_for_json(request: &Request, generation: u32) -> bool {
    let has_tools = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    generation < 3 && has_tools && !matches!(request.format, Format::Text)
}

fn system(request: &Request, generation: u32) -> Option<Instruction> {
    let all = request.messages.iter().filter(|message| message.role == Role::System);
    let mut texts: Vec<String> = all.map(Message::text).filter(|text| !text.is_empty()).collect();
    if asks_for_json(request, generation) {
        texts.push(json_in_words(&request.format));
    }
    (!texts.is_empty()).then(|| Instruction { parts: [Text { text: texts.join("\n\n") }] })
}

fn contents(messages: &[Message], generation: u32) -> Result<Vec<Content<'_>>, Unsupported> {
    let mut contents: Vec<Content<'_>> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System => continue,
            Role::Assistant => "model",
            Role::Tool | Role::User => "user",
        };
        let parts = match message.role {
            Role::Tool => result(message, messages)?,
            Role::Assistant | Role::System | Role::User => parts(message, generation)?,
        };
        match contents.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => contents.push(Content { role, parts }),
        }
    }
    // The user has to begin, and to say something.
    if contents.first().is_none_or(|first| first.role == "model") {
        let parts = vec![PartBody::Text { text: "Begin." }];
        contents.insert(0, Content { role: "user", parts });
    }
    Ok(contents)
}

fn parts(message: &Message, generation: u32) -> Result<Vec<PartBody<'_>>, Unsupported> {
    let mut parts = Vec::new();
    for part in &message.parts {
        parts.extend(part_body(part)?);
    }
    let calls = message.tool_calls.iter().enumerate();
    parts.extend(calls.map(|(index, it)| call(it, index == 0 && generation >= 3)));
    Ok(parts)
}

fn part_body(part: &Part) -> Result<Option<PartBody<'_>>, Unsupported> {
    Ok(match part {
        Part::Text(text) if text.is_empty() => None,
        Part::Text(text) => Some(PartBody::Text { text }),
        Part::Image(Image::Base64 { media_type, data }) => {
            Some(PartBody::Data { inline_data: DataBody { mime_type: media_type, data } })
        }
        Part::Image(Image::Url(_)) => {
            return Err(Unsupported("an image by its address".to_owned()));
        }
        Part::Thinking { .. } => None,
        Part::Other(kind) => return Err(Unsupported(format!("content of type {kind}"))),
    })
}

/// Since the third generation the first call of a turn must bear its seal; for calls that another
/// model made, or whose seal the client's dialect could not hold, there is this word
/// (ai.google.dev/gemini-api/docs/thought-signatures).
const NO_SEAL: &str = "skip_thought_signature_validator";

fn call(it: &ToolCall, needs_seal: bool) -> PartBody<'_> {
    PartBody::Call {
        function_call: CallBody { id: &it.id, name: &it.name, args: as_object(&it.arguments) },
        thought_signature: it.signature.as_deref().or_else(|| needs_seal.then_some(NO_SEAL)),
    }
}

/// A tool's result, with the pictures in it beside it. It names the tool here, and its call
/// elsewhere: looked up by the call's id.
fn result<'a>(message: &'a Message, all: &'a [Message]) -> Result<Vec<PartBody<'a>>, Unsupported> {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let mut called = all.iter().flat_map(|message| &message.tool_calls);
    let by_id = || called.find(|call| call.id == id).map(|call| call.name.as_str());
    let name = message.name.as_deref().or_else(by_id);
    let text = message.text();
    let response = if message.is_error { Outcome::Error(text) } else { Outcome::Output(text) };
    let name = name.unwrap_or(id);
    let mut parts = vec![PartBody::Result { function_response: ResultBody { id, name, response } }];
    for part in message.parts.iter().filter(|part| matches!(part, Part::Image(_))) {
        parts.extend(part_body(part)?);
    }
    Ok(parts)
}

fn tools(request: &Request) -> ToolBody<'_> {
    let declaration = request.tools.iter().map(|it| Declaration {
        name: &it.name,
        description: it.description.as_deref(),
        parameters_json_schema: it.parameters.as_deref(),
    });
    ToolBody { function_declarations: declaration.collect() }
}

fn tool_config(choice: &ToolChoice) -> Option<ToolConfig<'_>> {
    let (mode, allowed_function_names) = match choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::Named(name) => ("ANY", vec![name.as_str()]),
    };
    Some(ToolConfig { function_calling_config: CallingConfig { mode, allowed_function_names } })
}

#[derive(Serialize)]
struct EmbedBody<'a> {
    requests: Vec<EmbedOne<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmbedOne<'a> {
    model: String,
    content: EmbedContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
struct EmbedContent<'a> {
    parts: [PartBody<'a>; 1],
}

/// Writes a request for the vectors of one or more texts.
///
/// # Errors
/// What this dialect has no word for.
pub fn embed_body(request: &EmbedRequest, wishes: &Wishes<'_>) -> Result<Vec<u8>, Unsupported> {
    let EmbedInput::Texts(texts) = &request.input else {
        return Err(Unsupported("input as token numbers: send text".to_owned()));
    };
    let requests = texts.iter().map(|text| EmbedOne {
        model: format!("models/{}", wishes.model),
        content: EmbedContent { parts: [PartBody::Text { text }] },
        output_dimensionality: request.dimensions,
    });
    to_json(&EmbedBody { requests: requests.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations() {
        for (name, want) in
            [("gemini-2.5-flash", 2), ("gemini-3-pro-preview", 3), ("learnlm", u32::MAX)]
        {
            assert_eq!(generation(name), want, "{name}");
        }
    }
}
