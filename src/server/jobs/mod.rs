//! Jobs over HTTP: handed in, looked at, taken back, and done by the queue's worker through the same
//! paths as every other request.

mod background;
mod events;
mod export;
mod lane;
mod order;
mod parcel;
mod prefer;
mod run;
mod submit;
mod view;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::chat::{Error, Kind};
use crate::dispatch::budget_error;
use crate::queue::{
    Found, Job, JobId, JobKey, Listing, NotAnId, Queue, QueueError, Removed, Retried, State, Which,
};
use crate::server::body::{self, Reply, Wanted};
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::jobs::parcel::{AnswerHead, unpack};
use crate::server::jobs::prefer::seconds;
use crate::server::names::{JOB, PROVISIONAL};
use crate::server::respond::{JSON, whole};
use crate::server::route::Route;
use crate::server::{Asked, Current, Gateway, query};

pub(super) use background::background;
pub use export::export_line;
pub(super) use order::Order;
pub use run::Hands;
pub(super) use submit::{Asking, take};

/// When a client is to ask again for what is not there yet, in seconds.
const ASK_AGAIN: u64 = 2;

/// Most jobs on one page of a list, and how many there are where nothing is said.
const LONGEST_PAGE: usize = 100;
const PAGE: usize = 20;

/// Serves one of the paths of jobs.
pub(super) async fn serve(
    gateway: &Arc<Gateway>,
    current: &Current,
    asked: &Asked,
    route: Route,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let method = request.method().clone();
    match (route, method) {
        (Route::Jobs, Method::POST) | (Route::Job, Method::PUT) => {
            create(gateway, current, asked, caller, request).await
        }
        (Route::Jobs, _) => list(gateway, caller, request.uri().query()).await,
        (Route::Job, Method::DELETE) => remove(gateway, &key_of(caller, &request)?).await,
        (Route::JobRetry, _) => retry(gateway, &key_of(caller, &request)?).await,
        (Route::JobResult, _) => {
            let (wait, which) = result_query(request.uri().query())?;
            let key = key_of(caller, &request)?;
            drop(request);
            result(gateway, &key, wait, which).await
        }
        (Route::JobExport, _) => export(gateway, &key_of(caller, &request)?).await,
        (Route::JobEvents, _) => {
            let key = key_of(caller, &request)?;
            events::stream(gateway, key, request.headers()).await
        }
        _ => {
            let wait = wait_query(request.uri().query())?;
            let key = key_of(caller, &request)?;
            drop(request);
            show(gateway, &key, wait).await
        }
    }
}

async fn create(
    gateway: &Arc<Gateway>,
    current: &Current,
    asked: &Asked,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let named = match request.method() {
        &Method::PUT => Some(id_in(request.uri().path())?),
        _ => None,
    };
    let (head, incoming) = request.into_parts();
    body::check_type(&head.headers, Wanted::Json)?;
    let config = current.dispatch.config();
    let reading = body::read(incoming, &head.headers, config.server.max_body, &gateway.budget);
    let (body, memory) = reading.await?;
    let (asking, order) = order::read(&head.headers, caller, config, named, &body, memory)?;
    take(gateway, current, asked, caller, asking, order).await
}

/// GET of a job: how it stands, once it has ended or the wait is over.
async fn show(
    gateway: &Arc<Gateway>,
    key: &JobKey,
    wait: Duration,
) -> Result<Response<Reply>, Failed> {
    let job = wait_for(gateway, key, wait, |job| job.state.is_final()).await?;
    let mut response = whole(view::text(&job), JSON);
    if !job.state.is_final() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN));
    }
    Ok(response)
}

/// The job, once it is as it should be, or the wait is over, or the service stops.
pub(super) async fn wait_for(
    gateway: &Arc<Gateway>,
    key: &JobKey,
    wait: Duration,
    is_enough: impl Fn(&Job) -> bool,
) -> Result<Job, Failed> {
    let end = tokio::time::Instant::now() + wait;
    let watch = gateway.queue.watch(key);
    loop {
        let changed = watch.changed();
        let job = known(&gateway.queue, key).await?;
        if is_enough(&job) || wait.is_zero() {
            return Ok(job);
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(end) => return Ok(job),
            () = gateway.drain.started() => return Ok(job),
        }
    }
}

async fn known(queue: &Queue, key: &JobKey) -> Result<Job, Failed> {
    let job = queue.job(key.clone()).await.map_err(closed)?;
    job.ok_or_else(|| no_such_job(key))
}

