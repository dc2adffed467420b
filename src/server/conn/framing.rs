//! The framing of HTTP/1 requests (RFC 9112), followed byte by byte: where each head and body
//! ends, and the first byte that two readers could understand differently.
//!
//! SECURITY: request smuggling lives on such differences. Everything that is not plainly right
//! is a breach, and nothing behind a breach is ever read.

/// Longest line of a head. A head is bounded by hyper at 16 KiB as a whole.
const LONGEST_LINE: usize = 16 * 1024;

/// Longest line that gives a chunk's size, with its extensions.
const LONGEST_SIZE_LINE: usize = 272;

/// Most bytes of trailers.
const MOST_TRAILERS: usize = 4096;

/// The first byte that must not be read on, and those before it that may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    /// How many of the fed bytes may still be passed on: up to the line at fault.
    pub(super) keep: usize,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Within a body.
    Body,
    /// Within a head.
    Head,
    /// Between requests.
    Idle,
}

/// Follows the bytes of a connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a request line; one empty line may come (RFC 9112 section 2.2).
    Start {
        blank_seen: bool,
    },
    Fields,
    /// Bytes of a body whose length is known.
    Known(u64),
    ChunkSize,
    ChunkData(u64),
    /// The line end behind a chunk's data.
    ChunkEnd,
    Trailers(usize),
}

/// What the fields of one head have said so far.
#[derive(Debug, Default)]
struct Head {
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
    version_1_0: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Start { blank_seen: false }, line: Vec::new(), head: Head::default() }
    }
}

impl Framing {
    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Start { .. } if self.line.is_empty() => Phase::Idle,
            State::Start { .. } | State::Fields => Phase::Head,
            State::Known(_)
            | State::ChunkSize
            | State::ChunkData(_)
            | State::ChunkEnd
            | State::Trailers(_) => Phase::Body,
        }
    }

    /// Follows more bytes.
    ///
    /// # Errors
    /// Where one of them must not be read on.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Breach> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::Known(left) => self.skip(left, rest, State::Known),
                State::ChunkData(left) => self.skip(left, rest, State::ChunkData),
                _ => self.take_line(rest).map_err(|()| Breach { keep: at })?,
            };
        }
        Ok(())
    }

    /// Skips bytes of a body. Returns how many.
    fn skip(&mut self, left: u64, rest: &[u8], more: fn(u64) -> State) -> usize {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left.saturating_sub(here as u64);
        self.state = match (left, self.state) {
            (0, State::ChunkData(_)) => State::ChunkEnd,
            (0, _) => State::Start { blank_seen: false },
            (left, _) => more(left),
        };
        here
    }

    /// Takes bytes up to the end of the line that they are in. Returns how many.
    fn take_line(&mut self, rest: &[u8]) -> Result<usize, ()> {
        let end = memchr::memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        let here = rest.get(..taken).unwrap_or_default();
        if self.line.len() + here.len() > self.longest_line() {
            return Err(());
        }
        if end.is_none() {
            self.line.extend_from_slice(here);
        } else if self.line.is_empty() {
            // Most lines come whole, and are read where they are.
            self.take_whole(here)?;
        } else {
            self.line.extend_from_slice(here);
            let line = std::mem::take(&mut self.line);
            self.take_whole(&line)?;
        }
        Ok(taken)
    }

    /// A line ends with CRLF; an LF alone, or a CR within, is where readers differ.
    fn take_whole(&mut self, line: &[u8]) -> Result<(), ()> {
        let content = line.strip_suffix(b"\r\n").ok_or(())?;
        if memchr::memchr(b'\r', content).is_some() {
            return Err(());
        }
        self.end_line(content)
    }

    fn longest_line(&self) -> usize {
        match self.state {
            State::ChunkSize => LONGEST_SIZE_LINE,
            State::ChunkEnd => 2,
            State::Trailers(used) => MOST_TRAILERS.saturating_sub(used),
            State::Start { .. } | State::Fields | State::Known(_) | State::ChunkData(_) => {
                LONGEST_LINE
            }
        }
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), ()> {
        self.state = match self.state {
            State::Start { blank_seen: false } if line.is_empty() => {
                State::Start { blank_seen: true }
            }
            State::Start { .. } => {
                self.head = Head { version_1_0: request_line(line)?, ..Head::default() };
                State::Fields
            }
            State::Fields if line.is_empty() => self.head.body()?,
            State::Fields => {
                self.head.field(line)?;
                State::Fields
            }
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailers(0),
                size => State::ChunkData(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::Trailers(_) if line.is_empty() => State::Start { blank_seen: false },
            State::Trailers(used) => {
                split_field(line)?;
                State::Trailers(used + line.len() + 2)
            }
            State::ChunkEnd | State::Known(_) | State::ChunkData(_) => return Err(()),
        };
        Ok(())
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), ()> {
        let (name, value) = split_field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 || value.is_empty() {
                return Err(());
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(());
            }
            self.length = Some(length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || self.version_1_0 || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(());
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// The head has ended: what comes next.
    fn body(&self) -> Result<State, ()> {
        if self.hosts != 1 {
            return Err(());
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(()),
            (true, None) => Ok(State::ChunkSize),
            (false, None | Some(0)) => Ok(State::Start { blank_seen: false }),
            (false, Some(length)) => Ok(State::Known(length)),
        }
    }
}

/// Reads `METHOD SP TARGET SP HTTP/1.x`. Returns whether it is HTTP/1.0.
fn request_line(line: &[u8]) -> Result<bool, ()> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(());
    };
    let target_is_plain = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    if !is_token(method) || !target_is_plain {
        return Err(());
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err(()),
    }
}

/// Reads `NAME: VALUE`. A line that begins with a space would go on the one before (obs-fold); a
/// space before the colon is read in two ways.
fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), ()> {
    let colon = memchr::memchr(b':', line).ok_or(())?;
    let (name, rest) = line.split_at(colon);
    let value = rest.get(1..).unwrap_or_default();
    let is_plain = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if is_token(name) && value.iter().all(is_plain) {
        Ok((name, value.trim_ascii()))
    } else {
        Err(())
    }
}

fn is_token(text: &[u8]) -> bool {
    let is_part = |byte: &u8| TOKEN.get(usize::from(*byte)) == Some(&true);
    !text.is_empty() && text.iter().all(is_part)
}

/// Which bytes a token may have (RFC 9110 section 5.6.2).
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let it = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "so is the index")]
        {
            table[byte] = it.is_ascii_alphanumeric()
                || matches!(
                    it,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                );
        }
        byte += 1;
    }
    table
};

fn length(digits: &[u8]) -> Result<u64, ()> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    std::str::from_utf8(digits).map_err(|_| ())?.parse().map_err(|_| ())
}

fn chunk_size(line: &[u8]) -> Result<u64, ()> {
    let mut parts = line.splitn(2, |byte| *byte == b';');
    let digits = parts.next().unwrap_or_default();
    let extension = parts.next().unwrap_or_default();
    let is_plain = |byte: &u8| *byte == b'\t' || (b' '..0x7f).contains(byte);
    let digits_are_hex = digits.iter().all(u8::is_ascii_hexdigit);
    if digits.is_empty() || digits.len() > 15 || !digits_are_hex || !extension.iter().all(is_plain)
    {
        return Err(());
    }
    let text = std::str::from_utf8(digits).map_err(|_| ())?;
    u64::from_str_radix(text, 16).map_err(|_| ())
}

#[cfg(test)]
#[path = "framing/tests.rs"]
mod tests;
