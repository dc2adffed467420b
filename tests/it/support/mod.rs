//! What the tests stand on: the gateway, scripted providers, a raw client.

pub mod fake;
pub mod gateway;
pub mod http;
pub mod ollama;
pub mod openai;
pub mod pair;
pub mod reply;
pub mod tls;
pub mod wait;
pub mod wire;

mod selftest;

pub use fake::{Act, Fake};
pub use gateway::{Folder, Gateway, NO_RETRY, QUICK, Setup, alias, alias_with};
pub use http::{Answer, Conn, Stream, Streamed};
pub use ollama::Ollama;
pub use openai::OpenAi;
pub use pair::{Pair, SECOND};
pub use wait::{bound, emulated, run, run_long, until, until_true};
