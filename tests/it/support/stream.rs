//! Streams: what their events add up to, and one that is read as it comes.

use serde_json::Value;

use crate::support::answer::Head;
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

/// The blocks of a body of server-sent events, as they come.
pub struct Blocks {
    conn: Conn,
    text: Vec<u8>,
}

/// A body ended before it was whole.
#[derive(Debug)]
pub struct BrokeOff;

impl Blocks {
    /// Those of the answer that comes next; what comes before them is its head.
    pub async fn begin(mut conn: Conn) -> (Head, Self) {
        let head = conn.head().await.expect("no response");
        assert_eq!(head.status, 200, "{head:?}");
        (head, Self { conn, text: Vec::new() })
    }

    /// Those of an answer that is events, which nobody on the way may keep.
    pub async fn of_events(conn: Conn) -> (Head, Self) {
        let (head, blocks) = Self::begin(conn).await;
        assert_eq!(head.get("content-type"), Some("text/event-stream"));
        assert!(head.get("cache-control").is_some_and(|it| it.starts_with("no-")), "{head:?}");
        (head, blocks)
    }

    /// The next one; `None` when the body has ended in good order.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, BrokeOff> {
        loop {
            if let Some(at) = find(&self.text, b"\n\n") {
                return Ok(Some(self.text.drain(..at + 2).collect()));
            }
            let chunk = self.conn.chunk().await.ok_or(BrokeOff)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            self.text.extend(chunk);
        }
    }

    /// The next one that is no comment, of a body that must not break off.
    pub async fn next_event(&mut self) -> Option<String> {
        loop {
            let block = String::from_utf8(self.next().await.expect("it broke off")?).unwrap();
            if !block.starts_with(':') {
                return Some(block);
            }
        }
    }
}

/// A stream that is read as it comes.
pub struct Stream(Blocks);

impl Stream {
    pub async fn begin(conn: Conn) -> Self {
        Self(Blocks::begin(conn).await.1)
    }

    /// Data of the next event; `None` when the body has ended or broken off.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            let block = self.0.next().await.ok()??;
            if let Some(data) = data_of(&String::from_utf8_lossy(&block)) {
                return Some(data);
            }
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
