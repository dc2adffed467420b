//! The body of a provider's response, piece by piece, with the deadlines that apply to it.
//!
//! Nothing is read ahead: a piece is read when the one before has gone on, so that a slow client
//! slows the provider down and memory stays flat.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::provider::failure::{Failure, Phase};
use crate::provider::http1::Body;

/// A response body with its deadlines.
pub struct Pump {
    body: Body,
    target: Arc<str>,
    phase: Phase,
    idle: Duration,
    request_end: Instant,
    /// Armed late and re-armed only when it fires: a stream that flows costs no timer at all.
    alarm: Option<Pin<Box<Sleep>>>,
    started: bool,
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Pump {
    /// Until [`Self::flowing`] is called the whole of `first` bounds the wait; after it, `idle`
    /// bounds each silence. `request_end` bounds all of it.
    pub(super) fn new(
        body: Body,
        target: Arc<str>,
        first: Phase,
        idle: Duration,
        request_end: Instant,
    ) -> Self {
        Self { body, target, phase: first, idle, request_end, alarm: None, started: false }
    }

    /// Whether all of the body has been read.
    pub fn has_ended(&self) -> bool {
        self.body.has_ended()
    }

    /// The first token has come: from now on silences are bounded, not the wait as a whole.
    pub fn flowing(&mut self) {
        self.started = true;
        self.rearm();
        // The alarm only ever moves itself forward, so the one move back is made here.
        if let Some(alarm) = &mut self.alarm
            && self.phase.until < alarm.deadline()
        {
            alarm.as_mut().reset(self.phase.until);
        }
    }

    fn rearm(&mut self) {
        if self.started {
            self.phase = Phase::begin("further piece of its answer", self.idle, self.request_end);
        }
    }

    /// The next piece; `None` at the end of the body.
    ///
    /// # Errors
    /// The connection broke, or a deadline passed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`Self::next`] for a caller that is polled itself.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let Poll::Ready(piece) = self.body.poll_next(cx) else {
            return self.poll_alarm(cx).map(Err);
        };
        self.rearm();
        Poll::Ready(piece.map_err(|error| self.broken(&error)))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        Failure::fault(format!("{} broke off its answer: {error}", self.target))
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let until = self.phase.until;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        loop {
            ready!(alarm.as_mut().poll(cx));
            if Instant::now() >= until {
                return Poll::Ready(self.phase.late(&self.target));
            }
            alarm.as_mut().reset(until);
        }
    }
}
