//! HTTP/1.1 towards a provider (RFC 9112), over a connection that is there.
//!
//! hyper would hold two buffers of 8 KiB for each connection and hand every piece of a body from
//! its own task to ours. A gateway's streams wait most of their time, a thousand of them at once,
//! so here a connection that waits holds nothing: bytes are read into one buffer that all
//! connections of the thread share, as soon as there are any, and what is content of one read
//! goes on in one piece. Heads are parsed by httparse, which is hyper's parser too.

mod coding;
mod head;

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::provider::connect::Conn;
use crate::provider::http1::coding::{Bad, Coding};
use crate::provider::pool::Pool;

pub(super) use head::{Head, Media};

/// What one read can bring.
const SCRATCH_BYTES: usize = 16 * 1024;

/// Largest head of a response, in bytes.
const LARGEST_HEAD: usize = 8 * 1024;

thread_local! {
    /// Where reads go. Nothing stays in it from one poll to the next.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Reads once, and hands what came to `take`; an empty slice is the end.
fn poll_read<T>(
    conn: &mut Conn,
    cx: &mut Context<'_>,
    take: impl FnOnce(&mut [u8]) -> T,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(conn).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(take(buffer.filled_mut())))
    })
}

/// Why there is no head of a response.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The connection ended or broke before a byte of it came.
    Silent(String),
    /// It broke within the head, or the head is none.
    Broken(String),
}

/// Sends a request and waits for the head of its response.
///
/// # Errors
/// Why there is none.
pub(super) async fn exchange(
    conn: Conn,
    home: &Arc<Pool>,
    head: &[u8],
    body: &[u8],
) -> Result<(Head, Body), NoHead> {
    let mut call = Exchange { conn, unsent: [head, body], sent: Ok(()), held: Vec::new() };
    let (head, ahead) = poll_fn(|cx| call.poll(cx)).await?;
    let all_sent = call.unsent.iter().all(|part| part.is_empty()) && call.sent.is_ok();
    let home = (head.keeps_alive && all_sent).then(|| Arc::clone(home));
    let beyond = ahead.len();
    let mut body = Body { conn: Some(call.conn), coding: head.coding, ahead, home };
    // A response without a body has ended already.
    body.settle(beyond);
    Ok((head, body))
}

/// A request on its way out, and its response's head on its way in.
struct Exchange<'a> {
    conn: Conn,
    unsent: [&'a [u8]; 2],
    sent: io::Result<()>,
    /// A head that is not whole yet.
    held: Vec<u8>,
}

impl Exchange<'_> {
    /// A provider may answer before it has read everything, and not read on then.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Head, Vec<u8>), NoHead>> {
        if self.sent.is_ok()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            self.sent = Err(error);
        }
        loop {
            let held = &mut self.held;
            let read = ready!(poll_read(&mut self.conn, cx, |bytes| whole_head(held, bytes)));
            match read {
                Ok(Ok(Some(found))) => return Poll::Ready(Ok(found)),
                Ok(Ok(None)) => {}
                Ok(Err(no_head)) => return Poll::Ready(Err(no_head)),
                Err(error) => return Poll::Ready(Err(self.broken(&error))),
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.iter().all(|part| part.is_empty()) {
            let parts = self.unsent.map(io::IoSlice::new);
            let sent = ready!(Pin::new(&mut self.conn).poll_write_vectored(cx, &parts))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let [head, body] = &mut self.unsent;
            let of_head = sent.min(head.len());
            *head = head.get(of_head..).unwrap_or_default();
            *body = body.get(sent - of_head..).unwrap_or_default();
        }
        Pin::new(&mut self.conn).poll_flush(cx)
    }

    /// What it means that reading failed; that writing had failed before says more.
    fn broken(&self, error: &io::Error) -> NoHead {
        let why = self.sent.as_ref().err().unwrap_or(error).to_string();
        match self.held.is_empty() {
            true => NoHead::Silent(why),
            false => NoHead::Broken(why),
        }
    }
}

