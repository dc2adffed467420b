//! Jobs in words: states, what is handed in and what comes out. What a job is about is bytes
//! to the queue, and its lane is a word.

use std::any::Any;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::queue::names::{FileName, Fingerprint, JobKey};

/// Which jobs go first. Within one priority it is the order of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Before all others.
    High,
    /// As most jobs.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It waits for its turn, for a target, or for its next attempt.
    Queued,
    /// It is being done.
    Running,
    /// It has an answer.
    Succeeded,
    /// It has an error for an answer.
    Failed,
    /// Its time ran out before it had an answer.
    Expired,
    /// Its client took it back.
    Cancelled,
    /// What is stored of it is not what was stored: it is neither run nor served.
    Corrupt,
}

impl State {
    /// All of them, in the order in which a job may pass them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Corrupt,
    ];

    /// Whether nothing more will happen to it by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Its word in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Corrupt => "corrupt",
        }
    }
}

impl Priority {
    /// All of them, the first first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Its word in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// A word that stands for nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;

impl FromStr for State {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|it| it.word() == text).ok_or(UnknownWord)
    }
}

impl FromStr for Priority {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|it| it.word() == text).ok_or(UnknownWord)
    }
}

/// Jobs that can be served by the same targets: where one has to wait for them, all have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub Arc<str>);

/// A job as it is handed in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose it is, and its name.
    pub key: JobKey,
    /// Which path it is for, for people.
    pub path: String,
    /// Which targets can serve it.
    pub lane: Lane,
    /// What is to be done.
    pub payload: Bytes,
    /// What tells it from another job of the same name.
    pub fingerprint: Fingerprint,
    /// Which jobs it goes before.
    pub priority: Priority,
    /// How long after its acceptance it is still worth doing.
    pub ttl: Duration,
    /// How long after its acceptance it may start.
    pub not_before: Duration,
    /// Whether it is done in steps, each of which is kept ([`Step`]).
    pub stepwise: bool,
    /// Its file, if it has one. It is written, synced and has its name before the job is handed in;
    /// from then on it is the queue's, whatever becomes of the job.
    pub file: Option<FileName>,
    /// How long that file is, in bytes.
    pub file_bytes: u64,
    /// Given back with the payload, however long the disk takes: what holds its memory.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}

/// A finished step of a job.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which one: less than 2^20. One that is kept under this number is replaced.
    pub number: u64,
    /// What came of it, at most 64 KiB.
    pub data: Bytes,
    /// Calls that upstreams had since the step that was kept before, or since the run began.
    pub calls: u32,
}

/// A step that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStep {
    /// Which one.
    pub number: u64,
    /// What came of it.
    pub data: Bytes,
}

/// Some of a job's steps, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// The steps. One that is not what was stored is left out, and has to be done again.
    pub steps: Vec<KeptStep>,
    /// Where there are more: after which number they are asked for.
    pub next: Option<u64>,
}

/// What came of handing a job in.
#[derive(Debug, Clone)]
pub enum Enqueued {
    /// It is on stable storage.
    Accepted(Box<Job>),
    /// The same job was accepted before.
    Replayed(Box<Job>),
    /// Another job has its name.
    Conflict,
    /// There is no room: what is full, and what to do.
    Full(String),
}

/// A job as it can be seen.
#[derive(Debug, Clone)]
pub struct Job {
    /// Whose it is, and its name.
    pub key: JobKey,
    /// Its place in the order of acceptance.
    pub seq: i64,
    /// How it stands.
    pub state: State,
    /// Which path it is for.
    pub path: String,
    /// Which targets can serve it.
    pub lane: Lane,
    /// Which jobs it goes before.
    pub priority: Priority,
    /// Calls that an upstream had.
    pub calls: u32,
    /// Starts that ended with the process; of a job in steps: since the last that was kept.
    pub crashes: u32,
    /// Steps of it that are kept.
    pub steps: u64,
    /// When it was accepted, by the system's clock, in seconds since 1970.
    pub accepted: u64,
    /// When it ended, likewise.
    pub ended: Option<u64>,
    /// How long until it expires, or its result does.
    pub expires_in: Duration,
    /// How long until it may start.
    pub due_in: Duration,
    /// Jobs that go before it, while it waits.
    pub position: Option<usize>,
    /// How long what it is about is, in bytes, while that is kept.
    pub payload_bytes: u64,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// Its result.
    pub result: Option<Stored>,
    /// The answer that it had before a better one was looked for.
    pub draft: Option<Stored>,
}

impl Job {
    /// Bytes of its bodies, as far as they are known without reading them.
    pub fn stored_bytes(&self) -> u64 {
        let of = |stored: &Option<Stored>| stored.as_ref().map_or(0, |it| it.bytes);
        self.payload_bytes.saturating_add(of(&self.result).max(of(&self.draft)))
    }
}

/// An answer that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its HTTP status.
    pub status: u16,
    /// Who gave it.
    pub target: Option<String>,
    /// How long it is.
    pub bytes: u64,
}

/// What went wrong, in a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The word.
    pub code: String,
    /// The sentence.
    pub message: String,
}

/// Which answer of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The best that there is.
    Best,
    /// The one that came before a better one was looked for.
    Draft,
}

/// An answer, ready to be stored.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Who gave it.
    pub target: Option<String>,
    /// All of it, in the runner's own form.
    pub parcel: Bytes,
}

/// How one run of a job ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// With an answer.
    Succeeded(Answer),
    /// With an error that another run would have too, or none is left.
    Failed(Answer, Trouble),
    /// With an answer that may be bettered in another lane.
    Draft(Answer, Lane),
    /// Without an answer, and not for good.
    Again {
        /// What went wrong.
        trouble: Trouble,
        /// The least wait, where one is known.
        wait: Option<Duration>,
    },
}

/// A job's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
}

/// A job that is to be run, and what may be done for it.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Whose it is, and its name.
    pub key: JobKey,
    /// Its place in the order of acceptance.
    pub seq: i64,
    /// Which path it is for.
    pub path: String,
    /// Which targets can serve it.
    pub lane: Lane,
    /// What is to be done.
    pub payload: Bytes,
    /// Its file. That it is there and is so long was looked at; what is in it was not.
    pub file: Option<JobFile>,
    /// Whether it is done in steps: calls count since the last one that was kept then.
    pub stepwise: bool,
    /// Calls that upstreams had in the runs before; of a job in steps: since the last step.
    pub before: u32,
    /// Most calls of upstreams that may be made in this run; of a job in steps: until a step is
    /// kept, and then as many again for each.
    pub calls: u32,
    /// Whether no call is left after these.
    pub is_last: bool,
    /// Who gave the answer that it has already.
    pub draft: Option<String>,
}

/// Why the queue did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// There is no room for what was asked.
    #[error("{0}")]
    Full(String),
    /// Too many ask at once.
    #[error("the queue's thread has too much to do; try again")]
    Busy,
    /// The disk took too long. It may be done all the same.
    #[error(
        "the disk has not answered in time, and what was asked may still be done: ask again, with the same id or Idempotency-Key"
    )]
    Late,
    /// The database cannot be used now.
    #[error("the queue is closed: {0}")]
    Closed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_both_ways() {
        for state in State::ALL {
            assert_eq!(state.word().parse::<State>(), Ok(state));
        }
        for priority in Priority::ALL {
            assert_eq!(priority.word().parse::<Priority>(), Ok(priority));
        }
    }
}
