//! Probes that cost nothing and wake nothing: is the provider there, and which models does it
//! list. GET /api/version and /api/tags of an Ollama, GET /models of an OpenAI-compatible one.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::ProviderKind;
use crate::dialect::{gemini, ollama, openai};
use crate::provider::Upstream;
use crate::provider::attempt::small_body;
use crate::provider::client::CallError;
use crate::provider::http1::Media;
use crate::router::LinkFault;

/// How long a probe may take once it is connected.
const PROBE_WAIT: Duration = Duration::from_secs(5);

/// Most bytes of a model list.
const LIST_BYTES: usize = 1024 * 1024;

impl Upstream {
    /// Asks whether the provider is there. Any JSON answer will do, also one that refuses the
    /// key: what is probed is the way to it.
    ///
    /// # Errors
    /// What is wrong with the way.
    pub async fn probe(&self) -> Result<(), (LinkFault, String)> {
        let until = Instant::now() + self.config.deadlines.connect.max(PROBE_WAIT);
        let response = match self.http.get(&self.paths.probe, until).await {
            Ok(response) => response,
            Err(error) => return Err(as_link(error)),
        };
        let head = response.head;
        if head.is_redirection() || (head.is_success() && head.media != Media::Json) {
            return Err((LinkFault::Captive, "a page or a redirect where JSON should be".into()));
        }
        Ok(())
    }

    /// The models that the provider listed last, if it could be asked.
    pub fn listed(&self) -> Option<Vec<String>> {
        self.listing.names()
    }

    /// Asks for the list of models again, if the last one is too old: by a lower measure if a
    /// name was `missed` in it.
    pub async fn refresh_listing(&self, missed: bool) {
        if !self.listing.is_due(missed, Instant::now()) {
            return;
        }
        match self.list().await {
            Ok(names) => self.listing.keep(names, Instant::now()),
            Err(why) => {
                tracing::debug!(provider = %self.config.name, why, "no list of models");
                self.listing.forget();
            }
        }
    }

    async fn list(&self) -> Result<Vec<String>, String> {
        let until = Instant::now() + PROBE_WAIT;
        let response = match self.http.get(&self.paths.list, until).await {
            Ok(response) if response.head.is_success() => response,
            Ok(response) => return Err(format!("status {}", response.head.status)),
            Err(error) => return Err(as_link(error).1),
        };
        let body = small_body(response.body, LIST_BYTES).await?;
        match self.config.kind {
            ProviderKind::Ollama => ollama::decode_tags(&body).map_err(|bad| bad.0),
            // Anthropic lists its models as OpenAI does.
            ProviderKind::Anthropic | ProviderKind::OpenAi => {
                openai::decode_models(&body).map_err(|bad| bad.0)
            }
            ProviderKind::Gemini => gemini::decode_models(&body).map_err(|bad| bad.0),
        }
    }
}

fn as_link(error: CallError) -> (LinkFault, String) {
    match error {
        CallError::Link(fault, detail) => (fault, detail),
        CallError::Late => (LinkFault::ConnectTimeout, "no answer to a probe".to_owned()),
        CallError::Broken(why) | CallError::Key(why) => (LinkFault::Unreachable, why),
        CallError::Stale => (LinkFault::Unreachable, "the connection was closed".to_owned()),
    }
}
