//! The paths that ask a model: chat, embeddings, and plain text for firmware.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::{Error, Kind, Request as Chat, Response as Whole};
use crate::config::{Config, Conflict, Locality, parse_wait};
use crate::dialect::json::too_deep;
use crate::dialect::openai;
use crate::dispatch::{Answer, AnswerBody, ChatJob, EmbedBody, EmbedJob, Wishes};
use crate::server::body::{self, Reply, Wanted};
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::names::{LOCALITY, TIMEOUT, X_ACCEL_BUFFERING};
use crate::server::respond::{self, EVENTS, JSON, TEXT, with_trail};
use crate::server::route::Route;
use crate::server::{Asked, Current, Gateway};

/// Deepest nesting of a JSON body: what is deeper is an attack on a parser's stack.
const DEEPEST_JSON: usize = 32;

/// Serves one of the inference paths.
pub(super) async fn serve(
    gateway: &Arc<Gateway>,
    current: &Current,
    asked: &Asked,
    route: Route,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let (head, body) = request.into_parts();
    let config = current.dispatch.config();
    let wanted = if route == Route::Ask { Wanted::Text } else { Wanted::Json };
    body::check_type(&head.headers, wanted)?;
    let wishes = wishes(&head.headers, caller, config)?;
    let reading = body::read(body, &head.headers, config.server.max_body, &gateway.budget);
    let (body, memory) = reading.await?;
    let query = match route {
        Route::Ask => head.uri.query().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    // It holds on to hyper's buffer too.
    drop(head);
    let work = Work { current, asked, wishes, _memory: memory };
    match route {
        // Boxed where it is rare, so that every other request need not have room for it.
        Route::Embeddings => Box::pin(work.embed(body)).await,
        Route::Ask => Box::pin(work.ask(&body, &query)).await,
        _ => work.chat(body).await,
    }
}

/// One request's work.
struct Work<'a> {
    current: &'a Current,
    asked: &'a Asked,
    wishes: Wishes,
    /// Of the request's body: given back once a target has answered.
    _memory: Reservation,
}

impl Work<'_> {
    async fn chat(self, original: Bytes) -> Result<Response<Reply>, Failed> {
        check_depth(&original)?;
        let (request, model_span) = openai::decode_chat(&original)?;
        let (answer, job) = self.answer(request, original, model_span).await?;
        Ok(match answer.body {
            AnswerBody::Stream(stream) => {
                let mut response = Response::new(Reply::stream(stream));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                // A proxy between us and the client must not gather what we send in pieces.
                headers.insert(&X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
                with_trail(response, &answer.trail)
            }
            AnswerBody::Raw(body, reservation) => {
                let response = respond::whole(body, JSON).map(|reply| reply.holding(reservation));
                with_trail(response, &answer.trail)
            }
            AnswerBody::Decoded(response, reservation) => {
                let body = openai::encode_response(&response, &job.stamp());
                let response = respond::whole(body, JSON).map(|reply| reply.holding(reservation));
                with_trail(response, &answer.trail)
            }
        })
    }

    /// Plain text in, plain text out: the question is written as a chat request, so that it goes
    /// the same way as every other.
    async fn ask(self, body: &[u8], query: &str) -> Result<Response<Reply>, Failed> {
        let question = std::str::from_utf8(body)
            .map_err(|_| Error::invalid("the body must be text in UTF-8"))?;
        if question.trim().is_empty() {
            return Err(Error::invalid("the body is empty: put the question there").into());
        }
        let asking = Asking::parse(query)?;
        let model = match asking.model {
            Some(model) => model,
            None => self.default_model().await?,
        };
        let original = asking_as_chat(&model, asking.system, asking.max_tokens, question);
        let (request, model_span) = openai::decode_chat(&original)?;
        let (answer, _) = self.answer(request, original, model_span).await?;
        let (whole, reservation) = match answer.body {
            AnswerBody::Decoded(whole, reservation) => (whole, reservation),
            AnswerBody::Raw(body, reservation) => {
                let whole = openai::decode_response(&body).map_err(|bad| {
                    let message =
                        format!("{} sent what is no answer: {}", answer.trail.target, bad.0);
                    Error::new(Kind::Upstream, message)
                })?;
                (whole, reservation)
            }
            AnswerBody::Stream(_) => {
                return Err(Error::new(Kind::Internal, "a stream where none was asked for").into());
            }
        };
        let response = respond::whole(text_of(whole), TEXT).map(|reply| reply.holding(reservation));
        Ok(with_trail(response, &answer.trail))
    }

    /// The alias `default`, else the first model that a local provider lists.
    async fn default_model(&self) -> Result<String, Failed> {
        let dispatch = &self.current.dispatch;
        if dispatch.config().models.contains_key("default") {
            return Ok("default".to_owned());
        }
        dispatch.refresh_listings(false).await;
        let first = dispatch.listings().first();
        first.ok_or_else(|| {
            Error::invalid_field(
                "model",
                "name a model (?model=NAME), or configure an alias called default",
            )
            .into()
        })
    }

    async fn answer(
        self,
        request: Chat,
        original: Bytes,
        model_span: Range<usize>,
    ) -> Result<(Answer, ChatJob), Failed> {
        let (id, wishes) = (self.asked.id.clone(), self.wishes);
        let job = ChatJob { request, original, model_span, id, wishes };
        let answer = self.current.dispatch.chat(&job).await?;
        Ok((answer, job))
    }

    async fn embed(self, original: Bytes) -> Result<Response<Reply>, Failed> {
        check_depth(&original)?;
        let (request, model_span) = openai::decode_embed(&original)?;
        let (model, base64) = (request.model.clone(), request.base64);
        let job = EmbedJob { request, original, model_span, wishes: self.wishes };
        let answer = self.current.dispatch.embed(&job).await?;
        let body = match answer.body {
            EmbedBody::Raw(raw) => raw,
            EmbedBody::Decoded(decoded) => {
                Bytes::from(openai::encode_embeddings(&decoded, &model, base64))
            }
        };
        let response = respond::whole(body, JSON).map(|reply| reply.holding(answer.reservation));
        Ok(with_trail(response, &answer.trail))
    }
}

