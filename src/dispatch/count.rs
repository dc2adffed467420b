//! Counting a prompt's tokens: by Anthropic where it is first in line, else by our own estimate.

use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use crate::chat::{Error, Kind, Request};
use crate::config::{Locality, ProviderKind, Target};
use crate::dialect::estimate;
use crate::dispatch::chat::Sent;
use crate::dispatch::memory::{ATTEMPT_BYTES, reserve};
use crate::dispatch::trial::Trial;
use crate::dispatch::{Dispatch, Wishes, allowed};
use crate::provider::{Call, CountCall, Failure, Next, Upstream};

/// A request to count tokens, ready to be served.
#[derive(Debug)]
pub struct CountJob {
    /// The request whose prompt is counted.
    pub request: Request,
    /// What the client sent.
    pub sent: Sent,
    /// Anthropic's header for features that are being tried.
    pub beta: Option<HeaderValue>,
    /// What the client wishes besides.
    pub wishes: Wishes,
}

/// How many tokens a prompt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// As the provider counts them.
    Exact(u64),
    /// As they are estimated here.
    Estimate(u64),
}

impl Dispatch {
    /// Counts a prompt's tokens. Nobody but an Anthropic counts without answering, so for every
    /// other target, and where that one cannot be reached, it is the estimate that windows are
    /// chosen by.
    ///
    /// # Errors
    /// No target has the name or may serve it, or Anthropic refuses the request itself.
    pub async fn count(self: &Arc<Self>, job: &CountJob) -> Result<Counted, Error> {
        let route = self.resolve(&job.request.model).await?;
        let locality = allowed(&route, &job.wishes)?;
        let plan = self.plan(&route, Ok(locality));
        let tokens = estimate::prompt_tokens(&job.request);
        let estimate = Counted::Estimate(u64::from(tokens));
        let Some(target) = plan.takes().next() else { return Ok(estimate) };
        let Some(upstream) = self.providers.get(&target.provider) else { return Ok(estimate) };
        if upstream.config().kind != ProviderKind::Anthropic {
            return Ok(estimate);
        }
        for _ in 0..2 {
            let failure = match self.count_at(upstream, target, job, tokens, locality).await {
                Ok(tokens) => return Ok(Counted::Exact(tokens)),
                Err(failure) => failure,
            };
            match failure.error.kind {
                Kind::Invalid | Kind::ModelNotFound => return Err(failure.error),
                _ if failure.next == Next::SameTargetNow => {}
                _ => {
                    tracing::debug!(%target, error = failure.error.for_log(), "tokens are estimated");
                    break;
                }
            }
        }
        Ok(estimate)
    }

    async fn count_at(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        target: &Target,
        job: &CountJob,
        estimate: u32,
        locality: Locality,
    ) -> Result<u64, Failure> {
        let _reservation = reserve(&self.budget, ATTEMPT_BYTES)?;
        let trial = Trial::begin(Arc::clone(self), target.clone(), "count_tokens");
        let request_end = job.wishes.end.min(Instant::now() + upstream.config().patience);
        let call =
            Call { target, estimate, request_end, patience: None, locality, goes_last: false };
        let (original, beta) = (job.sent.original(), job.beta.as_ref());
        match upstream.count(&CountCall { call, original, beta }).await {
            Ok(tokens) => {
                trial.succeeded(None);
                Ok(tokens)
            }
            Err(failure) => Err(trial.failed(failure)),
        }
    }
}
