//! HTTP/1.1 as far as the bench needs it: heads and bodies of both sides, read from a buffer that
//! fills up. Whatever is not as expected is an error, because an error ends a measurement.

use std::fmt;
use std::io;

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What went wrong.
#[derive(Debug)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A connection with what was read of it and not yet used.
pub struct Reader {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    used: usize,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Chunked,
    Known(usize),
    UntilClose,
}

impl Reader {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(16 * 1024), used: 0 }
    }

    /// Bytes that were read and not used.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    pub fn skip(&mut self, bytes: usize) {
        self.used += bytes;
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
    }

    /// Reads more. Returns how much; 0 is the end.
    pub async fn more(&mut self) -> io::Result<usize> {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.reserve(8 * 1024);
        self.stream.read_buf(&mut self.buffer).await
    }

    /// A response's status and the length of its body.
    pub async fn response_head(&mut self) -> Result<(u16, Length), Wrong> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut headers);
            match head.parse(self.unread()) {
                Ok(httparse::Status::Complete(length)) => {
                    let status = head.code.unwrap_or_default();
                    let body = length_of(head.headers);
                    self.skip(length);
                    return Ok((status, body));
                }
                Ok(httparse::Status::Partial) => {}
                Err(error) => return Err(Wrong(format!("no HTTP: {error}"))),
            }
            if self.more().await? == 0 {
                return Err(Wrong("closed before a head came".to_owned()));
            }
        }
    }

    /// Reads a body to its end, handing each piece of its content to `sink`.
    pub async fn body(&mut self, length: Length, mut sink: impl FnMut(&[u8])) -> Result<(), Wrong> {
        match length {
            Length::Known(mut left) => {
                while left > 0 {
                    let here = self.unread().len().min(left);
                    sink(&self.unread()[..here]);
                    self.skip(here);
                    left -= here;
                    if left > 0 && self.more().await? == 0 {
                        return Err(Wrong("cut within a body".to_owned()));
                    }
                }
                Ok(())
            }
            Length::Chunked => self.chunks(sink).await,
            Length::UntilClose => loop {
                sink(self.unread());
                self.skip(self.unread().len());
                if self.more().await? == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn chunks(&mut self, mut sink: impl FnMut(&[u8])) -> Result<(), Wrong> {
        loop {
            let line = loop {
                match memmem::find(self.unread(), b"\r\n") {
                    Some(end) => break end,
                    None if self.more().await? == 0 => {
                        return Err(Wrong("cut between chunks".to_owned()));
                    }
                    None => {}
                }
            };
            let text = std::str::from_utf8(&self.unread()[..line]).unwrap_or("?");
            let digits = text.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16)
                .map_err(|_| Wrong(format!("a chunk's size is {digits:?}")))?;
            self.skip(line + 2);
            let mut left = size + 2;
            while left > 0 {
                let here = self.unread().len().min(left);
                // The last two bytes are the line's end.
                let content = here.min(left.saturating_sub(2));
                sink(&self.unread()[..content]);
                self.skip(here);
                left -= here;
                if left > 0 && self.more().await? == 0 {
                    return Err(Wrong("cut within a chunk".to_owned()));
                }
            }
            if size == 0 {
                return Ok(());
            }
        }
    }
}

fn length_of(headers: &[httparse::Header<'_>]) -> Length {
    let value = |name: &str| {
        headers
            .iter()
            .find(|it| it.name.eq_ignore_ascii_case(name))
            .and_then(|it| std::str::from_utf8(it.value).ok())
    };
    if value("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
        return Length::Chunked;
    }
    match value("content-length").and_then(|it| it.parse().ok()) {
        Some(length) => Length::Known(length),
        None => Length::UntilClose,
    }
}

/// The options of a command line: `--name value`, and what stands behind `--`.
pub struct Options {
    named: Vec<(String, String)>,
    pub rest: Vec<String>,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Wrong> {
        let mut named = Vec::new();
        while let Some(word) = words.next() {
            if word == "--" {
                return Ok(Self { named, rest: words.collect() });
            }
            let name = word.strip_prefix("--").ok_or_else(|| Wrong(format!("what is {word}?")))?;
            let value = words.next().ok_or_else(|| Wrong(format!("{word} wants a value")))?;
            named.push((name.to_owned(), value));
        }
        Ok(Self { named, rest: Vec::new() })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str, otherwise: u64) -> Result<u64, Wrong> {
        match self.text(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| Wrong(format!("--{name} wants a number"))),
        }
    }
}
