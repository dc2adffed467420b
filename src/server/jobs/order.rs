//! What a client orders: how a request becomes a job, from headers or from a job's own body.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::Error;
use crate::config::{Config, parse_wait};
use crate::dispatch::{Only, Wishes};
use crate::queue::{JobId, Priority};
use crate::server::gate::Caller;
use crate::server::inference::locality;
use crate::server::jobs::prefer::{Later, keyed_id, priority, refine};
use crate::server::jobs::submit::Asking;
use crate::server::names::ANTHROPIC_BETA;
use crate::server::route::{self, Route};
use crate::server::summaries::Head;

/// How a job is to be kept and done.
#[derive(Debug)]
pub(in crate::server) struct Order {
    pub(super) id: Option<JobId>,
    pub(super) priority: Priority,
    pub(super) ttl: Option<Duration>,
    pub(super) not_before: Duration,
    pub(super) refine: bool,
    /// What the request preferred, where it is one of a path that would answer at once.
    pub(super) later: Option<Later>,
    /// Whether it is a response of Responses that was asked for in their own words.
    pub(super) is_background: bool,
}

impl Order {
    /// For a path that would answer at once: `None` where nothing says that it may answer later.
    ///
    /// # Errors
    /// A header that says what cannot be.
    pub(in crate::server) fn of_headers(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let Some(later) = Later::of(headers)? else { return Ok(None) };
        Ok(Some(Self { later: Some(later), ..Self::plain(headers)? }))
    }

    /// For a client of Responses that comes for its answer later.
    ///
    /// # Errors
    /// A header that says what cannot be.
    pub(in crate::server) fn in_background(headers: &HeaderMap) -> Result<Self, Error> {
        Ok(Self { is_background: true, ..Self::plain(headers)? })
    }

    fn plain(headers: &HeaderMap) -> Result<Self, Error> {
        Ok(Self {
            id: keyed_id(headers)?,
            priority: priority(headers)?.unwrap_or_default(),
            ttl: None,
            not_before: Duration::ZERO,
            refine: refine(headers)?,
            later: None,
            is_background: false,
        })
    }
}

/// A job's own body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(default, borrow)]
    priority: Option<Cow<'a, str>>,
    #[serde(default)]
    ttl: Option<Span>,
    #[serde(default)]
    not_before: Option<Span>,
    #[serde(default)]
    refine: Option<bool>,
}

/// A span of time: seconds, or as the configuration writes it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Span {
    Seconds(f64),
    Text(String),
}

/// The longest span that a job may name.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Span {
    fn read(self, name: &str) -> Result<Duration, Error> {
        let span = match self {
            Self::Seconds(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Self::Text(text) => parse_wait(&text),
        };
        span.filter(|span| *span <= LONGEST).ok_or_else(|| {
            Error::invalid_field(
                name,
                format!("{name} must be a span counted from now, such as 3600 or \"90m\", not below 0 and not a time of day: this device's clock may be wrong"),
            )
        })
    }
}

/// Reads the body of a job that is handed in.
///
/// # Errors
/// What is wrong with it, naming the field.
pub(super) fn read(
    headers: &HeaderMap,
    caller: &Caller,
    config: &Config,
    named: Option<JobId>,
    text: &Bytes,
    memory: Reservation,
) -> Result<(Asking, Order), Error> {
    let body = parse(text)?;
    let (path, query) = body.path.split_once('?').unwrap_or((&body.path, ""));
    let route = route::of_path(path).filter(|route| route.job_path() == Some(path));
    let route = route.ok_or_else(|| not_a_path(path))?;
    let ttl = body.ttl.map(|span| span.read("ttl")).transpose()?;
    if ttl.is_some_and(|ttl| ttl.is_zero() || ttl > config.queue.ttl) {
        let most = config.queue.ttl.as_secs();
        let message = format!("ttl must be more than 0 and at most {most} s (ttl in [queue])");
        return Err(Error::invalid_field("ttl", message));
    }
    let not_before = body.not_before.map(|span| span.read("not_before")).transpose()?;
    let not_before = not_before.unwrap_or_default();
    if not_before >= ttl.unwrap_or(config.queue.ttl) {
        return Err(Error::invalid_field("not_before", "the job would expire before it may start"));
    }
    let order = Order {
        id: match named {
            Some(id) => Some(id),
            None => keyed_id(headers)?,
        },
        priority: match body.priority {
            Some(word) => word.parse().map_err(|_| {
                Error::invalid_field("priority", "priority must be high, normal or low")
            })?,
            None => priority(headers)?.unwrap_or_default(),
        },
        ttl,
        not_before,
        refine: match body.refine {
            Some(refine) => refine,
            None => refine(headers)?,
        },
        later: None,
        is_background: false,
    };
    let asking = Asking {
        route,
        query: query.to_owned(),
        body: inner(route, body.body, text)?,
        beta: headers.get(&ANTHROPIC_BETA).filter(|_| route == Route::Messages).cloned(),
        timeout: None,
        summary: (route == Route::Summaries).then(|| (Head::default(), None)),
        wishes: Wishes {
            locality: locality(headers, caller)?,
            end: Instant::now() + config.deadlines.total,
            job: None,
            only: Only::All,
        },
        memory,
    };
    Ok((asking, order))
}

fn parse(text: &Bytes) -> Result<Body<'_>, Error> {
    serde_json::from_slice(text).map_err(|error| {
        let what = match error.classify() {
            // Its words name our fields, and repeat no value of the client's.
            serde_json::error::Category::Data => without_values(&error.to_string()),
            _ => "the body must be a JSON object".to_owned(),
        };
        Error::invalid(format!(
            "{what}; a job is {{\"path\": \"/v1/chat/completions\", \"body\": {{...}}}}, with priority, ttl, not_before and refine where they are wanted"
        ))
    })
}

/// SECURITY: the library quotes a value of the wrong type, and a value can be a prompt.
fn without_values(message: &str) -> String {
    match message.split_once("invalid type") {
        Some(_) => "a field has the wrong type".to_owned(),
        None => message.split(" at line").next().unwrap_or_default().to_owned(),
    }
}

fn not_a_path(path: &str) -> Error {
    let all: Vec<&str> = route::job_paths().collect();
    let shown: String = path.chars().take(80).collect();
    let message = format!("{shown:?} cannot be a job's path; allowed: {}", all.join(", "));
    Error::invalid_field("path", message)
}

/// The body for the path: as it stands, or the text that it is.
fn inner(route: Route, raw: &RawValue, text: &Bytes) -> Result<Bytes, Error> {
    if route == Route::Ask {
        let question: String = serde_json::from_str(raw.get())
            .map_err(|_| Error::invalid_field("body", "body must be text for /v1/ask"))?;
        return Ok(question.into());
    }
    if !raw.get().starts_with('{') {
        return Err(Error::invalid_field(
            "body",
            "body must be the JSON object that the path takes",
        ));
    }
    Ok(text.slice_ref(raw.get().as_bytes()))
}
