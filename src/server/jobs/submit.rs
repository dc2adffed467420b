//! Taking a job: what is wrong with it is said at once, and nothing of it is stored then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};

use crate::budget::Reservation;
use crate::chat::{Error, Kind};
use crate::config::Locality;
use crate::dispatch::{Dispatch, Only, Wishes, wished};
use crate::queue::{
    Enqueued, FileName, Fingerprint, Job, JobId, JobKey, QueueError, Submission, Which,
};
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::inference::examine;
use crate::server::jobs::lane::Wanted;
use crate::server::jobs::order::Order;
use crate::server::jobs::parcel::{RequestHead, pack};
use crate::server::jobs::{background, closed, owner_of, place, result, view, wait_for};
use crate::server::names::{IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED};
use crate::server::respond::{JSON, whole};
use crate::server::route::Route;
use crate::server::summaries::{self, Head};
use crate::server::{Asked, Current, Gateway};
use crate::summary::Arrived;

/// A wait after which a queue that is full may have room.
const FULL_WAIT: Duration = Duration::from_secs(30);

/// A request that is to be served later.
pub(in crate::server) struct Asking {
    pub(in crate::server) route: Route,
    pub(in crate::server) query: String,
    pub(in crate::server) body: Bytes,
    pub(in crate::server) beta: Option<HeaderValue>,
    /// The time that the client gives one run, where it says.
    pub(in crate::server) timeout: Option<Duration>,
    pub(in crate::server) wishes: Wishes,
    /// Of a summary: what is known of its document, and its file, where it is not in the body.
    pub(in crate::server) summary: Option<(Head, Option<Arrived>)>,
    pub(in crate::server) memory: Reservation,
}

