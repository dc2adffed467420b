//! `[queue]`: where it is, and its limits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::check::{Checker, LONGEST, MIB};
use crate::config::file::QueueTable;
use crate::config::{Env, Queue, Weakened};

/// The smallest quota in which a body and its result have room.
const SMALLEST_QUOTA: u64 = 256 * 1024;

impl Checker<'_> {
    pub(super) fn queue(&mut self, table: QueueTable) -> Queue {
        let quota = self.size("queue.quota", table.quota, 32 * MIB);
        if !(SMALLEST_QUOTA..=64 << 30).contains(&quota) {
            self.complain("queue.quota", "allowed: 256KiB to 64GiB");
        }
        let ttl = self.limit("queue.ttl", table.ttl, millis(LONGEST));
        Queue {
            path: self.queue_path(table.path),
            quota,
            max_jobs: self.number("queue.max_jobs", table.max_jobs, 10_000, 100_000),
            ttl,
            result_ttl: self.limit("queue.result_ttl", table.result_ttl, 86_400_000),
            max_attempts: self.number("queue.max_attempts", table.max_attempts, 5, 100),
            concurrency: usize::try_from(self.number(
                "queue.concurrency",
                table.concurrency,
                2,
                64,
            ))
            .unwrap_or(1),
            weakened: weakened(self.env),
        }
    }

    fn queue_path(&mut self, text: Option<String>) -> Option<PathBuf> {
        let Some(text) = text else { return default_path(self.env) };
        let path = PathBuf::from(text);
        if !path.is_absolute() || path.file_name().is_none() {
            self.complain("queue.path", "allowed: a path such as \"/var/lib/edgehold/queue.db\"");
        }
        Some(path)
    }

    fn number(&mut self, at: &str, given: Option<u32>, default: u32, most: u32) -> u32 {
        let number = given.unwrap_or(default);
        if !(1..=most).contains(&number) {
            self.complain(at, format!("allowed: 1 to {most}"));
        }
        number
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// systemd's state folder, else that of the XDG base directory specification.
fn default_path(env: &Env) -> Option<PathBuf> {
    // systemd lists several folders with colons between them.
    let of_systemd = env.get("STATE_DIRECTORY").and_then(|all| all.split(':').next());
    let folder = match (of_systemd, env.get("XDG_STATE_HOME"), env.get("HOME")) {
        (Some(folder), ..) => PathBuf::from(folder),
        (None, Some(folder), _) => Path::new(folder).join("edgehold"),
        (None, None, Some(home)) => Path::new(home).join(".local/state/edgehold"),
        (None, None, None) => return None,
    };
    folder.is_absolute().then(|| folder.join("queue.db"))
}

/// Only a build for tests can be told to lose jobs.
fn weakened(env: &Env) -> Weakened {
    if !cfg!(debug_assertions) {
        return Weakened::default();
    }
    Weakened {
        synchronous: env.get("EDGEHOLD_TEST_SYNCHRONOUS").map(str::to_owned),
        power_safe_overwrite: env.get("EDGEHOLD_TEST_PSOW").is_some(),
    }
}
