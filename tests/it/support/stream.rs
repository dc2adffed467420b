//! Streams: what their events add up to, and one that is read as it comes.

use serde_json::Value;

use crate::support::http::{Conn, find};

/// What the events of a chat stream add up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Streamed {
    pub text: String,
    pub finish: Option<String>,
    pub error: Option<Value>,
    pub usage: Option<Value>,
    pub done: bool,
    pub chunks: Vec<Value>,
}

impl Streamed {
    pub fn of(events: &[String]) -> Self {
        let mut sum = Self::default();
        for event in events {
            assert!(!sum.done, "an event after [DONE]: {event}");
            assert!(sum.error.is_none(), "an event after the error: {event}");
            if event == "[DONE]" {
                sum.done = true;
                continue;
            }
            let json: Value = serde_json::from_str(event)
                .unwrap_or_else(|error| panic!("an event that is no JSON ({error}): {event}"));
            sum.add(&json);
            sum.chunks.push(json);
        }
        sum
    }

    fn add(&mut self, json: &Value) {
        if json.get("error").is_some_and(|error| !error.is_null()) {
            self.error = Some(json["error"].clone());
        }
        let choice = &json["choices"][0];
        self.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.to_owned());
        }
        if json.get("usage").is_some_and(|usage| !usage.is_null()) {
            self.usage = Some(json["usage"].clone());
        }
    }

    /// A stream that ended as a whole one does.
    #[track_caller]
    pub fn assert_whole(&self) {
        assert!(self.done && self.error.is_none() && self.finish.is_some(), "{self:?}");
    }

    /// A stream that broke off: the error is its last event, and there is no clean end.
    #[track_caller]
    pub fn assert_broken(&self) {
        assert!(!self.done && self.error.is_some(), "{self:?}");
        let error = self.error.as_ref().unwrap();
        assert!(error["message"].as_str().is_some_and(|it| !it.is_empty()), "{self:?}");
    }
}

/// The data of one SSE block, if it has any.
pub fn data_of(block: &str) -> Option<String> {
    let lines: Vec<&str> =
        block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// A stream that is read as it comes.
pub struct Stream {
    conn: Conn,
    text: Vec<u8>,
}

impl Stream {
    pub async fn begin(mut conn: Conn) -> Self {
        let head = conn.head().await.expect("no response");
        assert_eq!(head.status, 200, "{head:?}");
        Self { conn, text: Vec::new() }
    }

    /// Data of the next event; `None` when the body has ended or broken off.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.text, b"\n\n") {
                let block: Vec<u8> = self.text.drain(..at + 2).collect();
                if let Some(data) = data_of(&String::from_utf8_lossy(&block)) {
                    return Some(data);
                }
                continue;
            }
            let chunk = self.conn.chunk().await.filter(|chunk| !chunk.is_empty())?;
            self.text.extend_from_slice(&chunk);
        }
    }

    /// Reads until a piece of the answer's text has come.
    pub async fn first_text(&mut self) -> String {
        loop {
            let event = self.event().await.expect("the stream ended before its first token");
            let text = Streamed::of(&[event]).text;
            if !text.is_empty() {
                return text;
            }
        }
    }

    /// What is left of it.
    pub async fn rest(mut self) -> Streamed {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        Streamed::of(&events)
    }
}
