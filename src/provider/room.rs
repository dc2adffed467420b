//! How much of a document a model takes at once.

use tokio::time::Instant;

use crate::config::{Place, ProviderKind};
use crate::provider::Upstream;
use crate::provider::call::Call;

/// The largest window that a piece of a document is made for on the device. A small model reads a few
/// pages well and many badly, and a larger window takes more of the memory.
const LOCAL_WINDOW: u32 = 4096;

/// The same in a cloud.
const CLOUD_WINDOW: u32 = 32_768;

/// Most calls at once for one document.
const MOST_AT_ONCE: usize = 4;

/// What a model takes at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Tokens of prompt and answer together.
    pub window: u32,
    /// Real tokens for each that is estimated.
    pub factor: f64,
    /// Calls that may be under way at once.
    pub at_once: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { window: LOCAL_WINDOW, factor: 1.0, at_once: 1 }
    }
}

impl Upstream {
    /// What a model of it takes at once. An Ollama is asked what the model's own context is; where it
    /// does not say, the attempt itself will find out.
    pub async fn room(&self, call: &Call<'_>) -> Room {
        let model = &*call.target.model;
        let is_ollama = self.config.kind == ProviderKind::Ollama;
        if is_ollama && self.models.shown(model, Instant::now()).is_none() {
            let shown = self.show(call).await;
            if let Err(failure) = shown {
                let error = failure.error.for_log();
                tracing::debug!(target = %call.target, error, "the model is not described");
            }
        }
        let (own, factor) = self.models.reckoning(model);
        let usual = match self.config.place {
            Place::Local => LOCAL_WINDOW,
            Place::Cloud => CLOUD_WINDOW,
        };
        let limits = own.into_iter().chain(self.config.max_context);
        let window = limits.fold(usual, u32::min);
        Room { window, factor, at_once: self.config.max_concurrent.min(MOST_AT_ONCE) }
    }
}
