//! A provider's whole answers.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::chat::{EmbedResponse, FinishReason, Response, ToolCall, Usage};
use crate::dialect::BadAnswer;
use crate::dialect::openai::from_client::ExtraContent;

/// Token counts by OpenAI's names.
#[derive(Debug, Deserialize)]
pub(super) struct UsageFields {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl From<UsageFields> for Usage {
    fn from(fields: UsageFields) -> Self {
        let cached = fields.prompt_tokens_details.and_then(|it| it.cached_tokens);
        let reasoning = fields.completion_tokens_details.and_then(|it| it.reasoning_tokens);
        Self {
            input_tokens: fields.prompt_tokens,
            output_tokens: fields.completion_tokens,
            cached_tokens: cached.unwrap_or_default(),
            reasoning_tokens: reasoning.unwrap_or_default(),
        }
    }
}

/// A word that we do not know is a stop: the answer is there.
pub(super) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "content_filter" => FinishReason::ContentFilter,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// What is looked at in a whole answer that goes on as it came: what [`decode_response`] reads,
/// with its texts left where they are.
#[derive(Deserialize)]
struct Passing<'a> {
    #[serde(borrow)]
    choices: Vec<PassingChoice<'a>>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct PassingChoice<'a> {
    #[serde(default, borrow)]
    message: Option<PassingMessage<'a>>,
    #[serde(default, borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PassingMessage<'a> {
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(default)]
    #[expect(dead_code, reason = "read to see that they are tool calls")]
    tool_calls: Option<Vec<CallFields>>,
}

impl PassingChoice<'_> {
    fn has_texts_only(&self) -> bool {
        let is_text = |raw: Option<&RawValue>| {
            raw.is_none_or(|it| it.get() == "null" || it.get().starts_with('"'))
        };
        let is_content =
            |raw: &RawValue| serde_json::from_str::<Option<Content>>(raw.get()).is_ok();
        let said = self.message.as_ref();
        is_text(self.finish_reason)
            && said.is_none_or(|it| {
                is_text(it.reasoning_content)
                    && (is_text(it.content) || it.content.is_some_and(is_content))
            })
    }
}

/// What a model says: text, or parts of it where it thinks aloud (Mistral's Magistral,
/// docs.mistral.ai/capabilities/reasoning).
pub(super) enum Content {
    Parts(Vec<PartFields>),
    Text(String),
}

/// By hand: serde's untagged enums read a value into one of their own first, which costs a streamed
/// event 3,000 instructions.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of parts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A part of what a model says.
#[derive(Deserialize)]
pub(super) struct PartFields {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<Vec<Self>>,
}

impl Content {
    /// The text, and the thoughts.
    pub(super) fn split(self) -> (String, String) {
        let parts = match self {
            Self::Text(text) => return (text, String::new()),
            Self::Parts(parts) => parts,
        };
        let (mut text, mut thought) = (String::new(), String::new());
        for part in parts {
            text.extend(part.text);
            thought.extend(part.thinking.into_iter().flatten().filter_map(|part| part.text));
        }
        (text, thought)
    }
}

/// Looks at a whole answer that goes on as it came. What is no `chat.completion` is no answer,
/// whatever its status says: a captive portal answers 200 too.
///
/// # Errors
/// Why it is no answer.
pub fn check_response(body: &[u8]) -> Result<Option<Usage>, BadAnswer> {
    let passing: Passing<'_> =
        serde_json::from_str(text_of(body)?).map_err(|error| BadAnswer::json(&error))?;
    let Some(choice) = passing.choices.first() else {
        return Err(BadAnswer("it has no choices".to_owned()));
    };
    if choice.message.is_none() {
        return Err(BadAnswer("its choice has no message".to_owned()));
    }
    if !passing.choices.iter().all(PassingChoice::has_texts_only) {
        return Err(BadAnswer("a text of it is none".to_owned()));
    }
    Ok(passing.usage.map(Usage::from))
}

fn text_of(body: &[u8]) -> Result<&str, BadAnswer> {
    std::str::from_utf8(body).map_err(|_| BadAnswer("it is not UTF-8".to_owned()))
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<MessageFields>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct MessageFields {
    #[serde(default)]
    content: Option<Content>,
    /// The models' thoughts; OpenRouter calls them `reasoning`.
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallFields>>,
}

#[derive(Deserialize)]
struct CallFields {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    extra_content: Option<ExtraContent>,
    #[serde(default)]
    function: Option<FunctionFields>,
}

#[derive(Deserialize)]
struct FunctionFields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    arguments: String,
}

