//! Signs of life of the queue's thread, for a watchdog.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::queue::thread::locked;

/// How the queue's thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It answers; also that its database cannot be used.
    Answers,
    /// It waits for the disk: the kernel does not let it go on, and a new process would wait as well.
    Waits,
    /// It has ended, or does something that does not end.
    None,
}

/// What can be known of the thread without its help.
#[derive(Debug, Default)]
pub(super) struct Stat {
    /// Where the kernel says what it is doing.
    path: OnceLock<PathBuf>,
    /// Since when it has been at what it does.
    since: Mutex<Option<Instant>>,
}

impl Stat {
    /// The thread that calls this is meant.
    pub(super) fn begins_here(&self) {
        if let Ok(own) = std::fs::read_link("/proc/thread-self") {
            self.path.set(Path::new("/proc").join(own).join("stat")).ok();
        }
    }

    /// Whether it waits for the disk at this moment.
    pub(super) fn waits_for_disk(&self) -> bool {
        let stat = self.path.get().and_then(|path| std::fs::read_to_string(path).ok());
        stat.is_some_and(|stat| is_disk_sleep(&stat))
    }

    /// It begins with what somebody asked for.
    pub(super) fn begins(&self) {
        *locked(&self.since) = Some(Instant::now());
    }

    /// It has done all that.
    pub(super) fn is_done(&self) {
        *locked(&self.since) = None;
    }

    /// How long it has been at it; `None` where it has nothing to do.
    pub(super) fn at_it_for(&self) -> Option<Duration> {
        locked(&self.since).map(|since| since.elapsed())
    }
}

/// Whether a line of /proc/PID/task/TID/stat tells of an uninterruptible sleep (proc(5)): the state
/// comes after the name, which may hold anything.
fn is_disk_sleep(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('D'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_the_disk_is_known_from_one_that_hangs() {
        for (stat, waits) in [
            ("7 (edgehold-queue) D 1 7 7 0", true),
            ("7 (a) D (b) S 1 7 7 0", false),
            ("7 (edgehold-queue) R 1 7 7 0", false),
            ("7 (edgehold-queue) t 1 7 7 0", false),
            ("", false),
        ] {
            assert_eq!(is_disk_sleep(stat), waits, "{stat}");
        }
    }

    #[test]
    fn the_kernel_says_it_of_this_thread() {
        let stat = Stat::default();
        assert!(!stat.waits_for_disk(), "no thread is known");
        stat.begins_here();
        let line = std::fs::read_to_string(stat.path.get().unwrap()).unwrap();
        assert!(line.contains(") R "), "who reads this runs: {line}");
        assert!(!stat.waits_for_disk());
    }
}
