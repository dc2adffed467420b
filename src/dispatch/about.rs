//! What the local Ollamas say of themselves and their models.

use serde_json::Value;

use crate::budget::Reservation;
use crate::chat::{Error, Kind};
use crate::config::{Place, ProviderKind};
use crate::dispatch::{Dispatch, Wishes, allowed, budget_error};
use crate::provider::{About, MOST_ABOUT, Untold};

/// What was said, with the memory that it takes: to be held until it is gone.
#[derive(Debug)]
pub struct Said {
    /// What each Ollama said, in the order of their names.
    pub values: Vec<Value>,
    /// The memory that it takes.
    pub reservation: Reservation,
}

/// Copies of such an answer: its bytes, its values, and what is written of it.
const COPIES: usize = 6;

impl Dispatch {
    /// What the local Ollamas say. One that is known not to be there is not asked.
    ///
    /// # Errors
    /// There is no memory to ask.
    pub async fn about(&self, about: &About) -> Result<Said, Error> {
        let mut said = self.ready_to_ask()?;
        let down: Vec<_> = self
            .snapshot()
            .providers
            .into_iter()
            .filter(|it| it.reach == "down")
            .map(|it| it.name)
            .collect();
        for upstream in self.providers.iter() {
            let config = upstream.config();
            let is_ours = config.place == Place::Local && config.kind == ProviderKind::Ollama;
            if !is_ours || down.contains(&config.name) {
                continue;
            }
            match upstream.about(about).await {
                Ok(value) => said.values.push(value),
                Err(untold) => {
                    tracing::debug!(provider = %config.name, ?untold, "the Ollama does not say");
                }
            }
            // One version is enough.
            if *about == About::Version && !said.values.is_empty() {
                break;
            }
            let held = MOST_ABOUT * COPIES * (said.values.len() + 1);
            let missing = held.saturating_sub(said.reservation.bytes());
            said.reservation.grow(missing).map_err(|shed| budget_error(&shed))?;
        }
        Ok(said)
    }

    /// What the first Ollama among a model's targets says of it; nothing where no target is at an
    /// Ollama.
    ///
    /// # Errors
    /// No target has the name or may serve it, or the Ollama does not know it or cannot be asked.
    pub async fn show(&self, name: &str, wishes: &Wishes) -> Result<Said, Error> {
        let route = self.resolve(name).await?;
        let locality = allowed(&route, wishes)?;
        let mut said = self.ready_to_ask()?;
        let mut untold = None;
        for target in self.plan(&route, Ok(locality)).takes() {
            let Some(upstream) = self.providers.get(&target.provider) else { continue };
            if upstream.config().kind != ProviderKind::Ollama {
                continue;
            }
            let about = About::Show(target.model.to_string());
            match tokio::time::timeout_at(wishes.end, upstream.about(&about)).await {
                Ok(Ok(value)) => {
                    said.values.push(value);
                    return Ok(said);
                }
                Ok(Err(Untold::NotFound)) => {
                    let message = format!("{target} is not there");
                    untold.get_or_insert_with(|| Error::new(Kind::ModelNotFound, message));
                }
                Ok(Err(Untold::Silent(_))) | Err(_) => {
                    let message = format!("{target} cannot be asked now");
                    untold.get_or_insert_with(|| Error::new(Kind::Unavailable, message));
                }
            }
        }
        match untold {
            Some(error) => Err(error),
            None => Ok(said),
        }
    }

    fn ready_to_ask(&self) -> Result<Said, Error> {
        let reservation = self.budget.reserve(MOST_ABOUT * COPIES);
        let reservation = reservation.map_err(|shed| budget_error(&shed))?;
        Ok(Said { values: Vec::new(), reservation })
    }
}
