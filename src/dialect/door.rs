//! What a client calls: a path's own form of request, answer, stream and error.

use std::ops::Range;

use crate::chat::{Error, Request, Response};
use crate::dialect::body::Fields;
use crate::dialect::ollama::Form;
use crate::dialect::{Dialect, Stamp, Took, anthropic, ollama, openai};

/// A form in which clients ask for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Plain text in and out, for firmware.
    Ask,
    /// OpenAI's /v1/chat/completions.
    Chat,
    /// OpenAI's /v1/completions.
    Completions,
    /// Ollama's /api/generate.
    Generate,
    /// Anthropic's /v1/messages.
    Messages,
    /// Ollama's /api/chat.
    OllamaChat,
    /// OpenAI's /v1/responses.
    Responses,
}

impl Door {
    /// The dialect whose providers take this form as it is.
    pub fn native(self) -> Option<Dialect> {
        match self {
            Self::Chat | Self::Completions => Some(Dialect::OpenAi),
            Self::Generate | Self::OllamaChat => Some(Dialect::Ollama),
            Self::Messages => Some(Dialect::Anthropic),
            Self::Ask | Self::Responses => None,
        }
    }

    /// Decodes a request, and where its model's name stands in the body.
    ///
    /// # Errors
    /// What is wrong, naming the field.
    pub fn decode(self, body: &[u8]) -> Result<(Request, Range<usize>), Error> {
        match self {
            Self::Chat => openai::decode_chat(body),
            Self::Completions => openai::decode_completions(body),
            Self::Generate => ollama::decode_generate(body),
            Self::Messages => anthropic::decode_messages(body),
            Self::OllamaChat => ollama::decode_chat(body),
            Self::Responses => openai::decode_responses(body),
            Self::Ask => Err(Error::invalid("plain text has no form to be read by")),
        }
    }

    /// The body of the same request for a whole answer: who comes for it later takes no stream.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn asking_whole(self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let mut fields = Fields::of(body)?;
        fields.take("stream_options");
        match self {
            // An Ollama streams where nothing is said.
            Self::Generate | Self::OllamaChat => fields.set("stream", &false),
            Self::Ask | Self::Chat | Self::Completions | Self::Messages | Self::Responses => {
                fields.take("stream");
            }
        }
        Ok(fields.write())
    }

    /// The fields of a request that are known to nobody here: they reach a provider of the client's
    /// own dialect, and nobody else.
    pub fn unknown_fields(self, body: &[u8]) -> Vec<String> {
        match self {
            Self::Ask => Vec::new(),
            Self::Chat => openai::unknown_fields(body),
            Self::Completions => openai::unknown_completion_fields(body),
            Self::Generate | Self::OllamaChat => ollama::unknown_fields(body),
            Self::Messages => anthropic::unknown_fields(body),
            Self::Responses => openai::unknown_responses_fields(body),
        }
    }

    /// Writes a whole answer.
    pub fn encode(
        self,
        request: &Request,
        response: &Response,
        stamp: &Stamp,
        took: Took,
    ) -> Vec<u8> {
        match self {
            Self::Ask => plain(response),
            Self::Chat => openai::encode_response(response, stamp),
            Self::Completions => openai::encode_completion(response, stamp),
            Self::Generate => ollama::encode_response(Form::Generate, response, stamp, took),
            Self::Messages => anthropic::encode_response(response, stamp),
            Self::OllamaChat => ollama::encode_response(Form::Chat, response, stamp, took),
            Self::Responses => {
                let echo = request.echo.as_deref().unwrap_or("{}");
                openai::encode_responses(response, stamp, echo)
            }
        }
    }

    /// Writes an error.
    pub fn encode_error(self, error: &Error) -> Vec<u8> {
        match self {
            Self::Ask => one_line(&error.message),
            Self::Chat | Self::Completions | Self::Responses => openai::encode_error(error),
            Self::Generate | Self::OllamaChat => ollama::encode_error(error),
            Self::Messages => anthropic::encode_error(error),
        }
    }
}

/// The answer as lines of text: the last ends with a newline, as a terminal and `gets` expect.
fn plain(response: &Response) -> Vec<u8> {
    let mut text = format!("{}{}", response.text, response.refusal).into_bytes();
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

fn one_line(message: &str) -> Vec<u8> {
    let mut line = message.replace(['\r', '\n'], " ").into_bytes();
    line.push(b'\n');
    line
}
