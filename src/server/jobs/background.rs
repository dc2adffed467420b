//! OpenAI's background responses: the same queue in the words of Responses
//! (platform.openai.com/docs/guides/background).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use serde_json::json;

use crate::chat::{Error, Kind, Request as Chat};
use crate::dialect::{Stamp, openai};
use crate::queue::{Job, JobKey, Removed, State, Which};
use crate::server::Gateway;
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::jobs::parcel::{RequestHead, unpack};
use crate::server::jobs::{closed, id_of, owner_of, result};
use crate::server::respond::{JSON, whole};
use crate::server::route::Route;

/// What a response's id begins with.
const PREFIX: &str = "resp_";

/// Whether a response can be made in the background.
///
/// # Errors
/// A stream is wanted of it.
pub(super) fn check(body: &[u8]) -> Result<(), Error> {
    let (request, _) = openai::decode_responses(body)?;
    if request.stream {
        return Err(Error::invalid_field(
            "stream",
            "a response in the background is no stream here: leave stream out, and GET /v1/responses/{id} until its status is completed",
        ));
    }
    Ok(())
}

/// The response as it stands when it was taken.
pub(super) async fn begun(gateway: &Arc<Gateway>, job: &Job) -> Result<Response<Reply>, Failed> {
    object(gateway, job).await
}

/// GET, DELETE and cancel of a response.
pub(in crate::server) async fn background(
    gateway: &Arc<Gateway>,
    route: Route,
    caller: &Caller,
    request: &Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let key = key_of(caller, request.uri().path())?;
    let known = gateway.queue.job(key.clone()).await.map_err(closed)?;
    let job = known.filter(|job| job.path == RESPONSES).ok_or_else(|| no_such_response(&key))?;
    if route == Route::ResponseCancel {
        return cancel(gateway, job.key).await;
    }
    if request.method() == Method::DELETE {
        return delete(gateway, job).await;
    }
    object(gateway, &job).await
}

/// The path of the jobs that are responses.
const RESPONSES: &str = "/v1/responses";

async fn cancel(gateway: &Arc<Gateway>, key: JobKey) -> Result<Response<Reply>, Failed> {
    match gateway.queue.cancel(key.clone()).await.map_err(closed)? {
        Some(job) => object(gateway, &job).await,
        None => Err(no_such_response(&key)),
    }
}

/// OpenAI's word for letting a response go. One that is being made is cancelled first.
async fn delete(gateway: &Arc<Gateway>, job: Job) -> Result<Response<Reply>, Failed> {
    let id = format!("{PREFIX}{}", job.key.id);
    let mut removed = gateway.queue.remove(job.key.clone()).await.map_err(closed)?;
    if let Some(Removed::Cancelled(_)) = removed {
        removed = gateway.queue.remove(job.key.clone()).await.map_err(closed)?;
    }
    match removed {
        Some(_) => {
            let gone = json!({"id": id, "object": "response", "deleted": true});
            Ok(whole(gone.to_string(), JSON))
        }
        None => Err(no_such_response(&job.key)),
    }
}

/// The response object of a job, as it stands.
async fn object(gateway: &Arc<Gateway>, job: &Job) -> Result<Response<Reply>, Failed> {
    let waiting = match job.state {
        State::Succeeded => return result(gateway, &job.key, Duration::ZERO, Which::Best).await,
        State::Queued => Ok(openai::Waiting::Queued),
        State::Running => Ok(openai::Waiting::InProgress),
        State::Cancelled => Ok(openai::Waiting::Cancelled),
        State::Failed | State::Expired | State::Corrupt => Err(why(job)),
    };
    let asked = asked(gateway, job).await?;
    let stamp = Stamp {
        id: job.key.id.as_str().to_owned(),
        created: job.accepted,
        model: asked.model.clone(),
    };
    let echo = asked.echo.as_deref().unwrap_or("{}");
    let body = openai::encode_unanswered(&stamp, echo, waiting.as_ref().map(|it| *it));
    Ok(whole(body, JSON))
}

fn why(job: &Job) -> Error {
    let message = match (&job.trouble, job.state) {
        (Some(trouble), _) => trouble.message.clone(),
        (None, State::Expired) => "its time ran out before it had an answer".to_owned(),
        (None, _) => "it failed".to_owned(),
    };
    Error::new(Kind::Upstream, message)
}

/// What the response was asked with.
async fn asked(gateway: &Arc<Gateway>, job: &Job) -> Result<Chat, Failed> {
    let payload = gateway.queue.payload(job.key.clone()).await.map_err(closed)?;
    let body = payload.and_then(|it| unpack::<RequestHead>(Bytes::from(it))).map(|(_, body)| body);
    let decoded = body.and_then(|body| openai::decode_responses(&body).ok());
    Ok(decoded.map(|(request, _)| request).unwrap_or_default())
}

fn key_of(caller: &Caller, path: &str) -> Result<JobKey, Failed> {
    let id = path.split('/').nth(3).unwrap_or_default();
    let bare = id.strip_prefix(PREFIX).unwrap_or(id);
    Ok(JobKey { owner: owner_of(caller), id: id_of(bare)? })
}

fn no_such_response(key: &JobKey) -> Failed {
    let message = format!(
        "there is no response {PREFIX}{}: only those made with background: true are stored, until their time is over",
        key.id
    );
    Error::new(Kind::NotFound, message).into()
}
