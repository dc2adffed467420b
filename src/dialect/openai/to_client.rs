//! What a client gets: whole answers, vectors, errors.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::chat::{EmbedResponse, Error, FinishReason, Kind, Response, ToolCall, Usage};
use crate::dialect::{Stamp, json};

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: MessageBody<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallBody<'a>>,
}

#[derive(Serialize)]
struct CallBody<'a> {
    id: String,
    r#type: &'static str,
    function: FunctionBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

/// Where Google's own OpenAI-compatible API puts the seal of a call.
#[derive(Serialize)]
pub(super) struct ExtraContent<'a> {
    google: GoogleContent<'a>,
}

#[derive(Serialize)]
struct GoogleContent<'a> {
    thought_signature: &'a str,
}

impl<'a> ExtraContent<'a> {
    pub(super) fn of(signature: Option<&'a str>) -> Option<Self> {
        signature.map(|seal| Self { google: GoogleContent { thought_signature: seal } })
    }
}

#[derive(Serialize)]
struct FunctionBody<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Token counts by OpenAI's names.
#[derive(Serialize)]
pub(super) struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let (cached_tokens, reasoning_tokens) = (usage.cached_tokens, usage.reasoning_tokens);
        Self {
            prompt_tokens: usage.input_tokens,
            completion_tokens: usage.output_tokens,
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
            prompt_tokens_details: (cached_tokens > 0).then_some(PromptDetails { cached_tokens }),
            completion_tokens_details: (reasoning_tokens > 0)
                .then_some(CompletionDetails { reasoning_tokens }),
        }
    }
}

/// The answer's id.
pub(super) fn id(stamp: &Stamp) -> String {
    format!("chatcmpl-{}", stamp.id)
}

/// Writes a whole answer: `chat.completion`.
pub fn encode_response(response: &Response, stamp: &Stamp) -> Vec<u8> {
    let calls = response.tool_calls.iter().enumerate();
    // A call that was cut short is none to be made.
    let finish = match response.finish.unwrap_or(FinishReason::Stop) {
        FinishReason::Stop if !response.tool_calls.is_empty() => FinishReason::ToolCalls,
        reason => reason,
    };
    let refusal = Some(response.refusal.as_str()).filter(|text| !text.is_empty());
    let may_be_silent = !response.tool_calls.is_empty() || refusal.is_some();
    let has_text = !response.text.is_empty() || !may_be_silent;
    let message = MessageBody {
        role: "assistant",
        content: Some(response.text.as_str()).filter(|_| has_text),
        refusal,
        reasoning_content: &response.thinking,
        tool_calls: calls.map(|(index, call)| call_body(stamp, index, call)).collect(),
    };
    let choice = Choice { index: 0, message, logprobs: None, finish_reason: finish_word(finish) };
    json(&Completion {
        id: &id(stamp),
        object: "chat.completion",
        created: stamp.created,
        model: &stamp.model,
        choices: [choice],
        usage: response.usage.map(UsageBody::from),
    })
}

fn call_body<'a>(stamp: &Stamp, index: usize, call: &'a ToolCall) -> CallBody<'a> {
    let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    CallBody {
        id: if call.id.is_empty() { stamp.call_id(index) } else { call.id.clone() },
        r#type: "function",
        function: FunctionBody { name: &call.name, arguments },
        extra_content: ExtraContent::of(call.signature.as_deref()),
    }
}

pub(super) fn finish_word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Length => "length",
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
    }
}

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    usage: EmbedUsage,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Base64(String),
    Floats(&'a [f32]),
}

#[derive(Serialize)]
struct EmbedUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Writes vectors: as JSON numbers, or as base64 of little-endian `f32` (`encoding_format`).
pub fn encode_embeddings(response: &EmbedResponse, model: &str, base64: bool) -> Vec<u8> {
    let vector = |(index, floats): (usize, &'_ Vec<f32>)| -> Embedding<'_> {
        let embedding = match base64 {
            true => Vector::Base64(packed(floats)),
            false => Vector::Floats(response.vectors.get(index).map_or(&[], Vec::as_slice)),
        };
        Embedding { object: "embedding", index, embedding }
    };
    let tokens = response.usage.map_or(0, |usage| usage.input_tokens);
    json(&Embeddings {
        object: "list",
        data: response.vectors.iter().enumerate().map(vector).collect(),
        model,
        usage: EmbedUsage { prompt_tokens: tokens, total_tokens: tokens },
    })
}

fn packed(floats: &[f32]) -> String {
    let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<String>,
}

/// Writes an error: `{"error":{"message","type","param","code"}}`.
pub fn encode_error(error: &Error) -> Vec<u8> {
    let fields = ErrorFields {
        message: &error.message,
        r#type: error_type(error.kind),
        param: error.param.as_deref(),
        code: Some(error.kind.to_string()).filter(|_| error.kind != Kind::Invalid),
    };
    json(&ErrorBody { error: fields })
}

fn error_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthorized => "authentication_error",
        Kind::Forbidden => "permission_error",
        Kind::QueueFull | Kind::RateLimited => "rate_limit_error",
        Kind::Internal | Kind::Overloaded | Kind::Timeout | Kind::Unavailable | Kind::Upstream => {
            "server_error"
        }
        Kind::ContentFilter
        | Kind::ContextLength
        | Kind::Gone
        | Kind::HeadTooLarge
        | Kind::Invalid
        | Kind::MethodNotAllowed
        | Kind::Mismatch
        | Kind::Misdirected
        | Kind::ModelNotFound
        | Kind::NotFound
        | Kind::TooLarge
        | Kind::Unsupported
        | Kind::UnsupportedMedia
        | Kind::UriTooLong => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { id: "7".to_owned(), created: 5, model: "m".to_owned() }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_whole_answer() {
        let response = Response {
            text: "Hi".to_owned(),
            usage: Some(Usage { input_tokens: 2, output_tokens: 3, ..Usage::default() }),
            ..Response::default()
        };
        assert_eq!(
            text(encode_response(&response, &stamp())),
            r#"{"id":"chatcmpl-7","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#
        );
    }

    #[test]
    fn tool_calls_get_ids_and_their_finish_reason() {
        let call = ToolCall {
            id: String::new(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            signature: None,
        };
        let response = Response {
            tool_calls: vec![call],
            finish: Some(FinishReason::Stop),
            ..Response::default()
        };
        let body = text(encode_response(&response, &stamp()));
        assert!(body.contains(r#""content":null"#), "{body}");
        assert!(body.contains(
            r#""id":"call_7_0","type":"function","function":{"name":"f","arguments":"{}"}"#
        ));
        assert!(body.contains(r#""finish_reason":"tool_calls""#));
    }

    #[test]
    fn vectors_in_both_forms() {
        let response = EmbedResponse { vectors: vec![vec![1.0, -0.5]], usage: None };
        let floats = text(encode_embeddings(&response, "m", false));
        assert!(floats.contains(r#""index":0,"embedding":[1.0,-0.5]"#), "{floats}");
        let packed = text(encode_embeddings(&response, "m", true));
        assert!(packed.contains(r#""embedding":"AACAPwAAAL8=""#), "{packed}");
    }

    #[test]
    fn errors() {
        let error = Error { param: Some("n".to_owned()), ..Error::invalid("no \"n\"") };
        assert_eq!(
            text(encode_error(&error)),
            r#"{"error":{"message":"no \"n\"","type":"invalid_request_error","param":"n","code":null}}"#
        );
        let error = Error::new(Kind::ModelNotFound, "m");
        assert!(text(encode_error(&error)).contains(r#""code":"model_not_found""#));
    }
}
