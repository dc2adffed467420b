//! Where a stream's frames begin and end, whatever its reads cut.

use std::mem::take;
use std::ops::Range;

use crate::dialect::frames::Ends;
use crate::dialect::limits::Limit;
use crate::dialect::{Broken, Dialect};

/// Cuts a stream into frames. A frame that spans reads is held, and is the only thing that is.
#[derive(Debug)]
pub(super) struct Frames {
    ends: Ends,
    pub(super) held: Vec<u8>,
    pub(super) most: usize,
}

impl Frames {
    pub(super) fn of(dialect: Dialect, most: usize) -> Self {
        Self { ends: dialect.ends(), held: Vec::new(), most }
    }

    /// Hands each whole frame of the chunk to `sink`; holds the rest.
    pub(super) fn read(&mut self, chunk: &[u8], sink: &mut impl Taker) -> Result<(), Broken> {
        let mut start = 0;
        while let Some(length) = self.ends.next(chunk.get(start..).unwrap_or_default()) {
            let end = start + length;
            let frame = chunk.get(start..end).unwrap_or_default();
            if self.held.is_empty() {
                sink.frame(frame)?;
                sink.pass(Passed::Received(start..end));
            } else {
                self.held.extend_from_slice(frame);
                let whole = take(&mut self.held);
                sink.frame(&whole)?;
                sink.pass(Passed::Held(whole));
            }
            start = end;
        }
        let rest = chunk.get(start..).unwrap_or_default();
        if self.held.len() + rest.len() > self.most {
            return Err(Broken::TooLong(Limit::Frame));
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// The stream has ended: what is held is its last frame, though nothing ended it. Returns
    /// whether there was one.
    pub(super) fn finish(&mut self, sink: &mut impl Taker) -> Result<bool, Broken> {
        let last = take(&mut self.held);
        let is_frame = !last.iter().all(u8::is_ascii_whitespace);
        if is_frame {
            sink.frame(&last)?;
        }
        if !last.is_empty() {
            sink.pass(Passed::Held(last));
        }
        Ok(is_frame)
    }
}

/// Where the bytes of a frame are.
pub(super) enum Passed {
    /// It was put together of several reads.
    Held(Vec<u8>),
    /// In the chunk that was received last.
    Received(Range<usize>),
}

pub(super) trait Taker {
    /// Looks at a whole frame.
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken>;

    /// Lets the frame that was looked at last pass on, if frames do.
    fn pass(&mut self, _frame: Passed) {}
}
