//! The lines of a file, with their places. Of a long one only the beginning is held.

use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Source;

/// Bytes of a line that are held.
const LINE: usize = 4 << 10;
const CHUNK: usize = 16 << 10;

/// Reads lines.
pub(super) struct Lines<S> {
    source: S,
    chunk: Vec<u8>,
    start: usize,
    end: usize,
    /// The place of what comes next.
    pub(super) at: u64,
}

impl<S: Source> Lines<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, chunk: vec![0; CHUNK], start: 0, end: 0, at: 0 }
    }

    /// Reads the next line, without its end. Returns whether there was one.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Refused> {
        line.clear();
        let began = self.at;
        loop {
            if self.start == self.end {
                self.end = self.source.read(&mut self.chunk)?;
                self.start = 0;
                if self.end == 0 {
                    return Ok(self.at > began);
                }
            }
            let rest = self.chunk.get(self.start..self.end).unwrap_or_default();
            let found = memchr::memchr(b'\n', rest);
            let taken = found.map_or(rest.len(), |place| place + 1);
            let room = LINE.saturating_sub(line.len());
            line.extend(rest.iter().take(taken.min(room)));
            self.start += taken;
            self.at += taken as u64;
            if found.is_some() {
                while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    line.pop();
                }
                return Ok(true);
            }
        }
    }
}
