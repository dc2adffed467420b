//! A document in a form (RFC 7578): one file, and options in fields beside it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::budget::Reservation;
use crate::chat::Error;
use crate::server::body::unread;
use crate::server::failed::Failed;
use crate::server::query;
use crate::server::summaries::receive::{Received, finish};
use crate::summary::Arriving;

/// Bytes of a form beside its file.
pub(super) const MOST_BESIDE: u64 = 64 * 1024;

/// The same, and what of the file has come and is still to be written.
const MOST_HELD: u64 = MOST_BESIDE + 64 * 1024;

/// Longest value of an option.
const LONGEST_OPTION: usize = 2048;

/// What parts the fields.
pub(super) struct Boundary(String);

impl Boundary {
    /// As the Content-Type names it.
    pub(super) fn of(media: &str) -> Result<Self, Error> {
        multer::parse_boundary(media).map(Self).map_err(|_| {
            Error::invalid("multipart/form-data wants a boundary in its Content-Type (RFC 7578)")
        })
    }
}

/// A form as it comes. SECURITY: its parser holds what comes before a part begins, however long that
/// is, so that there is a bound on what is no file's.
struct Bounded {
    incoming: Incoming,
    beside: Arc<AtomicU64>,
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.beside.load(Ordering::Relaxed) > MOST_HELD {
            return Poll::Ready(Some(Err("too much of it is no file".into())));
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.beside.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

/// Takes a form in.
pub(super) async fn receive(
    incoming: Incoming,
    boundary: Boundary,
    mut arriving: Arriving,
    memory: Reservation,
) -> Result<Received, Failed> {
    let limits = SizeLimit::new().whole_stream(u64::MAX);
    let constraints = Constraints::new().size_limit(limits);
    let beside = Arc::new(AtomicU64::new(0));
    let stream = BodyDataStream::new(Bounded { incoming, beside: Arc::clone(&beside) });
    let broken = |error: &multer::Error| broken(error, &beside);
    let mut form = Multipart::with_constraints(stream, boundary.0, constraints);
    let (mut query, mut file) = (String::new(), None);
    while let Some(mut field) = form.next_field().await.map_err(|error| broken(&error))? {
        if field.file_name().is_none() && field.name() != Some("file") {
            let (name, value) = option(&mut field, &beside).await?;
            query = query::with(&query, &name, &value);
            continue;
        }
        if file.is_some() {
            let message = "a form holds one file: summarise several one after the other";
            return Err(unread(Error::invalid(message)));
        }
        let media = field.content_type().map(ToString::to_string);
        file = Some((media, field.file_name().map(str::to_owned)));
        while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
            beside.fetch_sub(piece.len() as u64, Ordering::Relaxed);
            arriving.push(&piece).await.map_err(unread)?;
        }
    }
    let Some((media, name)) = file else {
        let message = "there is no file in the form: put the document into a field called file";
        return Err(Error::invalid(message).into());
    };
    let arrived = Some(finish(arriving).await?);
    Ok(Received { query, body: Bytes::new(), arrived, media, name, memory })
}

async fn option(field: &mut Field<'_>, beside: &AtomicU64) -> Result<(String, String), Failed> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut value = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error, beside))? {
        value.extend_from_slice(&piece);
        if value.len() > LONGEST_OPTION {
            let message = format!("an option has more than {LONGEST_OPTION} bytes");
            return Err(unread(Error::invalid_field(name, message)));
        }
    }
    let value = String::from_utf8(value);
    let value = value
        .map_err(|_| unread(Error::invalid_field(&name, "an option must be text in UTF-8")))?;
    Ok((name, value))
}

/// Its words name parts of the form, and repeat nothing of the document.
fn broken(error: &multer::Error, beside: &AtomicU64) -> Failed {
    if beside.load(Ordering::Relaxed) > MOST_HELD {
        let message = format!(
            "a form has at most {MOST_BESIDE} bytes beside its file; is the boundary the one that its Content-Type names?"
        );
        return unread(Error::invalid(message));
    }
    unread(Error::invalid(format!("the form cannot be read: {error}")))
}
