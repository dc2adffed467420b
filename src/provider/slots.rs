//! A provider's turns: at most `max_concurrent` calls at once, a fair and bounded wait for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The turns of one provider.
#[derive(Debug)]
pub(super) struct Slots {
    turns: Arc<Semaphore>,
    /// A turn or a place among those who wait came free.
    freed: Arc<Notify>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// A turn; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // To whoever waits, and only if nobody does to those who go last.
        drop(self.permit.take());
        self.freed.notify_waiters();
    }
}

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
            freed: Arc::default(),
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    /// Waits for a turn, first come first served, until `until` at the latest.
    pub(super) async fn take(&self, until: Instant) -> Result<Turn, NoTurn> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(self.turn(permit));
        }
        let _place = Place::take(self).ok_or(NoTurn::Full)?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout_at(until, turn).await {
            Ok(Ok(permit)) => Ok(self.turn(permit)),
            // The semaphore is never closed, so this is the deadline.
            Ok(Err(_)) | Err(_) => Err(NoTurn::Late),
        }
    }

    /// Waits for a turn that nobody else waits for, until `until` at the latest.
    pub(super) async fn take_last(&self, until: Instant) -> Result<Turn, NoTurn> {
        loop {
            let freed = Arc::clone(&self.freed).notified_owned();
            if self.waiting.load(Ordering::Relaxed) == 0
                && let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned()
            {
                return Ok(self.turn(permit));
            }
            tokio::time::timeout_at(until, freed).await.map_err(|_| NoTurn::Late)?;
        }
    }

    fn turn(&self, permit: OwnedSemaphorePermit) -> Turn {
        Turn { permit: Some(permit), freed: Arc::clone(&self.freed) }
    }
}

/// A place in the queue, given up when dropped: also when the client leaves while waiting.
struct Place<'a>(&'a Slots);

impl<'a> Place<'a> {
    fn take(slots: &'a Slots) -> Option<Self> {
        let step = |n: usize| (n < slots.max_waiting).then_some(n + 1);
        slots.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).ok()?;
        Some(Self(slots))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_waiters();
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
    async fn who_goes_last_waits_for_all_others() {
        let slots = Slots::new(1, 8);
        let later = Instant::now() + Duration::from_secs(60);
        let held = slots.take(later).await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let last = async {
            let _turn = slots.take_last(later).await.unwrap();
            order.lock().unwrap().push("job");
        };
        let first = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _turn = slots.take(later).await.unwrap();
            order.lock().unwrap().push("client");
        };
        let end = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            drop(held);
        };
        tokio::join!(last, first, end);
        assert_eq!(order.into_inner().unwrap(), ["client", "job"]);
        let _held = slots.take(later).await.unwrap();
        assert_eq!(slots.take_last(Instant::now()).await.unwrap_err(), NoTurn::Late);
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
