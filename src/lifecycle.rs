//! Start, stop and reload: signals, the drain, tasks that it waits for, and what systemd gives and is
//! told.

mod notify;
mod pace;
mod passed;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};
use tokio::sync::{Notify as Wake, watch};

pub use notify::{Notify, NotifyEnv};
pub use pace::Pace;
pub use passed::{Passed, PassedSocket};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: stop.
    Stop,
}

/// The process's signals.
#[derive(Debug)]
pub struct Signals {
    hangup: UnixSignal,
    interrupt: UnixSignal,
    terminate: UnixSignal,
}

impl Signals {
    /// Begins to listen for signals.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    /// The next signal to stop; what asks for a reload meanwhile comes too late.
    pub async fn stop(&mut self) {
        while let Signal::Reload = self.next().await {}
    }
}

/// Whether the service is stopping; cheap to clone.
#[derive(Debug, Clone)]
pub struct Drain(watch::Sender<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// Not stopping.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Begins the drain.
    pub fn start(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins.
    pub async fn started(&self) {
        // The sender is in `self`, so the channel cannot close while we wait.
        self.0.subscribe().wait_for(|draining| *draining).await.ok();
    }
}

/// Tasks that the drain waits for. The only place that spawns any.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    running: AtomicUsize,
    none_left: Wake,
}

impl Tasks {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task.
    #[expect(clippy::disallowed_methods, reason = "this is the place that counts what is spawned")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(Arc::clone(&self.0));
        tokio::spawn(async move {
            let _running = running;
            task.await;
        });
    }

    /// Waits until no task is left, at most for the grace. Returns how many are left.
    pub async fn finished(&self, grace: Duration) -> usize {
        let all = async {
            while self.0.running.load(Ordering::Relaxed) > 0 {
                self.0.none_left.notified().await;
            }
        };
        match tokio::time::timeout(grace, all).await {
            Ok(()) => 0,
            Err(_) => self.0.running.load(Ordering::Relaxed),
        }
    }
}

struct Running(Arc<Count>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none_left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_drain_waits_for_tasks_and_no_longer_than_the_grace() {
        let tasks = Tasks::new();
        let drain = Drain::new();
        let until = drain.clone();
        tasks.spawn(async move { until.started().await });
        tasks.spawn(std::future::pending());
        assert!(!drain.is_draining());
        drain.start();
        assert_eq!(tasks.finished(Duration::from_secs(5)).await, 1);
        assert_eq!(Tasks::new().finished(Duration::from_secs(5)).await, 0);
    }
}
