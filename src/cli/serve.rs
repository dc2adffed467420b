//! `edgehold serve`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;

use crate::app;
use crate::cli::load;
use crate::cli::output::{is_journal, report};
use crate::config::{Config, Env};
use crate::lifecycle::{NotifyEnv, Pace, Passed, PassedSocket};
use crate::telemetry::log;

pub(super) fn run(path: Option<&Path>, env: &Env) -> u8 {
    let config = match load(path, env) {
        Ok(config) => config,
        Err(code) => return code,
    };
    log::init(config.log.level, is_journal(env));
    let path: Option<PathBuf> = path.map(Path::to_owned);
    let given = app::Given {
        notify: notify_env(env),
        passed: passed(env),
        pace: Pace::new(env.get("RUNTIME_DIRECTORY")),
    };
    let load_again = env.clone();
    let reload = move || Config::load(path.as_deref(), &load_again);
    match app::serve(config, reload, given) {
        Ok(()) => 0,
        Err(error) => {
            report(&format!("edgehold: {error}"), env);
            error.exit_code()
        }
    }
}

fn notify_env(env: &Env) -> NotifyEnv {
    NotifyEnv {
        socket: env.get("NOTIFY_SOCKET").map(OsString::from),
        watchdog_usec: env.get("WATCHDOG_USEC").map(str::to_owned),
        watchdog_pid: env.get("WATCHDOG_PID").map(str::to_owned),
    }
}

/// The sockets that came with the process. Without `LISTEN_PID` nobody says that they are ours.
fn passed(env: &Env) -> Passed {
    let mut passed = Passed::default();
    if env.get("LISTEN_PID").is_none() {
        return passed;
    }
    let mut sockets = ListenFd::from_env();
    let mut names = env.get("LISTEN_FDNAMES").unwrap_or_default().split(':');
    for index in 0..sockets.len() {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or("systemd");
        passed.push(name.to_owned(), socket(&mut sockets, index));
    }
    passed
}

fn socket(sockets: &mut ListenFd, index: usize) -> PassedSocket {
    if let Ok(Some(tcp)) = sockets.take_tcp_listener(index) {
        return PassedSocket::Tcp(tcp);
    }
    if let Ok(Some(unix)) = sockets.take_unix_listener(index) {
        return PassedSocket::Unix(unix);
    }
    PassedSocket::Other(what_else(sockets, index))
}

/// For a person: what it is where it is no stream socket.
fn what_else(sockets: &mut ListenFd, index: usize) -> String {
    if let Ok(Some(udp)) = sockets.take_udp_socket(index) {
        let at = udp.local_addr().map_or_else(|_| "?".to_owned(), |at| at.to_string());
        return format!("a datagram socket for {at}");
    }
    match sockets.take_unix_datagram(index) {
        Ok(Some(datagram)) => {
            let at = datagram.local_addr().ok();
            let path = at.as_ref().and_then(|at| at.as_pathname());
            format!("a datagram socket for {}", path.unwrap_or_else(|| Path::new("?")).display())
        }
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("no stream socket ({error})"),
    }
}
