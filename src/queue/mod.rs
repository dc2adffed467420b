//! The durable queue: jobs that survive everything but a disk that loses what it has confirmed.
//!
//! What is promised. *Accepted* is a job when its client received the complete 2xx header of the
//! call that created it; *durable storage* means that fdatasync returned 0 on a device that honours
//! FLUSH.
//!
//! 1. **Durability.** A job is accepted only after it is on durable storage. An accepted job
//!    survives process crash, kernel crash and power loss, also when blocks in flight at the cut
//!    come back as garbage. We do not promise survival of a device that loses or alters data it
//!    already confirmed.
//! 2. **Atomicity.** After any interruption a job exists whole or not at all. A create that got no
//!    answer may or may not exist; repeating it with the same id settles it.
//! 3. **Idempotency.** For one (client, id/key), at most one job exists and every reader gets the
//!    same result, until 24 h after the job ended (configurable, published). Another body under the
//!    same key is refused with 422 and changes nothing.
//! 4. **Execution is at least once; the result is at most one.** An upstream may be called again
//!    after a crash or lost answer (and may bill twice); the first stored result is final. At most
//!    `max_attempts` (5) calls; 3 starts that ended in a crash quarantine the job. (Of a job in steps,
//!    both count since the last step that was kept, and it is 20 starts: see below.)
//! 5. **Retention.** A result is deleted only after the client's DELETE or its TTL, never to make
//!    room. An expired job ends as `expired`, visibly; clock jumps expire nothing.
//! 6. **Capacity.** Full (count, bytes, or disk reserve) refuses new jobs with 429 + Retry-After;
//!    accepted jobs are never dropped; reading, cancelling and deleting still work, also on a full
//!    disk.
//! 7. **Order.** Jobs *start* in acceptance order within a priority, except while one waits to
//!    retry. No promise on completion order.
//! 8. **Integrity.** A payload that fails its checksum is never executed or served; it is reported
//!    as `corrupt` and counted. An unreadable database is set aside, never overwritten; the service
//!    comes up.
//! 9. **Memory.** RSS stays under the configured cap (default 32 MiB) whatever clients or upstreams
//!    do; the answer to pressure is 429/503/413.
//! 10. **Liveness.** Ready ≤ 2 s after start with 10,000 jobs (aarch64 guest); draining starts ≤ 5 s
//!     after an upstream returns; nothing needs a manual restart.
//! 11. **Secrecy.** A provider key reaches only its configured origin over verified TLS, and no log,
//!     error, response or disk file written by us.
//!
//! How they are kept:
//! - [`Queue`] is the handle: named operations over a bounded channel to the one thread that owns
//!   the database (`store`, the only SQL). What waits at once is committed at once.
//! - Two commits of a job are synced: its acceptance and its end; and each of its steps, where it has
//!   any. What lies between may be lost with the power and is then done again; the count of its starts
//!   survives the process, so that a job which crashes it does not do so for ever.
//! - After a failed write or sync nothing is tried again on the same connection. The database is
//!   closed, read anew from the disk, and its log written once more to its place; until then jobs
//!   are answered 503, and everything else is served.
//! - A disk may also not answer at all. A client waits 30 s for it and is told then; what the thread
//!   had not taken up by that time is not done, and of what it had nobody knows until it is asked for
//!   again. While the disk has not answered for 30 s, clients are told at once. What the service
//!   itself has to keep, such as a job's end, waits for as long as it takes.
//! - A job may be done in steps ([`Step`]). Each that is finished is synced, and the next run goes on
//!   from there. Promise 4 reads so for it: at most `max_attempts` calls since the step that was kept
//!   last (or the draft), not counting those that the end of the process cut off; 20 starts in a row
//!   that ended with the process and kept no step quarantine it. Its steps stay where it is tried
//!   again, failed or expired, so that [`Queue::retry`] goes on where it stood; they go when it has an
//!   answer or a draft, is cancelled or corrupt. They count in the quota; where there is no room for
//!   one, the run goes on without.
//! - A job may own a file beside the database, for what is too large for it. The file is its maker's
//!   until [`Queue::enqueue`] is called: by then it is written, synced and has its name. From that
//!   call on it is the queue's. It goes where the job is not taken (or was before), has an answer, or
//!   goes itself: after the commit that says so is on stable storage, never before. What a process
//!   leaves over when it ends in between goes at the next start, before which the folder is looked
//!   at; a file that is no job's by its name is left alone. While a database that was set aside stands
//!   beside the queue's, nothing in the folder is taken for left over: it may be that one's. A job
//!   whose file is lost, or is not as long as was promised, is corrupt; what is in the file, the
//!   runner has to check. Where the folder itself is away, the job waits.
//! - `line` says who is next, [`work()`] runs them. What a job is about is bytes to both: a
//!   [`Runner`] knows, and says which lanes can be served.
//! - Time is counted by the service's own clock over all its starts. While it does not run, nothing
//!   expires.

