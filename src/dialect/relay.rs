//! A provider's stream on its way: decoded as it comes, and forwarded or gathered.

use std::mem::take;
use std::ops::Range;

use bytes::Bytes;

use crate::chat::{Error, Event, FinishReason, Response, Usage};
use crate::dialect::frames::{Ends, data};
use crate::dialect::ollama;
use crate::dialect::openai::{self, StreamEncoder};
use crate::dialect::{BadAnswer, Dialect};

/// Why a stream is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// It holds what is no event.
    BadAnswer(String),
    /// It ended before its end.
    Cut,
    /// The provider reported a failure inside it.
    Error(Error),
    /// One event is larger than allowed.
    TooLong,
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
        let ends = match dialect {
            Dialect::Ollama => Ends::Lines,
            Dialect::OpenAi => Ends::sse(),
        };
        Self { ends, held: Vec::new(), most }
    }

    /// Hands each whole frame of the chunk to `sink`; holds the rest.
    fn read(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), Broken> {
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
            return Err(Broken::TooLong);
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// The stream has ended: what is held is its last frame, though nothing ended it. Returns
    /// whether there was one.
    fn finish(&mut self, sink: &mut impl Sink) -> Result<bool, Broken> {
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

trait Sink {
    /// Looks at a whole frame.
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken>;

    /// Lets the frame that was looked at last pass on, if frames do.
    fn pass(&mut self, _frame: Passed) {}
}

/// Turns a provider's stream into one in the client's dialect, as it comes.
#[derive(Debug)]
pub struct Relay {
    frames: Frames,
    way: Way,
    facts: Facts,
}

#[derive(Debug)]
enum Way {
    /// Frames go on as they came.
    Verbatim,
    /// Frames are decoded and written anew.
    Translate(ollama::StreamDecoder, StreamEncoder),
}

impl Relay {
    /// An OpenAI stream for an OpenAI client: frames go on as they came, as slices of the bytes
    /// that were received; only a frame that spans reads is copied. `most` bounds one frame.
    pub fn verbatim_openai(most: usize) -> Self {
        Self {
            frames: Frames::of(Dialect::OpenAi, most),
            way: Way::Verbatim,
            facts: Facts::default(),
        }
    }

    /// An Ollama's stream for an OpenAI client. `most` bounds one frame.
    pub fn ollama_to_openai(encoder: StreamEncoder, most: usize) -> Self {
        Self {
            frames: Frames::of(Dialect::Ollama, most),
            way: Way::Translate(ollama::StreamDecoder::default(), encoder),
            facts: Facts::default(),
        }
    }

    /// What the stream has told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Bytes of a frame that is not whole yet.
    pub fn held_bytes(&self) -> usize {
        self.frames.held.capacity()
    }

    /// Takes what was received; adds what goes to the client to `out`.
    ///
    /// # Errors
    /// The stream is no answer. What came before that is in `out`; nothing of the frame at fault.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), Broken> {
        let Self { frames, way, facts } = self;
        match way {
            Way::Verbatim => {
                let mut sink = Verbatim { facts, out, chunk, run: 0..0 };
                let done = frames.read(chunk, &mut sink);
                sink.flush();
                done
            }
            Way::Translate(decoder, encoder) => {
                let mut sink = Translate { facts, decoder, encoder, written: Vec::new() };
                let done = frames.read(chunk, &mut sink);
                sink.flush(out);
                done
            }
        }
    }

    /// The provider has ended its stream.
    ///
    /// # Errors
    /// It ended without its end mark.
    pub fn end(&mut self, out: &mut Vec<Bytes>) -> Result<(), Broken> {
        let Self { frames, way, facts } = self;
        match way {
            Way::Verbatim => {
                let mut sink = Verbatim { facts, out, chunk: &Bytes::new(), run: 0..0 };
                if frames.finish(&mut sink)? {
                    out.push(Bytes::from_static(b"\n\n"));
                }
                openai_end(facts, out)
            }
            Way::Translate(decoder, encoder) => {
                let mut sink = Translate { facts, decoder, encoder, written: Vec::new() };
                let done = frames.finish(&mut sink);
                sink.flush(out);
                done?;
                if facts.done { Ok(()) } else { Err(Broken::Cut) }
            }
        }
    }

    /// Ends the client's stream with its dialect's error event, and without its end mark.
    pub fn error(&self, error: &Error, out: &mut Vec<Bytes>) {
        let mut event = b"data: ".to_vec();
        event.extend_from_slice(&openai::encode_error(error));
        event.extend_from_slice(b"\n\n");
        out.push(Bytes::from(event));
    }
}

/// Some compatible services leave the end mark out: where the model said why it stopped and the
/// body ended cleanly, the answer is whole and the mark is ours to add.
fn openai_end(facts: &mut Facts, out: &mut Vec<Bytes>) -> Result<(), Broken> {
    if facts.done {
        return Ok(());
    }
    if facts.finish.is_none() {
        return Err(Broken::Cut);
    }
    facts.done = true;
    out.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Ok(())
}

/// Looks at frames and lets them pass. Those that stand side by side go on as one slice.
struct Verbatim<'a> {
    facts: &'a mut Facts,
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

impl Sink for Verbatim<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        match data(frame) {
            Some(data) => openai::look(&data, self.facts),
            None => Ok(()),
        }
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
    decoder: &'a mut ollama::StreamDecoder,
    encoder: &'a mut StreamEncoder,
    written: Vec<u8>,
}

