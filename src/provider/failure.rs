//! Why an attempt gave no answer: what the target's health learns from it, what the client is told
//! if no other target does better, and what may be tried next.

use std::time::Duration;

use tokio::time::Instant;

use crate::chat::{Error, Kind};
use crate::dialect::{Broken, Class, Refusal};
use crate::provider::client::CallError;
use crate::router::{LinkFault, Outcome};

/// An attempt that gave no answer.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the target's health learns.
    pub outcome: Outcome,
    /// What the client is told if this is the last word.
    pub error: Error,
    /// What may be tried after it.
    pub next: Next,
}

/// What may be tried after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the request itself is at fault, or its time is up.
    Nothing,
    /// Another target. The same one would fail again.
    OtherTarget,
    /// Another target, or the same one after at least this wait.
    SameTargetAfter(Duration),
    /// The same target at once: a pooled connection had gone stale and no byte was answered.
    SameTargetNow,
}

/// What an attempt waits for, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    /// What is waited for: "first token", "model load".
    pub name: &'static str,
    /// How long the target may take for it.
    pub limit: Duration,
    /// The end of the target's time or of the request's, whichever is first.
    pub until: Instant,
    /// Whether `until` is the end of the whole request's time.
    pub request_ends: bool,
}

impl Phase {
    /// A phase that begins now.
    pub fn begin(name: &'static str, limit: Duration, request_end: Instant) -> Self {
        let own_end = Instant::now() + limit;
        Self { name, limit, until: own_end.min(request_end), request_ends: request_end < own_end }
    }

    /// What it means that the phase did not end in time.
    pub fn late(&self, target: &str) -> Failure {
        if self.request_ends {
            Failure::out_of_time(&format!("the {} of {target}", self.name))
        } else {
            Failure::hung(target, self.name, self.limit)
        }
    }
}

/// Wait before a retry where the provider named none; dispatch adds its jitter and growth.
pub const RETRY_BASE: Duration = Duration::from_millis(500);

impl Failure {
    /// Whether the target had the request: a call that may have been paid for.
    pub fn was_asked(&self) -> bool {
        match &self.outcome {
            Outcome::Link(..) => false,
            Outcome::Fault(_) | Outcome::Limited { .. } | Outcome::Refused(_) => true,
            Outcome::Success => true,
            Outcome::Neutral => self.error.kind == Kind::Timeout,
        }
    }

    /// The client's own deadline passed. Says nothing about the target.
    pub fn out_of_time(waited_for: &str) -> Self {
        Self {
            outcome: Outcome::Neutral,
            error: Error::new(
                Kind::Timeout,
                format!(
                    "the request's time ran out while waiting for {waited_for}; allow it more with X-Edgehold-Timeout, or use a smaller prompt"
                ),
            ),
            next: Next::Nothing,
        }
    }

    /// The target answered nothing for longer than its deadline.
    pub fn hung(target: &str, phase: &str, after: Duration) -> Self {
        let message = format!("{target} gave no {phase} within {} ms", after.as_millis());
        Self {
            outcome: Outcome::Fault(message.clone()),
            error: Error::new(Kind::Timeout, message),
            next: Next::OtherTarget,
        }
    }

    /// No connection came about.
    pub fn link(provider: &str, fault: LinkFault, detail: String) -> Self {
        Self {
            error: Error::new(
                Kind::Unavailable,
                format!("provider {provider} cannot be reached ({fault})"),
            ),
            outcome: Outcome::Link(fault, detail),
            next: Next::OtherTarget,
        }
    }

    /// A call of `target` that got no response head. `phase` and `after` say which deadline it
    /// was if it was one.
    pub(super) fn call(provider: &str, target: &str, phase: Phase, error: CallError) -> Self {
        match error {
            CallError::Broken(why) => Self::fault(format!("{target} gave no answer: {why}")),
            CallError::Key(why) => {
                Self::not_allowed(format!("the key of provider {provider} cannot be read: {why}"))
            }
            CallError::Late => phase.late(target),
            CallError::Link(fault, detail) => Self::link(provider, fault, detail),
            CallError::Stale => Self {
                next: Next::SameTargetNow,
                outcome: Outcome::Neutral,
                ..Self::fault(format!("{target} closed a connection that had been idle"))
            },
        }
    }

