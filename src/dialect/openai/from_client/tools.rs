//! The tools of a request, whether one must be called, and calls of earlier turns.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Error, Tool, ToolCall, ToolChoice};
use crate::dialect::field::{At, Raw, field, value};

#[derive(Deserialize)]
struct CallBody {
    #[serde(default)]
    id: String,
    function: FunctionBody,
    extra_content: Option<ExtraContent>,
}

#[derive(Deserialize)]
struct FunctionBody {
    name: String,
    #[serde(default)]
    arguments: String,
}

/// Where Google's own OpenAI-compatible API keeps the seal of a call
/// (ai.google.dev/gemini-api/docs/thought-signatures).
#[derive(Debug, Deserialize)]
pub(in crate::dialect::openai) struct ExtraContent {
    google: Option<GoogleContent>,
}

#[derive(Debug, Deserialize)]
struct GoogleContent {
    thought_signature: Option<String>,
}

impl ExtraContent {
    pub(in crate::dialect::openai) fn signature(self) -> Option<String> {
        self.google?.thought_signature
    }
}

pub(super) fn tool_calls(at: At<'_>, raw: Raw<'_>) -> Result<Vec<ToolCall>, Error> {
    let calls: Vec<CallBody> = value(at, raw)?.unwrap_or_default();
    let call = |it: CallBody| ToolCall {
        id: it.id,
        name: it.function.name,
        arguments: it.function.arguments,
        signature: it.extra_content.and_then(ExtraContent::signature),
    };
    Ok(calls.into_iter().map(call).collect())
}

#[derive(Deserialize)]
struct ToolBody {
    r#type: Option<String>,
    function: Option<DeclarationBody>,
}

#[derive(Deserialize)]
struct DeclarationBody {
    name: String,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    strict: Option<bool>,
}

/// The functions, and whether there are tools of other kinds, which are OpenAI's own.
pub(super) fn tools(raw: Raw<'_>) -> Result<(Vec<Tool>, bool), Error> {
    let bodies: Vec<ToolBody> = field("tools", raw)?.unwrap_or_default();
    let all = bodies.len();
    let is_function = |it: &ToolBody| it.r#type.as_deref().is_none_or(|kind| kind == "function");
    let tool = |(index, body): (usize, ToolBody)| {
        let it = body.function.ok_or_else(|| {
            let at = format!("tools[{index}].function");
            let words = format!("{at} is missing");
            Error::invalid_field(at, words)
        })?;
        let DeclarationBody { name, description, parameters, strict } = it;
        Ok(Tool { name, description, parameters, strict })
    };
    let functions = bodies.into_iter().enumerate().filter(|(_, it)| is_function(it));
    let tools = functions.map(tool).collect::<Result<Vec<_>, Error>>()?;
    let has_others = tools.len() < all;
    Ok((tools, has_others))
}

#[derive(Deserialize)]
struct NamedTool {
    function: ToolName,
}

#[derive(Deserialize)]
struct ToolName {
    name: String,
}

pub(super) fn tool_choice(raw: Raw<'_>) -> Result<ToolChoice, Error> {
    match raw.map(RawValue::get) {
        None | Some("null" | "\"auto\"") => Ok(ToolChoice::Auto),
        Some("\"none\"") => Ok(ToolChoice::None),
        Some("\"required\"") => Ok(ToolChoice::Required),
        Some(text) if text.starts_with('{') => {
            let named: Option<NamedTool> = field("tool_choice", raw)?;
            Ok(named.map_or(ToolChoice::Auto, |named| ToolChoice::Named(named.function.name)))
        }
        Some(_) => Err(Error::invalid_field(
            "tool_choice",
            "tool_choice must be auto, none, required or a function by its name",
        )),
    }
}
