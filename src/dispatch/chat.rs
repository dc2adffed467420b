//! A chat request's attempts: whole answers, and streams up to their first token.

use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use crate::budget::Reservation;
use crate::chat::{Error, Kind, Request, Response, Usage};
use crate::config::{Place, ProviderKind};
use crate::dialect::openai::{self, Stamp, StreamEncoder};
use crate::dialect::{Collector, Dialect, Relay, estimate};
use crate::dispatch::cut::cut;
use crate::dispatch::memory::{ATTEMPT_BYTES, hold, reserve};
use crate::dispatch::stream::{AnswerStream, Begun};
use crate::dispatch::trial::Trial;
use crate::dispatch::{Answer, AnswerBody, Dispatch, Operation, Refusal, Step, Trail, Wishes};
use crate::provider::{Call, ChatCall, Exchange, Failure, Next, Pump, Upstream};
use crate::router::Outcome;

/// A chat request, ready to be served.
#[derive(Debug)]
pub struct ChatJob {
    /// The request, decoded.
    pub request: Request,
    /// The client's own body.
    pub original: Bytes,
    /// Where in it the model's name stands, with its quotes.
    pub model_span: Range<usize>,
    /// The request's id, which an answer that we write bears.
    pub id: HeaderValue,
    /// What the client wishes besides.
    pub wishes: Wishes,
}

impl ChatJob {
    /// What marks an answer to it that we write.
    pub fn stamp(&self) -> Stamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp {
            id: format!("chatcmpl-{}", self.id.to_str().unwrap_or_default()),
            created: now.as_secs(),
            model: self.request.model.clone(),
        }
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
        let operation = ChatOperation { dispatch: self, job, estimate };
        self.run(&route, &job.wishes, &operation).await
    }
}

struct ChatOperation<'a> {
    dispatch: &'a Arc<Dispatch>,
    job: &'a ChatJob,
    estimate: u32,
}

