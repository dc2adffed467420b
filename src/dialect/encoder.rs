//! Events as a client's stream, whatever form it asked for.

use crate::chat::{Error, Event, Request};
use crate::dialect::ollama::Form;
use crate::dialect::{Door, Stamp, Took, anthropic, ollama, openai};

/// Writes the events of one stream.
#[derive(Debug)]
pub(super) enum Encoder {
    Chat(openai::StreamEncoder),
    Completions(openai::CompletionsEncoder),
    Messages(anthropic::StreamEncoder),
    Ollama(ollama::StreamEncoder),
    Responses(openai::ResponsesEncoder),
}

impl Encoder {
    /// Plain text is no stream: it is written as a chat, which nobody reads.
    pub(super) fn new(door: Door, request: &Request, stamp: Stamp) -> Self {
        let include_usage = request.include_usage;
        match door {
            Door::Ask | Door::Chat => Self::Chat(openai::StreamEncoder::new(stamp, include_usage)),
            Door::Completions => {
                Self::Completions(openai::CompletionsEncoder::new(stamp, include_usage))
            }
            Door::Generate => Self::Ollama(ollama::StreamEncoder::new(Form::Generate, stamp)),
            Door::Messages => Self::Messages(anthropic::StreamEncoder::new(stamp)),
            Door::OllamaChat => Self::Ollama(ollama::StreamEncoder::new(Form::Chat, stamp)),
            Door::Responses => {
                let echo = request.echo.clone().unwrap_or_else(|| "{}".into());
                Self::Responses(openai::ResponsesEncoder::new(stamp, echo))
            }
        }
    }

    /// Writes one event. An `Error` is not written here: see [`Self::error`].
    pub(super) fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(encoder) => encoder.event(event, out),
            Self::Completions(encoder) => encoder.event(event, out),
            Self::Messages(encoder) => encoder.event(event, out),
            Self::Ollama(encoder) => encoder.event(event, out),
            Self::Responses(encoder) => encoder.event(event, out),
        }
    }

    /// Ends a broken stream: with the dialect's error event, and without its end mark.
    pub(super) fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        match self {
            Self::Chat(_) | Self::Completions(_) => write_error(Door::Chat, error, out),
            Self::Messages(_) => write_error(Door::Messages, error, out),
            Self::Ollama(_) => write_error(Door::OllamaChat, error, out),
            Self::Responses(encoder) => encoder.error(error, out),
        }
    }

    /// How long the answer has taken so far, for the forms that say.
    pub(super) fn took(&mut self, took: Took) {
        if let Self::Ollama(encoder) = self {
            encoder.took(took);
        }
    }

    /// Bytes of the answer that are gathered.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Chat(_) | Self::Completions(_) | Self::Messages(_) => 0,
            Self::Ollama(encoder) => encoder.held_bytes(),
            Self::Responses(encoder) => encoder.held_bytes(),
        }
    }
}

/// The error event of a stream that goes on as it came.
pub(super) fn write_error(door: Door, error: &Error, out: &mut Vec<u8>) {
    match door {
        Door::Ask | Door::Chat | Door::Completions | Door::Responses => {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&openai::encode_error(error));
            out.extend_from_slice(b"\n\n");
        }
        Door::Generate | Door::OllamaChat => {
            out.extend_from_slice(&ollama::encode_error(error));
            out.push(b'\n');
        }
        Door::Messages => anthropic::stream_error(error, out),
    }
}
