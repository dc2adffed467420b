//! Start, stop and reload: signals, the drain, tasks that it waits for, and what systemd is told.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};
use tokio::sync::{Notify as Wake, watch};

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

/// What systemd put into the environment.
#[derive(Debug, Clone, Default)]
pub struct NotifyEnv {
    /// `NOTIFY_SOCKET`
    pub socket: Option<OsString>,
    /// `WATCHDOG_USEC`
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`
    pub watchdog_pid: Option<String>,
    /// Whether stderr goes to the journal (`JOURNAL_STREAM` is set).
    pub journal: bool,
}

/// Tells systemd how we are (`sd_notify(3)`). Does nothing where there is no systemd.
#[derive(Clone)]
pub struct Notify {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").field("watchdog", &self.watchdog).finish_non_exhaustive()
    }
}

impl Notify {
    /// Finds systemd's socket.
    pub fn new(env: &NotifyEnv) -> Self {
        let socket = env.socket.as_ref().and_then(|name| {
            let bytes = name.as_bytes();
            let address = match bytes.strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name).ok()?,
                None => SocketAddr::from_pathname(name).ok()?,
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(Arc::new((socket, address)))
        });
        let ours =
            env.watchdog_pid.as_ref().is_none_or(|pid| *pid == std::process::id().to_string());
        let micros = env.watchdog_usec.as_ref().filter(|_| ours).and_then(|it| it.parse().ok());
        Self { socket, watchdog: micros.map(Duration::from_micros) }
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // A full or vanished socket is systemd's affair; there is nobody else to tell.
            socket.0.send_to_addr(message.as_bytes(), &socket.1).ok();
        }
    }

    /// The service takes requests.
    pub fn ready(&self) {
        self.send("READY=1\nSTATUS=taking requests");
    }

    /// The configuration is being read again.
    pub fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The service is stopping.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=finishing running requests");
    }

    /// The event loop turns.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// How often systemd is to be told so: half of what it allows.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.socket.is_some()).map(|it| it / 2).filter(|it| !it.is_zero())
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

    #[test]
    fn systemd_hears_of_it_also_by_an_abstract_name() {
        let name = format!("edgehold-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        let env = NotifyEnv {
            socket: Some(OsString::from(format!("@{name}"))),
            watchdog_usec: Some("30000000".to_owned()),
            ..NotifyEnv::default()
        };
        let notify = Notify::new(&env);
        assert_eq!(notify.watchdog_interval(), Some(Duration::from_secs(15)));
        notify.ready();
        let mut buffer = [0; 64];
        let length = systemd.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"READY=1\n"));
        let other = NotifyEnv { watchdog_pid: Some("1".to_owned()), ..env };
        assert_eq!(Notify::new(&other).watchdog_interval(), None);
        Notify::new(&NotifyEnv::default()).ready();
    }
}
