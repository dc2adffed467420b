//! A prompt that its runner cut: the answer is to another question, and is not passed on.

use crate::chat::{Error, Kind};

/// The window that a prompt filled, if it did.
pub(super) fn cut_at(num_ctx: Option<u32>, input_tokens: u64) -> Option<u32> {
    num_ctx.filter(|window| input_tokens >= u64::from(*window))
}

/// What a client is told about an answer to a prompt that was cut.
pub(super) fn was_cut(target: &str, num_ctx: u32) -> Error {
    Error::new(
        Kind::ContextLength,
        format!(
            "{target} cut the prompt to its context of {num_ctx} tokens, so its answer is not passed on; the prompt has more tokens than that: shorten it"
        ),
    )
}
