//! Responses: the one table from error kinds to HTTP statuses, and the headers that all bear.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use serde_json::{Value, json};

use crate::chat::{Error, Kind};
use crate::config::Place;
use crate::dialect::Door;
use crate::dispatch::Trail;
use crate::server::body::Reply;
use crate::server::events::Events;
use crate::server::failed::Failed;
use crate::server::names::{
    ATTEMPTS, LOCALITY, REQUEST_ID, TARGET, X_ACCEL_BUFFERING, X_REQUEST_ID, X_SHOULD_RETRY,
};
use crate::server::route::Voice;

/// Media types that we send.
pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";
const PROBLEM: &str = "application/problem+json";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

/// The status of each kind of error.
pub(super) fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::ContentFilter | Kind::ContextLength | Kind::Invalid | Kind::Unsupported => {
            StatusCode::BAD_REQUEST
        }
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Gone => StatusCode::GONE,
        Kind::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Mismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
        Kind::ModelNotFound | Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Overloaded | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::QueueFull | Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Upstream => StatusCode::BAD_GATEWAY,
        Kind::UriTooLong => StatusCode::URI_TOO_LONG,
    }
}

/// An error's response, in the form of its path.
pub(super) fn error(voice: Voice, failed: &Failed) -> Response<Reply> {
    let mut response = match voice {
        Voice::Door(door) => whole(door.encode_error(&failed.error), media(door)),
        Voice::Problem => whole(format!("{}\n", problem(&failed.error)), PROBLEM),
    };
    *response.status_mut() = status(failed.error.kind);
    let headers = response.headers_mut();
    if let Some(wait) = failed.error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    if failed.attempts > 0 {
        headers.insert(&ATTEMPTS, number(failed.attempts));
        // Every target and retry has been used: a client's own retries would only repeat that.
        headers.insert(&X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(allow) = failed.allow.as_ref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        headers.insert(ALLOW, allow);
    }
    if failed.error.kind == Kind::Unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if failed.unread {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An error as problem details (RFC 9457), with our word for it as `code`.
pub(super) fn problem(error: &Error) -> Value {
    let status = status(error.kind);
    json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "code": error.kind.to_string(),
        "detail": error.message,
        "param": error.param,
    })
}

/// What a whole answer is, and an error.
pub(super) fn media(door: Door) -> &'static str {
    match door {
        Door::Ask => TEXT,
        Door::Chat
        | Door::Completions
        | Door::Generate
        | Door::Messages
        | Door::OllamaChat
        | Door::Responses => JSON,
    }
}

/// What a stream is.
pub(super) fn stream_media(door: Door) -> &'static str {
    match door {
        Door::Generate | Door::OllamaChat => LINES,
        Door::Ask | Door::Chat | Door::Completions | Door::Messages | Door::Responses => EVENTS,
    }
}

/// Rounded up: some clients read nothing but whole seconds, and 0 is no wait at all.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// A response with a body that is there already. hyper adds its length.
pub(super) fn whole(body: impl Into<Bytes>, media: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(body.into()));
    let headers = response.headers_mut();
    // All that an answer has, in one allocation.
    headers.reserve(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A response of events, which no proxy between us and the client must gather.
pub(super) fn events(events: Events) -> Response<Reply> {
    let mut response = Response::new(Reply::events(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(&X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

pub(super) fn text(body: &'static str) -> Response<Reply> {
    whole(body, TEXT)
}

/// The answer to OPTIONS. No CORS header: pages of other origins have no business here.
pub(super) fn options(allow: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// Says who answered.
pub(super) fn with_trail(mut response: Response<Reply>, trail: &Trail) -> Response<Reply> {
    let headers = response.headers_mut();
    if let Ok(target) = HeaderValue::from_str(trail.target.name()) {
        headers.insert(&TARGET, target);
    }
    headers.insert(&ATTEMPTS, number(trail.attempts));
    let place = match trail.place {
        Place::Local => "local",
        Place::Cloud => "cloud",
    };
    headers.insert(&LOCALITY, HeaderValue::from_static(place));
    response
}

/// Most answers took one call, and few took many.
fn number(attempts: u32) -> HeaderValue {
    match attempts {
        1 => HeaderValue::from_static("1"),
        2 => HeaderValue::from_static("2"),
        3 => HeaderValue::from_static("3"),
        more => HeaderValue::from(more),
    }
}

/// The headers of every response. What answers a HEAD has no body, only its length.
pub(super) fn finish(
    mut response: Response<Reply>,
    id: HeaderValue,
    voice: Voice,
    head_only: bool,
) -> Response<Reply> {
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    if voice == Voice::Door(Door::Messages) {
        headers.insert(&REQUEST_ID, id.clone());
    }
    headers.insert(&X_REQUEST_ID, id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if head_only {
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        return response.map(Reply::emptied);
    }
    response
}
