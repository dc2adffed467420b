//! A provider's whole answers, whatever dialect they are in.

use crate::chat::{EmbedResponse, Response, Usage};
use crate::dialect::{BadAnswer, Broken, Dialect, Door, anthropic, gemini, ollama, openai};

impl Dialect {
    /// Decodes a whole answer. An Ollama gives none: it is always asked for a stream.
    ///
    /// # Errors
    /// Why it is no answer, or what the provider reports in its place.
    pub fn decode_response(self, body: &[u8]) -> Result<Response, Broken> {
        match self {
            Self::Anthropic => anthropic::decode_response(body).map_err(Broken::from),
            Self::Gemini => gemini::decode_response(body),
            Self::OpenAi => openai::decode_response(body).map_err(Broken::from),
            Self::Ollama => Err(Broken::BadAnswer("it is no stream".to_owned())),
        }
    }

    /// Looks at a whole answer that goes on as it came.
    ///
    /// # Errors
    /// Why it is no answer.
    pub fn check_response(self, door: Door, body: &[u8]) -> Result<Option<Usage>, BadAnswer> {
        match (self, door) {
            (Self::Anthropic, _) => anthropic::check_response(body),
            (Self::OpenAi, Door::Completions) => openai::check_completion(body),
            (Self::OpenAi, _) => openai::check_response(body),
            (Self::Gemini | Self::Ollama, _) => {
                Err(BadAnswer("it is of a dialect that no client speaks".to_owned()))
            }
        }
    }

    /// Decodes vectors.
    ///
    /// # Errors
    /// Why they are no answer.
    pub fn decode_vectors(self, body: &[u8]) -> Result<EmbedResponse, BadAnswer> {
        match self {
            Self::Anthropic => Err(BadAnswer("it has no vectors".to_owned())),
            Self::Gemini => gemini::decode_vectors(body),
            Self::Ollama => ollama::decode_vectors(body),
            Self::OpenAi => openai::decode_embeddings(body),
        }
    }
}
