//! Whole answers: read under the reservation, checked, and held against the client's schema.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::budget::Reservation;
use crate::chat::{FinishReason, Format, Message, Part, Request, Response, Role, Usage};
use crate::dialect::{Collector, Dialect, Door, ollama, violation};
use crate::dispatch::chat::{ChatJob, check_window};
use crate::dispatch::memory::{ATTEMPT_BYTES, hold};
use crate::dispatch::trial::Trial;
use crate::provider::{Exchange, Failure, Pump, Upstream};

/// What JSON takes when it is read into values, for each byte of it at worst (`[0,0,...]`).
const PARSED: usize = 16;

/// A whole answer.
pub(super) enum Whole {
    /// To be written in the client's form.
    Decoded(Response),
    /// An Ollama's, put together for a client of an Ollama.
    Merged(Bytes, Response),
    /// As the provider wrote it in the client's form.
    Raw(Bytes, Option<Usage>),
}

impl Whole {
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Decoded(response) | Self::Merged(_, response) => response.usage,
            Self::Raw(_, usage) => *usage,
        }
    }
}

/// What a whole answer is read for.
pub(super) struct Reading<'a> {
    pub(super) job: &'a ChatJob,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) trial: &'a Trial,
    pub(super) estimate: u32,
    /// Whether the client's own body went out, so that the answer may go back as it is.
    pub(super) verbatim: bool,
}

impl Reading<'_> {
    /// Reads the answer.
    pub(super) async fn read(
        &self,
        mut exchange: Exchange,
        reservation: &mut Reservation,
    ) -> Result<Whole, Failure> {
        let upstream = self.upstream;
        let most = usize::try_from(upstream.config().max_answer).unwrap_or(usize::MAX);
        let dialect = upstream.dialect();
        if dialect == Dialect::Ollama {
            return self.collected(exchange, most, reservation).await;
        }
        let name = self.trial.name();
        let raw = read_whole(&mut exchange.pump, most, name, reservation).await?;
        if self.verbatim {
            let usage = dialect
                .check_response(self.job.door, &raw)
                .map_err(|bad| upstream.no_answer(name, &bad.0))?;
            return Ok(Whole::Raw(raw, usage));
        }
        let response = dialect.decode_response(&raw);
        response.map(Whole::Decoded).map_err(|broken| upstream.broken(name, broken))
    }

    async fn collected(
        &self,
        mut exchange: Exchange,
        most: usize,
        reservation: &mut Reservation,
    ) -> Result<Whole, Failure> {
        let (upstream, trial) = (self.upstream, self.trial);
        let (response, last) = collect(&mut exchange.pump, most, trial, reservation).await?;
        check_window(upstream, &exchange, trial, response.usage)?;
        if let Some(usage) = response.usage {
            upstream.learn_prompt(&trial.target().model, self.estimate, usage.input_tokens);
        }
        upstream.let_end(exchange.pump);
        if !self.verbatim {
            return Ok(Whole::Decoded(response));
        }
        let form = match self.job.door {
            Door::Generate => ollama::Form::Generate,
            _ => ollama::Form::Chat,
        };
        let merged = ollama::merge_response(form, &last, &response, &self.job.stamp());
        Ok(Whole::Merged(Bytes::from(merged), response))
    }

    /// Where the answer does not follow the client's schema, with the answer's text. An answer that
    /// was cut short, or is a refusal or a tool call, is none by a schema and says so itself.
    ///
    /// # Errors
    /// There is no memory to look.
    pub(super) fn violation(
        &self,
        whole: &Whole,
        reservation: &mut Reservation,
    ) -> Result<Option<(String, String)>, Failure> {
        let Format::Schema(schema) = &self.job.request.format else { return Ok(None) };
        if self.upstream.config().enforces_schema {
            return Ok(None);
        }
        let decoded;
        let response = match whole {
            Whole::Decoded(response) | Whole::Merged(_, response) => response,
            Whole::Raw(raw, _) => match self.upstream.dialect().decode_response(raw) {
                Ok(response) => {
                    decoded = response;
                    &decoded
                }
                Err(_) => return Ok(None),
            },
        };
        let is_other = matches!(
            response.finish,
            Some(FinishReason::ContentFilter | FinishReason::Length | FinishReason::ToolCalls)
        );
        if is_other || !response.refusal.is_empty() || !response.tool_calls.is_empty() {
            return Ok(None);
        }
        let read = PARSED * (response.text.len() + schema.schema.get().len());
        hold(reservation, reservation.bytes() + read)?;
        let why = violation(&schema.schema, &response.text);
        Ok(why.map(|why| (why, response.text.clone())))
    }
}

/// The request once more, with what was wrong in the answer. Only one that can be written in any
/// dialect without loss: another would be another request.
pub(super) fn repaired(request: &Request, why: &str, answer: String) -> Option<Request> {
    let is_other = |part: &Part| matches!(part, Part::Other(_));
    if !request.exotic.is_empty() || request.messages.iter().any(|it| it.parts.iter().any(is_other))
    {
        return None;
    }
    let mut again = Request { prompt: None, ..request.clone() };
    again.messages.push(Message::new(Role::Assistant, vec![Part::Text(answer)]));
    let words = format!(
        "That answer does not follow the JSON schema that was asked for: {why}. Give the answer again as JSON that follows the schema, and nothing else."
    );
    again.messages.push(Message::new(Role::User, vec![Part::Text(words)]));
    Some(again)
}

/// Reads a body whole, under the reservation, up to `most` bytes.
pub(super) async fn read_whole(
    pump: &mut Pump,
    most: usize,
    target: &str,
    reservation: &mut Reservation,
) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = pump.next().await? {
        pump.flowing();
        if whole.len() + chunk.len() > most {
            return Err(Failure::bad_answer(target, "it is larger than max_answer"));
        }
        // A growing buffer is copied: for a moment there are two, and the decoded answer after.
        hold(reservation, ATTEMPT_BYTES + 2 * (whole.len() + chunk.len()))?;
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

async fn collect(
    pump: &mut Pump,
    most: usize,
    trial: &Trial,
    reservation: &mut Reservation,
) -> Result<(Response, Vec<u8>), Failure> {
    let mut collector = Collector::ollama(most);
    while !collector.facts().done
        && let Some(chunk) = pump.next().await?
    {
        let done = collector.push(&chunk);
        done.map_err(|broken| Failure::broken(trial.name(), broken))?;
        if collector.facts().first_token {
            pump.flowing();
        }
        if collector.size_bytes() > most {
            return Err(Failure::bad_answer(trial.name(), "it is larger than max_answer"));
        }
        hold(reservation, ATTEMPT_BYTES + 2 * collector.size_bytes())?;
    }
    collector.end().map_err(|broken| Failure::broken(trial.name(), broken))
}
