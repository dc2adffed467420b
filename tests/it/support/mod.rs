//! What the tests stand on: the gateway, scripted providers, a raw client.

pub mod answer;
pub mod fake;
pub mod gateway;
pub mod http;
pub mod jobs;
pub mod matrix;
pub mod ollama;
pub mod openai;
pub mod pair;
pub mod reader;
pub mod reply;
pub mod serve;
pub mod setup;
pub mod stream;
pub mod tls;
pub mod wait;
pub mod wire;

mod selftest;

pub use answer::Answer;
pub use fake::Fake;
pub use gateway::{Gateway, JSON};
pub use http::Conn;
pub use jobs::{JOBS, at, chat_job, chat_job_with, job};
pub use ollama::Ollama;
pub use openai::OpenAi;
pub use pair::{Pair, SECOND};
pub use serve::{Act, Seen};
pub use setup::{Folder, NO_RETRY, QUICK, Setup, alias, alias_with};
pub use stream::{Blocks, Stream, Streamed};
pub use wait::{bound, emulated, run, run_long, until, until_true};
