//! A provider's turns: at most `max_concurrent` calls at once, a fair and bounded wait for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The turns of one provider.
#[derive(Debug)]
pub(super) struct Slots {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// A turn; given back when dropped.
pub(super) type Turn = OwnedSemaphorePermit;

/// Why there was no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// As many requests wait already as may.
    Full,
    /// None came free in time.
    Late,
}

impl Slots {
    pub(super) fn new(max_concurrent: usize, max_waiting: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(max_concurrent)),
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Waits for a turn, first come first served, until `until` at the latest.
    pub(super) async fn take(&self, until: Instant) -> Result<Turn, NoTurn> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting, self.max_waiting).ok_or(NoTurn::Full)?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout_at(until, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            // The semaphore is never closed, so this is the deadline.
            Ok(Err(_)) | Err(_) => Err(NoTurn::Late),
        }
    }
}

/// A place in the queue, given up when dropped: also when the client leaves while waiting.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let step = |n: usize| (n < most).then_some(n + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).ok()?;
        Some(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_in_order_and_within_bounds() {
        let slots = Slots::new(1, 1);
        let soon = || Instant::now() + Duration::from_secs(1);
        let held = slots.take(soon()).await.unwrap();
        let (second, third) = tokio::join!(slots.take(soon()), slots.take(soon()));
        assert_eq!(second.unwrap_err(), NoTurn::Late);
        assert_eq!(third.unwrap_err(), NoTurn::Full);
        drop(held);
        assert!(slots.take(soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_leaves_gives_its_place_up() {
        let slots = Slots::new(1, 1);
        let _held = slots.take(Instant::now()).await.unwrap();
        let later = Instant::now() + Duration::from_secs(60);
        {
            let waiter = slots.take(later);
            tokio::pin!(waiter);
            assert!(tokio::time::timeout(Duration::from_secs(1), &mut waiter).await.is_err());
        }
        assert_eq!(slots.waiting.load(Ordering::Relaxed), 0);
    }
}
