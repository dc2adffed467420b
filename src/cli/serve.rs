//! `edgehold serve`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::app;
use crate::cli::load;
use crate::cli::output::complain;
use crate::config::{Config, Env};
use crate::lifecycle::NotifyEnv;
use crate::telemetry::log;

pub(super) fn run(path: Option<&Path>, env: &Env) -> u8 {
    let config = match load(path, env) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let notify = notify_env(env);
    log::init(config.log.level, notify.journal);
    let path: Option<PathBuf> = path.map(Path::to_owned);
    let env = env.clone();
    let reload = move || Config::load(path.as_deref(), &env);
    match app::serve(config, reload, &notify) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("edgehold: {error}"));
            error.exit_code()
        }
    }
}

fn notify_env(env: &Env) -> NotifyEnv {
    NotifyEnv {
        socket: env.get("NOTIFY_SOCKET").map(OsString::from),
        watchdog_usec: env.get("WATCHDOG_USEC").map(str::to_owned),
        watchdog_pid: env.get("WATCHDOG_PID").map(str::to_owned),
        journal: env.get("JOURNAL_STREAM").is_some(),
    }
}
