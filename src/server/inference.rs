//! The paths that ask a model: chats in every form, embeddings, counts, and plain text for firmware.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::{EmbedRequest, EmbedResponse, Error, Message, Part, Request as Chat, Role};
use crate::config::{Config, Conflict, Locality, parse_wait};
use crate::dialect::json::too_deep;
use crate::dialect::{DEEPEST_JSON, Dialect, Door, Took, anthropic, model_name, ollama, openai};
use crate::dispatch::{
    AnswerBody, ChatJob, CountJob, Counted, Dispatch, EmbedBody, EmbedJob, Only, Sent, Wishes,
};
use crate::server::body::{self, Reply, Wanted};
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::names::{
    ANTHROPIC_BETA, ESTIMATE, LOCALITY, STRICT, TIMEOUT, X_ACCEL_BUFFERING,
};
use crate::server::respond::{self, JSON, with_trail};
use crate::server::route::{Route, Voice};
use crate::server::{Asked, Current, Gateway, jobs, ollama as about, query};

/// Serves one of the inference paths.
pub(super) async fn serve(
    gateway: &Arc<Gateway>,
    current: &Current,
    asked: &Asked,
    route: Route,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let config = current.dispatch.config();
    let wanted = if route == Route::Ask { Wanted::Text } else { Wanted::Json };
    body::check_type(&head.headers, wanted)?;
    let timeout = timeout(&head.headers)?;
    let wishes = wishes(&head.headers, caller, config, timeout)?;
    let strict = strict(&head.headers)?;
    let beta =
        head.headers.get(&ANTHROPIC_BETA).filter(|_| asked.door() == Door::Messages).cloned();
    let mut order = match route.job_path() {
        Some(_) => jobs::Order::of_headers(&head.headers)?,
        None => None,
    };
    let reading = body::read(body, &head.headers, config.server.max_body, &gateway.budget);
    let (body, memory) = reading.await?;
    let query = match route {
        Route::Ask => head.uri.query().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    if route != Route::Ask {
        check_depth(&body)?;
    }
    if order.is_none() && route == Route::Responses && asks_background(&body) {
        order = Some(jobs::Order::in_background(&head.headers)?);
    }
    // It holds on to hyper's buffer too.
    drop(head);
    if let Some(order) = order {
        let asking =
            jobs::Asking { route, query, body, beta, timeout, wishes, summary: None, memory };
        return Box::pin(jobs::take(gateway, current, asked, caller, asking, order)).await;
    }
    Work { current, asked, wishes, strict, beta, began, _memory: memory }
        .run(route, body, &query)
        .await
}

/// Whether a client of Responses comes for its answer later. Looked at closely only where the word
/// is there at all; what is wrong with the body is said when it is read.
fn asks_background(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"background\"").is_some()
        && openai::decode_responses(body).is_ok_and(|(request, _)| request.background)
}

/// One request's work.
pub(super) struct Work<'a> {
    pub(super) current: &'a Current,
    pub(super) asked: &'a Asked,
    pub(super) wishes: Wishes,
    pub(super) strict: bool,
    pub(super) beta: Option<HeaderValue>,
    pub(super) began: Instant,
    /// Of the request's body: given back once a target has answered.
    pub(super) _memory: Reservation,
}

