//! The body of a provider's response, piece by piece, with the deadlines that apply to it.
//!
//! Nothing is read ahead: a piece is read when the one before has gone on, so that a slow client
//! slows the provider down and memory stays flat.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep};

use crate::provider::failure::{Failure, Phase};

/// A response body with its deadlines.
pub struct Pump {
    body: Incoming,
    target: String,
    phase: Phase,
    idle: Duration,
    request_end: Instant,
    /// Armed late and re-armed only when it fires: a stream that flows costs no timer at all.
    alarm: Pin<Box<Sleep>>,
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
    pub fn new(
        body: Incoming,
        target: String,
        first: Phase,
        idle: Duration,
        request_end: Instant,
    ) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until(first.until));
        Self { body, target, phase: first, idle, request_end, alarm, started: false }
    }

    /// The first token has come: from now on silences are bounded, not the wait as a whole.
    pub fn flowing(&mut self) {
        self.started = true;
        self.rearm();
        // The alarm only ever moves itself forward, so the one move back is made here.
        if self.phase.until < self.alarm.deadline() {
            self.alarm.as_mut().reset(self.phase.until);
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
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return self.poll_alarm(cx).map(Err),
            };
            self.rearm();
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                // Trailers say nothing that we use.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> Failure {
        Failure::fault(format!("{} broke off its answer: {error}", self.target))
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            if Instant::now() >= self.phase.until {
                return Poll::Ready(self.phase.late(&self.target));
            }
            self.alarm.as_mut().reset(self.phase.until);
        }
    }
}
