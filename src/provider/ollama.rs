//! What is known of the models of one Ollama: what they can, whether they are loaded, and loads
//! that are under way.
//!
//! A load is held by a task of its own: when the client that asked for the model leaves, or its
//! request goes to another target, the load goes on, or every retry would begin it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::dialect::ollama::Shown;
use crate::provider::context::{Correction, TooLong, Window};
use crate::provider::failure::Failure;

/// How long an answer of /api/show is believed. Short, because a name can be pulled again as a
/// model that runs in a cloud.
const SHOWN_FOR: Duration = Duration::from_secs(60);

/// How long after its last answer a model is taken for loaded without asking. A load call to a
/// model that is loaded returns at once, so this is short.
const LOADED_FOR: Duration = Duration::from_secs(30);

/// The models of one Ollama, by full name.
#[derive(Debug, Default)]
pub(super) struct Models(Mutex<HashMap<String, Model>>);

#[derive(Debug, Default)]
struct Model {
    shown: Option<(Shown, Instant)>,
    correction: Correction,
    loaded: Option<Loaded>,
    loading: Option<watch::Receiver<LoadState>>,
}

#[derive(Debug, Clone, Copy)]
struct Loaded {
    num_ctx: u32,
    fresh_until: Instant,
}

/// How a load stands.
#[derive(Debug, Clone, Default)]
pub(super) enum LoadState {
    /// Not ended yet.
    #[default]
    Running,
    /// The model is loaded.
    Done,
    /// It could not be loaded.
    Failed(Arc<Failure>),
}

/// What a request must do before it may use a model.
pub(super) enum Ready {
    /// Nothing: it is loaded with a window that is large enough.
    Now,
    /// Wait for the load that is under way.
    Wait(watch::Receiver<LoadState>),
    /// Begin a load, and say how it ends.
    Begin(watch::Sender<LoadState>, watch::Receiver<LoadState>),
}

impl Models {
    /// Works on a model that is known. Names come from clients, so an unknown one makes no entry.
    fn with<T>(&self, model: &str, work: impl FnOnce(&mut Model) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(model).map(work)
    }

    /// What /api/show said of the model, if that is still believed.
    pub(super) fn shown(&self, model: &str, now: Instant) -> Option<Shown> {
        self.with(model, |known| {
            known.shown.as_ref().filter(|(_, at)| now < *at + SHOWN_FOR).map(|(it, _)| it.clone())
        })?
    }

    /// Keeps what /api/show said: the one place where a model becomes known.
    pub(super) fn show(&self, model: &str, shown: Shown, now: Instant) {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        models.entry(model.to_owned()).or_default().shown = Some((shown, now));
    }

    /// Whether the model is known to run elsewhere.
    pub(super) fn is_remote(&self, model: &str) -> bool {
        self.with(model, |known| known.shown.as_ref().is_some_and(|(shown, _)| shown.remote))
            .unwrap_or_default()
    }

    /// The window for a prompt estimated at `estimate` tokens.
    pub(super) fn choose_window(
        &self,
        model: &str,
        estimate: u32,
        (answer, least): (Option<u32>, Option<u32>),
        allowed: u32,
    ) -> Result<u32, TooLong> {
        self.with(model, |known| {
            let window = Window {
                own: known.shown.as_ref().and_then(|(shown, _)| shown.context_length),
                allowed,
                loaded: known.loaded.map(|loaded| loaded.num_ctx),
            };
            window.choose(known.correction.apply(estimate), answer, least)
        })
        .unwrap_or_else(|| {
            Window { own: None, allowed, loaded: None }.choose(estimate, answer, least)
        })
    }

    /// The model's own context length, where it says, and how its real tokens relate to estimates.
    pub(super) fn reckoning(&self, model: &str) -> (Option<u32>, f64) {
        self.with(model, |known| {
            let own = known.shown.as_ref().and_then(|(shown, _)| shown.context_length);
            (own, known.correction.factor())
        })
        .unwrap_or_else(|| (None, Correction::default().factor()))
    }

    /// What a request that needs the model with `num_ctx` has to wait for.
    pub(super) fn ready(&self, model: &str, num_ctx: u32, now: Instant) -> Ready {
        let (sender, receiver) = watch::channel(LoadState::Running);
        let known = self.with(model, |known| {
            if known.loaded.is_some_and(|it| it.num_ctx == num_ctx && now < it.fresh_until) {
                return Some(Ready::Now);
            }
            if let Some(loading) = known.loading.as_ref().filter(|it| it.has_changed().is_ok()) {
                return Some(Ready::Wait(loading.clone()));
            }
            known.loading = Some(receiver.clone());
            None
        });
        known.flatten().unwrap_or(Ready::Begin(sender, receiver))
    }

    /// The model answered, or was loaded, with `num_ctx`.
    pub(super) fn answered(&self, model: &str, num_ctx: u32, now: Instant) {
        self.with(model, |known| {
            known.loaded = Some(Loaded { num_ctx, fresh_until: now + LOADED_FOR });
        });
    }

    /// The model failed: it may have been unloaded, or not be what it was.
    pub(super) fn failed(&self, model: &str) {
        self.with(model, |known| {
            known.shown = None;
            if let Some(loaded) = &mut known.loaded {
                loaded.fresh_until = Instant::now();
            }
        });
    }

    /// Learns how many tokens a prompt really had.
    pub(super) fn learn(&self, model: &str, estimate: u32, reported: u64) {
        self.with(model, |known| known.correction.learn(estimate, reported));
    }

    /// Learns that a prompt was cut.
    pub(super) fn cut(&self, model: &str) {
        self.with(model, |known| known.correction.cut());
    }
}

/// Whether `keep_alive` unloads a model as soon as it has answered: then it cannot be loaded
/// ahead of a request.
pub(super) fn unloads_at_once(keep_alive: &str) -> bool {
    let digits = keep_alive.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse::<f64>().is_ok_and(|number| number == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_load_serves_all_who_wait() {
        let models = Models::default();
        let now = Instant::now();
        models.show("m", Shown::default(), now);
        let Ready::Begin(sender, _mine) = models.ready("m", 2048, now) else { panic!("no load") };
        assert!(matches!(models.ready("m", 2048, now), Ready::Wait(_)));
        models.answered("m", 2048, now);
        sender.send(LoadState::Done).unwrap();
        drop(sender);
        assert!(matches!(models.ready("m", 2048, now), Ready::Now));
        assert!(matches!(models.ready("m", 4096, now), Ready::Begin(..)), "a larger window");
        let later = now + LOADED_FOR;
        assert!(matches!(models.ready("m", 2048, later), Ready::Begin(..)), "not fresh any more");
    }

    #[test]
    fn keep_alive_of_nothing() {
        for (text, want) in
            [("0", true), ("0s", true), ("0m", true), ("10m", false), ("-1", false), ("1", false)]
        {
            assert_eq!(unloads_at_once(text), want, "{text}");
        }
    }
}
