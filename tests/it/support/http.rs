//! A raw HTTP/1.1 client: what goes out is bytes, what comes back is told exactly as it came.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::support::answer::{Answer, Head};

/// A byte stream, whatever carries it.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection to a server.
pub struct Conn {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
    at_end: bool,
}

impl Conn {
    pub async fn tcp(port: u16) -> Self {
        Self::to(([127, 0, 0, 1], port).into()).await
    }

    pub async fn to(address: SocketAddr) -> Self {
        let io = TcpStream::connect(address).await.expect("nobody listens");
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
    if !body.is_empty() || matches!(method, "POST" | "PUT") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
