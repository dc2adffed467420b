//! The database: the only place with SQL. One connection, owned by one thread.
//!
//! What is in memory beside it (the line, the deadlines, the counts) follows from the rows, and is
//! read from them anew whenever a transaction was rolled back.

mod accept;
mod archive;
mod ballast;
mod blob;
mod end;
mod files;
mod look;
mod open;
mod room;
mod row;
mod run;
mod schema;
mod steps;
mod sweep;
mod time;
mod wish;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, ffi};

use crate::queue::facts::{Counts, Totals};
use crate::queue::job::{Lane, Priority, State};
use crate::queue::line::{Age, Line, Waiting};
use crate::queue::names::{FileName, JobKey};
use crate::queue::store::ballast::Ballast;
use crate::queue::store::files::Files;
use crate::queue::store::row::{Row, state_in};
use crate::queue::{Durability, Limits};

pub use archive::Archive;
pub(super) use files::left_in;
pub use look::{Found, Listing};
pub(super) use open::{Lock, Opened, Place, set_aside};
pub(super) use steps::Kept;
pub use wish::{Removed, Retried};

/// A page of the database, in bytes.
const PAGE: u64 = 4096;

/// Why the database did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no room, on the disk or in the quota.
    Full,
    /// Reading, writing or syncing failed.
    Disk(String),
    /// What is in the file is no database of ours.
    Damaged(String),
    /// It is of a later version, or another process has it: it is left alone.
    NotOurs(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // We write nothing that breaks a constraint: a row was altered, or an index.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation,
            ) => Self::Damaged(why),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::NotOurs(format!("another process uses the database ({why})"))
            }
            _ => match error.sqlite_error() {
                Some(ffi::Error { extended_code: ffi::SQLITE_IOERR_CORRUPTFS, .. }) => {
                    Self::Damaged(why)
                }
                _ => Self::Disk(why),
            },
        }
    }
}

/// How a transaction is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing is written.
    Read,
    /// It survives the process, and may be lost with the power: only what can be done again.
    Relaxed,
    /// It is on stable storage when it is answered.
    Durable,
}

/// The open database, and what follows from it.
pub(super) struct Store {
    db: Connection,
    durability: Durability,
    limits: Limits,
    clock: AgeClock,
    line: Arc<Mutex<Line>>,
    /// Jobs that this process runs, and the calls that each was given.
    leased: BTreeMap<i64, u32>,
    memory: Memory,
    ballast: Ballast,
    /// Jobs that somebody may be waiting for, since the last commit.
    changed: Vec<JobKey>,
    /// Where the jobs' files are.
    documents: Option<PathBuf>,
    /// Files that no job needs any more, but the commit that says so is not on stable storage yet.
    released: Vec<FileName>,
}

/// What is known of the rows without asking.
#[derive(Debug, Default)]
struct Memory {
    counts: Counts,
    /// When a job expires, or its result does.
    deadlines: BTreeSet<(Age, i64)>,
    /// Finished jobs that their clients need no more: they are deleted together.
    acknowledged: BTreeSet<i64>,
    totals: Totals,
    age_stored: Age,
    /// The last place in the order of acceptance. None is given twice, not even that of a job that
    /// is gone: a run may still be on its way to it.
    last: i64,
    /// Bytes in use when there was no room to make the file small.
    copied_in_vain: Option<u64>,
    files: Files,
    /// Where there are steps that no job goes on from.
    passed: BTreeSet<i64>,
}

/// What the process knows and no row tells: over an opening it must not be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// Jobs that run, and the calls that each was given.
    leased: BTreeMap<i64, u32>,
    /// Jobs that were let go, and are still in their rows.
    acknowledged: BTreeSet<i64>,
}

/// What a transaction that is rolled back has to leave as it was, and no row tells. A run whose end
/// could not be stored goes on being one: its answer is not lost, nor taken for that of a crash.
struct NotInRows {
    carried: Carried,
    totals: Totals,
    age_stored: Age,
    released: usize,
}

/// Milliseconds for which the service has run, in all its starts. No jump of the system's clock
/// moves it; the time in which the service does not run does not count.
#[derive(Debug, Clone, Copy)]
struct AgeClock {
    base: Age,
    since: Instant,
}

impl AgeClock {
    fn now(&self) -> Age {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.base.saturating_add(passed)
    }
}

impl Store {
    /// Runs `work` in one transaction, kept as `kind` says.
    ///
    /// # Errors
    /// Nothing of it happened.
    pub(super) fn transact<T>(
        &mut self,
        kind: Kind,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if kind == Kind::Read {
            return work(self);
        }
        self.db.pragma_update(None, "synchronous", self.durability.word(kind))?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let before = self.not_in_rows();
        let changes = self.db.total_changes();
        let done = work(self).and_then(|value| {
            self.db.execute_batch("COMMIT")?;
            Ok(value)
        });
        if done.is_err() {
            self.roll_back(before)?;
        } else if kind == Kind::Durable && self.db.total_changes() != changes {
            // With it, whatever was committed before is synced. One that writes nothing syncs nothing.
            self.unlink_released();
        }
        done
    }

