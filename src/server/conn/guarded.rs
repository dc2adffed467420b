//! A client's connection under hyper: strict framing and a deadline for each phase.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::server::conn::Limits;
use crate::server::conn::framing::{Framing, Phase};
use crate::server::conn::idle::{Idle, Seat, SeatHandle};

/// What hyper is handed in place of a breach: no head and no chunk may hold a NUL, so it answers
/// 400 and ends the connection, after it has answered the requests that came before. The line
/// ends are there because hyper does not look at a head again before it seems whole.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// A connection that is watched.
pub struct Guarded<S> {
    stream: S,
    limits: Limits,
    framing: Framing,
    /// A breach was met: nothing more is read, and this is still to be handed over.
    refusal: Option<&'static [u8]>,
    seat: Seat,
    /// When the phase began that the reader is in, or last moved on.
    reading_since: Instant,
    reading: Alarm,
    /// Since when the client has taken nothing.
    stalled_since: Option<Instant>,
    writing: Option<Alarm>,
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("framing", &self.framing).finish_non_exhaustive()
    }
}

/// A timer that is set again only where it would ring too late, or has rung too early.
struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    fn at(deadline: Instant) -> Self {
        Self(Box::pin(tokio::time::sleep_until(deadline)))
    }

    fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.deadline() > deadline {
            self.0.as_mut().reset(deadline);
        }
        loop {
            ready!(self.0.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(deadline);
        }
    }
}

impl<S> Guarded<S> {
    /// Watches a new connection.
    pub fn new(stream: S, limits: &Limits, idle: &Idle) -> Self {
        let now = Instant::now();
        Self {
            stream,
            limits: *limits,
            framing: Framing::default(),
            refusal: None,
            seat: idle.seat(),
            reading_since: now,
            reading: Alarm::at(now + limits.idle),
            stalled_since: None,
            writing: None,
        }
    }

    /// For the connection's service: marks its requests, so that an answer that takes long is
    /// not taken for idleness.
    pub fn seat(&self) -> SeatHandle {
        self.seat.share()
    }

    /// Follows what was read, and takes back what must not be read on.
    fn follow(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let phase = self.framing.phase();
        let fed = self.framing.feed(buf.filled().get(before..).unwrap_or_default());
        if let Err(breach) = fed {
            buf.set_filled(before + breach.keep);
            self.refusal = Some(REFUSED);
            self.refuse(buf);
        }
        let next = self.framing.phase();
        self.seat.set_reading(next == Phase::Head);
        // A head has one deadline from its first byte; a body one from each of its bytes.
        if phase != Phase::Head || next != Phase::Head {
            self.reading_since = Instant::now();
        }
    }

    /// Hands over what is left of the refusal; after it, the end of the stream.
    fn refuse(&mut self, buf: &mut ReadBuf<'_>) {
        let Some(left) = self.refusal else { return };
        let (now, later) = left.split_at(left.len().min(buf.remaining()));
        buf.put_slice(now);
        self.refusal = Some(later);
    }

    /// Nothing is there to read: is that still in order?
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = match self.framing.phase() {
            Phase::Head => self.reading_since + self.limits.header,
            Phase::Body => self.reading_since + self.limits.body,
            Phase::Idle => {
                if self.seat.is_shed(cx.waker()) {
                    return Poll::Ready(Ok(()));
                }
                // hyper does not come back to read when an answer has ended, so the alarm is set
                // while it still runs, and is put off when it rings too early.
                match self.seat.idle_since() {
                    None => Instant::now() + self.limits.idle,
                    Some(since) => since.max(self.reading_since) + self.limits.idle,
                }
            }
        };
        self.reading.poll(deadline, cx).map(|()| Err(late("the client sent nothing for too long")))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        let deadline = since + self.limits.write;
        let alarm = self.writing.get_or_insert_with(|| Alarm::at(deadline));
        alarm.poll(deadline, cx).map(|()| late("the client took nothing for too long"))
    }

    fn written<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_pending() {
            return self.poll_stalled(cx).map(Err);
        }
        self.stalled_since = None;
        done
    }
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.refusal.is_some() {
            this.refuse(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending => this.poll_silence(cx),
            Poll::Ready(Ok(())) => {
                this.follow(buf, before);
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(done, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(done, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(done, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
