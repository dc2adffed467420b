//! Anthropic's whole answers.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{FinishReason, Response, ToolCall, Usage};
use crate::dialect::BadAnswer;
use crate::dialect::anthropic::{ANSWER_TOOL, UsageFields, stop_reason};

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct Block<'a> {
    r#type: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, borrow)]
    input: Option<&'a RawValue>,
}

/// Decodes a whole answer. Blocks that only Anthropic's own clients know are left out.
///
/// # Errors
/// Why it is no answer.
pub fn decode_response(body: &[u8]) -> Result<Response, BadAnswer> {
    let message = read(body)?;
    let mut response = Response {
        finish: message.stop_reason.as_deref().map(stop_reason),
        usage: message.usage.map(Usage::from),
        ..Response::default()
    };
    for block in message.content {
        match block.r#type.as_str() {
            "text" => response.text.push_str(&block.text.unwrap_or_default()),
            "thinking" => {
                response.thinking.push_str(&block.thinking.unwrap_or_default());
                if block.signature.is_some() {
                    response.signature = block.signature;
                }
            }
            "tool_use" => {
                let arguments = block.input.map_or("{}", RawValue::get).to_owned();
                let name = block.name.unwrap_or_default();
                if name == ANSWER_TOOL {
                    response.text.push_str(&arguments);
                    if response.finish == Some(FinishReason::ToolCalls) {
                        response.finish = Some(FinishReason::Stop);
                    }
                    continue;
                }
                let id = block.id.unwrap_or_default();
                response.tool_calls.push(ToolCall { id, name, arguments, signature: None });
            }
            _ => {}
        }
    }
    Ok(response)
}

fn read(body: &[u8]) -> Result<MessageBody<'_>, BadAnswer> {
    serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))
}

/// Looks at a whole answer that goes on as it came.
///
/// # Errors
/// Why it is no answer.
pub fn check_response(body: &[u8]) -> Result<Option<Usage>, BadAnswer> {
    Ok(read(body)?.usage.map(Usage::from))
}

#[derive(Deserialize)]
struct Count {
    input_tokens: u64,
}

/// Decodes an answer of `/v1/messages/count_tokens`.
///
/// # Errors
/// Why it is none.
pub fn decode_count_answer(body: &[u8]) -> Result<u64, BadAnswer> {
    let count: Count = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    Ok(count.input_tokens)
}
