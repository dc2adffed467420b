//! A provider that speaks OpenAI's API.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use crate::support::fake::Fake;
use crate::support::reply;
use crate::support::serve::Act;

pub const CHAT: &str = "/v1/chat/completions";
pub const EMBEDDINGS: &str = "/v1/embeddings";
pub const EVENTS: &str = "text/event-stream";

/// A scripted provider with OpenAI's paths.
pub struct OpenAi(pub Fake);

impl Deref for OpenAi {
    type Target = Fake;

    fn deref(&self) -> &Fake {
        &self.0
    }
}

impl DerefMut for OpenAi {
    fn deref_mut(&mut self) -> &mut Fake {
        &mut self.0
    }
}

impl OpenAi {
    pub fn new() -> Self {
        Self::on_fake(Fake::new())
    }

    pub fn on_fake(fake: Fake) -> Self {
        let list = json!({"object": "list", "data": [{"id": "gpt-test", "object": "model"}]});
        // A probe's connection is not kept, so that a chat's connection is always a fresh one.
        let mut acts = reply::json_with(200, &[("Connection", "close")], &list);
        acts.push(Act::Close);
        fake.on("/v1/models", acts);
        Self(fake)
    }

    /// One that answers every chat with a text, as a stream or not, as it was asked.
    pub fn saying(text: &str) -> Self {
        let this = Self::new();
        this.says(text);
        this
    }

    pub fn says(&self, text: &str) {
        let text = text.to_owned();
        self.answer(CHAT, move |seen| match seen.json()["stream"].as_bool() {
            Some(true) => stream(&text),
            _ => reply::json(200, &answer(&text)),
        });
    }

    /// Chats that were asked for.
    pub fn chats(&self) -> usize {
        self.count(CHAT)
    }

    /// Its table in the configuration, as a provider in the cloud.
    pub fn cloud(&self, name: &str) -> String {
        self.table(name, "cloud", "")
    }

    pub fn table(&self, name: &str, place: &str, more: &str) -> String {
        table(name, &format!("http://{}/v1", self.address), place, more)
    }
}

/// The table of an OpenAI provider anywhere.
pub fn table(name: &str, base_url: &str, place: &str, more: &str) -> String {
    format!(
        "[providers.{name}]\nkind = \"openai\"\nbase_url = \"{base_url}\"\nlocality = \"{place}\"\n{more}\n"
    )
}

/// A whole answer.
pub fn answer(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-test-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    })
}

/// An error body.
pub fn error(message: &str, kind: &str, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

pub fn frame(json: &Value) -> String {
    format!("data: {json}\n\n")
}

/// A frame with a piece of text.
pub fn delta(text: &str) -> String {
    frame(&chunk(&json!({"content": text}), None))
}

pub fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-test-2026",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]
    })
}

/// The frames of a whole stream: the role, one for each word, the finish, the end mark.
pub fn frames(text: &str) -> Vec<String> {
    let mut frames = vec![frame(&chunk(&json!({"role": "assistant", "content": ""}), None))];
    frames.extend(text.split_inclusive(' ').map(delta));
    frames.push(frame(&chunk(&json!({}), Some("stop"))));
    frames.push("data: [DONE]\n\n".to_owned());
    frames
}

pub fn stream(text: &str) -> Vec<Act> {
    vec![Act::Send(reply::pieces(EVENTS, &frames(text)))]
}

/// A stream that has begun with a text and goes on with the next act.
pub fn begun(text: &str) -> Act {
    reply::open(EVENTS, &[delta(text)])
}

/// A chat request's body.
pub fn request(model: &str, text: &str, stream: bool) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    if stream {
        body["stream"] = true.into();
    }
    body
}
