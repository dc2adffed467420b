//! A summary as it goes out.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderValue, Response};
use serde_json::json;
use tokio::sync::watch;

use crate::config::Target;
use crate::dispatch::Trail;
use crate::server::body::Reply;
use crate::server::events::{COMMENT, Events, Feed, STILL_HERE};
use crate::server::failed::Failed;
use crate::server::respond::{self, JSON, TEXT, with_trail};
use crate::server::summaries::Work;
use crate::server::summaries::accept::Accept;
use crate::summary::{Progress, Summary};

/// The whole summary.
pub(super) fn whole(summary: &Summary, id: &HeaderValue, accept: Accept) -> Response<Reply> {
    let response = match accept {
        Accept::Text => respond::whole(format!("{}\n", summary.text), TEXT),
        Accept::Events | Accept::Json => {
            let id = id.to_str().unwrap_or_default();
            respond::whole(format!("{}\n", summary.json(id)), JSON)
        }
    };
    match Target::parse(&summary.target) {
        Some(target) => {
            let trail = Trail { target, attempts: summary.calls(), place: summary.place };
            with_trail(response, &trail)
        }
        None => response,
    }
}

/// Progress as it is made, then the summary or why there is none.
pub(super) fn events(work: Work) -> Response<Reply> {
    let (sender, progress) = watch::channel(Progress::default());
    let id = work.id.clone();
    let making = Box::pin(async move {
        match work.run(&sender).await {
            Ok(summary) => {
                event("result", &summary.json(id.to_str().unwrap_or_default()).to_string())
            }
            Err(failed) => event("error", &problem(&failed)),
        }
    });
    respond::events(Events::of(Making { making, progress }))
}

fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {}\n\n", data.trim_end()).into()
}

fn problem(failed: &Failed) -> String {
    let retry = failed.error.retry_after.map(|wait| json!(wait.as_secs_f64().ceil()));
    let mut problem = respond::problem(&failed.error);
    if let (Some(retry), Some(fields)) = (retry, problem.as_object_mut()) {
        fields.insert("retry_after".to_owned(), retry);
    }
    problem.to_string()
}

/// What the events are made of. With it goes the summary: a client that leaves ends its calls.
struct Making {
    making: Pin<Box<dyn Future<Output = Bytes> + Send>>,
    progress: watch::Receiver<Progress>,
}

impl Feed for Making {
    async fn next(mut self) -> (Bytes, Option<Self>) {
        let piece = tokio::select! {
            biased;
            last = &mut self.making => return (last, None),
            Ok(()) = self.progress.changed() => {
                let progress = self.progress.borrow_and_update().json();
                event("progress", &progress.to_string())
            }
            () = tokio::time::sleep(STILL_HERE) => Bytes::from_static(COMMENT),
        };
        (piece, Some(self))
    }
}
