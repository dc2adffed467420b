//! An embeddings request's attempts.

use std::sync::Arc;

use crate::chat::{EmbedInput, EmbedRequest, Need, Usage};
use crate::config::Place;
use crate::dialect::{Dialect, estimate, openai};
use crate::dispatch::chat::{Sent, gone};
use crate::dispatch::memory::{ATTEMPT_BYTES, reserve};
use crate::dispatch::trial::Trial;
use crate::dispatch::whole::read_whole;
use crate::dispatch::{Dispatch, EmbedAnswer, EmbedBody, Operation, Refusal, Step, Trail, Wishes};
use crate::provider::{EmbedCall, Failure, Upstream};

/// A request for embeddings, ready to be served.
#[derive(Debug)]
pub struct EmbedJob {
    /// The request, decoded.
    pub request: EmbedRequest,
    /// What the client sent.
    pub sent: Sent,
    /// The dialect whose providers take that as it is.
    pub native: Option<Dialect>,
    /// What the client wishes besides.
    pub wishes: Wishes,
}

impl Dispatch {
    /// Serves a request for embeddings.
    ///
    /// # Errors
    /// Why no target answered.
    pub async fn embed(self: &Arc<Self>, job: &EmbedJob) -> Result<EmbedAnswer, Refusal> {
        let route = self.resolve(&job.request.model).await.map_err(Refusal::untried)?;
        let estimate = estimate::embed_tokens(&job.request);
        let operation = EmbedOperation { dispatch: self, job, estimate };
        self.run(&route, &job.wishes, &operation).await
    }
}

struct EmbedOperation<'a> {
    dispatch: &'a Arc<Dispatch>,
    job: &'a EmbedJob,
    estimate: u32,
}

impl Operation for EmbedOperation<'_> {
    type Output = EmbedAnswer;

    const NAME: &'static str = "embeddings";

    fn lacks(&self, upstream: &Upstream, model: &str) -> Option<Need> {
        let is_native = self.job.native == Some(upstream.dialect());
        let tokens = matches!(self.job.request.input, EmbedInput::Tokens(_));
        let needs = [Need::Embeddings, Need::TokenInput];
        let needs = if tokens { &needs[..] } else { &needs[..1] };
        upstream.lacks(model, needs, is_native)
    }

    async fn attempt(&self, step: Step<'_>, trial: Trial) -> Result<EmbedAnswer, Failure> {
        match self.open(step, &trial).await {
            Ok((answer, usage)) => {
                trial.succeeded(usage.as_ref());
                Ok(answer)
            }
            Err(failure) => Err(trial.failed(failure)),
        }
    }
}

impl EmbedOperation<'_> {
    async fn open(
        &self,
        step: Step<'_>,
        trial: &Trial,
    ) -> Result<(EmbedAnswer, Option<Usage>), Failure> {
        let upstream = self.dispatch.providers.get(&step.target.provider);
        let upstream = Arc::clone(upstream.ok_or_else(|| gone(trial))?);
        let mut reservation = reserve(&self.dispatch.budget, ATTEMPT_BYTES)?;
        let mut exchange = upstream
            .embed(&EmbedCall {
                call: step.call(self.estimate),
                request: &self.job.request,
                original: Some(self.job.sent.original()),
                native: self.job.native,
            })
            .await?;
        let most = usize::try_from(upstream.config().max_answer).unwrap_or(usize::MAX);
        let raw = read_whole(&mut exchange.pump, most, trial.name(), &mut reservation).await?;
        let bad = |why: &str| upstream.no_answer(trial.name(), why);
        let dialect = upstream.dialect();
        let (body, usage) = match self.job.native {
            Some(Dialect::OpenAi) if dialect == Dialect::OpenAi => {
                let usage = openai::check_embeddings(&raw).map_err(|it| bad(&it.0))?;
                (EmbedBody::Raw(raw), usage)
            }
            native => {
                let decoded = dialect.decode_vectors(&raw).map_err(|it| bad(&it.0))?;
                let usage = decoded.usage;
                match native == Some(dialect) {
                    true => (EmbedBody::Raw(raw), usage),
                    false => (EmbedBody::Decoded(decoded), usage),
                }
            }
        };
        let remote = self.dispatch.is_remote(step.target);
        let place = if remote { Place::Cloud } else { upstream.config().place };
        let trail = Trail { target: step.target.clone(), attempts: step.course.attempts, place };
        Ok((EmbedAnswer { trail, body, reservation }, usage))
    }
}