/// Takes a job, and answers as its client prefers.
pub(in crate::server) async fn take(
    gateway: &Arc<Gateway>,
    current: &Current,
    asked: &Asked,
    caller: &Caller,
    asking: Asking,
    order: Order,
) -> Result<Response<Reply>, Failed> {
    let is_background = order.is_background;
    if is_background {
        background::check(&asking.body)?;
    }
    let named = order.id.is_some();
    let later = order.later;
    let (mut job, replayed) = submit(gateway, current, caller, asking, order).await?;
    if is_background {
        return background::begun(gateway, &job).await;
    }
    if let Some(wait) = later.and_then(|later| later.wait) {
        job = wait_for(gateway, &job.key, wait, |job| job.state.is_final()).await?;
        if let Some(response) = in_time(gateway, &job, named).await? {
            return Ok(response);
        }
    }
    let mut response = accepted(&job);
    let headers = response.headers_mut();
    if replayed {
        headers.insert(&IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    if later.is_some() {
        headers.insert(&PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    }
    tracing::debug!(id = asked.id(), job = %job.key.id, replayed, "taken as a job");
    Ok(response)
}

/// 202 while the job is to be done, 200 once it has ended.
pub(super) fn accepted(job: &Job) -> Response<Reply> {
    let mut response = whole(view::receipt(job), JSON);
    if !job.state.is_final() {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    place(response.headers_mut(), job);
    response
}

/// The answer itself, if it came in time, or why there is none. A job that its client gave no name is then let go: nobody
/// could ask for it again.
async fn in_time(
    gateway: &Arc<Gateway>,
    job: &Job,
    named: bool,
) -> Result<Option<Response<Reply>>, Failed> {
    if !job.state.is_final() {
        return Ok(None);
    }
    let mut response = result(gateway, &job.key, Duration::ZERO, Which::Best).await?;
    if named {
        place(response.headers_mut(), job);
    } else {
        response.headers_mut().remove(LOCATION);
        // The client has its answer in any case; its time would let it go too.
        gateway.queue.remove(job.key.clone()).await.ok();
    }
    let applied = HeaderValue::from_static("respond-async, wait");
    response.headers_mut().insert(&PREFERENCE_APPLIED, applied);
    Ok(Some(response))
}

async fn submit(
    gateway: &Arc<Gateway>,
    current: &Current,
    caller: &Caller,
    mut asking: Asking,
    order: Order,
) -> Result<(Job, bool), Failed> {
    let dispatch = &current.dispatch;
    let path = asking.route.job_path().unwrap_or_default();
    let (model, body) = match &asking.summary {
        None => examine(dispatch, asking.route, &asking.query, &asking.body).await?,
        Some((_, arrived)) => {
            let has_file = arrived.is_some();
            let (query, body) = (&asking.query, &asking.body);
            let (model, place) = summaries::examine(dispatch, query, body, has_file).await?;
            asking.wishes.locality = summaries::together(asking.wishes.locality, place);
            (model, asking.body.clone())
        }
    };
    let wished = wished(&asking.wishes)?;
    let owner = owner_of(caller);
    let locality = match servable(dispatch, &model, &asking.wishes).await {
        Ok(locality) => locality,
        // Whoever might have the model cannot be asked now: that is what jobs are for.
        Err(error) if error.kind == Kind::Unavailable => wished,
        // One that was accepted stays so, also when a reload has taken its model away.
        Err(_) if is_there(gateway, &owner, order.id.as_ref()).await? => wished,
        Err(error) => return Err(error.into()),
    };
    let head = RequestHead {
        query: asking.query,
        beta: asking.beta.as_ref().and_then(|it| it.to_str().ok()).map(str::to_owned),
        timeout_ms: asking.timeout.and_then(|it| u64::try_from(it.as_millis()).ok()),
        refine: order.refine,
        summary: asking.summary.as_ref().map(|(head, _)| head.clone()),
    };
    let stepwise = asking.summary.is_some();
    let wanted = Wanted { locality, only: Only::All, model, extracts: stepwise };
    let payload = pack(&head, &body);
    let id = order.id.unwrap_or_else(|| fresh_id(gateway));
    let submission = Submission {
        key: JobKey { owner, id },
        path: path.to_owned(),
        lane: wanted.lane(),
        // Of what the client said alone: a reload does not make another request of the same.
        fingerprint: Fingerprint::of(&[path.as_bytes(), wished.to_string().as_bytes(), &payload]),
        payload,
        priority: order.priority,
        ttl: order.ttl.unwrap_or(dispatch.config().queue.ttl),
        not_before: order.not_before,
        stepwise,
        file: None,
        file_bytes: 0,
        held: Some(Arc::new(asking.memory)),
    };
    match asking.summary {
        Some((_, Some(arrived))) => with_file(gateway, submission, arrived).await,
        _ => enqueue(gateway, submission).await,
    }
}

/// A job whose document is a file: from its new name on it is the queue's.
async fn with_file(
    gateway: &Arc<Gateway>,
    job: Submission,
    arrived: Arrived,
) -> Result<(Job, bool), Failed> {
    let (file, file_bytes) = (FileName::fresh(), arrived.bytes);
    let folder = gateway.summaries.spool()?.folder();
    // Counted here until the queue counts it.
    let _share = arrived.hand_over(file.path_in(folder)).await?;
    enqueue(gateway, Submission { file: Some(file), file_bytes, ..job }).await
}

/// Where the model may be served by what is configured now.
async fn servable(
    dispatch: &Arc<Dispatch>,
    model: &str,
    wishes: &Wishes,
) -> Result<Locality, Error> {
    let route = dispatch.resolve(model).await?;
    dispatch.may_serve(&route, wishes)
}

async fn is_there(gateway: &Gateway, owner: &Arc<str>, id: Option<&JobId>) -> Result<bool, Failed> {
    let Some(id) = id.cloned() else { return Ok(false) };
    let key = JobKey { owner: Arc::clone(owner), id };
    Ok(gateway.queue.job(key).await.map_err(closed)?.is_some())
}

async fn enqueue(gateway: &Arc<Gateway>, job: Submission) -> Result<(Job, bool), Failed> {
    match gateway.queue.enqueue(job).await {
        Ok(Enqueued::Accepted(job)) => Ok((*job, false)),
        Ok(Enqueued::Replayed(job)) => Ok((*job, true)),
        Ok(Enqueued::Conflict) => Err(Error::new(
            Kind::Mismatch,
            "a job of this id or key was accepted with another request, and is unchanged; use another one for another request",
        )
        .into()),
        Ok(Enqueued::Full(why)) | Err(QueueError::Full(why)) => {
            Err(Error::new(Kind::QueueFull, why).retry_after(FULL_WAIT).into())
        }
        Err(error) => Err(closed(error)),
    }
}

/// An id that nobody else has.
fn fresh_id(gateway: &Gateway) -> JobId {
    let fresh = gateway.ids.next();
    fresh.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| JobId::of_key("job"))
}