/// GET of a job's result: to the byte what the path itself would have answered.
async fn result(
    gateway: &Arc<Gateway>,
    key: &JobKey,
    wait: Duration,
    which: Which,
) -> Result<Response<Reply>, Failed> {
    let has_one = |job: &Job| job.state.is_final() || job.draft.is_some();
    let job = wait_for(gateway, key, wait, has_one).await?;
    if job.state == State::Corrupt {
        return Err(corrupt().into());
    }
    let stored = match which {
        Which::Best => job.result.as_ref().or(job.draft.as_ref()),
        Which::Draft => job.draft.as_ref(),
    };
    let Some(stored) = stored else { return no_result(&job, which) };
    // The bytes as they were stored, and parted from their head.
    let bytes = usize::try_from(stored.bytes).unwrap_or(usize::MAX);
    let memory = gateway.budget.reserve(bytes.saturating_mul(2));
    let memory = memory.map_err(|shed| budget_error(&shed))?;
    match gateway.queue.answer(key.clone(), which).await.map_err(closed)? {
        None => Err(no_such_job(key)),
        Some(Found::Corrupt(_)) => Err(corrupt().into()),
        Some(Found::Answer { stored, parcel, is_draft }) => {
            let is_provisional = is_draft && job.result.is_none() && !job.state.is_final();
            let response = unpacked(stored.status, parcel.into(), is_provisional);
            let mut response = response.ok_or_else(corrupt)?;
            // A stored 503 is the job's for good, and not a word of the gateway's that it is busy now.
            response.headers_mut().insert(&JOB, HeaderValue::from_static(job.state.word()));
            Ok(response.map(|reply| reply.holding(memory)))
        }
    }
}

fn unpacked(status: u16, parcel: Bytes, is_provisional: bool) -> Option<Response<Reply>> {
    let (head, body) = unpack::<AnswerHead>(parcel)?;
    let mut response = Response::new(Reply::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        response.headers_mut().append(name, HeaderValue::from_str(&value).ok()?);
    }
    if is_provisional {
        response.headers_mut().insert(&PROVISIONAL, HeaderValue::from_static("true"));
    }
    Some(response)
}

fn no_result(job: &Job, which: Which) -> Result<Response<Reply>, Failed> {
    let gone = |why: String| Err(Error::new(Kind::Gone, why).into());
    match (which, job.state) {
        (Which::Draft, _) => {
            Err(Error::new(Kind::NotFound, "the job has no provisional answer").into())
        }
        (_, State::Expired) => gone(
            "the job expired before it had an answer; POST .../retry tries it again".to_owned(),
        ),
        (_, State::Cancelled) => gone("the job was cancelled".to_owned()),
        // It was given up without an answer: to come back for one would be in vain.
        (_, State::Failed) => {
            let why = job.trouble.as_ref().map_or("the job failed", |it| &it.message);
            Err(Error::new(Kind::Internal, format!("{why}; POST .../retry tries it again")).into())
        }
        _ => {
            let mut response = whole(view::text(job), JSON);
            *response.status_mut() = StatusCode::ACCEPTED;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN));
            Ok(response)
        }
    }
}

/// GET of all that is kept of a job: itself, what was asked, what was answered.
async fn export(gateway: &Arc<Gateway>, key: &JobKey) -> Result<Response<Reply>, Failed> {
    let job = known(&gateway.queue, key).await?;
    // Both bodies, as they are stored and as they go.
    let bytes = job.stored_bytes().saturating_mul(4);
    let memory = gateway.budget.reserve(usize::try_from(bytes).unwrap_or(usize::MAX));
    let memory = memory.map_err(|shed| budget_error(&shed))?;
    let payload = gateway.queue.payload(key.clone()).await.map_err(closed)?;
    let answer = gateway.queue.answer(key.clone(), Which::Best).await.map_err(closed)?;
    let line = export_line(&job, payload, answer);
    Ok(whole(line, JSON).map(|reply| reply.holding(memory)))
}

