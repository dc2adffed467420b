//! A provider's stream on its way: decoded as it comes, and forwarded or gathered.

mod collect;
mod cutter;
mod judge;

use std::mem::take;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::chat::{Error, Event, FinishReason, Request, Usage};
use crate::dialect::decoder::Decoder;
use crate::dialect::encoder::{Encoder, write_error};
use crate::dialect::limits::{CallBounds, Limit};
use crate::dialect::relay::cutter::{Frames, Passed, Taker};
use crate::dialect::relay::judge::Judge;
use crate::dialect::{BadAnswer, Dialect, Door, Stamp, Took};

pub use collect::Collector;

/// Why a stream is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// It holds what is no event.
    BadAnswer(String),
    /// It ended before its end.
    Cut,
    /// The provider reported a failure inside it.
    Error(Error),
    /// The answer does not follow the client's schema; says where.
    OffSchema(String),
    /// Something of it is larger than allowed.
    TooLong(Limit),
}

impl From<BadAnswer> for Broken {
    fn from(bad: BadAnswer) -> Self {
        Self::BadAnswer(bad.0)
    }
}

/// What a stream has told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Something of the answer has come: text, reasoning, a tool call, or its end.
    pub first_token: bool,
    /// Why the model stopped.
    pub finish: Option<FinishReason>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// The stream's own end mark has come.
    pub done: bool,
}

/// Turns a provider's stream into one in the client's form, as it comes.
#[derive(Debug)]
pub struct Relay {
    frames: Frames,
    dialect: Dialect,
    door: Door,
    decoder: Decoder,
    way: Way,
    judge: Option<Judge>,
    calls: CallBounds,
    facts: Facts,
}

#[derive(Debug)]
enum Way {
    /// Frames are decoded and written anew.
    Translate(Box<Encoder>),
    /// Frames go on as they came.
    Verbatim,
}

impl Relay {
    /// A stream for a client whose form is the provider's own: frames go on as they came, as
    /// slices of the bytes that were received; only a frame that spans reads is copied. `most`
    /// bounds one frame.
    pub fn verbatim(dialect: Dialect, door: Door, most: usize) -> Self {
        Self::new(dialect, door, Way::Verbatim, most)
    }

    /// A stream for a client of another form. `most` bounds one frame, and what is gathered.
    pub fn translating(
        dialect: Dialect,
        door: Door,
        request: &Request,
        stamp: Stamp,
        most: usize,
    ) -> Self {
        let encoder = Box::new(Encoder::new(door, request, stamp));
        Self::new(dialect, door, Way::Translate(encoder), most)
    }

    fn new(dialect: Dialect, door: Door, way: Way, most: usize) -> Self {
        Self {
            frames: Frames::of(dialect, most),
            dialect,
            door,
            decoder: Decoder::new(dialect),
            way,
            judge: None,
            calls: CallBounds::default(),
            facts: Facts::default(),
        }
    }

    /// Holds the answer's text against a JSON schema when it has ended: one that does not follow it
    /// ends with an error.
    #[must_use]
    pub fn held_to(self, schema: Box<RawValue>) -> Self {
        Self { judge: Some(Judge::new(schema)), ..self }
    }

    /// What the stream has told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Bytes of a frame that is not whole yet, and of an answer that is gathered.
    pub fn held_bytes(&self) -> usize {
        let gathered = match &self.way {
            Way::Translate(encoder) => encoder.held_bytes(),
            Way::Verbatim => 0,
        };
        let judged = self.judge.as_ref().map_or(0, |judge| judge.text.len());
        self.frames.held.capacity() + gathered + judged
    }

    /// Whether the client's form says how long the answer took.
    pub fn wants_times(&self) -> bool {
        matches!((&self.way, self.door), (Way::Translate(_), Door::Generate | Door::OllamaChat))
    }

    /// How long the answer has taken so far.
    pub fn took(&mut self, took: Took) {
        if let Way::Translate(encoder) = &mut self.way {
            encoder.took(took);
        }
    }

