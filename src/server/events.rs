//! A stream of server-sent events (WHATWG HTML, section 9.2) that is made as it is taken.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;

/// How often a client that nothing is said to is told that it is not forgotten.
pub(in crate::server) const STILL_HERE: Duration = Duration::from_secs(15);

/// What it is told: a comment, which no reader takes for an event.
pub(in crate::server) const COMMENT: &[u8] = b": still here\n\n";

/// A piece, and what comes after it; nothing comes after the end.
type Step = Pin<Box<dyn Future<Output = (Bytes, Option<Events>)> + Send>>;

/// The body of such a stream.
pub(in crate::server) struct Events(Option<Step>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// What such a stream is made of.
pub(in crate::server) trait Feed: Sized + Send + 'static {
    /// The next piece, and what comes after it.
    fn next(self) -> impl Future<Output = (Bytes, Option<Self>)> + Send;
}

impl Events {
    /// All that the feed has.
    pub(in crate::server) fn of(feed: impl Feed) -> Self {
        Self(Some(Box::pin(async move {
            let (piece, rest) = feed.next().await;
            (piece, rest.map(Self::of))
        })))
    }

    /// The next piece.
    pub(in crate::server) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(step) = &mut self.0 else { return Poll::Ready(None) };
        let (piece, rest) = ready!(step.as_mut().poll(cx));
        self.0 = rest.and_then(|rest| rest.0);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    /// Whether nothing more comes.
    pub(in crate::server) fn has_ended(&self) -> bool {
        self.0.is_none()
    }
}
