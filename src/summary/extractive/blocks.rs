//! Reads a text block by block: what stands between two blank lines, or as much of it as fits.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use crate::summary::extractive::fixed::wide;

/// The largest block.
pub(super) const BLOCK_BYTES: usize = 16 * 1024;

/// What is read at once.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// The blocks of a text, from its beginning.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    from: BufReader<R>,
    block: Vec<u8>,
    /// What was read past the block's cut.
    rest: Vec<u8>,
    /// Where the block stands in the text.
    start: u64,
}

/// One block. What is changed in it keeps its place, so that offsets stay true.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// Where it stands in the text.
    pub(super) start: u64,
    /// Its lines, the blank one not with them.
    pub(super) bytes: &'a mut Vec<u8>,
}

impl<R: Read + Seek> Blocks<R> {
    /// The bytes that are held.
    pub(super) const BYTES: usize = READ_BYTES + 2 * BLOCK_BYTES;

    /// Begins at the text's beginning.
    pub(super) fn new(mut text: R) -> io::Result<Self> {
        text.seek(SeekFrom::Start(0))?;
        Ok(Self {
            from: BufReader::with_capacity(READ_BYTES, text),
            block: Vec::with_capacity(BLOCK_BYTES),
            rest: Vec::with_capacity(BLOCK_BYTES),
            start: 0,
        })
    }

    /// The next block that is not blank.
    pub(super) fn next(&mut self) -> io::Result<Option<Block<'_>>> {
        self.start += wide(self.block.len());
        self.block.clear();
        self.block.append(&mut self.rest);
        let mut line = memrchr(b'\n', &self.block).map_or(0, |at| at + 1);
        while let Some(is_ended) = self.read_piece()? {
            if is_ended && is_blank(self.block.get(line..).unwrap_or_default()) {
                if line > 0 {
                    break;
                }
                self.start += wide(self.block.len());
                self.block.clear();
            }
            if is_ended {
                line = self.block.len();
            }
            if self.block.len() >= BLOCK_BYTES {
                self.cut();
                break;
            }
        }
        let block = Block { start: self.start, bytes: &mut self.block };
        Ok((!block.bytes.is_empty()).then_some(block))
    }

    /// Where the text ends, once all of it was read.
    pub(super) fn end(&self) -> u64 {
        self.start + wide(self.block.len())
    }

    /// Adds up to the end of a line. Returns whether the line is whole, or nothing at the text's end.
    fn read_piece(&mut self) -> io::Result<Option<bool>> {
        let piece = self.from.fill_buf()?;
        let room = BLOCK_BYTES.saturating_sub(self.block.len()).min(piece.len());
        let Some(piece) = piece.get(..room).filter(|it| !it.is_empty()) else { return Ok(None) };
        let end = memchr(b'\n', piece).map(|at| at + 1);
        let piece = piece.get(..end.unwrap_or(room)).unwrap_or(piece);
        self.block.extend_from_slice(piece);
        let read = piece.len();
        self.from.consume(read);
        Ok(Some(end.is_some()))
    }

    /// Ends a block that is full where least is torn.
    fn cut(&mut self) {
        let half = BLOCK_BYTES / 2;
        let after = |at: usize| (at >= half).then_some(at + 1);
        let line = memrchr(b'\n', &self.block).and_then(after);
        let word = || memrchr(b' ', &self.block).and_then(after);
        let letter =
            || self.block.iter().rposition(|byte| is_first(*byte)).filter(|at| *at >= half);
        if let Some(at) = line.or_else(word).or_else(letter) {
            self.rest.extend(self.block.drain(at..));
        }
    }
}

/// Whether a byte begins a letter of UTF-8.
fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut blocks = Blocks::new(Cursor::new(text)).unwrap();
        let mut all = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            assert!(block.bytes.len() <= BLOCK_BYTES);
            all.push((block.start, block.bytes.clone()));
        }
        assert_eq!(blocks.end(), wide(text.len()));
        all
    }

    #[test]
    fn between_blank_lines() {
        let blocks = read(b"\n\none\ntwo\n \t\r\n\nthree");
        let texts: Vec<&[u8]> = blocks.iter().map(|(_, bytes)| bytes.trim_ascii()).collect();
        assert_eq!(texts, [&b"one\ntwo"[..], b"three"]);
        assert_eq!(blocks.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2, 15]);
    }

    #[test]
    fn nothing_is_a_block() {
        assert!(read(b"").is_empty());
        assert!(read(b"\n \n").is_empty());
    }

    #[test]
    fn all_bytes_come_at_their_place_whatever_the_lines() {
        let long = "ä".repeat(40_000);
        let words = "some words ".repeat(9000);
        let lines = "a line of a log\n".repeat(9000);
        for text in [long, words, lines] {
            let blocks = read(text.as_bytes());
            assert!(blocks.len() > 3);
            for (at, bytes) in blocks {
                let at = usize::try_from(at).unwrap();
                assert_eq!(&text.as_bytes()[at..at + bytes.len()], &bytes[..]);
                assert!(std::str::from_utf8(&bytes).is_ok(), "no letter is torn");
            }
        }
    }
}