    /// Takes what was received; adds what goes to the client to `out`.
    ///
    /// # Errors
    /// The stream is no answer. What came before that is in `out`; nothing of the frame at fault.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), Broken> {
        let Self { frames, decoder, way, judge, calls, facts, .. } = self;
        match way {
            Way::Verbatim => {
                let mut sink = Verbatim { facts, decoder, out, chunk, run: 0..0 };
                let done = frames.read(chunk, &mut sink);
                sink.flush();
                done
            }
            Way::Translate(encoder) => {
                let mut sink =
                    Translate { facts, decoder, judge, calls, encoder, written: Vec::new() };
                let done = frames.read(chunk, &mut sink);
                sink.flush(out);
                let judged = judge.as_ref().map_or(0, |judge| judge.text.len());
                match encoder.held_bytes() + judged > frames.most {
                    true => done.and(Err(Broken::TooLong(Limit::Gathered))),
                    false => done,
                }
            }
        }
    }

    /// The provider has ended its stream.
    ///
    /// # Errors
    /// It ended without its end mark.
    pub fn end(&mut self, out: &mut Vec<Bytes>) -> Result<(), Broken> {
        let Self { frames, dialect, decoder, way, judge, calls, facts, .. } = self;
        let may_end = |facts: &Facts| dialect.ends_with_reason() && facts.finish.is_some();
        match way {
            Way::Verbatim => {
                let mut sink = Verbatim { facts, decoder, out, chunk: &Bytes::new(), run: 0..0 };
                let last = frames.finish(&mut sink)?;
                if last {
                    out.push(Bytes::from_static(dialect.frame_end()));
                }
                if !facts.done && may_end(facts) {
                    // The mark is ours to add.
                    facts.done = true;
                    out.push(Bytes::from_static(b"data: [DONE]\n\n"));
                }
            }
            Way::Translate(encoder) => {
                let mut sink =
                    Translate { facts, decoder, judge, calls, encoder, written: Vec::new() };
                let done = frames.finish(&mut sink);
                if done.is_ok() && !sink.facts.done && may_end(sink.facts) {
                    let ended = sink.done();
                    sink.flush(out);
                    ended?;
                }
                sink.flush(out);
                done?;
            }
        }
        if facts.done { Ok(()) } else { Err(Broken::Cut) }
    }

    /// Ends the client's stream with its dialect's error event, and without its end mark.
    pub fn error(&mut self, error: &Error, out: &mut Vec<Bytes>) {
        let mut event = Vec::new();
        match &mut self.way {
            Way::Translate(encoder) => encoder.error(error, &mut event),
            Way::Verbatim => write_error(self.door, error, &mut event),
        }
        out.push(Bytes::from(event));
    }
}

/// Looks at frames and lets them pass. Those that stand side by side go on as one slice.
struct Verbatim<'a> {
    facts: &'a mut Facts,
    decoder: &'a mut Decoder,
    out: &'a mut Vec<Bytes>,
    chunk: &'a Bytes,
    run: Range<usize>,
}

impl Verbatim<'_> {
    fn flush(&mut self) {
        let run = take(&mut self.run);
        if !run.is_empty() {
            self.out.push(self.chunk.slice(run));
        }
    }
}

impl Taker for Verbatim<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        self.decoder.look(frame, self.facts)
    }

    fn pass(&mut self, frame: Passed) {
        match frame {
            Passed::Received(part) if part.start == self.run.end => self.run.end = part.end,
            Passed::Received(part) => {
                self.flush();
                self.run = part;
            }
            Passed::Held(whole) => {
                self.flush();
                self.out.push(Bytes::from(whole));
            }
        }
    }
}

struct Translate<'a> {
    facts: &'a mut Facts,
    decoder: &'a mut Decoder,
    judge: &'a mut Option<Judge>,
    calls: &'a mut CallBounds,
    encoder: &'a mut Encoder,
    written: Vec<u8>,
}

impl Translate<'_> {
    /// The stream has ended without a mark, and needs none.
    fn done(&mut self) -> Result<(), Broken> {
        self.facts.done = true;
        if let Some(judge) = self.judge {
            judge.hear(&Event::Done)?;
        }
        self.encoder.event(&Event::Done, &mut self.written);
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<Bytes>) {
        let written = take(&mut self.written);
        if !written.is_empty() {
            out.push(Bytes::from(written));
        }
    }
}

impl Taker for Translate<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let Self { facts, decoder, judge, calls, encoder, written } = self;
        decoder.frame(frame, &mut |event| {
            facts.note(&event)?;
            calls.hear(&event)?;
            if let Some(judge) = judge {
                judge.hear(&event)?;
            }
            encoder.event(&event, written);
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "relay/tests.rs"]
mod tests;
