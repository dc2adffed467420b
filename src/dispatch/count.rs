//! Counting a prompt's tokens: by Anthropic where it is first in line, else by our own estimate.

use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use crate::chat::{Error, Kind, Request};
use crate::config::ProviderKind;
use crate::dialect::estimate;
use crate::dispatch::chat::Sent;
use crate::dispatch::{Dispatch, Wishes, allowed};
use crate::provider::{Call, CountCall};

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
    /// No target has the name.
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
        let count = CountCall {
            call: Call {
                target,
                estimate: tokens,
                request_end: job.wishes.end.min(Instant::now() + upstream.config().patience),
                patience: None,
                locality,
            },
            original: job.sent.original(),
            beta: job.beta.as_ref(),
        };
        match upstream.count(&count).await {
            Ok(tokens) => Ok(Counted::Exact(tokens)),
            Err(failure) if failure.error.kind == Kind::Invalid => Err(failure.error),
            Err(failure) => {
                tracing::debug!(%target, error = %failure.error, "tokens are estimated");
                Ok(estimate)
            }
        }
    }
}
