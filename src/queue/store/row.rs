//! Rows as they are read. A flipped bit can make any value of a column any other, so nothing here
//! trusts one: what cannot be is a job that is corrupt.

use std::time::Duration;

use rusqlite::types::ValueRef;

use crate::queue::job::{Answer, Job, Lane, Priority, State, Stored, Trouble};
use crate::queue::line::{Age, Waiting};
use crate::queue::names::{FileName, Fingerprint, JobId, JobKey};

/// A query of every column but the payloads, in the order in which [`Row::read`] takes them.
macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT seq, owner, id, state, priority, path, lane, fingerprint, crc,
             accepted, born, ttl, due, calls, crashes, code, trouble, ended, ended_age,
             target, status, bytes, result_crc, draft_target, draft_status, draft_bytes, draft_crc,
             size, steps, step_calls, settled, forgiven, generation, file, file_bytes
             FROM job LEFT JOIN more ON more.job = job.seq ",
            $rest
        )
    };
}
pub(super) use select_jobs;

/// A job's row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) key: JobKey,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) path: String,
    pub(super) lane: Lane,
    pub(super) fingerprint: Fingerprint,
    pub(super) crc: i64,
    pub(super) accepted: u64,
    pub(super) born: Age,
    pub(super) ttl: Age,
    pub(super) due: Age,
    pub(super) calls: u32,
    pub(super) crashes: u32,
    pub(super) trouble: Option<Trouble>,
    pub(super) ended: Option<u64>,
    pub(super) ended_age: Age,
    pub(super) result: Option<Kept>,
    pub(super) draft: Option<Kept>,
    pub(super) size: u64,
    /// What is known of a job that is done in steps.
    pub(super) progress: Option<Progress>,
    pub(super) file: Option<FileName>,
    pub(super) file_bytes: u64,
}

/// How far a job in steps has come. What its row counts, it counts over all; a step that is kept only
/// says up to where that is settled, so that keeping it writes no more than it must.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Steps that are kept.
    pub(super) steps: u64,
    /// Calls that were made for steps that were kept, beside those that the row counts.
    pub(super) calls: u32,
    /// What the row had counted of calls when the last step was kept, and of crashes.
    pub(super) settled: u32,
    pub(super) forgiven: u32,
    /// Which of those that it has begun: steps of one before are only there to be deleted.
    pub(super) generation: i64,
}

/// An answer's row.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) stored: Stored,
    pub(super) crc: i64,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>) -> Self {
        let id = text(row, 2);
        let known = id.parse::<JobId>();
        let state = state_in(int(row, 3), &id);
        let trouble = maybe_text(row, 15).map(|code| Trouble { code, message: text(row, 16) });
        Self {
            seq: int(row, 0),
            key: JobKey {
                owner: text(row, 1).into(),
                id: known.unwrap_or_else(|_| JobId::of_key(&id)),
            },
            state,
            priority: priority_of(int(row, 4)),
            path: text(row, 5),
            lane: Lane(text(row, 6).into()),
            fingerprint: fingerprint(row, 7),
            crc: int(row, 8),
            accepted: age(row, 9),
            born: age(row, 10),
            ttl: age(row, 11),
            due: age(row, 12),
            calls: small(row, 13),
            crashes: small(row, 14),
            trouble,
            ended: maybe_int(row, 17).and_then(|it| u64::try_from(it).ok()),
            ended_age: age(row, 18),
            result: kept(row, 19),
            draft: kept(row, 23),
            size: age(row, 27),
            progress: progress(row, 28),
            file: maybe_text(row, 33).and_then(|name| FileName::of_text(&name)),
            file_bytes: age(row, 34),
        }
    }

    /// Calls that count towards giving it up.
    pub(super) fn calls_that_count(&self) -> u32 {
        self.calls.saturating_sub(self.progress.unwrap_or_default().settled)
    }

    /// Starts that ended with the process, and count towards giving it up.
    pub(super) fn crashes_that_count(&self) -> u32 {
        self.crashes.saturating_sub(self.progress.unwrap_or_default().forgiven)
    }

    /// As the line has it.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { due: self.due, priority: self.priority, seq: self.seq }
    }

    /// When it expires, or its result does.
    pub(super) fn deadline(&self, result_ttl: Age) -> Age {
        match self.state.is_final() {
            true => self.ended_age.saturating_add(result_ttl),
            false => self.born.saturating_add(self.ttl),
        }
    }

    /// As it can be seen.
    pub(super) fn into_job(self, now: Age, result_ttl: Age, position: Option<usize>) -> Job {
        let progress = self.progress.unwrap_or_default();
        let crashes = self.crashes_that_count();
        let expires_in = Duration::from_millis(self.deadline(result_ttl).saturating_sub(now));
        Job {
            key: self.key,
            seq: self.seq,
            state: self.state,
            path: self.path,
            lane: self.lane,
            priority: self.priority,
            calls: self.calls.saturating_add(progress.calls),
            crashes,
            steps: progress.steps,
            accepted: self.accepted,
            ended: self.ended,
            expires_in,
            due_in: Duration::from_millis(self.due.saturating_sub(now)),
            position,
            payload_bytes: self.size,
            trouble: self.trouble,
            result: self.result.map(|it| it.stored),
            draft: self.draft.map(|it| it.stored),
        }
    }

    /// What a payload's checksum covers besides the payload: a bit that flips in a name must not
    /// hand one client's job to another, nor a job another's file.
    pub(super) fn payload_crc(&self, payload: &[u8]) -> i64 {
        let crc = checksum(&self.key, self.path.as_bytes());
        let crc = crc32c::crc32c_append(crc, self.more().as_bytes());
        i64::from(crc32c::crc32c_append(crc, payload))
    }

    /// What most jobs have nothing of: the checksums of those are as they were before there was any.
    fn more(&self) -> String {
        let (stepwise, file) = (self.progress.is_some(), self.file.as_ref());
        match (stepwise, file) {
            (false, None) => String::new(),
            _ => format!("{stepwise} {} {};", file.map_or("", FileName::as_str), self.file_bytes),
        }
    }

    pub(super) fn step_crc(&self, number: u64, data: &[u8]) -> i64 {
        let crc = checksum(&self.key, &number.to_le_bytes());
        i64::from(crc32c::crc32c_append(crc, data))
    }

    pub(super) fn answer_crc(&self, stored: &Stored, parcel: &[u8]) -> i64 {
        let crc = checksum(&self.key, &stored.status.to_le_bytes());
        i64::from(crc32c::crc32c_append(crc, parcel))
    }
}

