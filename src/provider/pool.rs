//! Connections to one provider that wait for their next request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::Tasks;
use crate::provider::connect::Conn;

/// How long an unused connection is kept. Servers close theirs after 5 s and up; ours must be
/// the shorter life, or a request meets a connection that is just being closed.
const IDLE_LIFE: Duration = Duration::from_secs(4);

/// The connections, oldest first.
pub(super) struct Pool {
    idle: Mutex<Idle>,
    most: usize,
    background: Tasks,
}

#[derive(Default)]
struct Idle {
    waiting: VecDeque<(Conn, Instant)>,
    /// Whether a task waits to close those that nobody wants.
    is_watched: bool,
}

impl Pool {
    /// Keeps at most so many connections.
    pub(super) fn new(most: usize, background: Tasks) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), most, background })
    }

    /// The connection that was used last, if it is still there. What is used most stays warm, and
    /// the others grow old.
    pub(super) fn take(&self) -> Option<Conn> {
        loop {
            let (mut conn, since) = self.lock().waiting.pop_back()?;
            if since.elapsed() < IDLE_LIFE && conn.is_open() {
                return Some(conn);
            }
        }
    }

    /// A connection is free again.
    pub(super) fn put(self: &Arc<Self>, conn: Conn) {
        let mut idle = self.lock();
        if idle.waiting.len() >= self.most {
            return;
        }
        idle.waiting.push_back((conn, Instant::now()));
        if !std::mem::replace(&mut idle.is_watched, true) {
            let pool = Arc::downgrade(self);
            self.background.spawn(async move {
                while let Some(next) = pool.upgrade().and_then(|pool| pool.close_old()) {
                    tokio::time::sleep_until(next).await;
                }
            });
        }
    }

    /// Closes all of them.
    pub(super) fn clear(&self) {
        self.lock().waiting.clear();
    }

    /// Closes the connections whose time is over. Returns when the next one's is, if there is one.
    fn close_old(&self) -> Option<Instant> {
        let mut idle = self.lock();
        let now = Instant::now();
        while let Some((_, since)) = idle.waiting.front() {
            let end = *since + IDLE_LIFE;
            if end > now {
                return Some(end);
            }
            idle.waiting.pop_front();
        }
        idle.waiting.shrink_to(0);
        idle.is_watched = false;
        None
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
