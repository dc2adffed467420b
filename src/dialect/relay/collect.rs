//! A stream that is gathered into a whole answer.

use bytes::Bytes;

use crate::chat::{Event, Response};
use crate::dialect::decoder::Decoder;
use crate::dialect::limits::CallBounds;
use crate::dialect::relay::cutter::{Frames, Taker};
use crate::dialect::{Broken, Dialect, Facts};

/// Gathers an Ollama's stream into a whole answer. Ollama is asked for a stream even where the
/// client wants none, because only then a runner that hangs can be told from one that works.
#[derive(Debug)]
pub struct Collector {
    frames: Frames,
    decoder: Decoder,
    facts: Facts,
    response: Response,
    size: usize,
    /// The stream's last frame, where its own words are wanted.
    last: Vec<u8>,
    calls: CallBounds,
}

impl Collector {
    /// `most` bounds one frame, in bytes.
    pub fn ollama(most: usize) -> Self {
        Self {
            frames: Frames::of(Dialect::Ollama, most),
            decoder: Decoder::new(Dialect::Ollama),
            facts: Facts::default(),
            response: Response::default(),
            size: 0,
            last: Vec::new(),
            calls: CallBounds::default(),
        }
    }

    /// What the stream has told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Bytes that are gathered and held.
    pub fn size_bytes(&self) -> usize {
        self.size + self.frames.held.capacity()
    }

    /// Takes what was received.
    ///
    /// # Errors
    /// The stream is no answer.
    pub fn push(&mut self, chunk: &Bytes) -> Result<(), Broken> {
        let Self { frames, decoder, facts, response, size, last, calls } = self;
        frames.read(chunk, &mut Gather { facts, decoder, response, size, last, calls })
    }

    /// The provider has ended its stream. Returns with the answer the stream's last frame, which
    /// says more than we know.
    ///
    /// # Errors
    /// It ended without its end mark.
    pub fn end(mut self) -> Result<(Response, Vec<u8>), Broken> {
        let Self { frames, decoder, facts, response, size, last, calls } = &mut self;
        frames.finish(&mut Gather { facts, decoder, response, size, last, calls })?;
        if self.facts.done { Ok((self.response, self.last)) } else { Err(Broken::Cut) }
    }
}

struct Gather<'a> {
    facts: &'a mut Facts,
    decoder: &'a mut Decoder,
    response: &'a mut Response,
    size: &'a mut usize,
    last: &'a mut Vec<u8>,
    calls: &'a mut CallBounds,
}

impl Taker for Gather<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let Self { facts, decoder, response, size, last, calls } = self;
        decoder.frame(frame, &mut |event| {
            facts.note(&event)?;
            calls.hear(&event)?;
            **size += match &event {
                Event::Text(text)
                | Event::Thinking(text)
                | Event::Signature(text)
                | Event::Refusal(text) => text.len(),
                Event::ToolCall(call) => call.arguments.len() + 64,
                Event::Done | Event::Error(_) | Event::Finish(_) | Event::Usage(_) => 0,
            };
            response.add(event);
            Ok(())
        })?;
        if facts.done && last.is_empty() {
            last.extend_from_slice(frame);
        }
        Ok(())
    }
}
