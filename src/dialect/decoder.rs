//! A provider's stream as events, whatever dialect it is in.

use crate::chat::Event;
use crate::dialect::frames::{Ends, data};
use crate::dialect::{Broken, Dialect, Facts, Sink, anthropic, gemini, ollama, openai};

/// Decodes the frames of one stream.
#[derive(Debug)]
pub(super) enum Decoder {
    Anthropic(anthropic::StreamDecoder),
    Gemini(gemini::StreamDecoder),
    Ollama(ollama::StreamDecoder),
    OpenAi(openai::StreamDecoder),
}

impl Decoder {
    pub(super) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Anthropic => Self::Anthropic(anthropic::StreamDecoder::default()),
            Dialect::Gemini => Self::Gemini(gemini::StreamDecoder::default()),
            Dialect::Ollama => Self::Ollama(ollama::StreamDecoder::default()),
            Dialect::OpenAi => Self::OpenAi(openai::StreamDecoder::default()),
        }
    }

    /// Decodes one whole frame into events, in order.
    ///
    /// # Errors
    /// It is no event, or the sink refused one.
    pub(super) fn frame(&mut self, frame: &[u8], sink: &mut Sink<'_>) -> Result<(), Broken> {
        if let Self::Ollama(decoder) = self {
            return decoder.line(frame, sink);
        }
        let Some(data) = data(frame) else { return Ok(()) };
        match self {
            Self::Anthropic(decoder) => decoder.data(&data, sink),
            Self::Gemini(decoder) => decoder.data(&data, sink),
            Self::Ollama(decoder) => decoder.line(&data, sink),
            Self::OpenAi(decoder) => decoder.data(&data, sink),
        }
    }

    /// Looks at a frame that goes on as it came.
    ///
    /// # Errors
    /// It is no event, or it reports a failure.
    pub(super) fn look(&mut self, frame: &[u8], facts: &mut Facts) -> Result<(), Broken> {
        match self {
            Self::OpenAi(_) => match data(frame) {
                Some(data) => openai::look(&data, facts),
                None => Ok(()),
            },
            Self::Anthropic(_) | Self::Gemini(_) | Self::Ollama(_) => {
                self.frame(frame, &mut |event| facts.note(&event))
            }
        }
    }
}

impl Dialect {
    /// Where its frames end.
    pub(super) fn ends(self) -> Ends {
        match self {
            Self::Ollama => Ends::Lines,
            Self::Anthropic | Self::Gemini | Self::OpenAi => Ends::sse(),
        }
    }

    /// What ends a frame.
    pub(super) fn frame_end(self) -> &'static [u8] {
        match self {
            Self::Ollama => b"\n",
            Self::Anthropic | Self::Gemini | Self::OpenAi => b"\n\n",
        }
    }

    /// Whether a stream that said why it stopped is whole though no end mark came: Gemini has
    /// none, and some services that are compatible with OpenAI leave it out.
    pub(super) fn ends_with_reason(self) -> bool {
        match self {
            Self::Gemini | Self::OpenAi => true,
            Self::Anthropic | Self::Ollama => false,
        }
    }
}

impl Facts {
    /// Keeps what an event tells.
    ///
    /// # Errors
    /// The event reports a failure.
    pub(super) fn note(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Text(_) | Event::Thinking(_) | Event::ToolCall(_) | Event::Refusal(_) => {
                self.first_token = true;
            }
            Event::Finish(reason) => {
                self.first_token = true;
                self.finish = Some(*reason);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.done = true,
            Event::Signature(_) => {}
            Event::Error(error) => return Err(Broken::Error(error.clone())),
        }
        Ok(())
    }
}
