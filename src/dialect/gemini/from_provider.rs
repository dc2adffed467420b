//! Gemini's whole answers, and its vectors.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{EmbedResponse, Error, FinishReason, Kind, Response, ToolCall, Usage};
use crate::dialect::refusal::one_line;
use crate::dialect::{BadAnswer, Broken};

/// A whole answer, or a piece of a stream: the same object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(default, borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(default)]
    pub(super) prompt_feedback: Option<Feedback>,
    #[serde(default)]
    pub(super) usage_metadata: Option<UsageFields>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default, borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(default, borrow)]
    pub(super) parts: Option<Vec<PartBody<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartBody<'a> {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thought: bool,
    #[serde(default)]
    pub(super) thought_signature: Option<String>,
    #[serde(default, borrow)]
    pub(super) function_call: Option<CallBody<'a>>,
}

#[derive(Deserialize)]
pub(super) struct CallBody<'a> {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) name: String,
    #[serde(default, borrow)]
    pub(super) args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

/// Token counts: what was thought is not among the candidates' tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageFields {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
    #[serde(default)]
    cached_content_token_count: u64,
}

impl From<UsageFields> for Usage {
    fn from(fields: UsageFields) -> Self {
        Self {
            input_tokens: fields.prompt_token_count,
            output_tokens: fields
                .candidates_token_count
                .saturating_add(fields.thoughts_token_count),
            cached_tokens: fields.cached_content_token_count,
            reasoning_tokens: fields.thoughts_token_count,
        }
    }
}

/// Why the model stopped. Tool calls end with STOP like any other answer.
pub(super) fn finish_reason(word: &str, called: bool) -> Result<FinishReason, Broken> {
    match word {
        "MAX_TOKENS" => Ok(FinishReason::Length),
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Ok(FinishReason::ContentFilter),
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE"
        | "OTHER"
        | "TOO_MANY_TOOL_CALLS"
        | "UNEXPECTED_TOOL_CALL" => {
            let message = format!("the model failed ({word})");
            Err(Broken::Error(Error::new(Kind::Upstream, message)))
        }
        _ if called => Ok(FinishReason::ToolCalls),
        _ => Ok(FinishReason::Stop),
    }
}

impl Answer<'_> {
    /// A prompt that will not be answered has no candidates, but a reason.
    pub(super) fn blocked(&self) -> Option<Error> {
        if self.candidates.as_ref().is_some_and(|all| !all.is_empty()) {
            return None;
        }
        let reason = self.prompt_feedback.as_ref()?.block_reason.as_deref()?;
        let message = format!("the prompt is not answered: {}", one_line(reason));
        Some(Error::new(Kind::ContentFilter, message))
    }
}

/// Decodes a whole answer.
///
/// # Errors
/// Why it is no answer, or that the prompt is blocked.
pub fn decode_response(body: &[u8]) -> Result<Response, Broken> {
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if let Some(error) = answer.blocked() {
        return Err(Broken::Error(error));
    }
    let first = answer.candidates.into_iter().flatten().next();
    let candidate = first.ok_or_else(|| BadAnswer("it has no candidates".to_owned()))?;
    let mut response =
        Response { usage: answer.usage_metadata.map(Usage::from), ..Response::default() };
    let parts = candidate.content.and_then(|content| content.parts);
    for part in parts.into_iter().flatten() {
        let text = part.text.unwrap_or_default();
        match part.thought {
            true => response.thinking.push_str(&text),
            false => response.text.push_str(&text),
        }
        if let Some(call) = part.function_call {
            response.tool_calls.push(ToolCall {
                id: call.id.unwrap_or_default(),
                name: call.name,
                arguments: call.args.map_or("{}", RawValue::get).to_owned(),
                signature: part.thought_signature,
            });
        }
    }
    if let Some(word) = candidate.finish_reason {
        response.finish = Some(finish_reason(&word, !response.tool_calls.is_empty())?);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Embeddings {
    embeddings: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vec<f32>,
}

/// Decodes the vectors of batchEmbedContents. What they cost is not said there.
///
/// # Errors
/// Why they are no answer.
pub fn decode_vectors(body: &[u8]) -> Result<EmbedResponse, BadAnswer> {
    let list: Embeddings = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if list.embeddings.is_empty() {
        return Err(BadAnswer("it has no vectors".to_owned()));
    }
    let vectors = list.embeddings.into_iter().map(|it| it.values).collect();
    Ok(EmbedResponse { vectors, usage: None })
}

#[derive(Deserialize)]
struct ModelList {
    models: Vec<ModelItem>,
}

#[derive(Deserialize)]
struct ModelItem {
    name: String,
}

/// Decodes a list of models: `models/NAME`.
///
/// # Errors
/// Why it is none.
pub fn decode_models(body: &[u8]) -> Result<Vec<String>, BadAnswer> {
    let list: ModelList = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    let bare = |name: String| name.strip_prefix("models/").map(str::to_owned).unwrap_or(name);
    Ok(list.models.into_iter().map(|model| bare(model.name)).collect())
}
