//! A prompt that its runner cut: the answer is to another question, and is not passed on.

use crate::chat::{Error, Kind, Usage};
use crate::dispatch::trial::Trial;
use crate::provider::Upstream;

/// What a client is told where the prompt filled the whole window: it was cut. The model's
/// estimates learn of it.
pub(super) fn cut(
    upstream: &Upstream,
    trial: &Trial,
    num_ctx: Option<u32>,
    usage: Option<Usage>,
) -> Option<Error> {
    if trial.is_blind() {
        return None;
    }
    let input_tokens = usage?.input_tokens;
    let num_ctx = num_ctx.filter(|window| input_tokens >= u64::from(*window))?;
    upstream.learn_cut(&trial.target().model);
    Some(Error::new(
        Kind::ContextLength,
        format!(
            "{} cut the prompt to its context of {num_ctx} tokens, so its answer is not passed on; the prompt has more tokens than that: shorten it",
            trial.name()
        ),
    ))
}