    /// The target broke off, or sent what is no answer.
    pub fn fault(message: String) -> Self {
        Self {
            outcome: Outcome::Fault(message.clone()),
            error: Error::new(Kind::Upstream, message),
            next: Next::SameTargetAfter(RETRY_BASE),
        }
    }

    /// The target sent what is no answer and will again.
    pub fn bad_answer(target: &str, why: &str) -> Self {
        let message = format!("{target} sent what is no answer: {why}");
        Self { next: Next::OtherTarget, ..Self::fault(message) }
    }

    /// Neither this target's fault nor the client's: it is just not the one for this request.
    pub fn passed_by(error: Error) -> Self {
        Self { outcome: Outcome::Neutral, error, next: Next::OtherTarget }
    }

    /// What the provider's error status and body mean.
    pub fn refused(target: &str, status: u16, refusal: Refusal, wait: Option<Duration>) -> Self {
        let message = refusal.message;
        match refusal.class {
            Class::ContextLength => {
                Self::passed_by(Error::new(Kind::ContextLength, format!("{target}: {message}")))
            }
            Class::ModelNotFound => Self::passed_by(Error::new(
                Kind::ModelNotFound,
                format!("{target} is not there: {message}"),
            )),
            // The provider's own words may repeat a part of the key.
            Class::Key => Self::not_allowed(format!(
                "{target} refused edgehold's key (status {status}): check api_key of its provider"
            )),
            Class::ContentFilter => Self {
                outcome: Outcome::Success,
                error: Error::new(
                    Kind::ContentFilter,
                    format!("{target} does not answer this: {message}"),
                ),
                next: Next::Nothing,
            },
            Class::Billing => Self::not_allowed(format!("{target} refused: {message}")),
            Class::RateLimited => Self::limited(Kind::RateLimited, target, &message, wait),
            Class::Overloaded => Self::limited(Kind::Unavailable, target, &message, wait),
            Class::Invalid => Self {
                outcome: Outcome::Success,
                error: Error::new(
                    Kind::Invalid,
                    format!("{target} refused the request: {message}"),
                ),
                next: Next::Nothing,
            },
            Class::ServerError => {
                Self::fault(format!("{target} failed (status {status}): {message}"))
            }
        }
    }

    fn not_allowed(message: String) -> Self {
        Self {
            outcome: Outcome::Refused(message.clone()),
            error: Error::new(Kind::Upstream, message),
            next: Next::OtherTarget,
        }
    }

    fn limited(kind: Kind, target: &str, message: &str, wait: Option<Duration>) -> Self {
        let error = Error::new(kind, format!("{target} asks to wait: {message}"));
        Self {
            outcome: Outcome::Limited { wait, why: error.message.clone() },
            error: match wait {
                Some(wait) => error.retry_after(wait),
                None => error,
            },
            next: Next::SameTargetAfter(wait.unwrap_or(RETRY_BASE)),
        }
    }

    /// What a stream that did not end well means, before anything of it went out.
    pub fn broken(target: &str, broken: Broken) -> Self {
        match broken {
            Broken::Cut => Self::fault(format!("{target} broke off its answer")),
            Broken::Error(error) => Self::reported(target, error),
            Broken::BadAnswer(why) => Self::bad_answer(target, &why),
            Broken::OffSchema(why) => Self::off_schema(target, &why),
            Broken::TooLong(limit) => Self::bad_answer(target, &limit.to_string()),
        }
    }

    /// The answer is none by the client's schema. The target is well; another may do better.
    pub fn off_schema(target: &str, why: &str) -> Self {
        let message = format!("the answer of {target} does not follow the schema: {why}");
        Self {
            outcome: Outcome::Success,
            error: Error::new(Kind::Upstream, message),
            next: Next::OtherTarget,
        }
    }

    /// An error that the provider reported inside a stream with status 200.
    fn reported(target: &str, error: Error) -> Self {
        match error.kind {
            Kind::ContextLength => Self::passed_by(error),
            Kind::RateLimited => {
                let wait = error.retry_after;
                Self::limited(Kind::RateLimited, target, &error.message, wait)
            }
            Kind::Overloaded | Kind::Unavailable => {
                let wait = error.retry_after;
                Self::limited(Kind::Unavailable, target, &error.message, wait)
            }
            Kind::ContentFilter | Kind::Invalid => {
                Self { outcome: Outcome::Success, error, next: Next::Nothing }
            }
            _ => Self::fault(format!("{target} failed: {}", error.message)),
        }
    }
}
