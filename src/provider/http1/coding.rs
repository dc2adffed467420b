//! How the end of a response's body is told (RFC 9112 section 6): by its length, by chunks, or by
//! the connection's close. What is not plainly right is refused.

/// Most bytes of a chunk's extension, and of all trailers: nothing of them is used.
const MOST_IGNORED: u16 = 4096;

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Chunked(Step),
    Ended,
    Known(u64),
    UntilClose,
}

/// Where in a chunked body we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Within the digits of a chunk's size.
    Size { size: u64, digits: u8 },
    /// Behind them, up to the line's end.
    Extension { size: u64, length: u16 },
    /// Before the LF of that line.
    SizeLf { size: u64 },
    /// Within a chunk's data, of which so much is left.
    Data(u64),
    /// Before the CR behind it.
    DataCr,
    /// Before the LF behind it.
    DataLf,
    /// Within a line behind the last chunk; so many bytes of trailers came before.
    Trailer { is_empty: bool, used: u16 },
    /// Before the LF of that line.
    TrailerLf { is_empty: bool, used: u16 },
}

/// The bytes are no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad;

/// What a piece of the connection's bytes held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Bytes of content, which stand at the front now.
    pub(super) content: usize,
    /// Bytes that were of this body. What is behind them is not.
    pub(super) used: usize,
}

impl Coding {
    pub(super) fn chunked() -> Self {
        Self::Chunked(FIRST)
    }

    pub(super) fn known(length: u64) -> Self {
        if length == 0 { Self::Ended } else { Self::Known(length) }
    }

    pub(super) fn has_ended(self) -> bool {
        self == Self::Ended
    }

    /// Follows bytes that came, and moves those that are content to the front.
    ///
    /// # Errors
    /// They are no body.
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, Bad> {
        match self {
            Self::Ended => Ok(Decoded { content: 0, used: 0 }),
            Self::UntilClose => Ok(Decoded { content: bytes.len(), used: bytes.len() }),
            Self::Known(left) => {
                let here = here(*left, bytes.len());
                *self = Self::known(left.saturating_sub(here as u64));
                Ok(Decoded { content: here, used: here })
            }
            Self::Chunked(_) => self.decode_chunks(bytes),
        }
    }

    fn decode_chunks(&mut self, bytes: &mut [u8]) -> Result<Decoded, Bad> {
        let mut decoded = Decoded { content: 0, used: 0 };
        while let Self::Chunked(step) = *self {
            if let Step::Data(left) = step {
                let here = here(left, bytes.len() - decoded.used);
                if here == 0 {
                    break;
                }
                bytes.copy_within(decoded.used..decoded.used + here, decoded.content);
                decoded.content += here;
                decoded.used += here;
                *self = Self::Chunked(match left - here as u64 {
                    0 => Step::DataCr,
                    left => Step::Data(left),
                });
            } else {
                let Some(byte) = bytes.get(decoded.used) else { break };
                decoded.used += 1;
                *self = step.after(*byte)?;
            }
        }
        Ok(decoded)
    }
}

fn here(left: u64, length: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(length)
}

const FIRST: Step = Step::Size { size: 0, digits: 0 };

impl Step {
    /// One byte further, outside of data.
    fn after(self, byte: u8) -> Result<Coding, Bad> {
        let next = match (self, byte) {
            (Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                // 15 digits are more than any length that there is.
                if digits == 15 {
                    return Err(Bad);
                }
                Self::Size { size: size * 16 + u64::from(hex(byte)), digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Bad),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => {
                Self::SizeLf { size }
            }
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => Self::Extension { size, length: 1 },
            (Self::Extension { size, length }, byte) if byte != b'\n' && length < MOST_IGNORED => {
                Self::Extension { size, length: length + 1 }
            }
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailer { is_empty: true, used: 0 },
            (Self::SizeLf { size }, b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => FIRST,
            (Self::Trailer { is_empty, used }, b'\r') => Self::TrailerLf { is_empty, used },
            (Self::Trailer { used, .. }, byte) if byte != b'\n' && used < MOST_IGNORED => {
                Self::Trailer { is_empty: false, used: used + 1 }
            }
            (Self::TrailerLf { is_empty: true, .. }, b'\n') => return Ok(Coding::Ended),
            (Self::TrailerLf { used, .. }, b'\n') => Self::Trailer { is_empty: true, used },
            _ => return Err(Bad),
        };
        Ok(Coding::Chunked(next))
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.saturating_sub(b'A') + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of `text`, read in the given pieces; what was left over is in the second.
    fn decode(mut coding: Coding, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Bad> {
        let (mut content, mut left) = (Vec::new(), 0);
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let decoded = coding.decode(&mut bytes)?;
            content.extend_from_slice(&bytes[..decoded.content]);
            left += piece.len() - decoded.used;
        }
        Ok((content, left, coding.has_ended()))
    }

    #[test]
    fn chunks_cut_at_every_byte() {
        let text =
            b"5\r\nhello\r\nB;x=\"1\"\r\n, big world\r\n1 \r\n!\r\n0\r\nA: b\r\nC: d\r\n\r\nHTTP";
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            let (content, left, ended) = decode(Coding::chunked(), &[one, two]).unwrap();
            assert_eq!((content.as_slice(), left, ended), (&b"hello, big world!"[..], 4, true));
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(Coding::chunked(), &single).unwrap().0, b"hello, big world!");
    }

    #[test]
    fn what_is_no_chunk() {
        let long = format!("1;{}\r\n", "x".repeat(5000));
        let trailers = format!("0\r\n{}", "a: b\r\n".repeat(2000));
        for bad in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "5\nhello",
            "5\r\nhello5",
            "5\r\nhello\n",
            "5\r\r",
            "0\r\n\n",
            "1111111111111111\r\n",
            &long,
            &trailers,
        ] {
            assert_eq!(decode(Coding::chunked(), &[bad.as_bytes()]), Err(Bad), "{bad:?}");
        }
    }

    #[test]
    fn known_lengths_and_closes() {
        let known = decode(Coding::known(5), &[b"hel", b"lo!"]).unwrap();
        assert_eq!(known, (b"hello".to_vec(), 1, true));
        assert_eq!(decode(Coding::known(5), &[b"hel"]).unwrap(), (b"hel".to_vec(), 0, false));
        assert!(Coding::known(0).has_ended());
        let open = decode(Coding::UntilClose, &[b"hel", b"lo"]).unwrap();
        assert_eq!(open, (b"hello".to_vec(), 0, false));
    }
}
