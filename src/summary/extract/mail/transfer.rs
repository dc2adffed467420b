//! How the bytes of a part were made fit for the way: base64 and quoted-printable.

use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Source;

/// How a part was encoded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// As it is.
    #[default]
    Plain,
    Base64,
    Quoted,
}

impl Transfer {
    pub(super) fn of(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "base64" => Self::Base64,
            "quoted-printable" => Self::Quoted,
            _ => Self::Plain,
        }
    }
}

/// A part's bytes as they were before.
pub(super) fn decoded<'s>(source: impl Source + 's, transfer: Transfer) -> Box<dyn Source + 's> {
    match transfer {
        Transfer::Plain => Box::new(source),
        Transfer::Base64 => Box::new(Base64 { source, bits: 0, count: 0, ended: false }),
        Transfer::Quoted => Box::new(Quoted { source, held: Vec::new(), at_end: false }),
    }
}

/// What is not in the alphabet is passed over, as every reader of mail does.
struct Base64<S> {
    source: S,
    bits: u32,
    count: u32,
    ended: bool,
}

impl<S: Source> Source for Base64<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        let mut packed = [0; 1024];
        let mut written = 0;
        while written == 0 && !self.ended && !into.is_empty() {
            // Four letters are three bytes, and up to three may be kept from before.
            let most = into.len().min(packed.len());
            let Some(room) = packed.get_mut(..most) else { break };
            let read = self.source.read(room)?;
            self.ended = read == 0;
            let letters = packed.iter().take(read).filter_map(|letter| value_of(*letter));
            for value in letters {
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 6;
                if self.count >= 8 {
                    self.count -= 8;
                    let [.., byte] = (self.bits >> self.count).to_be_bytes();
                    if let Some(place) = into.get_mut(written) {
                        *place = byte;
                        written += 1;
                    }
                }
            }
        }
        Ok(written)
    }
}

fn value_of(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// `=C3=A4`, and lines that end with `=`.
struct Quoted<S> {
    source: S,
    /// Bytes that may be the beginning of something.
    held: Vec<u8>,
    at_end: bool,
}

impl<S: Source> Source for Quoted<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        let mut written = 0;
        while written == 0 && !into.is_empty() && !(self.at_end && self.held.is_empty()) {
            self.refill(into.len())?;
            let mut rest = self.held.as_slice();
            while let Some((first, after)) = rest.split_first() {
                let (byte, next) = if *first == b'=' {
                    match unquoted(after, self.at_end) {
                        Some(found) => found,
                        None => break,
                    }
                } else {
                    (Some(*first), after)
                };
                rest = next;
                if let (Some(byte), Some(place)) = (byte, into.get_mut(written)) {
                    *place = byte;
                    written += 1;
                }
            }
            self.held = rest.to_vec();
        }
        Ok(written)
    }
}

impl<S: Source> Quoted<S> {
    /// Reads no more than what fits where it goes.
    fn refill(&mut self, room: usize) -> Result<(), Refused> {
        let mut piece = [0; 1024];
        let most = room.saturating_sub(self.held.len()).clamp(1, piece.len());
        let Some(piece) = piece.get_mut(..most) else { return Ok(()) };
        let read = self.source.read(piece)?;
        self.at_end |= read == 0;
        self.held.extend(piece.iter().take(read));
        Ok(())
    }
}

/// What stands after a `=`: a byte, the end of a line, or what was meant as it is. Nothing where
/// more has to be read.
fn unquoted(after: &[u8], at_end: bool) -> Option<(Option<u8>, &[u8])> {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match after {
        [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => Some((None, rest)),
        [high, low, rest @ ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some((Some(high << 4 | low), rest)),
            _ => Some((Some(b'='), after)),
        },
        _ if at_end => Some((if after.is_empty() { None } else { Some(b'=') }, after)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extract::source::head;

    /// Gives a byte at a time.
    struct Slow<'b>(&'b [u8]);

    impl Source for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn bytes_come_back() {
        let long = "x=C3=A4=\r\n".repeat(500);
        let table = [
            (Transfer::Base64, "aGVs\r\nbG8gd29ybGQ=", "hello world"),
            (Transfer::Base64, "aGVsbG8*", "hello"),
            (Transfer::Quoted, "a=3Db=\r\nc=\nd =zz =4", "a=bcd =zz =4"),
            (Transfer::Quoted, "end=", "end"),
            (Transfer::Quoted, &long, &"xä".repeat(500)),
            (Transfer::Plain, "a=3D", "a=3D"),
        ];
        for (transfer, given, want) in table {
            for slow in [false, true] {
                let mut source = match slow {
                    true => decoded(Slow(given.as_bytes()), transfer),
                    false => decoded(given.as_bytes(), transfer),
                };
                let got = head(&mut source, 1 << 20).unwrap();
                assert_eq!(String::from_utf8_lossy(&got), want, "{given}");
            }
        }
    }
}