impl Translate<'_> {
    fn flush(&mut self, out: &mut Vec<Bytes>) {
        let written = take(&mut self.written);
        if !written.is_empty() {
            out.push(Bytes::from(written));
        }
    }
}

impl Sink for Translate<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let Self { facts, decoder, encoder, written } = self;
        decoder.line(frame, &mut |event| {
            if let Event::Error(error) = event {
                return Err(Broken::Error(error));
            }
            note(facts, &event);
            encoder.event(&event, written);
            Ok(())
        })
    }
}

fn note(facts: &mut Facts, event: &Event) {
    match event {
        Event::Text(_) | Event::Thinking(_) | Event::ToolCall(_) => facts.first_token = true,
        Event::Finish(reason) => {
            facts.first_token = true;
            facts.finish = Some(*reason);
        }
        Event::Usage(usage) => facts.usage = Some(*usage),
        Event::Done => facts.done = true,
        Event::Error(_) => {}
    }
}

/// Gathers an Ollama's stream into a whole answer. Ollama is asked for a stream even where the
/// client wants none, because only then a runner that hangs can be told from one that works.
#[derive(Debug)]
pub struct Collector {
    frames: Frames,
    decoder: ollama::StreamDecoder,
    facts: Facts,
    response: Response,
    size: usize,
}

impl Collector {
    /// `most` bounds one frame, in bytes.
    pub fn ollama(most: usize) -> Self {
        Self {
            frames: Frames::of(Dialect::Ollama, most),
            decoder: ollama::StreamDecoder::default(),
            facts: Facts::default(),
            response: Response::default(),
            size: 0,
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
        let Self { frames, decoder, facts, response, size } = self;
        frames.read(chunk, &mut Gather { facts, decoder, response, size })
    }

    /// The provider has ended its stream.
    ///
    /// # Errors
    /// It ended without its end mark.
    pub fn end(mut self) -> Result<Response, Broken> {
        let Self { frames, decoder, facts, response, size } = &mut self;
        frames.finish(&mut Gather { facts, decoder, response, size })?;
        if self.facts.done { Ok(self.response) } else { Err(Broken::Cut) }
    }
}

struct Gather<'a> {
    facts: &'a mut Facts,
    decoder: &'a mut ollama::StreamDecoder,
    response: &'a mut Response,
    size: &'a mut usize,
}

impl Sink for Gather<'_> {
    fn frame(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let Self { facts, decoder, response, size } = self;
        decoder.line(frame, &mut |event| {
            if let Event::Error(error) = event {
                return Err(Broken::Error(error));
            }
            note(facts, &event);
            **size += match &event {
                Event::Text(text) | Event::Thinking(text) => text.len(),
                Event::ToolCall(call) => call.arguments.len() + 64,
                Event::Done | Event::Error(_) | Event::Finish(_) | Event::Usage(_) => 0,
            };
            response.add(event);
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "relay/tests.rs"]
mod tests;
