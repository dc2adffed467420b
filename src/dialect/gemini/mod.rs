//! Gemini's dialect: generateContent, streamGenerateContent?alt=sse and batchEmbedContents, as its
//! API reference has them (ai.google.dev/api/generate-content, ai.google.dev/api/embeddings).

mod from_provider;
mod read_stream;
mod to_provider;

pub use from_provider::{decode_models, decode_response, decode_vectors};
pub use read_stream::StreamDecoder;
pub use to_provider::{Wishes, chat_body, embed_body};