fn check_depth(body: &[u8]) -> Result<(), Error> {
    if too_deep(body, DEEPEST_JSON) {
        let message = format!("the body's JSON is nested deeper than {DEEPEST_JSON} levels");
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// What the client wishes besides the request, from its headers and its entry.
fn wishes(headers: &HeaderMap, caller: &Caller, config: &Config) -> Result<Wishes, Error> {
    let total = config.deadlines.total;
    let wait = match header(headers, &TIMEOUT)? {
        None => total,
        Some(text) => parse_wait(text).filter(|wait| !wait.is_zero()).ok_or_else(|| {
            Error::invalid("X-Edgehold-Timeout must be a time such as 30s, 1500ms or 30")
        })?,
    };
    Ok(Wishes { locality: locality(headers, caller)?, end: Instant::now() + wait.min(total) })
}

fn locality(headers: &HeaderMap, caller: &Caller) -> Result<Result<Locality, Conflict>, Error> {
    let Some(text) = header(headers, &LOCALITY)? else {
        return Ok(Ok(caller.locality()));
    };
    let wished: Locality = text
        .parse()
        .map_err(|_| Error::invalid("X-Edgehold-Locality must be local, cloud or any"))?;
    Ok(caller.locality().strictest(wished))
}

/// A header of ours. Two of it could be read in two ways, so that is refused.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let mut all = headers.get_all(name).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Error::invalid(format!("{name} is there twice")));
    }
    let text = first.to_str().map_err(|_| Error::invalid(format!("{name} is not text")))?;
    Ok(Some(text.trim()))
}

/// The query of /v1/ask.
#[derive(Default)]
struct Asking {
    model: Option<String>,
    system: Option<String>,
    max_tokens: Option<u32>,
}

impl Asking {
    fn parse(query: &str) -> Result<Self, Error> {
        let mut asking = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).ok_or_else(|| {
                Error::invalid_field(name, "the query must be UTF-8 when decoded")
            })?;
            match name {
                "model" => asking.model = Some(value),
                "system" => asking.system = Some(value),
                "max_tokens" => {
                    let tokens = value.parse().ok().filter(|tokens| *tokens > 0);
                    asking.max_tokens = Some(tokens.ok_or_else(|| {
                        Error::invalid_field("max_tokens", "max_tokens must be a number from 1")
                    })?);
                }
                _ => {
                    let message = format!(
                        "there is no parameter {name:?}; there are model, system and max_tokens"
                    );
                    return Err(Error::invalid_field(name, message));
                }
            }
        }
        Ok(asking)
    }
}

/// A query's value: `+` is a space there (HTML's form encoding, which every client library uses).
fn decoded(value: &str) -> Option<String> {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

fn asking_as_chat(
    model: &str,
    system: Option<String>,
    max_tokens: Option<u32>,
    question: &str,
) -> Bytes {
    let mut messages = Vec::new();
    if let Some(system) = system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": question}));
    let mut body = json!({"model": model, "messages": messages});
    if let (Some(tokens), Some(body)) = (max_tokens, body.as_object_mut()) {
        body.insert("max_tokens".to_owned(), tokens.into());
    }
    Bytes::from(body.to_string())
}

/// The answer as lines of text: the last ends with a newline, as a terminal and `gets` expect.
fn text_of(response: Whole) -> Vec<u8> {
    let mut text = response.text.into_bytes();
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_query() {
        let asking = Asking::parse("model=a%2Fb&system=be+brief%21&max_tokens=7&").unwrap();
        assert_eq!(asking.model.as_deref(), Some("a/b"));
        assert_eq!(asking.system.as_deref(), Some("be brief!"));
        assert_eq!(asking.max_tokens, Some(7));
        for bad in ["max_tokens=0", "max_tokens=x", "modell=a", "model=%ff"] {
            assert!(Asking::parse(bad).is_err(), "{bad}");
        }
    }
}
