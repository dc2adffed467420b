//! From a document to its text.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::budget::Budget;
use crate::chat::{Error, Kind as ErrorKind};
use crate::config::Config;
use crate::dispatch::budget_error;
use crate::summary::disk::{self, SharedFile};
use crate::summary::extract::{self, Kind, Limits, Program, Refused, Report, charset_of};
use crate::summary::spool::{Passing, Share, Spool};
use crate::summary::text::Text;

/// Memory of a process of edgehold beside what it reads.
const PROCESS_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes of a document by which its kind is told.
const HEAD: usize = 4096;

/// What to say where that cannot be done.
const UNREAD: &str = "the document cannot be read here";

/// A document's text may be this much longer than the longest document.
const TEXT_SPARE: u64 = 2;

/// A document as it was handed in.
#[derive(Debug)]
pub struct Document {
    /// All of it.
    pub content: Content,
    /// Its media type, as it was said.
    pub media: Option<String>,
    /// Its file's name, as it was said.
    pub name: Option<String>,
}

/// Where a document is.
#[derive(Debug)]
pub enum Content {
    /// In a file, of so many bytes.
    File(SharedFile, u64),
    /// Here.
    Text(Arc<String>),
}

/// Reads documents, one at a time: what one may take of the memory is a large part of it.
#[derive(Debug)]
pub(super) struct Reading {
    program: Program,
    turn: Semaphore,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) text: Text,
    pub(super) report: Report,
    /// What the text takes of the quota.
    pub(super) _share: Share,
}

impl Reading {
    pub(super) fn new(runner: Vec<String>) -> Self {
        let own = PathBuf::from("/proc/self/exe");
        // The link leads to this very program, also when its file has been replaced; an emulator would
        // find itself there.
        let path = match runner.is_empty() {
            true => own,
            false => fs::read_link(&own).unwrap_or(own),
        };
        Self { program: Program { runner, path }, turn: Semaphore::new(1) }
    }

    /// Reads a document, within its limits and until `end`.
    pub(super) async fn read(
        &self,
        document: &Document,
        spool: &Spool,
        config: &Config,
        budget: &Arc<Budget>,
        end: Instant,
    ) -> Result<Read, Error> {
        let late = || {
            let message = "another document is being read; come again, or hand this one in as a job (Prefer: respond-async)";
            Error::new(ErrorKind::Timeout, message).retry_after(Duration::from_secs(2))
        };
        let turn = tokio::time::timeout_at(end, self.turn.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(late()) };
        let limits = limits(config, end);
        let wanted = usize::try_from(limits.memory + PROCESS_BYTES).unwrap_or(usize::MAX);
        let _memory = budget.reserve(wanted).map_err(|shed| budget_error(&shed))?;
        let (file, _held) = file_of(document, spool).await?;
        let kind = kind_of(document).await?;
        let text = spool.passing().await?;
        let out = text.file.try_clone().map_err(disk::failed(UNREAD))?;
        let charset = match document.content {
            Content::Text(_) => Some("utf-8"),
            Content::File(..) => document.media.as_deref().and_then(charset_of),
        };
        let report = extract::extract(&self.program, kind, charset, file, out, &limits).await;
        let report = report.map_err(refused)?;
        if report.text_bytes == 0 {
            return Err(Error::invalid("there is no text in the document"));
        }
        let mut share = text.share;
        share.hold(report.text_bytes);
        let text = Text::new(text.file, report.text_bytes);
        Ok(Read { text, report, _share: share })
    }
}

fn limits(config: &Config, end: Instant) -> Limits {
    let cpu = config.summaries.time;
    let left = end.saturating_duration_since(Instant::now());
    Limits {
        wall: cpu.saturating_mul(4).min(left),
        text: config.server.max_document.saturating_mul(TEXT_SPARE),
        ..Limits::new(config.summaries.memory, cpu)
    }
}

/// The document's file, and what keeps it.
async fn file_of(document: &Document, spool: &Spool) -> Result<(File, Option<Passing>), Error> {
    match &document.content {
        Content::File(file, _) => {
            let mut file = file.try_clone().map_err(disk::failed(UNREAD))?;
            // It stands where its writing ended.
            file.rewind().map_err(disk::failed(UNREAD))?;
            Ok((file, None))
        }
        Content::Text(text) => {
            let passing = spool.passing().await?;
            let (file, text) = (passing.file.clone(), text.clone());
            disk::small(move || file.write_all_at(text.as_bytes(), 0))
                .await
                .map_err(disk::failed(UNREAD))?;
            Ok((passing.file.try_clone().map_err(disk::failed(UNREAD))?, Some(passing)))
        }
    }
}

async fn kind_of(document: &Document) -> Result<Kind, Error> {
    let Content::File(file, _) = &document.content else { return Ok(Kind::Text) };
    let file = file.clone();
    let read = disk::small(move || {
        let mut head = [0; HEAD];
        file.read_at(&mut head, 0).map(|count| (head, count))
    });
    let (head, count) = read.await.map_err(disk::failed(UNREAD))?;
    let head = head.get(..count).unwrap_or_default();
    Kind::of(document.media.as_deref(), document.name.as_deref(), head).map_err(refused)
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Unsupported(why) => Error::new(ErrorKind::UnsupportedMedia, why),
        Refused::Unreadable(why) => Error::invalid(why),
        Refused::TooLarge(why) => Error::new(ErrorKind::TooLarge, why),
        Refused::Failed(why) => disk::failed(UNREAD)(io::Error::other(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_a_parameter() {
        let table = [
            ("text/plain; charset=latin1", Some("latin1")),
            ("text/html; x=y; Charset=\"UTF-8\"", Some("UTF-8")),
            ("text/plain", None),
        ];
        for (media, want) in table {
            assert_eq!(charset_of(media), want, "{media}");
        }
    }
}
