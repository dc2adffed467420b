//! What an Ollama says of its models, and its vectors.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::chat::{EmbedResponse, Usage};
use crate::dialect::BadAnswer;

/// What /api/show says of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Tokens of the model's own context, where it says.
    pub context_length: Option<u32>,
    /// Whether the Ollama runs it in a cloud.
    pub remote: bool,
    /// What it can (`completion`, `tools`, `vision`, `embedding`, `insert`, `thinking`), where the
    /// Ollama says: older ones do not.
    pub capabilities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ShowBody {
    #[serde(default)]
    model_info: BTreeMap<String, Value>,
    #[serde(default)]
    remote_host: Option<String>,
    #[serde(default)]
    remote_model: Option<String>,
    #[serde(default)]
    capabilities: Option<Vec<String>>,
}

/// Decodes an answer of /api/show. The context is at `<architecture>.context_length`.
///
/// # Errors
/// Why it is none.
pub fn read_show(body: &[u8]) -> Result<Shown, BadAnswer> {
    let body: ShowBody = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    let length = body
        .model_info
        .iter()
        .find(|(name, _)| name.ends_with(".context_length"))
        .and_then(|(_, value)| u32::try_from(value.as_u64()?).ok());
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    Ok(Shown {
        context_length: length.filter(|length| *length > 0),
        remote: said(&body.remote_host) || said(&body.remote_model),
        capabilities: body.capabilities.filter(|all| !all.is_empty()),
    })
}

#[derive(Deserialize)]
struct TagsBody {
    models: Vec<TagBody>,
}

#[derive(Deserialize)]
struct TagBody {
    name: String,
}

/// Decodes the names that /api/tags lists.
///
/// # Errors
/// Why it is no list.
pub fn decode_tags(body: &[u8]) -> Result<Vec<String>, BadAnswer> {
    let body: TagsBody = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    Ok(body.models.into_iter().map(|model| model.name).collect())
}

#[derive(Deserialize)]
struct EmbedBody {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
}

/// Decodes an answer of /api/embed.
///
/// # Errors
/// Why it is none.
pub fn decode_vectors(body: &[u8]) -> Result<EmbedResponse, BadAnswer> {
    let body: EmbedBody = serde_json::from_slice(body).map_err(|error| BadAnswer::json(&error))?;
    if body.embeddings.is_empty() {
        return Err(BadAnswer("it has no vectors".to_owned()));
    }
    let usage =
        body.prompt_eval_count.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
    Ok(EmbedResponse { vectors: body.embeddings, usage })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show() {
        let local =
            br#"{"model_info":{"general.architecture":"llama","llama.context_length":8192}}"#;
        let want = Shown { context_length: Some(8192), ..Shown::default() };
        assert_eq!(read_show(local), Ok(want));
        let remote = br#"{"remote_host":"https://ollama.com:443","model_info":{}}"#;
        assert_eq!(read_show(remote), Ok(Shown { remote: true, ..Shown::default() }));
        assert!(read_show(b"<html>").is_err());
    }

    #[test]
    fn tags_and_vectors() {
        let names = decode_tags(br#"{"models":[{"name":"a:latest","size":1}]}"#).unwrap();
        assert_eq!(names, ["a:latest"]);
        let vectors = decode_vectors(br#"{"embeddings":[[1,2.5]],"prompt_eval_count":4}"#).unwrap();
        assert_eq!(vectors.vectors, [[1.0, 2.5]]);
        assert_eq!(vectors.usage.unwrap().input_tokens, 4);
        assert!(decode_vectors(br#"{"embeddings":[]}"#).is_err());
    }
}
