//! The bounds that the child sets itself before it reads a byte. The kernel holds them.

use std::fs::File;
use std::io::Read;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, chdir, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::set_no_new_privs;

use crate::summary::extract::limits::Limits;
use crate::summary::extract::report::Refused;

/// Text that is written in one piece may go so far beyond the bound before it is noticed.
const TEXT_SLACK: u64 = 64 << 10;
/// The readers do not recurse with their input.
const STACK: u64 = 1 << 20;

/// Shuts this process in. What is open stays open; no file, connection, process or thread is added.
pub(super) fn shut(limits: &Limits) -> Result<(), Refused> {
    let failed = |error| Refused::Failed(format!("the reader's bounds cannot be set: {error}"));
    // Whoever waits for the text is gone with the parent.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed)?;
    set_no_new_privs(true).map_err(failed)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)?;
    chdir("/").map_err(failed)?;
    let seconds = limits.cpu_seconds();
    let bounds = [
        (Resource::Core, 0, 0),
        (Resource::Nofile, 0, 0),
        (Resource::Nproc, 0, 0),
        (Resource::Stack, STACK, STACK),
        (Resource::Fsize, limits.text + TEXT_SLACK, limits.text + TEXT_SLACK),
        // The first says what it was; the second comes to one that does not listen.
        (Resource::Cpu, seconds, seconds + 1),
        (Resource::Data, limits.memory, limits.memory),
    ];
    for (resource, current, maximum) in bounds {
        let bound = Rlimit { current: Some(current), maximum: Some(maximum) };
        setrlimit(resource, bound).map_err(failed)?;
    }
    Ok(())
}

/// What the kernel says of this process. It is opened before that can no more be done.
#[derive(Debug)]
pub(super) struct Status(File);

impl Status {
    pub(super) fn open() -> Result<Self, Refused> {
        let opened = File::open("/proc/self/status").map(Self);
        opened.map_err(|error| Refused::Failed(format!("/proc cannot be read: {error}")))
    }

    /// The most memory that this process has held at once.
    pub(super) fn peak_bytes(mut self) -> u64 {
        let mut status = String::new();
        // Without it there is no figure, and the text is there all the same.
        self.0.read_to_string(&mut status).ok();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }
}
