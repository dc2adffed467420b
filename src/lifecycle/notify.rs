//! What systemd is told of us (`sd_notify(3)`).

use std::ffi::OsString;
use std::fmt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Longest line that systemd is told, in bytes: a datagram and a terminal take it.
const LONGEST_STATUS: usize = 400;

/// What systemd put into the environment.
#[derive(Debug, Clone, Default)]
pub struct NotifyEnv {
    /// `NOTIFY_SOCKET`
    pub socket: Option<OsString>,
    /// `WATCHDOG_USEC`
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`
    pub watchdog_pid: Option<String>,
}

/// Tells systemd how we are. Does nothing where there is no systemd.
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
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The configuration is being read again. The time is what `Type=notify-reload` wants to know
    /// this reload by; other types pass it over.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The service is stopping.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=finishing running requests");
    }

    /// All is well, and how it stands where that is news: one datagram, or none.
    pub fn tick(&self, alive: bool, news: Option<&str>) {
        let alive = alive && self.watchdog.is_some();
        let parts: Vec<String> = alive
            .then(|| "WATCHDOG=1".to_owned())
            .into_iter()
            .chain(news.map(|news| format!("STATUS={}", one_line(news))))
            .collect();
        if !parts.is_empty() {
            self.send(&parts.join("\n"));
        }
    }

    /// How often systemd is to be told that all is well: half of what it allows.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|it| it / 2).filter(|it| self.is_heard() && !it.is_zero())
    }

    /// Whether there is anybody to tell.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }
}

/// What fits into a line: what is said of providers comes from outside.
fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_STATUS);
    let kept = text.get(..end).unwrap_or_default();
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systemd(name: &str) -> (UnixDatagram, NotifyEnv) {
        let name = format!("edgehold-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let env = NotifyEnv {
            socket: Some(OsString::from(format!("@{name}"))),
            watchdog_usec: Some("30000000".to_owned()),
            watchdog_pid: None,
        };
        (UnixDatagram::bind_addr(&address).unwrap(), env)
    }

    fn heard(systemd: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = systemd.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn systemd_hears_of_it_also_by_an_abstract_name() {
        let (systemd, env) = systemd("hears");
        let notify = Notify::new(&env);
        assert_eq!(notify.watchdog_interval(), Some(Duration::from_secs(15)));
        notify.ready("taking requests");
        assert_eq!(heard(&systemd), "READY=1\nSTATUS=taking requests");
        notify.reloading();
        let text = heard(&systemd);
        let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
        notify.stopping();
        assert!(heard(&systemd).starts_with("STOPPING=1\n"));
        let other = NotifyEnv { watchdog_pid: Some("1".to_owned()), ..env };
        assert_eq!(Notify::new(&other).watchdog_interval(), None);
        Notify::new(&NotifyEnv::default()).ready("nobody hears it");
    }

    #[test]
    fn a_tick_says_what_there_is_to_say() {
        let (systemd, env) = systemd("tick");
        let notify = Notify::new(&env);
        notify.tick(true, None);
        assert_eq!(heard(&systemd), "WATCHDOG=1");
        notify.tick(true, Some("a\nREADY=0"));
        assert_eq!(heard(&systemd), "WATCHDOG=1\nSTATUS=a READY=0");
        // Nothing: what is heard next is what was said next.
        notify.tick(false, None);
        notify.tick(false, Some(&"é".repeat(500)));
        assert_eq!(heard(&systemd), format!("STATUS={}", "é".repeat(200)));
        let unwatched = Notify::new(&NotifyEnv { watchdog_usec: None, ..env });
        unwatched.tick(true, None);
        unwatched.tick(true, Some("b"));
        assert_eq!(heard(&systemd), "STATUS=b");
    }
}