mod facts;
mod handle;
mod job;
mod line;
mod names;
mod pulse;
mod store;
mod thread;
mod watch;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use crate::queue::store::Kind;

pub use facts::{Counts, Facts, Totals};
pub use handle::Queue;
pub use job::{
    Answer, Ended, Enqueued, Job, JobFile, KeptStep, Lane, Lease, Priority, QueueError, State,
    Step, Steps, Stored, Submission, Trouble, UnknownWord, Which,
};
pub use line::Opening;
pub use names::{FileName, Fingerprint, JobId, JobKey, NotAnId};
pub use pulse::Pulse;
pub use store::{Archive, Found, Listing, Removed, Retried, sqlite_version};
pub use watch::Watch;
pub use worker::{Run, Runner, backoff, work};

/// Where the database is and how it is kept: settled at the start.
#[derive(Debug, Clone)]
pub struct Place {
    /// The database's file.
    pub path: PathBuf,
    /// How commits are kept.
    pub durability: Durability,
    /// The folder of the jobs' files; without one no job may have any. It is made where it is not
    /// there.
    pub documents: Option<PathBuf>,
}

/// What a reload may change.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most bytes of the database.
    pub quota: u64,
    /// Most jobs, finished ones among them.
    pub max_jobs: u64,
    /// How long a result is kept.
    pub result_ttl: Duration,
    /// Most calls of upstreams for one job.
    pub max_attempts: u32,
}

/// Largest result that is certain to find room, where the quota is not small.
const LARGEST_RESULT: u64 = 1024 * 1024;

impl Limits {
    fn result_ttl_ms(&self) -> u64 {
        u64::try_from(self.result_ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// A start waits until so much is free.
    fn largest_result(&self) -> u64 {
        LARGEST_RESULT.min(self.quota / 8)
    }

    /// New jobs leave this much free, so that results always find room.
    fn room_for_results(&self) -> u64 {
        (self.quota / 10).max(self.largest_result().saturating_mul(2))
    }
}

/// How commits are kept. Anything but the default loses jobs: it is there so that the tests of power
/// cuts can show that they would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Durability {
    /// What stands in place of FULL.
    pub weakened: Option<Weak>,
    /// Whether a sector that is being written when the power goes keeps its neighbours whole.
    pub power_safe_overwrite: bool,
}

/// A commit that is not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weak {
    /// `synchronous = NORMAL`
    Normal,
    /// `synchronous = OFF`
    Off,
}

impl Durability {
    fn number(self, kind: Kind) -> i64 {
        match (self.weakened, kind) {
            (Some(Weak::Off), _) => 0,
            (Some(Weak::Normal), _) | (None, Kind::Read | Kind::Relaxed) => 1,
            (None, Kind::Durable) => 2,
        }
    }

    fn word(self, kind: Kind) -> &'static str {
        match self.number(kind) {
            0 => "OFF",
            1 => "NORMAL",
            _ => "FULL",
        }
    }
}

#[cfg(test)]
mod tests;