async fn remove(gateway: &Arc<Gateway>, key: &JobKey) -> Result<Response<Reply>, Failed> {
    match gateway.queue.remove(key.clone()).await.map_err(closed)? {
        None => Err(no_such_job(key)),
        Some(Removed::Cancelled(job)) => Ok(whole(view::text(&job), JSON)),
        Some(Removed::Gone) => {
            let mut response = Response::new(Reply::whole(Bytes::new()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
    }
}

async fn retry(gateway: &Arc<Gateway>, key: &JobKey) -> Result<Response<Reply>, Failed> {
    match gateway.queue.retry(key.clone()).await.map_err(closed)? {
        None => Err(no_such_job(key)),
        Some(Retried::Queued(job)) => Ok(submit::accepted(&job)),
        Some(Retried::Not(state)) => Err(Error::invalid(format!(
            "the job is {}: only one that is failed, expired or cancelled is tried again",
            state.word()
        ))
        .into()),
    }
}

async fn list(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    text: Option<&str>,
) -> Result<Response<Reply>, Failed> {
    let mut which = Listing { owner: Some(owner_of(caller)), state: None, after: 0, limit: PAGE };
    for pair in query::pairs(text.unwrap_or_default()) {
        let (name, value) = pair?;
        match name {
            "state" => which.state = Some(value.parse().map_err(|_| bad_state())?),
            "limit" => which.limit = page_limit(&value)?,
            "after" => which.after = place_of(gateway, caller, &value).await?,
            _ => return Err(query::unknown(name, "state, limit and after").into()),
        }
    }
    // One more says whether there is a next page.
    let limit = which.limit;
    which.limit += 1;
    let mut jobs = gateway.queue.list(which).await.map_err(closed)?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    Ok(whole(view::page(&jobs, more), JSON))
}

/// A job's place in the order of acceptance, by its id or as a page before named it.
async fn place_of(gateway: &Arc<Gateway>, caller: &Caller, text: &str) -> Result<i64, Failed> {
    if let Some(place) = text.strip_prefix(view::PLACE).and_then(|place| place.parse().ok()) {
        return Ok(place);
    }
    let key = JobKey { owner: owner_of(caller), id: id_of(text)? };
    Ok(known(&gateway.queue, &key).await?.seq)
}

fn page_limit(text: &str) -> Result<usize, Error> {
    let limit = text.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
    let message = format!("limit must be a number from 1 to {LONGEST_PAGE}");
    limit.ok_or_else(|| Error::invalid_field("limit", message))
}

fn bad_state() -> Error {
    let words: Vec<&str> = State::ALL.into_iter().map(State::word).collect();
    Error::invalid_field("state", format!("state must be one of {}", words.join(", ")))
}

fn wait_query(text: Option<&str>) -> Result<Duration, Error> {
    let mut wait = Duration::ZERO;
    for pair in query::pairs(text.unwrap_or_default()) {
        match pair? {
            ("wait", value) => wait = seconds(&value)?,
            (name, _) => return Err(query::unknown(name, "wait")),
        }
    }
    Ok(wait)
}

fn result_query(text: Option<&str>) -> Result<(Duration, Which), Error> {
    let mut found = (Duration::ZERO, Which::Best);
    for pair in query::pairs(text.unwrap_or_default()) {
        match pair? {
            ("wait", value) => found.0 = seconds(&value)?,
            ("version", value) if value == "provisional" => found.1 = Which::Draft,
            ("version", value) if value == "best" => {}
            ("version", _) => {
                let message = "version must be best or provisional";
                return Err(Error::invalid_field("version", message));
            }
            (name, _) => return Err(query::unknown(name, "wait and version")),
        }
    }
    Ok(found)
}

/// Whose jobs a caller sees: its own.
fn owner_of(caller: &Caller) -> Arc<str> {
    caller.client.as_ref().map_or_else(|| Arc::from(""), |client| Arc::from(&*client.name))
}

fn key_of(caller: &Caller, request: &Request<Incoming>) -> Result<JobKey, Error> {
    Ok(JobKey { owner: owner_of(caller), id: id_in(request.uri().path())? })
}

/// The id in a path: `/v1/jobs/{id}` and what may follow it.
fn id_in(path: &str) -> Result<JobId, Error> {
    id_of(path.split('/').nth(3).unwrap_or_default())
}

fn id_of(text: &str) -> Result<JobId, Error> {
    text.parse().map_err(|error: NotAnId| Error::invalid_field("id", error.to_string()))
}

fn no_such_job(key: &JobKey) -> Failed {
    let message = format!(
        "there is no job {}: it was never accepted, was deleted, or its result's time is over",
        key.id
    );
    Error::new(Kind::NotFound, message).into()
}

fn corrupt() -> Error {
    Error::new(
        Kind::Internal,
        "what is stored of the job is not what was stored: the disk altered it; hand it in again",
    )
}

/// What a client is told when the queue cannot be used.
fn closed(error: QueueError) -> Failed {
    let error = match error {
        QueueError::Full(why) => Error::new(Kind::QueueFull, why),
        QueueError::Busy | QueueError::Late | QueueError::Closed(_) => {
            Error::new(Kind::Unavailable, format!("{error}; requests that are no jobs are served"))
        }
    };
    error.retry_after(Duration::from_secs(5)).into()
}

/// A job's own headers: where it is, and when to ask.
fn place(headers: &mut HeaderMap, job: &Job) {
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/jobs/{}", job.key.id)) {
        headers.insert(http::header::LOCATION, location);
    }
    if !job.state.is_final() {
        headers.insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN));
    }
}