/// Looks for a whole head in what was held and what came; what stands behind it comes back too.
fn whole_head(held: &mut Vec<u8>, came: &[u8]) -> Result<Option<(Head, Vec<u8>)>, NoHead> {
    match (came.is_empty(), held.is_empty()) {
        (true, true) => return Err(NoHead::Silent("it closed the connection".to_owned())),
        (true, false) => return Err(NoHead::Broken("it closed the connection".to_owned())),
        (false, _) => {}
    }
    // Most heads come in one piece, and are read where they are.
    if !held.is_empty() {
        held.extend_from_slice(came);
    }
    let mut bytes = if held.is_empty() { came } else { held.as_slice() };
    let not_http = |why| NoHead::Broken(format!("it does not speak HTTP/1.1 ({why})"));
    let too_large = || NoHead::Broken(format!("its head is larger than {LARGEST_HEAD} bytes"));
    while let Some((head, length)) = Head::parse(bytes).map_err(not_http)? {
        if length > LARGEST_HEAD {
            return Err(too_large());
        }
        bytes = bytes.get(length..).unwrap_or_default();
        if !head.is_interim() {
            return Ok(Some((head, bytes.to_vec())));
        }
    }
    if bytes.len() > LARGEST_HEAD {
        return Err(too_large());
    }
    *held = bytes.to_vec();
    Ok(None)
}

/// The body of a response. Whole, it gives its connection back; dropped before, it closes it.
pub(super) struct Body {
    conn: Option<Conn>,
    coding: Coding,
    /// What came with the head.
    ahead: Vec<u8>,
    /// Where the connection goes when the body has ended, if it may be used again.
    home: Option<Arc<Pool>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("coding", &self.coding).finish_non_exhaustive()
    }
}

impl Body {
    /// Whether all of it has been read.
    pub(super) fn has_ended(&self) -> bool {
        self.conn.is_none()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or what came is no body.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let piece = match take(&mut self.ahead) {
                ahead if ahead.is_empty() => {
                    let Some(conn) = &mut self.conn else { return Poll::Ready(Ok(None)) };
                    let coding = &mut self.coding;
                    let read = ready!(poll_read(conn, cx, |bytes| decode(coding, bytes)));
                    read.and_then(|decoded| decoded)
                }
                ahead => decode_ahead(&mut self.coding, ahead),
            };
            match piece {
                Ok((content, beyond)) => {
                    self.settle(beyond);
                    if !content.is_empty() {
                        return Poll::Ready(Ok(Some(content)));
                    }
                }
                Err(error) => {
                    self.conn = None;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Gives the connection back if the body has ended. Bytes beyond it are of no answer that
    /// was asked for: such a connection is not used again.
    fn settle(&mut self, beyond: usize) {
        if !self.coding.has_ended() {
            return;
        }
        if let (Some(conn), Some(home), 0) = (self.conn.take(), self.home.take(), beyond) {
            home.put(conn);
        }
    }
}

/// The content of what was read, and how many bytes stand behind the body's end.
fn decode(coding: &mut Coding, bytes: &mut [u8]) -> io::Result<(Bytes, usize)> {
    if bytes.is_empty() {
        if *coding != Coding::UntilClose {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed before its end",
            ));
        }
        *coding = Coding::Ended;
        return Ok((Bytes::new(), 0));
    }
    let decoded = coding.decode(bytes).map_err(not_chunks)?;
    let content = Bytes::copy_from_slice(bytes.get(..decoded.content).unwrap_or_default());
    Ok((content, bytes.len() - decoded.used))
}

/// The same for what came with the head, which is ours already.
fn decode_ahead(coding: &mut Coding, mut ahead: Vec<u8>) -> io::Result<(Bytes, usize)> {
    let decoded = coding.decode(&mut ahead).map_err(not_chunks)?;
    let beyond = ahead.len() - decoded.used;
    ahead.truncate(decoded.content);
    Ok((Bytes::from(ahead), beyond))
}

fn not_chunks(_: Bad) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its chunks are not those of HTTP/1.1")
}
