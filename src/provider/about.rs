//! What an Ollama says of itself and its models, handed on as it says it.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::ProviderKind;
use crate::dialect::ollama;
use crate::provider::Upstream;
use crate::provider::attempt::small_body;
use crate::provider::client::CallError;

/// Most bytes of such an answer.
const MOST: usize = 1024 * 1024;

/// A question about an Ollama.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Which models are loaded.
    Ps,
    /// What a model is, by the Ollama's name for it.
    Show(String),
    /// Which models there are.
    Tags,
    /// Its version.
    Version,
}

impl Upstream {
    /// Asks an Ollama about itself. `None` where it is none, cannot be asked, or does not know.
    pub async fn about(self: &Arc<Self>, about: &About) -> Option<Value> {
        if self.config.kind != ProviderKind::Ollama {
            return None;
        }
        let until = Instant::now() + self.config.deadlines.connect;
        let response = match about {
            About::Ps => self.http.get(&self.paths.ps, until).await,
            About::Show(model) => {
                self.http.post(&self.paths.show, &ollama::show_body(model), until).await
            }
            About::Tags => self.http.get(&self.paths.list, until).await,
            About::Version => self.http.get(&self.paths.probe, until).await,
        };
        let response = response.map_err(|error| self.untold(&error)).ok()?;
        if !response.head.is_success() {
            return None;
        }
        let body = small_body(response.body, MOST).await.ok()?;
        serde_json::from_slice(&body).ok()
    }

    fn untold(&self, error: &CallError) {
        tracing::debug!(provider = %self.config.name, ?error, "the Ollama does not say");
    }
}
