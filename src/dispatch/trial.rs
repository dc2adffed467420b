//! One attempt as the target's health and the metrics see it.

use std::sync::Arc;

use tokio::time::Instant;

use crate::chat::Usage;
use crate::config::Target;
use crate::dispatch::Dispatch;
use crate::provider::Failure;
use crate::router::Outcome;

/// An attempt under way. Dropped without a word (the client left) it counts as neutral.
#[derive(Debug)]
pub(super) struct Trial {
    dispatch: Arc<Dispatch>,
    target: Target,
    operation: &'static str,
    began: Instant,
    told: bool,
}

impl Trial {
    pub(super) fn begin(dispatch: Arc<Dispatch>, target: Target, operation: &'static str) -> Self {
        let began = Instant::now();
        dispatch.health().begin(&target, began.into_std());
        Self { dispatch, target, operation, began, told: false }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether cuts are not to be noticed: for a test that shows what comes of it.
    pub(super) fn is_blind(&self) -> bool {
        self.dispatch.config.summaries.is_blind
    }

    /// `provider/model`, for messages.
    pub(super) fn name(&self) -> &str {
        self.target.name()
    }

    /// The first token came.
    pub(super) fn first_token(&self) {
        self.dispatch.metrics.first_token(self.target.name(), self.began.elapsed());
        let provider = &self.target.provider;
        let now = Instant::now().into_std();
        self.dispatch.learn(|health| health.probed(provider, Ok(()), now));
    }

    /// The answer was whole.
    pub(super) fn succeeded(mut self, usage: Option<&Usage>) {
        self.dispatch.metrics.operation(self.operation, self.target.name(), self.began.elapsed());
        self.dispatch.metrics.tokens_of(self.target.name(), usage);
        self.tell(Outcome::Success);
    }

    /// There was no answer, or not all of one.
    pub(super) fn failed(mut self, failure: Failure) -> Failure {
        self.tell(failure.outcome.clone());
        failure
    }

    fn tell(&mut self, outcome: Outcome) {
        self.told = true;
        self.dispatch.metrics.attempt(self.target.name(), label(&outcome));
        let now = Instant::now().into_std();
        self.dispatch.learn(|health| health.record(&self.target, outcome, now));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Outcome::Neutral);
        }
    }
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Link(..) => "unreachable",
        Outcome::Fault(_) => "fault",
        Outcome::Limited { .. } => "limited",
        Outcome::Refused(_) => "refused",
        Outcome::Neutral => "passed_by",
    }
}