impl Operation for ChatOperation<'_> {
    type Output = Answer;

    const NAME: &'static str = "chat";

    async fn attempt(&self, step: Step<'_>, trial: Trial) -> Result<Answer, Failure> {
        let attempts = step.course.attempts;
        let opened = match self.open(step, &trial).await {
            Ok(opened) => opened,
            Err(failure) => return Err(trial.failed(failure)),
        };
        trial.first_token();
        let remote = self.dispatch.is_remote(trial.target());
        let place = if remote { Place::Cloud } else { opened.upstream.config().place };
        let trail = Trail { target: trial.target().clone(), attempts, place };
        let body = match opened.content {
            Content::Decoded(response) => {
                trial.succeeded(response.usage.as_ref());
                AnswerBody::Decoded(response, opened.reservation)
            }
            Content::Raw(raw, usage) => {
                trial.succeeded(usage.as_ref());
                AnswerBody::Raw(raw, opened.reservation)
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
}

enum Content {
    Begun(Box<Begun>),
    Decoded(Response),
    Raw(Bytes, Option<Usage>),
}

/// Most bytes of whole events that may come before the first token: comments, roles, empty pieces.
/// All of them are held until then. The first token's own event may be longer.
const LONGEST_PREAMBLE: usize = 64 * 1024;

impl ChatOperation<'_> {
    async fn open(&self, step: Step<'_>, trial: &Trial) -> Result<Opened, Failure> {
        let upstream = self.dispatch.providers.get(&step.target.provider);
        let upstream = Arc::clone(upstream.ok_or_else(|| gone(trial))?);
        let mut reservation = reserve(&self.dispatch.budget, ATTEMPT_BYTES)?;
        let exchange = upstream
            .chat(&ChatCall {
                call: Call {
                    target: step.target,
                    estimate: self.estimate,
                    request_end: step.course.end,
                    patience: step.patience,
                    locality: step.course.locality,
                },
                request: &self.job.request,
                original: &self.job.original,
                model_span: self.job.model_span.clone(),
            })
            .await?;
        let content = if self.job.request.stream {
            let begun = self.begin(&upstream, exchange, trial, &mut reservation).await?;
            Content::Begun(Box::new(begun))
        } else {
            self.whole(&upstream, exchange, trial, &mut reservation).await?
        };
        Ok(Opened { upstream, content, reservation })
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
            let done = match exchange.pump.next().await? {
                Some(chunk) => relay.push(&chunk, &mut pieces),
                None => {
                    ended = true;
                    relay.end(&mut pieces)
                }
            };
            done.map_err(|broken| Failure::broken(trial.name(), broken))?;
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
        Ok(Begun { upstream: Arc::clone(upstream), exchange, relay, pieces, ended, estimate })
    }

    fn relay(&self, upstream: &Upstream) -> Relay {
        let most = usize::try_from(upstream.config().max_answer).unwrap_or(usize::MAX);
        match upstream.dialect() {
            Dialect::OpenAi => Relay::verbatim_openai(most),
            Dialect::Ollama => {
                let include_usage = self.job.request.include_usage;
                let encoder = StreamEncoder::new(self.job.stamp(), include_usage);
                Relay::ollama_to_openai(encoder, most)
            }
        }
    }

    async fn whole(
        &self,
        upstream: &Arc<Upstream>,
        mut exchange: Exchange,
        trial: &Trial,
        reservation: &mut Reservation,
    ) -> Result<Content, Failure> {
        let most = usize::try_from(upstream.config().max_answer).unwrap_or(usize::MAX);
        match upstream.config().kind {
            ProviderKind::OpenAi => {
                let pump = &mut exchange.pump;
                let raw = read_whole(pump, most, trial.name(), reservation).await?;
                let usage = openai::check_response(&raw)
                    .map_err(|bad| upstream.no_answer(trial.name(), &bad.0))?;
                Ok(Content::Raw(raw, usage))
            }
            ProviderKind::Ollama => {
                let pump = &mut exchange.pump;
                let response = collect(pump, most, trial, reservation).await?;
                check_window(upstream, &exchange, trial, response.usage)?;
                if let Some(usage) = response.usage {
                    let model = &trial.target().model;
                    upstream.learn_prompt(model, self.estimate, usage.input_tokens);
                }
                upstream.let_end(exchange.pump);
                Ok(Content::Decoded(response))
            }
        }
    }
}

/// A cut prompt's answer goes to nobody; the next attempt has a larger window.
fn check_window(
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

/// Reads a body whole, under the reservation, up to `most` bytes.
pub(super) async fn read_whole(
    pump: &mut Pump,
    most: usize,
    target: &str,
    reservation: &mut Reservation,
) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = pump.next().await? {
        pump.flowing();
        if whole.len() + chunk.len() > most {
            return Err(Failure::bad_answer(target, "it is larger than max_answer"));
        }
        // A growing buffer is copied: for a moment there are two, and the decoded answer after.
        hold(reservation, ATTEMPT_BYTES + 2 * (whole.len() + chunk.len()))?;
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

async fn collect(
    pump: &mut Pump,
    most: usize,
    trial: &Trial,
    reservation: &mut Reservation,
) -> Result<Response, Failure> {
    let mut collector = Collector::ollama(most);
    while !collector.facts().done
        && let Some(chunk) = pump.next().await?
    {
        let done = collector.push(&chunk);
        done.map_err(|broken| Failure::broken(trial.name(), broken))?;
        if collector.facts().first_token {
            pump.flowing();
        }
        if collector.size_bytes() > most {
            return Err(Failure::bad_answer(trial.name(), "it is larger than max_answer"));
        }
        hold(reservation, ATTEMPT_BYTES + 2 * collector.size_bytes())?;
    }
    collector.end().map_err(|broken| Failure::broken(trial.name(), broken))
}

pub(super) fn gone(trial: &Trial) -> Failure {
    let message = format!("the provider of {} is not configured", trial.name());
    Failure::passed_by(Error::new(Kind::Internal, message))
}
