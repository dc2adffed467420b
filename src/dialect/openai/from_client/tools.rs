//! The tools of a request, whether one must be called, and calls of earlier turns.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Error, Tool, ToolCall, ToolChoice};
use crate::dialect::field::{At, Raw, field, value};

#[derive(Deserialize)]
struct CallBody {
    #[serde(default)]
    id: String,
    r#type: Option<String>,
    function: Option<FunctionBody>,
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

/// Calls of functions, and whether there are others, which are OpenAI's own.
pub(super) fn tool_calls(at: At<'_>, raw: Raw<'_>) -> Result<(Vec<ToolCall>, bool), Error> {
    let bodies: Vec<CallBody> = value(at, raw)?.unwrap_or_default();
    let (mut calls, mut has_others) = (Vec::with_capacity(bodies.len()), false);
    for it in bodies {
        let Some(function) = it.function else {
            if it.r#type.as_deref().is_none_or(|kind| kind == "function") {
                let words = format!("{at} must be a list of calls, each with its function");
                return Err(Error::invalid_field(at.to_string(), words));
            }
            has_others = true;
            continue;
        };
        calls.push(ToolCall {
            id: it.id,
            name: function.name,
            arguments: function.arguments,
            signature: it.extra_content.and_then(ExtraContent::signature),
        });
    }
    Ok((calls, has_others))
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
    function: Option<ToolName>,
}

#[derive(Deserialize)]
struct ToolName {
    name: String,
}

/// Whether a tool must be called, and whether that is said in a way that is OpenAI's own.
pub(super) fn tool_choice(raw: Raw<'_>) -> Result<(ToolChoice, bool), Error> {
    match raw.map(RawValue::get) {
        None | Some("null" | "\"auto\"") => Ok((ToolChoice::Auto, false)),
        Some("\"none\"") => Ok((ToolChoice::None, false)),
        Some("\"required\"") => Ok((ToolChoice::Required, false)),
        Some(text) if text.starts_with('{') => {
            let named: Option<NamedTool> = field("tool_choice", raw)?;
            Ok(match named.and_then(|named| named.function) {
                Some(function) => (ToolChoice::Named(function.name), false),
                None => (ToolChoice::Auto, true),
            })
        }
        Some(_) => Err(Error::invalid_field(
            "tool_choice",
            "tool_choice must be auto, none, required or a function by its name",
        )),
    }
}
