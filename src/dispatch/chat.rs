//! A chat request's attempts: whole answers, and streams up to their first token.

use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;
use tracing::Level;

use crate::budget::Reservation;
use crate::chat::{Error, Format, Kind, Need, Request, Usage};
use crate::config::Place;
use crate::dialect::{Door, Relay, Stamp, Took, estimate};
use crate::dispatch::cut::cut;
use crate::dispatch::memory::{ATTEMPT_BYTES, hold, reserve};
use crate::dispatch::stream::{AnswerStream, Begun};
use crate::dispatch::trial::Trial;
use crate::dispatch::whole::{Reading, Whole, repaired};
use crate::dispatch::{Answer, AnswerBody, Dispatch, Operation, Refusal, Step, Trail, Wishes};
use crate::provider::{ChatCall, Exchange, Failure, Next, Original, Upstream};
use crate::router::Outcome;

/// A chat request, ready to be served.
#[derive(Debug)]
pub struct ChatJob {
    /// What the client called.
    pub door: Door,
    /// The request, decoded.
    pub request: Request,
    /// What the client sent, if it sent JSON.
    pub sent: Option<Sent>,
    /// The request's id, which an answer that we write bears.
    pub id: HeaderValue,
    /// When it came.
    pub began: Instant,
    /// Anthropic's header for features that are being tried.
    pub beta: Option<HeaderValue>,
    /// Whether a stream that does not follow its schema is to end with an error.
    pub strict: bool,
    /// Whether who asks can ask for less: a prompt that is too long for the first target is then told
    /// at once, and not taken to the next.
    pub splits: bool,
    /// What the client wishes besides.
    pub wishes: Wishes,
}

/// A client's own body.
#[derive(Debug)]
pub struct Sent {
    /// The body.
    pub body: Bytes,
    /// Where in it the model's name stands, with its quotes.
    pub model_span: Range<usize>,
}

impl Sent {
    pub(super) fn original(&self) -> Original<'_> {
        Original { body: &self.body, model_span: self.model_span.clone() }
    }
}

impl ChatJob {
    /// What marks an answer to it that we write.
    pub fn stamp(&self) -> Stamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp {
            id: self.id.to_str().unwrap_or_default().to_owned(),
            created: now.as_secs(),
            model: self.request.model.clone(),
        }
    }

    /// How long it has taken, if its first token came just now.
    pub fn took(&self) -> Took {
        let total = self.began.elapsed();
        Took { to_first: total, total }
    }

    fn is_native(&self, upstream: &Upstream) -> bool {
        self.sent.is_some() && self.door.native() == Some(upstream.dialect())
    }
}

impl Dispatch {
    /// Serves a chat request.
    ///
    /// # Errors
    /// Why no target answered.
    pub async fn chat(self: &Arc<Self>, job: &ChatJob) -> Result<Answer, Refusal> {
        let route = self.resolve(&job.request.model).await.map_err(Refusal::untried)?;
        let estimate = estimate::prompt_tokens(&job.request);
        let operation = ChatOperation { dispatch: self, job, estimate, needs: job.request.needs() };
        self.run(&route, &job.wishes, &operation).await
    }
}

struct ChatOperation<'a> {
    dispatch: &'a Arc<Dispatch>,
    job: &'a ChatJob,
    estimate: u32,
    needs: Vec<Need>,
}

impl Operation for ChatOperation<'_> {
    type Output = Answer;

    const NAME: &'static str = "chat";

    fn lacks(&self, upstream: &Upstream, model: &str) -> Option<Need> {
        upstream.lacks(model, &self.needs, self.job.is_native(upstream))
    }

    fn takes(&self, failure: &Failure) -> bool {
        self.job.splits && failure.error.kind == Kind::ContextLength
    }

    async fn attempt(&self, step: Step<'_>, trial: Trial) -> Result<Answer, Failure> {
        let attempts = step.course.attempts;
        let opened = match self.open(step, &trial).await {
            Ok(opened) => opened,
            Err(failure) => return Err(trial.failed(failure)),
        };
        trial.first_token();
        let remote = self.dispatch.is_remote(trial.target());
        let place = if remote { Place::Cloud } else { opened.upstream.config().place };
        let attempts = attempts + opened.extra;
        let trail = Trail { target: trial.target().clone(), attempts, place };
        let body = match opened.content {
            Content::Whole(whole) => {
                trial.succeeded(whole.usage().as_ref());
                match whole {
                    Whole::Decoded(response) => AnswerBody::Decoded(response, opened.reservation),
                    Whole::Merged(raw, _) | Whole::Raw(raw, _) => {
                        AnswerBody::Raw(raw, opened.reservation)
                    }
                }
            }
            Content::Begun(begun) => {
                let guard = self.dispatch.metrics.stream_opened();
                let stream = AnswerStream::new(*begun, trial, opened.reservation, guard);
                AnswerBody::Stream(Box::new(stream))
            }
        };
        Ok(Answer { trail, body })
    }
}