impl Work<'_> {
    /// Does what the path is for.
    pub(super) async fn run(
        self,
        route: Route,
        body: Bytes,
        query: &str,
    ) -> Result<Response<Reply>, Failed> {
        let work = self;
        match route {
            // Boxed where it is rare, so that every other request need not have room for it.
            Route::Ask => Box::pin(work.ask(&body, query)).await,
            Route::CountTokens => Box::pin(work.count(body)).await,
            Route::Embeddings | Route::OllamaEmbed | Route::OllamaEmbeddings => {
                Box::pin(work.embed(body, embed_form(route))).await
            }
            Route::OllamaShow => Box::pin(about::show(work.current, &work.wishes, &body)).await,
            _ => work.chat(body).await,
        }
    }

    async fn chat(self, body: Bytes) -> Result<Response<Reply>, Failed> {
        let (request, model_span) = self.asked.door().decode(&body)?;
        self.answer(request, Some(Sent { body, model_span })).await
    }

    /// Plain text in, plain text out.
    async fn ask(self, body: &[u8], query: &str) -> Result<Response<Reply>, Failed> {
        let question = question(body)?;
        let asking = Asking::parse(query)?;
        let model = match asking.model {
            Some(model) => model,
            None => default_model(&self.current.dispatch).await?,
        };
        let mut messages = Vec::new();
        let system = asking.system.map(Part::Text);
        messages.extend(system.map(|text| Message::new(Role::System, vec![text])));
        messages.push(Message::new(Role::User, vec![Part::Text(question.to_owned())]));
        let mut request = Chat { model, messages, ..Chat::default() };
        request.sampling.max_tokens = asking.max_tokens;
        self.answer(request, None).await
    }

    async fn answer(self, request: Chat, sent: Option<Sent>) -> Result<Response<Reply>, Failed> {
        let door = self.asked.door();
        let (id, began, strict) = (self.asked.id.clone(), self.began, self.strict);
        let (beta, wishes) = (self.beta, self.wishes);
        let job = ChatJob { door, request, sent, id, began, beta, strict, splits: false, wishes };
        let answer = self.current.dispatch.chat(&job).await?;
        let whole = |body: Bytes, reservation| {
            respond::whole(body, respond::media(door)).map(|reply| reply.holding(reservation))
        };
        let response = match answer.body {
            AnswerBody::Stream(stream) => {
                let mut response = Response::new(Reply::stream(stream));
                let headers = response.headers_mut();
                let media = HeaderValue::from_static(respond::stream_media(door));
                headers.insert(CONTENT_TYPE, media);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                // A proxy between us and the client must not gather what we send in pieces.
                headers.insert(&X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
                response
            }
            AnswerBody::Raw(body, reservation) => whole(body, reservation),
            AnswerBody::Decoded(response, reservation) => {
                let body = door.encode(&job.request, &response, &job.stamp(), job.took());
                whole(Bytes::from(body), reservation)
            }
        };
        Ok(with_trail(response, &answer.trail))
    }

    async fn embed(self, body: Bytes, form: &EmbedForm) -> Result<Response<Reply>, Failed> {
        let (request, model_span) = (form.decode)(&body)?;
        let sent = Sent { body, model_span };
        let job = EmbedJob { request, sent, native: form.native, wishes: self.wishes };
        let answer = self.current.dispatch.embed(&job).await?;
        let body = match answer.body {
            EmbedBody::Raw(raw) => raw,
            EmbedBody::Decoded(decoded) => {
                let total = self.began.elapsed();
                let took = Took { to_first: total, total };
                Bytes::from((form.encode)(&job.request, &decoded, took))
            }
        };
        let response = respond::whole(body, JSON).map(|reply| reply.holding(answer.reservation));
        Ok(with_trail(response, &answer.trail))
    }

    async fn count(self, body: Bytes) -> Result<Response<Reply>, Failed> {
        let (request, model_span) = anthropic::decode_count(&body)?;
        let sent = Sent { body, model_span };
        let job = CountJob { request, sent, beta: self.beta, wishes: self.wishes };
        let (tokens, is_estimate) = match self.current.dispatch.count(&job).await? {
            Counted::Exact(tokens) => (tokens, false),
            Counted::Estimate(tokens) => (tokens, true),
        };
        let mut response = respond::whole(anthropic::encode_count(tokens), JSON);
        if is_estimate {
            response.headers_mut().insert(&ESTIMATE, HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

fn question(body: &[u8]) -> Result<&str, Error> {
    let question =
        std::str::from_utf8(body).map_err(|_| Error::invalid("the body must be text in UTF-8"))?;
    if question.trim().is_empty() {
        return Err(Error::invalid("the body is empty: put the question there"));
    }
    Ok(question)
}

/// The alias `default`, else the first model that a local provider lists.
pub(super) async fn default_model(dispatch: &Arc<Dispatch>) -> Result<String, Error> {
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
    })
}

/// Looks at a request that is served later: whether it can be read at all, for which model it is,
/// and its body for a whole answer.
///
/// # Errors
/// What is wrong with it, as the path itself would say it.
pub(super) async fn examine(
    dispatch: &Arc<Dispatch>,
    route: Route,
    query: &str,
    body: &Bytes,
) -> Result<(String, Bytes), Error> {
    match (route, route.voice()) {
        (Route::Ask, _) => {
            question(body)?;
            let model = match Asking::parse(query)?.model {
                Some(model) => model,
                None => default_model(dispatch).await?,
            };
            Ok((model, body.clone()))
        }
        (Route::Embeddings | Route::OllamaEmbed | Route::OllamaEmbeddings, _) => {
            check_depth(body)?;
            let (request, _) = (embed_form(route).decode)(body)?;
            Ok((request.model, body.clone()))
        }
        (_, Voice::Door(door)) => {
            check_depth(body)?;
            let whole = door.asking_whole(body)?;
            let (request, _) = door.decode(&whole)?;
            Ok((request.model, whole.into()))
        }
        (_, Voice::Problem) => Err(Error::invalid("a job cannot be about jobs")),
    }
}

/// A request for vectors, and where its model's name stands in the body.
type Decoded = Result<(EmbedRequest, Range<usize>), Error>;

/// One of the forms in which vectors are asked for.
struct EmbedForm {
    decode: fn(&[u8]) -> Decoded,
    encode: fn(&EmbedRequest, &EmbedResponse, Took) -> Vec<u8>,
    native: Option<Dialect>,
}

static OPENAI_EMBED: EmbedForm = EmbedForm {
    decode: openai::decode_embed,
    encode: |request, response, _| {
        openai::encode_embeddings(response, &request.model, request.base64)
    },
    native: Some(Dialect::OpenAi),
};

static OLLAMA_EMBED: EmbedForm = EmbedForm {
    decode: ollama::decode_embed,
    encode: |request, response, took| ollama::encode_embed(response, &request.model, took),
    native: Some(Dialect::Ollama),
};

/// The older form: Ollamas are asked in the newer one.
static OLLAMA_EMBEDDINGS: EmbedForm = EmbedForm {
    decode: ollama::decode_embeddings,
    encode: |_, response, _| ollama::encode_embeddings(response),
    native: None,
};

fn embed_form(route: Route) -> &'static EmbedForm {
    match route {
        Route::OllamaEmbed => &OLLAMA_EMBED,
        Route::OllamaEmbeddings => &OLLAMA_EMBEDDINGS,
        _ => &OPENAI_EMBED,
    }
}

pub(super) fn check_depth(body: &[u8]) -> Result<(), Error> {
    if too_deep(body, DEEPEST_JSON) {
        let message = format!("the body's JSON is nested deeper than {DEEPEST_JSON} levels");
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// What the client wishes besides the request, from its headers and its entry.
fn wishes(
    headers: &HeaderMap,
    caller: &Caller,
    config: &Config,
    timeout: Option<Duration>,
) -> Result<Wishes, Error> {
    let total = config.deadlines.total;
    let end = Instant::now() + timeout.unwrap_or(total).min(total);
    Ok(Wishes { locality: locality(headers, caller)?, end, job: None, only: Only::All })
}

/// The time that the client has, where it says.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(text) = header(headers, &TIMEOUT)? else { return Ok(None) };
    let wait = parse_wait(text).filter(|wait| !wait.is_zero());
    wait.map(Some).ok_or_else(|| {
        Error::invalid("X-Edgehold-Timeout must be a time such as 30s, 1500ms or 30")
    })
}

fn strict(headers: &HeaderMap) -> Result<bool, Error> {
    match header(headers, &STRICT)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::invalid("X-Edgehold-Strict must be true or false")),
    }
}

