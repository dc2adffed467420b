//! A raw HTTP/1.1 client: what goes out is bytes, what comes back is told exactly as it came.

use std::io;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// A byte stream, whatever carries it.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection to a server.
pub struct Conn {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
    at_end: bool,
}

/// A response's status line and headers.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
    /// Whether the body ended as its framing says, rather than with the connection.
    pub whole: bool,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ');
        first.next().filter(|version| version.starts_with("HTTP/1."))?;
        let status = first.next()?.parse().ok()?;
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        });
        Some(Self { status, headers: headers.collect() })
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{:?} {}", self.head, self.text());
        self
    }

    /// The error's code and message, in OpenAI's form.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("no message: {json}"));
        for field in ["type", "param", "code"] {
            assert!(error.get(field).is_some(), "error without {field}: {json}");
        }
        (error["code"].as_str().unwrap_or_default().to_owned(), message.to_owned())
    }

    /// The text of a chat answer that is no stream.
    #[track_caller]
    pub fn content(&self) -> String {
        let json = self.json();
        let content = json["choices"][0]["message"]["content"].as_str();
        content.unwrap_or_else(|| panic!("no content: {json}")).to_owned()
    }

    /// Data of the events of a stream.
    pub fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter_map(data_of).collect()
    }

    pub fn stream(&self) -> Streamed {
        Streamed::of(&self.events())
    }
}

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

fn data_of(block: &str) -> Option<String> {
    let lines: Vec<&str> =
        block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl Conn {
    pub async fn tcp(port: u16) -> Self {
        let io = TcpStream::connect(("127.0.0.1", port)).await.expect("nobody listens");
        io.set_nodelay(true).unwrap();
        Self::new(io)
    }

    /// A client that takes hardly anything: its kernel holds at most `bytes` or so.
    pub async fn narrow(port: u16, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        let io = socket.connect(([127, 0, 0, 1], port).into()).await.expect("nobody listens");
        Self::new(io)
    }

    pub async fn unix(path: &Path) -> Self {
        Self::new(UnixStream::connect(path).await.expect("nobody listens"))
    }

    pub fn new(io: impl Io + 'static) -> Self {
        Self { io: Box::new(io), buffer: Vec::new(), at_end: false }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Says that no more will come, and goes on reading.
    pub async fn finish_sending(&mut self) {
        self.io.shutdown().await.ok();
    }

    /// Reads once. False: there is no more, or the connection broke.
    pub async fn read_more(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        self.buffer.reserve(16 * 1024);
        let count = self.io.read_buf(&mut self.buffer).await.unwrap_or(0);
        self.at_end = count == 0;
        !self.at_end
    }

    /// Takes one byte, and no more, from the connection.
    pub async fn read_byte(&mut self) -> Option<u8> {
        let mut byte = [0; 1];
        match self.io.read(&mut byte).await {
            Ok(1) => Some(byte[0]),
            _ => None,
        }
    }

    /// Everything until the other side ends the connection.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Bytes up to and including the end of a chunked body that has begun.
    pub async fn read_to_end_of_body(&mut self) -> Vec<u8> {
        while !self.buffer.ends_with(b"\r\n0\r\n\r\n") && self.read_more().await {}
        std::mem::take(&mut self.buffer)
    }

    async fn take_through(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, mark) {
                return Some(self.buffer.drain(..at + mark.len()).collect());
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.read_more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    pub async fn head(&mut self) -> Option<Head> {
        let bytes = self.take_through(b"\r\n\r\n").await?;
        let text = String::from_utf8(bytes).expect("a head that is no text");
        Some(Head::parse(&text).unwrap_or_else(|| panic!("no response head: {text}")))
    }

    /// One whole response. `None`: the connection ended before its head did.
    pub async fn answer(&mut self, head_only: bool) -> Option<Answer> {
        let head = self.head().await?;
        let no_body = head_only || head.status == 204 || head.status < 200;
        let (body, whole) = if no_body {
            (Vec::new(), true)
        } else if head.get("transfer-encoding") == Some("chunked") {
            self.chunked().await
        } else if let Some(length) = head.get("content-length") {
            let length = length.parse().expect("a length that is no number");
            match self.take(length).await {
                Some(body) => (body, true),
                None => (std::mem::take(&mut self.buffer), false),
            }
        } else {
            (self.read_to_end().await, false)
        };
        Some(Answer { head, body, whole })
    }

    async fn chunked(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            match self.chunk().await {
                Some(chunk) if chunk.is_empty() => return (body, true),
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return (body, false),
            }
        }
    }

    /// The next chunk of a chunked body; an empty one is its end, `None` that it broke off.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.take_through(b"\r\n").await?;
        let line = String::from_utf8(line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size that is no number");
        let mut chunk = self.take(size + 2).await?;
        chunk.truncate(size);
        Some(chunk)
    }
}

/// A stream that is read as it comes.
pub struct Stream {
    conn: Conn,
    pub head: Head,
    text: Vec<u8>,
}

impl Stream {
    pub async fn begin(mut conn: Conn) -> Self {
        let head = conn.head().await.expect("no response");
        Self { conn, head, text: Vec::new() }
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

pub fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}

/// A request in the usual form.
pub fn request(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
