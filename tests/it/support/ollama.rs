//! A provider that speaks Ollama's own API, with what every Ollama answers as its defaults.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::fake::Fake;
use crate::support::reply;
use crate::support::serve::{Act, Seen};

pub const CHAT: &str = "/api/chat";
pub const EMBED: &str = "/api/embed";
pub const LINES: &str = "application/x-ndjson";

type Script = Arc<dyn Fn(&Seen) -> Vec<Act> + Send + Sync>;

/// A scripted Ollama. Its one model is `tiny:latest`.
pub struct Ollama {
    fake: Fake,
    chat: Arc<Mutex<Script>>,
    load: Arc<Mutex<Vec<Act>>>,
}

impl Deref for Ollama {
    type Target = Fake;

    fn deref(&self) -> &Fake {
        &self.fake
    }
}

impl DerefMut for Ollama {
    fn deref_mut(&mut self) -> &mut Fake {
        &mut self.fake
    }
}

impl Ollama {
    /// One that answers every chat with a text.
    pub fn saying(text: &str) -> Self {
        let fake = Fake::new();
        let said = text.to_owned();
        let script: Script = Arc::new(move |_| stream(&said));
        let chat = Arc::new(Mutex::new(script));
        let load = Arc::new(Mutex::new(loaded()));
        fake.on("/api/version", reply::json(200, &json!({"version": "0.5.4"})));
        fake.on("/api/ps", reply::json(200, &json!({"models": []})));
        fake.on("/api/tags", reply::json(200, &tags(&["tiny:latest"])));
        fake.on("/api/show", reply::json(200, &show(32_768)));
        let (chats, loads) = (Arc::clone(&chat), Arc::clone(&load));
        fake.answer(CHAT, move |seen| {
            if is_load(seen) {
                return loads.lock().unwrap().clone();
            }
            let script = Arc::clone(&chats.lock().unwrap());
            script(seen)
        });
        fake.answer(EMBED, embed);
        Self { fake, chat, load }
    }

    /// What it does when it is asked something.
    pub fn chat_acts(&self, acts: Vec<Act>) {
        self.chat_answer(move |_| acts.clone());
    }

    pub fn chat_answer(&self, script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) {
        *self.chat.lock().unwrap() = Arc::new(script);
    }

    /// What it does when it is to load the model.
    pub fn load_acts(&self, acts: Vec<Act>) {
        *self.load.lock().unwrap() = acts;
    }

    /// The model's own context length.
    pub fn context(&self, tokens: u32) {
        self.fake.on("/api/show", reply::json(200, &show(tokens)));
    }

    /// Chats that it was asked for.
    pub fn chats(&self) -> Vec<Seen> {
        self.fake.seen(CHAT).into_iter().filter(|seen| !is_load(seen)).collect()
    }

    /// Loads that it was asked for.
    pub fn loads(&self) -> Vec<Seen> {
        self.fake.seen(CHAT).into_iter().filter(is_load).collect()
    }

    /// Its table in the configuration.
    pub fn local(&self, name: &str) -> String {
        self.table(name, "")
    }

    pub fn table(&self, name: &str, more: &str) -> String {
        let address = self.fake.address;
        format!("[providers.{name}]\nkind = \"ollama\"\nbase_url = \"http://{address}\"\n{more}\n")
    }
}

fn is_load(seen: &Seen) -> bool {
    seen.json()["messages"].as_array().is_none_or(Vec::is_empty)
}

/// What a load ends with.
pub fn loaded() -> Vec<Act> {
    let end = json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": ""}, "done_reason": "load", "done": true});
    reply::json(200, &end)
}

pub fn tags(names: &[&str]) -> Value {
    let models: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "model": name, "size": 1, "digest": "00", "details": {}}))
        .collect();
    json!({ "models": models })
}

pub fn show(context: u32) -> Value {
    json!({"details": {"family": "llama"}, "capabilities": ["completion", "tools", "vision", "insert", "thinking", "embedding"],
        "model_info": {"general.architecture": "llama", "llama.context_length": context}})
}

pub fn line(json: &Value) -> String {
    format!("{json}\n")
}

/// A line with a piece of text.
pub fn piece(text: &str) -> String {
    line(&json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text}, "done": false}))
}

/// The last line of a whole stream.
pub fn end(prompt_tokens: u64) -> String {
    line(&json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": ""}, "done_reason": "stop", "done": true,
        "total_duration": 5_000_000, "load_duration": 1_000_000, "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": 1_000_000, "eval_count": 3, "eval_duration": 1_000_000}))
}

pub fn lines(text: &str, prompt_tokens: u64) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive(' ').map(piece).collect();
    lines.push(end(prompt_tokens));
    lines
}

pub fn stream(text: &str) -> Vec<Act> {
    stream_of(text, 12)
}

pub fn stream_of(text: &str, prompt_tokens: u64) -> Vec<Act> {
    vec![Act::Send(reply::pieces(LINES, &lines(text, prompt_tokens)))]
}

/// The line that a stream ends with when the model's process has died.
pub fn runner_died() -> String {
    line(&json!({"error": "an error was encountered while running the model: unexpected EOF"}))
}

/// A stream that has begun with a text and goes on with the next act.
pub fn begun(text: &str) -> Act {
    reply::open(LINES, &[piece(text)])
}

fn embed(seen: &Seen) -> Vec<Act> {
    let input = seen.json()["input"].clone();
    let count = input.as_array().map_or(1, Vec::len);
    let vectors: Vec<Value> = (0..count).map(|_| json!([0.25, -0.5, 1.0])).collect();
    reply::json(200, &json!({"model": "tiny", "embeddings": vectors, "prompt_eval_count": 7}))
}