fn checksum(key: &JobKey, more: &[u8]) -> u32 {
    [key.owner.as_bytes(), key.id.as_str().as_bytes(), more].iter().fold(0, |crc, part| {
        let crc = crc32c::crc32c_append(crc, &(part.len() as u64).to_le_bytes());
        crc32c::crc32c_append(crc, part)
    })
}

fn value<'a>(row: &'a rusqlite::Row<'_>, at: usize) -> ValueRef<'a> {
    row.get_ref(at).unwrap_or(ValueRef::Null)
}

pub(super) fn int(row: &rusqlite::Row<'_>, at: usize) -> i64 {
    maybe_int(row, at).unwrap_or(-1)
}

pub(super) fn maybe_int(row: &rusqlite::Row<'_>, at: usize) -> Option<i64> {
    match value(row, at) {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

pub(super) fn age(row: &rusqlite::Row<'_>, at: usize) -> Age {
    u64::try_from(int(row, at)).unwrap_or_default()
}

pub(super) fn small(row: &rusqlite::Row<'_>, at: usize) -> u32 {
    u32::try_from(int(row, at)).unwrap_or_default()
}

pub(super) fn text(row: &rusqlite::Row<'_>, at: usize) -> String {
    maybe_text(row, at).unwrap_or_default()
}

pub(super) fn maybe_text(row: &rusqlite::Row<'_>, at: usize) -> Option<String> {
    match value(row, at) {
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

fn fingerprint(row: &rusqlite::Row<'_>, at: usize) -> Fingerprint {
    let bytes = value(row, at).as_blob().ok().and_then(|bytes| bytes.try_into().ok());
    Fingerprint(bytes.unwrap_or_default())
}

/// An answer: its target, status, length and checksum.
fn kept(row: &rusqlite::Row<'_>, at: usize) -> Option<Kept> {
    let bytes = maybe_int(row, at + 2)?;
    let status = u16::try_from(int(row, at + 1)).unwrap_or_default();
    let stored = Stored {
        status,
        target: maybe_text(row, at),
        bytes: u64::try_from(bytes).unwrap_or_default(),
    };
    Some(Kept { stored, crc: int(row, at + 3) })
}

/// What is known of a job's steps; nothing of one that has none.
fn progress(row: &rusqlite::Row<'_>, at: usize) -> Option<Progress> {
    let steps = maybe_int(row, at)?;
    Some(Progress {
        steps: u64::try_from(steps).unwrap_or_default(),
        calls: small(row, at + 1),
        settled: small(row, at + 2),
        forgiven: small(row, at + 3),
        generation: int(row, at + 4),
    })
}

/// The state of a job of this name: nobody can ask for one whose name was altered.
pub(super) fn state_in(number: i64, id: &str) -> State {
    if id.parse::<JobId>().is_ok() { state_of(number) } else { State::Corrupt }
}

/// The state that a number stands for.
fn state_of(number: i64) -> State {
    let known = State::ALL.into_iter().find(|state| state_number(*state) == number);
    known.unwrap_or(State::Corrupt)
}

/// The number that stands for a state in a row.
pub(super) fn state_number(state: State) -> i64 {
    match state {
        State::Queued => 0,
        State::Running => 1,
        State::Succeeded => 2,
        State::Failed => 3,
        State::Expired => 4,
        State::Cancelled => 5,
        State::Corrupt => 6,
    }
}

pub(super) fn priority_of(number: i64) -> Priority {
    match number {
        0 => Priority::High,
        2 => Priority::Low,
        _ => Priority::Normal,
    }
}

/// What is known of an answer that is stored.
pub(super) fn stored(answer: &Answer) -> Stored {
    Stored {
        status: answer.status,
        target: answer.target.clone(),
        bytes: answer.parcel.len() as u64,
    }
}

/// A number as a row has it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