/// Decodes a whole answer.
///
/// # Errors
/// Why it is no answer.
pub fn decode_response(body: &[u8]) -> Result<Response, BadAnswer> {
    let completion: Completion =
        serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(BadAnswer("it has no choices".to_owned()));
    };
    let Some(message) = choice.message else {
        return Err(BadAnswer("its choice has no message".to_owned()));
    };
    let call = |it: CallFields| {
        let function = it.function?;
        Some(ToolCall {
            id: it.id.unwrap_or_default(),
            name: function.name,
            arguments: function.arguments,
            signature: it.extra_content.and_then(ExtraContent::signature),
        })
    };
    let (text, thought) = message.content.map(Content::split).unwrap_or_default();
    let thinking = message.reasoning_content.or(message.reasoning).unwrap_or(thought);
    Ok(Response {
        text,
        thinking,
        signature: None,
        refusal: message.refusal.unwrap_or_default(),
        tool_calls: message.tool_calls.into_iter().flatten().filter_map(call).collect(),
        finish: choice.finish_reason.as_deref().map(finish_reason),
        usage: completion.usage.map(Usage::from),
    })
}

#[derive(Deserialize)]
struct EmbeddingList {
    data: Vec<EmbeddingItem>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct EmbeddingItem {
    #[expect(dead_code, reason = "read to see that it is there")]
    embedding: IgnoredAny,
}

/// Looks at vectors that go on as they came.
///
/// # Errors
/// Why they are no answer.
pub fn check_embeddings(body: &[u8]) -> Result<Option<Usage>, BadAnswer> {
    let list: EmbeddingList =
        serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if list.data.is_empty() {
        return Err(BadAnswer("it has no vectors".to_owned()));
    }
    Ok(list.usage.map(Usage::from))
}

#[derive(Deserialize)]
struct Vectors {
    data: Vec<Vector>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct Vector {
    embedding: Vec<f32>,
}

/// Decodes vectors that came as numbers.
///
/// # Errors
/// Why they are no answer.
pub fn decode_embeddings(body: &[u8]) -> Result<EmbedResponse, BadAnswer> {
    let list: Vectors = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if list.data.is_empty() {
        return Err(BadAnswer("it has no vectors".to_owned()));
    }
    let vectors = list.data.into_iter().map(|it| it.embedding).collect();
    Ok(EmbedResponse { vectors, usage: list.usage.map(Usage::from) })
}

#[derive(Deserialize)]
struct Texts {
    choices: Vec<TextChoice>,
    #[serde(default)]
    usage: Option<UsageFields>,
}

#[derive(Deserialize)]
struct TextChoice {
    #[expect(dead_code, reason = "read to see that it is there")]
    text: String,
}

/// Looks at an answer of /completions that goes on as it came.
///
/// # Errors
/// Why it is no answer.
pub fn check_completion(body: &[u8]) -> Result<Option<Usage>, BadAnswer> {
    let texts: Texts = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if texts.choices.is_empty() {
        return Err(BadAnswer("it has no choices".to_owned()));
    }
    Ok(texts.usage.map(Usage::from))
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<ModelItem>,
}

#[derive(Deserialize)]
struct ModelItem {
    id: String,
}

/// Decodes a list of models.
///
/// # Errors
/// Why it is none.
pub fn decode_models(body: &[u8]) -> Result<Vec<String>, BadAnswer> {
    let list: ModelList = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_and_what_is_none() {
        let body = br#"{"choices":[{"message":{"content":"Hi","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}"#;
        let response = decode_response(body).unwrap();
        assert_eq!(response.text, "Hi");
        assert_eq!(response.tool_calls.len(), 1);
        assert_eq!(response.finish, Some(FinishReason::ToolCalls));
        assert_eq!(response.usage.unwrap().cached_tokens, 1);
        assert_eq!(check_response(body).unwrap(), response.usage);
        for bad in [
            "<html>sign in</html>",
            "",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"message":{"content":"cu"#,
            r#"{"error":{"message":"no"}}"#,
        ] {
            assert!(decode_response(bad.as_bytes()).is_err(), "{bad}");
            assert!(check_response(bad.as_bytes()).is_err(), "{bad}");
        }
        // What is refused when it is decoded is refused when it is passed on.
        for bad in [
            r#"{"choices":[{"message":{"content":[1]}}]}"#,
            r#"{"choices":[{"message":{"reasoning_content":7}}]}"#,
            r#"{"choices":[{"message":{"tool_calls":"f()"}}]}"#,
            r#"{"choices":[{"message":{},"finish_reason":1}]}"#,
            r#"{"choices":[{"message":{}},{"message":{"content":1}}]}"#,
        ] {
            assert!(decode_response(bad.as_bytes()).is_err(), "{bad}");
            assert!(check_response(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn thoughts_among_the_text() {
        let body = br#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]},{"type":"text","text":"Hi"}]}}]}"#;
        assert!(check_response(body).is_ok());
        let response = decode_response(body).unwrap();
        assert_eq!((response.text.as_str(), response.thinking.as_str()), ("Hi", "Hm."));
    }

    #[test]
    fn vectors_are_checked() {
        let body = br#"{"data":[{"embedding":[1,2]}],"usage":{"prompt_tokens":3}}"#;
        assert_eq!(check_embeddings(body).unwrap().unwrap().input_tokens, 3);
        for bad in ["{}", r#"{"data":[]}"#, r#"{"data":[{}]}"#, "<html>"] {
            assert!(check_embeddings(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
