//! Ollama's native dialect: /api/chat, /api/generate, /api/embed, /api/show, /api/tags, as its API
//! document has them (docs/api.md of ollama/ollama).

mod from_client;
mod from_provider;
mod read_stream;
mod to_client;
mod to_provider;

pub(in crate::dialect) use from_client::unknown_fields;
pub use from_client::{
    Show, decode_chat, decode_embed, decode_embeddings, decode_generate, decode_show,
};
pub use from_provider::{Shown, decode_tags, decode_vectors, read_show};
pub use read_stream::StreamDecoder;
pub use to_client::{
    Form, StreamEncoder, encode_embed, encode_embeddings, encode_error, encode_response,
    merge_response,
};
pub use to_provider::{
    Options, chat_body, embed_body, embed_load_body, generate_body, load_body, own_body, show_body,
};
