//! A job's changes as server-sent events (WHATWG HTML, section 9.2): each is the job as it then was.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use crate::queue::{JobKey, Watch};
use crate::server::Gateway;
use crate::server::body::Reply;
use crate::server::events::{COMMENT, Events, Feed, STILL_HERE};
use crate::server::failed::Failed;
use crate::server::jobs::{known, view};
use crate::server::names::LAST_EVENT_ID;
use crate::server::respond;

/// GET of a job's events: what it has not seen yet, then every change, until the job has ended.
pub(super) async fn stream(
    gateway: &Arc<Gateway>,
    key: JobKey,
    headers: &HeaderMap,
) -> Result<Response<Reply>, Failed> {
    let seen = headers.get(&LAST_EVENT_ID).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let job = known(&gateway.queue, &key).await?;
    if job.state.is_final() && seen.as_deref() == Some(&view::version(&job)) {
        // By this a browser knows that it need not come again.
        let mut response = Response::new(Reply::whole(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    }
    let watch = gateway.queue.watch(&key);
    let feed = Changes { gateway: Arc::clone(gateway), key, watch, seen };
    Ok(respond::events(Events::of(feed)))
}

/// What the events are made of.
struct Changes {
    gateway: Arc<Gateway>,
    key: JobKey,
    watch: Watch,
    seen: Option<String>,
}

impl Feed for Changes {
    async fn next(mut self) -> (Bytes, Option<Self>) {
        loop {
            let changed = self.watch.changed();
            let job = match self.gateway.queue.job(self.key.clone()).await {
                Ok(Some(job)) => job,
                Ok(None) => return (Bytes::from_static(b"event: gone\ndata: {}\n\n"), None),
                // The job is not gone: its client comes again, and goes on from what it has seen.
                Err(_) => return (Bytes::from_static(b": not now\n\n"), None),
            };
            let version = view::version(&job);
            if self.seen.as_ref() != Some(&version) {
                let event = format!(
                    "id: {version}\nevent: {}\ndata: {}\n\n",
                    job.state.word(),
                    view::object(&job)
                );
                self.seen = Some(version);
                return (event.into(), (!job.state.is_final()).then_some(self));
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(STILL_HERE) => {
                    return (Bytes::from_static(COMMENT), Some(self));
                }
                () = self.gateway.drain.started() => {
                    return (Bytes::from_static(b": the service stops\n\n"), None);
                }
            }
        }
    }
}
