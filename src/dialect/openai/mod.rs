//! OpenAI's dialect: Chat Completions and Embeddings, as its API reference has them.

mod completions;
mod from_client;
mod from_provider;
mod look;
mod read_stream;
mod responses;
mod to_client;
mod to_provider;
mod write_stream;

pub(in crate::dialect) use completions::unknown_fields as unknown_completion_fields;
pub use completions::{StreamEncoder as CompletionsEncoder, decode_completions, encode_completion};
pub use from_client::{decode_chat, decode_embed};
pub(in crate::dialect) use from_client::{embed_input, unknown_fields};
pub use from_provider::{
    check_completion, check_embeddings, check_response, decode_embeddings, decode_models,
    decode_response,
};
pub use read_stream::StreamDecoder;
pub(in crate::dialect) use responses::unknown_fields as unknown_responses_fields;
pub use responses::{
    StreamEncoder as ResponsesEncoder, Waiting, decode_responses,
    encode_response as encode_responses, encode_unanswered,
};
pub use to_client::{encode_embeddings, encode_error, encode_response};
pub use to_provider::{Wishes, chat_body, embed_body, own_body};
pub use write_stream::StreamEncoder;

pub(in crate::dialect) use look::look;
