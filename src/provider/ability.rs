//! What a target cannot do: by its provider's kind, by the configuration, by what an Ollama says of
//! its model.

use tokio::time::Instant;

use crate::chat::Need;
use crate::config::{Ability, ProviderKind};
use crate::provider::Upstream;

impl Upstream {
    /// The first of the needs that a model of it cannot meet. `is_native` says that the client's
    /// own body would go there as it is, with every field in it.
    pub fn lacks(&self, model: &str, needs: &[Need], is_native: bool) -> Option<Need> {
        needs.iter().find(|need| !self.can(model, need, is_native)).cloned()
    }

    fn can(&self, model: &str, need: &Need, is_native: bool) -> bool {
        let kind = self.config.kind;
        match need {
            Need::Embeddings => kind != ProviderKind::Anthropic && self.has(Ability::Embeddings),
            Need::Exotic(_) => is_native,
            Need::ForcedTool => kind != ProviderKind::Ollama,
            Need::ImageUrls => matches!(kind, ProviderKind::Anthropic | ProviderKind::OpenAi),
            Need::Images => self.has(Ability::Images) && self.says(model, "vision"),
            Need::Insert => match kind {
                ProviderKind::Ollama => self.says(model, "insert"),
                ProviderKind::OpenAi => is_native,
                ProviderKind::Anthropic | ProviderKind::Gemini => false,
            },
            Need::Model => true,
            Need::Loading | Need::RawPrompt => kind == ProviderKind::Ollama,
            Need::Schema => self.has(Ability::JsonSchema),
            Need::TokenInput => kind == ProviderKind::OpenAi,
            Need::Tools => self.has(Ability::Tools) && self.says(model, "tools"),
        }
    }

    fn has(&self, ability: Ability) -> bool {
        !self.config.lacks.contains(&ability)
    }

    /// What the Ollama says that its model can, as far as it has been asked and says.
    pub(super) fn says(&self, model: &str, capability: &str) -> bool {
        let shown = self.models.shown(model, Instant::now());
        let said = shown.and_then(|shown| shown.capabilities);
        said.is_none_or(|all| all.iter().any(|known| known == capability))
    }
}
