//! Bodies both ways: a client's is read whole under a reservation, ours is whole or a stream.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::budget::{Budget, Reservation};
use crate::chat::{Error, Kind};
use crate::dispatch::{AnswerStream, budget_error};
use crate::server::conn::Busy;
use crate::server::events::Events;
use crate::server::failed::Failed;

/// A body's bytes are held several times over while they are served: as they came, decoded, and
/// as they go to a provider.
pub(super) const COPIES: usize = 3;

/// Reads a request's body whole.
///
/// # Errors
/// 413 over `max`, 503 or 413 over the memory budget, 400 where it breaks off.
pub(super) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    max: u64,
    budget: &Arc<Budget>,
) -> Result<(Bytes, Reservation), Failed> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length: Option<u64> = length;
    if length.is_some_and(|length| length > max) {
        return Err(unread(too_large(max)));
    }
    let first = usize::try_from(length.unwrap_or_default()).unwrap_or(usize::MAX);
    let mut reservation = reserve(budget, first)?;
    if first == 0 && body.size_hint().exact() == Some(0) {
        return Ok((Bytes::new(), reservation));
    }
    let whole = collect(body, max, &mut reservation).await?;
    Ok((whole, reservation))
}

async fn collect(
    mut body: Incoming,
    max: u64,
    reservation: &mut Reservation,
) -> Result<Bytes, Failed> {
    // A copy, also of what came in one piece: hyper reads on into the same buffer as soon as nobody
    // holds on to it, and would take another one of 8 KiB.
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            unread(Error::invalid(format!("the request's body broke off: {error}")))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let size = whole.len() + data.len();
        if size as u64 > max {
            return Err(unread(too_large(max)));
        }
        let missing = (size * COPIES).saturating_sub(reservation.bytes());
        reservation.grow(missing).map_err(|shed| unread(budget_error(&shed)))?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn reserve(budget: &Arc<Budget>, length: usize) -> Result<Reservation, Failed> {
    budget.reserve(length.saturating_mul(COPIES)).map_err(|shed| unread(budget_error(&shed)))
}

fn too_large(max: u64) -> Error {
    Error::new(
        Kind::TooLarge,
        format!("the body is larger than {max} bytes; see max_body in [server]"),
    )
}

/// An error that comes before the rest of the request was read.
pub(super) fn unread(error: Error) -> Failed {
    Failed { unread: true, ..error.into() }
}

/// Whether a body's type and encoding are those that a path takes.
///
/// # Errors
/// 415 that says what is taken. A form, or text where JSON is wanted, is what a web page can send
/// without asking first, so this is a wall as well as a courtesy.
pub(super) fn check_type(headers: &HeaderMap, wanted: Wanted) -> Result<(), Failed> {
    check_plain(headers)?;
    let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let essence = given.map(|text| text.split(';').next().unwrap_or_default().trim());
    let fits = match wanted {
        Wanted::Json => essence.is_some_and(|it| it.eq_ignore_ascii_case("application/json")),
        Wanted::Text => essence.is_none_or(|it| it.eq_ignore_ascii_case("text/plain")),
    };
    if fits {
        return Ok(());
    }
    let wanted = match wanted {
        Wanted::Json => "application/json",
        Wanted::Text => "text/plain",
    };
    let given = essence.unwrap_or("none");
    let message = format!("the body must be Content-Type: {wanted}, and is {given}");
    Err(unread(Error::new(Kind::UnsupportedMedia, message)))
}

/// Whether a body comes as it is.
///
/// # Errors
/// 415: what inflates is not taken, or a small body could fill the memory.
pub(super) fn check_plain(headers: &HeaderMap) -> Result<(), Failed> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let message = "a body with Content-Encoding is not taken; send it as it is";
    Err(unread(Error::new(Kind::UnsupportedMedia, message)))
}

/// What a path takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Json,
    Text,
}

/// A response's body.
pub(in crate::server) struct Reply {
    content: Content,
    /// The memory that it takes.
    _memory: Option<Reservation>,
    /// Its connection is not idle before it is gone.
    _busy: Option<Busy>,
}

enum Content {
    /// All of it.
    Whole(Option<Bytes>),
    /// An answer as it comes.
    Stream(Box<AnswerStream>),
    /// What happens to a job, or with a summary.
    Events(Events),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.content {
            Content::Whole(_) => "Whole",
            Content::Stream(_) => "Stream",
            Content::Events(_) => "Events",
        })
    }
}

impl Reply {
    pub(super) fn whole(body: Bytes) -> Self {
        let body = Some(body).filter(|body| !body.is_empty());
        Self { content: Content::Whole(body), _memory: None, _busy: None }
    }

    pub(super) fn stream(stream: Box<AnswerStream>) -> Self {
        Self { content: Content::Stream(stream), _memory: None, _busy: None }
    }

    pub(super) fn events(events: Events) -> Self {
        Self { content: Content::Events(events), _memory: None, _busy: None }
    }

    /// Takes the body out, if it is there as a whole.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.content {
            Content::Whole(body) => Some(body.take().unwrap_or_default()),
            Content::Stream(_) | Content::Events(_) => None,
        }
    }

    /// Holds the memory until the body is gone.
    #[must_use]
    pub(super) fn holding(self, reservation: Reservation) -> Self {
        Self { _memory: Some(reservation), ..self }
    }

    /// Keeps the connection busy until the body is gone.
    #[must_use]
    pub(super) fn keeping(self, busy: Busy) -> Self {
        Self { _busy: Some(busy), ..self }
    }

    /// The same without a body, for HEAD.
    #[must_use]
    pub(super) fn emptied(self) -> Self {
        Self { content: Content::Whole(None), ..self }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Content::Stream(stream) => Pin::new(stream.as_mut()).poll_frame(cx),
            Content::Events(events) => events.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(body) => body.is_none(),
            Content::Stream(stream) => stream.is_end_stream(),
            Content::Events(events) => events.has_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Content::Stream(stream) => stream.size_hint(),
            Content::Events(_) => SizeHint::default(),
        }
    }
}
