//! Ollama's native dialect: /api/chat, /api/embed, /api/show, /api/tags, as its API document has
//! them (docs/api.md of ollama/ollama).

mod decode;
mod encode;
mod stream;

pub use decode::{Shown, decode_embed, decode_show, decode_tags};
pub use encode::{Options, chat_body, embed_body, embed_load_body, load_body, show_body};
pub use stream::StreamDecoder;
