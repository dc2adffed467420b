//! Where the frames of a stream end: SSE blocks (WHATWG HTML, "Server-sent events") and NDJSON
//! lines.
//!
//! SSE lines end with LF, CRLF or CR, and reads may cut anywhere, between the two bytes of a CRLF
//! too.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Finds the ends of frames, with what it must remember from read to read.
#[derive(Debug, Clone)]
pub(super) enum Ends {
    /// A line is a frame.
    Lines,
    /// A blank line ends a frame.
    Sse {
        /// Nothing has come since the last line ended.
        at_line_start: bool,
        /// The last byte was a CR: an LF right after it belongs to it.
        after_cr: bool,
    },
}

impl Ends {
    pub(super) fn sse() -> Self {
        Self::Sse { at_line_start: true, after_cr: false }
    }

    /// The index just after the first frame that ends in `bytes`.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Lines => memchr(b'\n', bytes).map(|at| at + 1),
            Self::Sse { at_line_start, after_cr } => next_block(bytes, at_line_start, after_cr),
        }
    }
}

fn next_block(bytes: &[u8], at_line_start: &mut bool, after_cr: &mut bool) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if std::mem::take(after_cr) && rest.first() == Some(&b'\n') {
            at += 1;
            continue;
        }
        let Some(end) = memchr2(b'\n', b'\r', rest) else {
            *at_line_start = false;
            return None;
        };
        let is_blank = *at_line_start && end == 0;
        *at_line_start = true;
        *after_cr = rest.get(end) == Some(&b'\r');
        at += end + 1;
        if is_blank {
            // The LF of a CRLF goes with the frame that it ends, if it is there already.
            if *after_cr && bytes.get(at) == Some(&b'\n') {
                *after_cr = false;
                at += 1;
            }
            return Some(at);
        }
    }
    None
}

/// The data of an SSE block: its `data` lines, joined by LF. `None` where it has none (comments,
/// pings).
pub(super) fn data(block: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut found: Option<Cow<'_, [u8]>> = None;
    for line in lines(block) {
        let Some(value) = field(line) else { continue };
        match &mut found {
            None => found = Some(Cow::Borrowed(value)),
            Some(joined) => {
                let joined = joined.to_mut();
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
        }
    }
    found
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let block = block.strip_prefix(b"\xef\xbb\xbf").unwrap_or(block);
    block.split(|byte| matches!(byte, b'\n' | b'\r'))
}

fn field(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    match rest.strip_prefix(b":") {
        Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        None => rest.is_empty().then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of each frame of `text`, read in the given pieces.
    fn read(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut ends = Ends::sse();
        let mut held = Vec::new();
        let mut frames = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = ends.next(rest) {
                held.extend_from_slice(&rest[..end]);
                if let Some(data) = data(&held) {
                    frames.push(data.into_owned());
                }
                held.clear();
                rest = &rest[end..];
            }
            held.extend_from_slice(rest);
        }
        frames
    }

    #[test]
    fn every_line_ending_cut_at_every_byte() {
        let text = "\u{feff}: comment\n\ndata: {\"a\":1}\n\nevent: x\ndata:two\ndata: lines\n\n\
                    data\n\nid: 7\ndata: grün 🦀\n\n";
        let want: Vec<Vec<u8>> = ["{\"a\":1}", "two\nlines", "", "grün 🦀"]
            .iter()
            .map(|it| it.as_bytes().to_vec())
            .collect();
        for ending in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ending);
            let bytes = text.as_bytes();
            for cut in 0..=bytes.len() {
                let (one, two) = bytes.split_at(cut);
                assert_eq!(read(&[one, two]), want, "{ending:?} cut at {cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single), want, "{ending:?} byte by byte");
        }
    }
}