    fn not_in_rows(&self) -> NotInRows {
        NotInRows {
            carried: self.carried(),
            totals: self.memory.totals,
            age_stored: self.memory.age_stored,
            released: self.released.len(),
        }
    }

    fn roll_back(&mut self, before: NotInRows) -> Result<(), Fault> {
        self.changed.clear();
        self.released.truncate(before.released);
        self.leased = before.carried.leased;
        self.memory.acknowledged = before.carried.acknowledged;
        self.memory.totals = before.totals;
        self.memory.age_stored = before.age_stored;
        // Some errors have rolled back already.
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        self.load()
    }

    /// Reads what follows from the rows.
    fn load(&mut self) -> Result<(), Fault> {
        let (files, passed) = (self.load_files()?, self.load_passed()?);
        let let_go = std::mem::take(&mut self.memory.acknowledged);
        let mut memory = Memory {
            totals: self.memory.totals,
            age_stored: self.memory.age_stored,
            last: self.last_known(&passed),
            files,
            passed,
            ..Memory::default()
        };
        let mut line = Line::default();
        let mut statement = self
            .db
            .prepare("SELECT seq, state, priority, lane, born, ttl, due, ended_age, id FROM job")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let seq = row::int(row, 0);
            memory.last = memory.last.max(seq);
            let state = state_in(row::int(row, 1), &row::text(row, 8));
            if let_go.contains(&seq) && state.is_final() {
                memory.acknowledged.insert(seq);
                continue;
            }
            memory.counts.add(state);
            if state.is_final() {
                let deadline = row::age(row, 7).saturating_add(self.limits.result_ttl_ms());
                memory.deadlines.insert((deadline, seq));
                continue;
            }
            memory.deadlines.insert((row::age(row, 4).saturating_add(row::age(row, 5)), seq));
            if state == State::Queued {
                let priority = row::priority_of(row::int(row, 2));
                let waiting = Waiting { due: row::age(row, 6), priority, seq };
                line.add(&Lane(row::text(row, 3).into()), waiting);
            }
        }
        drop(rows);
        drop(statement);
        self.memory = memory;
        *self.line() = line;
        Ok(())
    }

    /// The last place in the order of acceptance that anything is left of beside the rows.
    fn last_known(&self, passed: &BTreeSet<i64>) -> i64 {
        let runs = self.leased.keys().next_back().copied().unwrap_or_default();
        let steps = passed.last().copied().map(steps::job_at).unwrap_or_default();
        self.memory.last.max(runs).max(steps)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue's own time.
    pub(super) fn now(&self) -> Age {
        self.clock.now()
    }

    /// Jobs that have changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> Vec<JobKey> {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn counts(&self) -> Counts {
        self.memory.counts
    }

    pub(super) fn totals(&mut self) -> &mut Totals {
        &mut self.memory.totals
    }

    /// What the next opening has to know.
    pub(super) fn carried(&self) -> Carried {
        Carried { leased: self.leased.clone(), acknowledged: self.memory.acknowledged.clone() }
    }

    pub(super) fn quota(&self) -> u64 {
        self.limits.quota
    }

    /// Bytes of the database that are in use.
    pub(super) fn used_bytes(&self) -> Result<u64, Fault> {
        let pages: i64 = self.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let free: i64 = self.db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        Ok(u64::try_from(pages.saturating_sub(free)).unwrap_or_default() * PAGE)
    }

    /// Why no new job is taken.
    pub(super) fn is_full(&self) -> Option<String> {
        self.lack_of_room(1).ok().flatten()
    }

    /// Whether a job may be started: there is room for what may come of it.
    pub(super) fn has_room(&self) -> Result<bool, Fault> {
        Ok(self.ballast.is_there()
            && self.used_bytes()? + self.limits.largest_result() <= self.limits.quota)
    }

    /// The quota stays: the database was opened with it.
    pub(super) fn set_limits(&mut self, limits: &Limits) -> Result<(), Fault> {
        let is_other_ttl = limits.result_ttl != self.limits.result_ttl;
        self.limits = Limits { quota: self.limits.quota, ..limits.clone() };
        // Every result has another deadline then.
        if is_other_ttl { self.load() } else { Ok(()) }
    }

    /// Ends the connection in good order: everything is in the database's own file.
    pub(super) fn close(mut self) {
        let last = |store: &mut Self| store.let_go().and_then(|()| store.store_age());
        if let Err(fault) = self.transact(Kind::Relaxed, last) {
            tracing::warn!(?fault, "jobs that were acknowledged last are still in the queue");
        }
        // It syncs what it brings to its place.
        if self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE").is_ok() {
            self.unlink_released();
        }
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).ok();
        self.db.close().ok();
    }

    /// A job changed from one state to another.
    fn moved(&mut self, row: &Row, to: State, deadline: Age) {
        self.memory.counts.remove(row.state);
        self.memory.counts.add(to);
        let old = row.deadline(self.limits.result_ttl_ms());
        self.memory.deadlines.remove(&(old, row.seq));
        self.memory.deadlines.insert((deadline, row.seq));
        self.changed.push(row.key.clone());
    }
}

/// The version of the library.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// The number that stands for a priority in a row.
fn priority_number(priority: Priority) -> i64 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

#[cfg(test)]
mod tests;
