//! The paths that jobs can be for, each with a request for it.

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::{Gateway, job};

/// A request for a path. A text is what `/v1/ask` takes, everything else is JSON.
pub struct Ask {
    pub path: String,
    pub body: Value,
}

/// One request for every path, all for the same model.
pub fn every(model: &str) -> Vec<Ask> {
    let turns = json!([{"role": "user", "content": "hello"}]);
    let table = [
        ("/v1/chat/completions", json!({"messages": turns})),
        ("/v1/completions", json!({"prompt": "hello"})),
        ("/v1/responses", json!({"input": "hello"})),
        ("/v1/embeddings", json!({"input": "hello"})),
        ("/v1/messages", json!({"max_tokens": 5, "messages": turns})),
        ("/api/chat", json!({"messages": turns, "stream": false})),
        ("/api/generate", json!({"prompt": "hello", "stream": false})),
        ("/api/embed", json!({"input": "hello"})),
        ("/api/embeddings", json!({"prompt": "hello"})),
    ];
    let named = |(path, mut body): (&str, Value)| {
        body["model"] = json!(model);
        Ask { path: path.to_owned(), body }
    };
    let mut all: Vec<Ask> = table.into_iter().map(named).collect();
    all.push(Ask { path: format!("/v1/ask?model={model}"), body: json!("hello") });
    all
}

impl Ask {
    fn bytes(&self) -> (&'static str, Vec<u8>) {
        match self.body.as_str() {
            Some(text) => ("text/plain", text.as_bytes().to_vec()),
            None => ("application/json", self.body.to_string().into_bytes()),
        }
    }

    /// The same request, as a stream where the path has streams.
    pub fn streamed(mut self) -> Self {
        if self.body.is_object() {
            self.body["stream"] = json!(true);
        }
        self
    }

    pub fn has_streams(&self) -> bool {
        self.body.is_object() && !self.path.contains("embed")
    }

    /// As a job.
    pub fn job(&self) -> Value {
        job(&self.path, &self.body)
    }

    /// Asks for the answer at once, or as the headers say.
    pub async fn send(&self, gateway: &Gateway, headers: &[(&str, &str)]) -> Answer {
        let (media, bytes) = self.bytes();
        let all = [&[("Content-Type", media)], headers].concat();
        gateway.ask("POST", &self.path, &all, &bytes).await
    }

    /// An id that fits the path.
    pub fn id(&self, what: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{what}{}", path.chars().map(plain).collect::<String>())
    }
}
