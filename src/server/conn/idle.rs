//! Which connections wait for a request, and for how long: when all places are taken, the one
//! that has waited longest has to go.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// All connections of a listener group.
#[derive(Debug, Clone, Default)]
pub struct Idle(Arc<Registry>);

#[derive(Debug)]
struct Registry {
    seats: Mutex<Vec<Arc<State>>>,
    /// What `State::since` counts from.
    began: Instant,
}

impl Default for Registry {
    fn default() -> Self {
        Self { seats: Mutex::default(), began: Instant::now() }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Whether a request has ever come.
    asked: AtomicBool,
    /// Whether bytes of a request have come that is not whole yet.
    reading: AtomicBool,
    /// Microseconds from the registry's begin to the last request's end.
    since: AtomicU64,
    shed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// One connection's entry; taken out when dropped.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    state: Arc<State>,
}

/// A request is being answered as long as this lives.
#[derive(Debug)]
pub struct Busy {
    registry: Arc<Registry>,
    state: Arc<State>,
}

impl Idle {
    /// A new connection.
    pub fn seat(&self) -> Seat {
        let state = Arc::new(State::default());
        state.since.store(self.0.micros(), Ordering::Relaxed);
        self.0.lock().push(Arc::clone(&state));
        Seat { registry: Arc::clone(&self.0), state }
    }

    /// Ends the connection that has been idle longest. Returns whether there is one.
    pub fn shed_oldest(&self) -> bool {
        let seats = self.0.lock();
        let idle = seats.iter().filter(|state| state.is_idle());
        let Some(oldest) = idle.min_by_key(|state| state.since.load(Ordering::Relaxed)) else {
            return false;
        };
        oldest.shed.store(true, Ordering::Relaxed);
        if let Some(waker) = oldest.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
        true
    }
}

impl Registry {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<State>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0
            && !self.reading.load(Ordering::Relaxed)
            && !self.shed.load(Ordering::Relaxed)
    }
}

impl Seat {
    /// A handle for the service of the connection.
    pub fn share(&self) -> SeatHandle {
        SeatHandle { registry: Arc::clone(&self.registry), state: Arc::clone(&self.state) }
    }

    /// When the last request ended; `None` while one is being answered.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.state.busy.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let micros = self.state.since.load(Ordering::Relaxed);
        Some(self.registry.began + Duration::from_micros(micros))
    }

    pub(super) fn set_reading(&self, reading: bool) {
        self.state.reading.store(reading, Ordering::Relaxed);
    }

    /// Whether the connection has to go. If not, `waker` is woken when it has.
    pub(super) fn is_shed(&self, waker: &Waker) -> bool {
        if self.state.shed.load(Ordering::Relaxed) {
            return true;
        }
        let mut known = self.state.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        false
    }
}

/// Marks requests of one connection as being answered, and knows of them.
#[derive(Debug, Clone)]
pub struct SeatHandle {
    registry: Arc<Registry>,
    state: Arc<State>,
}

impl SeatHandle {
    /// Whether a request has ever come.
    pub fn has_asked(&self) -> bool {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// A request begins to be answered.
    pub fn busy(&self) -> Busy {
        self.state.busy.fetch_add(1, Ordering::Relaxed);
        self.state.asked.store(true, Ordering::Relaxed);
        Busy { registry: Arc::clone(&self.registry), state: Arc::clone(&self.state) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.state.since.store(self.registry.micros(), Ordering::Relaxed);
        self.state.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.lock().retain(|state| !Arc::ptr_eq(state, &self.state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_waits_longest_goes_first_and_no_busy_one() {
        let idle = Idle::default();
        let waker = Waker::noop();
        let (first, second, third) = (idle.seat(), idle.seat(), idle.seat());
        tokio::time::advance(Duration::from_millis(1)).await;
        let busy = first.share().busy();
        third.set_reading(true);
        assert!(idle.shed_oldest());
        assert!(second.is_shed(waker));
        assert!(!idle.shed_oldest(), "one answers, one reads, one is gone already");
        drop(busy);
        assert!(idle.shed_oldest());
        assert!(first.is_shed(waker) && !third.is_shed(waker));
        drop((first, second));
        third.set_reading(false);
        assert!(idle.shed_oldest() && third.is_shed(waker));
    }
}
