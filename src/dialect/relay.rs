//! A provider's stream on its way: decoded as it comes, and forwarded or gathered.

use std::mem::take;
use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::chat::{Error, Event, FinishReason, Request, Response, Usage};
use crate::dialect::decoder::Decoder;
use crate::dialect::encoder::{Encoder, write_error};
use crate::dialect::frames::Ends;
use crate::dialect::limits::{CallBounds, Limit};
use crate::dialect::{BadAnswer, Dialect, Door, Stamp, Took, violation};

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

/// Cuts a stream into frames. A frame that spans reads is held, and is the only thing that is.
#[derive(Debug)]
struct Frames {
    ends: Ends,
    held: Vec<u8>,
    most: usize,
}

impl Frames {
    fn of(dialect: Dialect, most: usize) -> Self {
        Self { ends: dialect.ends(), held: Vec::new(), most }
    }

    /// Hands each whole frame of the chunk to `sink`; holds the rest.
    fn read(&mut self, chunk: &[u8], sink: &mut impl Taker) -> Result<(), Broken> {
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
    fn finish(&mut self, sink: &mut impl Taker) -> Result<bool, Broken> {
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
enum Passed {
    /// It was put together of several reads.
    Held(Vec<u8>),
    /// In the chunk that was received last.
    Received(Range<usize>),
}

trait Taker {
    /// Looks at a whole frame.
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken>;

    /// Lets the frame that was looked at last pass on, if frames do.
    fn pass(&mut self, _frame: Passed) {}
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

/// Gathers an answer's text and holds it against a schema.
#[derive(Debug)]
struct Judge {
    schema: Box<RawValue>,
    text: String,
    /// It is a refusal or a tool call, or was cut short: no answer by a schema, and it says so.
    is_other: bool,
}

impl Judge {
    fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Text(text) => self.text.push_str(text),
            Event::Refusal(_) | Event::ToolCall(_) => self.is_other = true,
            Event::Finish(FinishReason::ContentFilter | FinishReason::Length) => {
                self.is_other = true;
            }
            Event::Done if !self.is_other => {
                if let Some(why) = violation(&self.schema, &self.text) {
                    return Err(Broken::OffSchema(why));
                }
            }
            Event::Done
            | Event::Error(_)
            | Event::Finish(_)
            | Event::Signature(_)
            | Event::Thinking(_)
            | Event::Usage(_) => {}
        }
        Ok(())
    }
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
        let judge = Some(Judge { schema, text: String::new(), is_other: false });
        Self { judge, ..self }
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
                match encoder.held_bytes() > frames.most {
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

#[cfg(test)]
#[path = "relay/tests.rs"]
mod tests;
