//! One call of a model for a summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::{Effort, Error, FinishReason, Kind, Request, Usage};
use crate::config::{Conflict, Locality, Place};
use crate::dialect::Door;
use crate::dispatch::{Allowance, AnswerBody, ChatJob, Dispatch, Only, Refusal, Wishes};
use crate::summary::step::{By, Cost};
use crate::summary::tidy::tidied;

/// Who is called for a summary, and how.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) dispatch: &'a Arc<Dispatch>,
    /// The model's name, as the client wrote it.
    pub(super) name: &'a str,
    pub(super) locality: Result<Locality, Conflict>,
    /// When the summary's time is over. A single call has no more than every other request.
    pub(super) end: Instant,
    pub(super) only: &'a Only,
    pub(super) id: &'a HeaderValue,
    /// For a job: the calls that may be made until its next step.
    pub(super) allowance: Option<&'a Arc<Allowance>>,
    /// A model refused the settings that suit summaries: they are left out.
    pub(super) is_plain: AtomicBool,
}

/// What a model said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) by: By,
    pub(super) usage: Option<Usage>,
    pub(super) cost: Cost,
    _memory: Reservation,
}

impl Caller<'_> {
    /// Asks, and once more without settings that the model will not take.
    pub(super) async fn ask(&self, request: Request) -> Result<Said, Refusal> {
        if self.is_plain.load(Ordering::Relaxed) {
            return self.call(plain(request)).await;
        }
        let tuned = Request { effort: Some(Effort::None), ..request.clone() };
        match self.call(tuned).await {
            // What a provider says of it cannot be read by a program.
            Err(refusal) if refusal.error.kind == Kind::Invalid && refusal.attempts > 0 => {
                let said = self.call(plain(request)).await;
                if said.is_ok() {
                    self.is_plain.store(true, Ordering::Relaxed);
                }
                said
            }
            done => done,
        }
    }

    async fn call(&self, request: Request) -> Result<Said, Refusal> {
        let total = self.dispatch.config().deadlines.total;
        let job = ChatJob {
            door: Door::Ask,
            request: Request { model: self.name.to_owned(), ..request },
            sent: None,
            id: self.id.clone(),
            began: Instant::now(),
            beta: None,
            strict: false,
            splits: true,
            wishes: Wishes {
                locality: self.locality,
                end: self.end.min(Instant::now() + total),
                job: self.allowance.cloned(),
                only: self.only.clone(),
            },
        };
        // Boxed: what a call needs is large, and several are under way.
        let answer = Box::pin(self.dispatch.chat(&job)).await?;
        let attempts = answer.trail.attempts;
        let AnswerBody::Decoded(response, memory) = answer.body else {
            let error = Error::new(Kind::Internal, "a model's answer came in another form");
            return Err(Refusal { error, attempts });
        };
        let text = tidied(&response.text, response.finish == Some(FinishReason::Length));
        if text.is_empty() {
            let message = format!("{} gave an empty answer", answer.trail.target);
            return Err(Refusal { error: Error::new(Kind::Upstream, message), attempts });
        }
        let by = By {
            target: answer.trail.target.to_string(),
            is_cloud: answer.trail.place == Place::Cloud,
        };
        let cost = Cost::of(response.usage, attempts);
        Ok(Said { text, by, usage: response.usage, cost, _memory: memory })
    }
}

fn plain(mut request: Request) -> Request {
    request.sampling.temperature = None;
    request.sampling.frequency_penalty = None;
    request
}
