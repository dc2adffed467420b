//! Rows as they are read. A flipped bit can make any value of a column any other, so nothing here
//! trusts one: what cannot be is a job that is corrupt.

use std::time::Duration;

use rusqlite::types::ValueRef;

use crate::queue::job::{Fingerprint, Job, JobId, JobKey, Lane, Priority, State, Stored, Trouble};
use crate::queue::line::{Age, Waiting};

/// A query of every column but the payloads, in the order in which [`Row::read`] takes them.
macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT seq, owner, id, state, priority, path, lane, fingerprint, crc,
             accepted, born, ttl, due, calls, crashes, code, trouble, ended, ended_age,
             target, status, bytes, result_crc, draft_target, draft_status, draft_bytes, draft_crc,
             size FROM job ",
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
        }
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
        let expires_in = Duration::from_millis(self.deadline(result_ttl).saturating_sub(now));
        Job {
            key: self.key,
            seq: self.seq,
            state: self.state,
            path: self.path,
            lane: self.lane,
            priority: self.priority,
            calls: self.calls,
            crashes: self.crashes,
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
    /// hand one client's job to another.
    pub(super) fn payload_crc(&self, payload: &[u8]) -> i64 {
        let crc = checksum(&self.key, self.path.as_bytes());
        i64::from(crc32c::crc32c_append(crc, payload))
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

fn maybe_int(row: &rusqlite::Row<'_>, at: usize) -> Option<i64> {
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

fn maybe_text(row: &rusqlite::Row<'_>, at: usize) -> Option<String> {
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
