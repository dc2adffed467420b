//! A stream on its way to the client.
//!
//! Pieces go on as they come and nothing is collected: the provider is read only when the client
//! takes. What the provider has ready goes out in one write, because a write for each token costs
//! five times the processor.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::Error;
use crate::dialect::{Broken, Relay, Took};
use crate::dispatch::cut::cut;
use crate::dispatch::memory::{ATTEMPT_BYTES, hold};
use crate::dispatch::trial::Trial;
use crate::provider::{Exchange, Failure, Upstream};
use crate::telemetry::Guard;

/// As much as is gathered before it is passed on.
const GATHER_BYTES: usize = 16 * 1024;

/// A stream may be longer than a whole answer, since it is not held; but not endless.
const LONGEST_STREAM: u64 = 16;

/// A stream whose first token has come.
pub(super) struct Begun {
    pub(super) upstream: Arc<Upstream>,
    pub(super) exchange: Exchange,
    pub(super) relay: Relay,
    /// What is ready for the client.
    pub(super) pieces: Vec<Bytes>,
    /// Whether the provider has ended its answer already.
    pub(super) ended: bool,
    /// Estimated tokens of the prompt.
    pub(super) estimate: u32,
    /// When the request came.
    pub(super) began: Instant,
    /// How long its first token took.
    pub(super) to_first: Duration,
}

/// An answer's stream in the client's dialect. It ends with the dialect's own end, or with its
/// error event.
pub struct AnswerStream {
    relay: Relay,
    pieces: Vec<Bytes>,
    flow: Option<Flow>,
}

/// What there is only while the provider still sends.
struct Flow {
    upstream: Arc<Upstream>,
    exchange: Exchange,
    trial: Trial,
    reservation: Reservation,
    received: u64,
    estimate: u32,
    began: Instant,
    to_first: Duration,
    _counted: Guard,
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream").field("flows", &self.flow.is_some()).finish_non_exhaustive()
    }
}

impl AnswerStream {
    pub(super) fn new(
        begun: Begun,
        trial: Trial,
        reservation: Reservation,
        counted: Guard,
    ) -> Self {
        let flow = Flow {
            upstream: begun.upstream,
            exchange: begun.exchange,
            trial,
            reservation,
            received: 0,
            estimate: begun.estimate,
            began: begun.began,
            to_first: begun.to_first,
            _counted: counted,
        };
        let mut stream = Self { relay: begun.relay, pieces: begun.pieces, flow: Some(flow) };
        if begun.ended {
            stream.finish();
        }
        stream
    }

    /// Takes what the provider has ready. Returns whether there is nothing more to wait for.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(flow) = &mut self.flow {
            if gathered(&self.pieces) >= GATHER_BYTES {
                return true;
            }
            let polled = flow.exchange.pump.poll_next(cx);
            let done = self.relay.facts().done;
            match polled {
                // The answer is whole: how its transfer ends is not the client's affair.
                Poll::Pending | Poll::Ready(Err(_)) if done => self.finish(),
                Poll::Pending => return false,
                Poll::Ready(Ok(Some(chunk))) => self.take(&chunk),
                Poll::Ready(Ok(None)) => self.end(),
                Poll::Ready(Err(failure)) => self.break_off(failure),
            }
        }
        true
    }

    fn take(&mut self, chunk: &Bytes) {
        let Some(flow) = &mut self.flow else { return };
        flow.received += chunk.len() as u64;
        let most = flow.upstream.config().max_answer.saturating_mul(LONGEST_STREAM);
        if flow.received > most {
            let why = format!("the stream is longer than {most} bytes (max_answer)");
            let failure = Failure::bad_answer(flow.trial.name(), &why);
            return self.break_off(failure);
        }
        if self.relay.wants_times() {
            self.relay.took(Took { to_first: flow.to_first, total: flow.began.elapsed() });
        }
        let before = self.pieces.len();
        let pushed = self.relay.push(chunk, &mut self.pieces);
        if let Some(error) = self.cut() {
            // The end of this answer is not one: the prompt had been cut.
            self.pieces.truncate(before);
            return self.break_off(Failure::passed_by(error));
        }
        match pushed {
            Ok(()) => self.hold(),
            Err(broken) => self.broken(broken),
        }
    }

    fn cut(&self) -> Option<Error> {
        let flow = self.flow.as_ref()?;
        cut(&flow.upstream, &flow.trial, flow.exchange.num_ctx, self.relay.facts().usage)
    }

    fn hold(&mut self) {
        let bytes = ATTEMPT_BYTES + self.relay.held_bytes() + gathered(&self.pieces);
        let Some(flow) = &mut self.flow else { return };
        if let Err(failure) = hold(&mut flow.reservation, bytes) {
            self.break_off(failure);
        }
    }

    fn end(&mut self) {
        match self.relay.end(&mut self.pieces) {
            Ok(()) => self.finish(),
            Err(broken) => self.broken(broken),
        }
    }

    fn finish(&mut self) {
        let Some(flow) = self.flow.take() else { return };
        let facts = self.relay.facts();
        if let (Some(usage), Some(_)) = (facts.usage, flow.exchange.num_ctx) {
            let model = &flow.trial.target().model;
            flow.upstream.learn_prompt(model, flow.estimate, usage.input_tokens);
        }
        flow.trial.succeeded(facts.usage.as_ref());
        flow.upstream.let_end(flow.exchange.pump);
    }

    fn broken(&mut self, broken: Broken) {
        let Some(flow) = &self.flow else { return };
        let failure = Failure::broken(flow.trial.name(), broken);
        self.break_off(failure);
    }

    /// A part of the answer has gone out, so there is no other target: the client is told.
    fn break_off(&mut self, failure: Failure) {
        let Some(flow) = self.flow.take() else { return };
        let failure = flow.trial.failed(failure);
        tracing::info!(error = failure.error.for_log(), "a stream broke off");
        self.relay.error(&failure.error, &mut self.pieces);
    }

    fn gather(&mut self) -> Bytes {
        if self.pieces.len() == 1
            && let Some(only) = self.pieces.pop()
        {
            return only;
        }
        let mut whole = BytesMut::with_capacity(gathered(&self.pieces));
        for piece in self.pieces.drain(..) {
            whole.extend_from_slice(&piece);
        }
        whole.freeze()
    }
}

fn gathered(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

impl Body for AnswerStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let all = self.advance(cx);
        if self.pieces.is_empty() {
            return if all { Poll::Ready(None) } else { Poll::Pending };
        }
        Poll::Ready(Some(Ok(Frame::data(self.gather()))))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_none() && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