/// An attempt that got as far as its first token, or to its end.
struct Opened {
    upstream: Arc<Upstream>,
    content: Content,
    reservation: Reservation,
    /// Calls that were made besides the one that answered.
    extra: u32,
}

enum Content {
    Begun(Box<Begun>),
    Whole(Whole),
}

/// Most bytes of whole events that may come before the first token: comments, roles, empty pieces.
/// All of them are held until then. The first token's own event may be longer.
const LONGEST_PREAMBLE: usize = 64 * 1024;

impl ChatOperation<'_> {
    async fn open(&self, step: Step<'_>, trial: &Trial) -> Result<Opened, Failure> {
        let upstream = self.dispatch.providers.get(&step.target.provider);
        let upstream = Arc::clone(upstream.ok_or_else(|| gone(trial))?);
        let mut reservation = reserve(&self.dispatch.budget, ATTEMPT_BYTES)?;
        self.tell_lost_fields(&upstream, trial);
        let mut extra = 0;
        let exchange = upstream.chat(&self.call(&step, &self.job.request)).await?;
        let content = if self.job.request.stream {
            let begun = self.begin(&upstream, exchange, trial, &mut reservation).await?;
            Content::Begun(Box::new(begun))
        } else {
            let verbatim = self.job.is_native(&upstream);
            let reading = self.reading(&upstream, trial, verbatim);
            let whole = reading.read(exchange, &mut reservation).await?;
            let fault = reading.violation(&whole, &mut reservation)?;
            Content::Whole(match fault {
                None => whole,
                Some(fault) => {
                    extra = 1;
                    self.dispatch.metrics.tokens_of(trial.name(), whole.usage().as_ref());
                    // Its text is in the fault, and it is wanted for nothing else.
                    drop(whole);
                    Box::pin(self.again(&step, &upstream, trial, fault, &mut reservation)).await?
                }
            })
        };
        Ok(Opened { upstream, content, reservation, extra })
    }

    /// Says which fields the target will not be told, because it speaks another dialect.
    fn tell_lost_fields(&self, upstream: &Upstream, trial: &Trial) {
        let Some(sent) = &self.job.sent else { return };
        if self.job.is_native(upstream) || !tracing::enabled!(Level::DEBUG) {
            return;
        }
        let fields = self.job.door.unknown_fields(&sent.body);
        if !fields.is_empty() {
            tracing::debug!(target = %trial.name(), ?fields, "fields that it does not know are left out");
        }
    }

    fn call<'a>(&'a self, step: &Step<'a>, request: &'a Request) -> ChatCall<'a> {
        ChatCall {
            call: step.call(self.estimate),
            request,
            door: self.job.door,
            original: self.job.sent.as_ref().map(Sent::original),
            beta: self.job.beta.as_ref(),
        }
    }

    fn reading<'a>(
        &'a self,
        upstream: &'a Arc<Upstream>,
        trial: &'a Trial,
        verbatim: bool,
    ) -> Reading<'a> {
        Reading { job: self.job, upstream, trial, estimate: self.estimate, verbatim }
    }

    /// Asks the same target once more, having told it what was wrong with its answer.
    async fn again(
        &self,
        step: &Step<'_>,
        upstream: &Arc<Upstream>,
        trial: &Trial,
        (why, answer): (String, String),
        reservation: &mut Reservation,
    ) -> Result<Whole, Failure> {
        tracing::debug!(target = %trial.name(), "the answer does not follow its schema");
        let request = repaired(&self.job.request, &why, answer);
        let Some(request) = request.filter(|_| !step.course.is_nearly_spent()) else {
            return Err(Failure::off_schema(trial.name(), &why));
        };
        step.course.spend(1);
        // The request once more, and its body on the way.
        let bytes = self.job.sent.as_ref().map_or(0, |sent| sent.body.len());
        hold(reservation, reservation.bytes() + 2 * bytes)?;
        self.dispatch.metrics.retry(trial.name());
        let estimate = estimate::prompt_tokens(&request);
        // Written here, so that it is a chat for every provider, whatever the client called.
        let (call, door) = (step.call(estimate), Door::Ask);
        let call = ChatCall { call, request: &request, door, original: None, beta: None };
        let exchange = upstream.chat(&call).await?;
        let reading = Reading { job: self.job, upstream, trial, estimate, verbatim: false };
        let whole = reading.read(exchange, reservation).await?;
        match reading.violation(&whole, reservation)? {
            None => Ok(whole),
            Some((why, _)) => {
                self.dispatch.metrics.tokens_of(trial.name(), whole.usage().as_ref());
                Err(Failure::off_schema(trial.name(), &why))
            }
        }
    }

    /// Reads a stream up to its first token: until then another target can still be tried.
    async fn begin(
        &self,
        upstream: &Arc<Upstream>,
        mut exchange: Exchange,
        trial: &Trial,
        reservation: &mut Reservation,
    ) -> Result<Begun, Failure> {
        let mut relay = self.relay(upstream);
        let mut pieces = Vec::new();
        let mut ended = false;
        while !relay.facts().first_token && !ended {
            let chunk = exchange.pump.next().await?;
            if relay.wants_times() {
                relay.took(self.job.took());
            }
            let done = match chunk {
                Some(chunk) => relay.push(&chunk, &mut pieces),
                None => {
                    ended = true;
                    relay.end(&mut pieces)
                }
            };
            done.map_err(|broken| upstream.broken(trial.name(), broken))?;
            let ready = pieces.iter().map(Bytes::len).sum::<usize>();
            if ready > LONGEST_PREAMBLE && !relay.facts().first_token {
                return Err(Failure::bad_answer(trial.name(), "it goes on and on without a token"));
            }
            hold(reservation, ATTEMPT_BYTES + ready + relay.held_bytes())?;
        }
        // A short answer may be there as a whole, with what it says of its prompt.
        check_window(upstream, &exchange, trial, relay.facts().usage)?;
        exchange.pump.flowing();
        let estimate = self.estimate;
        let (began, upstream) = (self.job.began, Arc::clone(upstream));
        let to_first = began.elapsed();
        Ok(Begun { upstream, exchange, relay, pieces, ended, estimate, began, to_first })
    }

    fn relay(&self, upstream: &Upstream) -> Relay {
        let job = self.job;
        let most = usize::try_from(upstream.config().max_answer).unwrap_or(usize::MAX);
        let held_to = match &job.request.format {
            Format::Schema(it) if job.strict && !upstream.config().enforces_schema => Some(it),
            Format::Schema(_) | Format::Json | Format::Text => None,
        };
        let dialect = upstream.dialect();
        if job.is_native(upstream) && held_to.is_none() {
            return Relay::verbatim(dialect, job.door, most);
        }
        let relay = Relay::translating(dialect, job.door, &job.request, job.stamp(), most);
        match held_to {
            Some(schema) => relay.held_to(schema.schema.clone()),
            None => relay,
        }
    }
}

/// A cut prompt's answer goes to nobody; the next attempt has a larger window.
pub(super) fn check_window(
    upstream: &Upstream,
    exchange: &Exchange,
    trial: &Trial,
    usage: Option<Usage>,
) -> Result<(), Failure> {
    match cut(upstream, trial, exchange.num_ctx, usage) {
        None => Ok(()),
        Some(error) => Err(Failure { outcome: Outcome::Success, error, next: Next::SameTargetNow }),
    }
}

pub(super) fn gone(trial: &Trial) -> Failure {
    let message = format!("the provider of {} is not configured", trial.name());
    Failure::passed_by(Error::new(Kind::Internal, message))
}
