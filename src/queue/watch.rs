//! Who waits for a job to change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::queue::names::JobKey;

/// Those who wait, by job.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<HashMap<JobKey, Weak<Notify>>>);

/// Wakes whoever holds it when its job changes.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Notify>);

impl Watch {
    /// Ends at the job's next change after this call: ask for the job's state after it, and nothing
    /// is missed.
    pub fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.0).notified_owned()
    }
}

impl Watchers {
    pub(super) fn watch(&self, key: &JobKey) -> Watch {
        let mut all = self.all();
        if let Some(known) = all.get(key).and_then(Weak::upgrade) {
            return Watch(known);
        }
        // Those that nobody holds any more go when another comes: there are as many as clients wait.
        all.retain(|_, known| known.strong_count() > 0);
        let fresh = Arc::new(Notify::new());
        all.insert(key.clone(), Arc::downgrade(&fresh));
        Watch(fresh)
    }

    pub(super) fn changed(&self, keys: &[JobKey]) {
        let all = self.all();
        for waiting in keys.iter().filter_map(|key| all.get(key)?.upgrade()) {
            waiting.notify_waiters();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<JobKey, Weak<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
