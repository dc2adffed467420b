//! Summaries as jobs: what is kept of one beside its document, and doing it in steps.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::chat::{Error, Kind};
use crate::config::Locality;
use crate::dispatch::{Allowance, Dispatch, Wishes};
use crate::queue::{JobFile, Queue, Step};
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::summaries::accept::Accept;
use crate::server::summaries::receive::text_and_options;
use crate::server::summaries::{answer, name, together, wish};
use crate::server::{Current, Gateway};
use crate::summary::{Content, Document, Keep, Kept, Order, Progress, Wish, checksum, disk};

/// What is known of a document beside what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::server) struct Head {
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media: Option<String>,
    /// Its file's name, as its client calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// How long its file is; where it stands in JSON there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    /// The file's checksum (CRC-32C).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc: Option<u32>,
    /// The file's digest (SHA-256), by which the same job is known again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Vec<u8>>,
    /// Whether the answer is the summary's text alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::server) is_text: bool,
}

/// Looks at a summary that is made later: whether it can be read at all, by which model it is to be
/// made, and where.
///
/// # Errors
/// What is wrong with it.
pub(in crate::server) async fn examine(
    dispatch: &Arc<Dispatch>,
    query: &str,
    body: &[u8],
    has_file: bool,
) -> Result<(String, Locality), Error> {
    let mut wish = wish(query)?;
    if !has_file {
        text_and_options(body, &mut wish)?;
    }
    Ok((name(dispatch, &wish).await, wish.locality))
}

/// One run of such a job.
pub(in crate::server) struct Rerun<'a> {
    pub(in crate::server) gateway: &'a Arc<Gateway>,
    pub(in crate::server) current: &'a Current,
    pub(in crate::server) head: &'a Head,
    pub(in crate::server) query: &'a str,
    pub(in crate::server) body: &'a Bytes,
    pub(in crate::server) file: Option<&'a JobFile>,
    /// The job's place in the order of acceptance.
    pub(in crate::server) seq: i64,
    pub(in crate::server) id: &'a HeaderValue,
    /// The model's name, settled when the job was taken.
    pub(in crate::server) name: &'a str,
    pub(in crate::server) wishes: Wishes,
    pub(in crate::server) allowance: &'a Arc<Allowance>,
}

/// Makes the summary, going on where the run before has stopped.
pub(in crate::server) async fn rerun(run: Rerun<'_>) -> Result<Response<Reply>, Failed> {
    let mut wish = wish(run.query)?;
    let content = content(&run, &mut wish).await?;
    let document = Document { content, media: run.head.media.clone(), name: run.head.name.clone() };
    let order = Order {
        dispatch: &run.current.dispatch,
        budget: &run.gateway.budget,
        wish: &wish,
        name: run.name,
        // A job can wait for its model.
        may_extract: false,
        locality: together(run.wishes.locality, wish.locality),
        end: run.wishes.end,
        only: &run.wishes.only,
        id: run.id,
        allowance: Some(run.allowance),
    };
    let keep = Steps { queue: &run.gateway.queue, seq: run.seq };
    let (progress, _) = watch::channel(Progress::default());
    let summary = run.gateway.summaries.make(&order, &document, &keep, &progress).await?;
    run.gateway.metrics.summary(summary.method.word(), &summary.coverage.counts());
    let accept = if run.head.is_text { Accept::Text } else { Accept::Json };
    Ok(answer::whole(&summary, run.id, accept))
}

async fn content(run: &Rerun<'_>, wish: &mut Wish) -> Result<Content, Error> {
    let Some(job_file) = run.file else {
        return text_and_options(run.body, wish).map(|text| Content::Text(text.into()));
    };
    let altered = || {
        Error::new(
            Kind::Internal,
            "what is stored of the document is not what was stored: the disk altered it; hand it in again",
        )
    };
    let (path, bytes) = (job_file.path.clone(), job_file.bytes);
    let read = disk::whole(move || {
        let file = File::open(path)?;
        checksum(&file, bytes).map(|crc| (file, crc))
    });
    let (file, crc) = read.await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => disk::failed("the document cannot be read")(error),
        _ => altered(),
    })?;
    if Some(crc) != run.head.crc {
        return Err(altered());
    }
    Ok(Content::File(file.into(), bytes))
}

/// The steps of a job, in the queue.
struct Steps<'a> {
    queue: &'a Queue,
    seq: i64,
}

impl Keep for Steps<'_> {
    async fn kept(&self, after: Option<u64>) -> Kept {
        match self.queue.steps(self.seq, after).await {
            Ok(found) => Kept {
                steps: found.steps.into_iter().map(|step| (step.number, step.data)).collect(),
                next: found.next,
            },
            // They are done again.
            Err(error) => {
                tracing::warn!(%error, "what was done of a summary cannot be read");
                Kept::default()
            }
        }
    }

    async fn keep(&self, number: u64, step: Vec<u8>, calls: u32) {
        let step = Step { number, data: step.into(), calls };
        if let Err(error) = self.queue.keep(self.seq, step).await {
            tracing::warn!(%error, "a step of a summary cannot be kept");
        }
    }
}
