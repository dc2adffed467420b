//! What an Ollama says of itself and its models, handed on as it says it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::dialect::ollama;
use crate::provider::Upstream;
use crate::provider::attempt::small_body;

/// Most bytes of such an answer.
pub const MOST_ABOUT: usize = 256 * 1024;

/// How long it may take: nothing of it needs a model.
const ABOUT_WAIT: Duration = Duration::from_secs(3);

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

/// Why an Ollama did not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// It does not know.
    NotFound,
    /// It cannot be asked, or answered what is no answer.
    Silent(String),
}

impl Upstream {
    /// Asks an Ollama about itself.
    ///
    /// # Errors
    /// Why it did not say.
    pub async fn about(self: &Arc<Self>, about: &About) -> Result<Value, Untold> {
        let until = Instant::now() + ABOUT_WAIT;
        let asked = match about {
            About::Ps => self.http.get(&self.paths.ps, until).await,
            About::Show(model) => {
                self.http.post(&self.paths.show, &ollama::show_body(model), until).await
            }
            About::Tags => self.http.get(&self.paths.list, until).await,
            About::Version => self.http.get(&self.paths.probe, until).await,
        };
        let response = asked.map_err(|error| Untold::Silent(format!("{error:?}")))?;
        match response.head.status {
            200..=299 => {}
            404 => return Err(Untold::NotFound),
            status => return Err(Untold::Silent(format!("status {status}"))),
        }
        let body = small_body(response.body, MOST_ABOUT).await.map_err(Untold::Silent)?;
        serde_json::from_slice(&body).map_err(|_| Untold::Silent("no JSON".to_owned()))
    }
}