/// Where a request may be served, as its header and its client's entry say together.
pub(super) fn locality(
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Result<Locality, Conflict>, Error> {
    let Some(text) = header(headers, &LOCALITY)? else {
        return Ok(Ok(caller.locality()));
    };
    let wished: Locality = text
        .parse()
        .map_err(|_| Error::invalid("X-Edgehold-Locality must be local, cloud or any"))?;
    Ok(caller.locality().strictest(wished))
}

/// A header of ours. Two of it could be read in two ways, so that is refused.
pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Error> {
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
        for pair in query::pairs(query) {
            let (name, value) = pair?;
            match name {
                "model" => asking.model = Some(model_name(value)?),
                "system" => asking.system = Some(value),
                "max_tokens" => {
                    let tokens = value.parse().ok().filter(|tokens| *tokens > 0);
                    asking.max_tokens = Some(tokens.ok_or_else(|| {
                        Error::invalid_field("max_tokens", "max_tokens must be a number from 1")
                    })?);
                }
                _ => return Err(query::unknown(name, "model, system and max_tokens")),
            }
        }
        Ok(asking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_as_the_client_says_it_each_time() {
        let of = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            timeout(&HeaderMap::from_iter([(TIMEOUT.clone(), value)]))
        };
        assert_eq!(of("1500ms"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(of("30"), Ok(Some(Duration::from_secs(30))));
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        assert!(of("0").is_err() && of("soon").is_err());
    }

    #[test]
    fn asks_query() {
        let asking = Asking::parse("model=a%2Fb&system=be+brief%21&max_tokens=7&").unwrap();
        assert_eq!(asking.model.as_deref(), Some("a/b"));
        assert_eq!(asking.system.as_deref(), Some("be brief!"));
        assert_eq!(asking.max_tokens, Some(7));
        for bad in ["max_tokens=0", "max_tokens=x", "modell=a", "model=%ff", "model=", "model=a%1b"]
        {
            assert!(Asking::parse(bad).is_err(), "{bad}");
        }
    }
}
