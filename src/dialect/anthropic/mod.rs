//! Anthropic's dialect: Messages and token counting, as its API reference has them
//! (platform.claude.com/docs/en/api/messages).

mod from_client;
mod from_provider;
mod generation;
mod read_stream;
mod to_client;
mod to_provider;
mod write_stream;

use serde::Deserialize;

use crate::chat::{FinishReason, Usage};

pub(in crate::dialect) use from_client::unknown_fields;
pub use from_client::{decode_count, decode_messages};
pub use from_provider::{check_response, decode_count_answer, decode_response};
pub use read_stream::StreamDecoder;
pub use to_client::{encode_count, encode_error, encode_response};
pub use to_provider::{Wishes, chat_body, own_body};
pub use write_stream::StreamEncoder;
pub(in crate::dialect) use write_stream::error as stream_error;

/// The version of the API that is spoken, which every request names.
pub const VERSION: &str = "2023-06-01";

/// The tool that stands for the answer where one in JSON is wanted: a model that must call it must
/// give an object. Its arguments are the answer's text again.
const ANSWER_TOOL: &str = "edgehold_answer";

/// Anthropic's word for each reason to stop.
fn stop_reason(word: &str) -> FinishReason {
    match word {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => FinishReason::ContentFilter,
        "tool_use" => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// Token counts by Anthropic's names: what came from the cache, or went into it, is not among
/// `input_tokens`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct UsageFields {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
}

impl UsageFields {
    /// The later counts stand in the place of the earlier ones, where they say anything.
    fn renewed(self, later: Self) -> Self {
        Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
        }
    }
}

impl From<UsageFields> for Usage {
    fn from(fields: UsageFields) -> Self {
        let cached = fields.cache_read_input_tokens.unwrap_or_default();
        let written = fields.cache_creation_input_tokens.unwrap_or_default();
        let fresh = fields.input_tokens.unwrap_or_default();
        Self {
            input_tokens: fresh.saturating_add(cached).saturating_add(written),
            output_tokens: fields.output_tokens.unwrap_or_default(),
            cached_tokens: cached,
            reasoning_tokens: 0,
        }
    }
}
