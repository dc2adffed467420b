//! Jobs that are done in steps: each that is finished is kept, so that the next run goes on from there.
//!
//! A job's steps stand together, in the order of their numbers, in rows of their own: three of 1 KiB
//! share a page. Keeping one writes its page and that of the job's progress, and not the job's row.
//!
//! To delete a thousand writes as much to the log as they are long, and on a full disk there is no
//! room for that. So they are only let go of where their job is done with them, and deleted some at a
//! time.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params};

use crate::queue::job::{KeptStep, State, Step, Steps};
use crate::queue::store::row::{Progress, Row, int, maybe_int};
use crate::queue::store::{Fault, PAGE, Store};

/// Numbers that a job's steps may have.
const STEPS: u64 = 1 << 20;

/// Times that a job may begin its steps anew before those of the first are deleted.
const GENERATIONS: i64 = 16;

/// Steps that are deleted at once: with each, a page may be written to the log, and in need they have
/// to find room in that of the ballast.
const DELETED_AT_ONCE: usize = 64;

/// Longest step.
const LARGEST: usize = 64 * 1024;

/// Bytes of steps that are read at once.
const READ_AT_ONCE: usize = 256 * 1024;

/// What came of keeping a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) enum Kept {
    /// It is kept.
    Yes,
    /// Its job does not run any more, or is none in steps.
    NotRunning,
    /// There is no room: what is full.
    Full(String),
}

impl Store {
    /// Keeps a finished step of a job that runs. That is progress: what counts towards giving the job
    /// up begins anew.
    pub(in crate::queue) fn keep(&mut self, seq: i64, step: &Step) -> Result<Kept, Fault> {
        let runs = self.leased.contains_key(&seq);
        let row = self.row_at(seq)?.filter(|row| runs && row.state == State::Running);
        let Some((progress, row)) = row.and_then(|row| Some((row.progress?, row))) else {
            return Ok(Kept::NotRunning);
        };
        if let Some(why) = self.lack_of_room_for(step)? {
            return Ok(Kept::Full(why));
        }
        let is_new = self.write_step(&row, progress, step)?;
        let progress = Progress {
            steps: progress.steps.saturating_add(u64::from(is_new)),
            calls: progress.calls.saturating_add(step.calls),
            settled: row.calls,
            // The start that goes on may still end with the process.
            forgiven: row.crashes.saturating_sub(1),
            ..progress
        };
        self.write_progress(seq, progress)?;
        self.changed.push(row.key);
        Ok(Kept::Yes)
    }

    /// Returns whether there was none of this number.
    fn write_step(&self, row: &Row, progress: Progress, step: &Step) -> Result<bool, Fault> {
        let at = at(place(row.seq, progress.generation), step.number);
        let crc = row.step_crc(step.number, &step.data);
        let replaced = self
            .db
            .prepare_cached("UPDATE step SET crc = ?2, data = ?3 WHERE at = ?1")?
            .execute(params![at, crc, &*step.data])?;
        if replaced == 0 {
            self.db
                .prepare_cached("INSERT INTO step(at, crc, data) VALUES(?1, ?2, ?3)")?
                .execute(params![at, crc, &*step.data])?;
        }
        Ok(replaced == 0)
    }

    /// What is full, if the step does not fit. What new jobs leave free is for results and for steps,
    /// but the largest result always finds room.
    fn lack_of_room_for(&self, step: &Step) -> Result<Option<String>, Fault> {
        let length = step.data.len();
        if length > LARGEST || step.number >= STEPS {
            return Ok(Some(format!(
                "a step has at most {LARGEST} bytes, and its number is below {STEPS}"
            )));
        }
        let wanted = (length as u64).div_ceil(PAGE) * PAGE + PAGE;
        if !self.ballast.is_there() || self.is_disk_short(wanted)? {
            return Ok(Some("the disk is full; make room on it".to_owned()));
        }
        let used = self.used_bytes()?;
        let room = self.limits.quota.saturating_sub(self.limits.largest_result());
        Ok((used.saturating_add(wanted) > room).then(|| {
            format!(
                "the queue's database has {used} of {} bytes in use, and the rest is kept for results; delete finished jobs, or raise quota in [queue]",
                self.limits.quota
            )
        }))
    }

    /// The steps after this number, as many as are read at once; and the numbers of those that are not
    /// what was stored.
    pub(in crate::queue) fn steps(
        &self,
        seq: i64,
        after: Option<u64>,
    ) -> Result<(Steps, Vec<u64>), Fault> {
        let (mut found, mut bad) = (Steps::default(), Vec::new());
        let Some(row) = self.row_at(seq)? else { return Ok((found, bad)) };
        let Some(progress) = row.progress else { return Ok((found, bad)) };
        let place = place(seq, progress.generation);
        let first = after.map_or(0, |after| after.saturating_add(1)).min(STEPS);
        // One that is longer than any was altered: it is not even read.
        let mut statement = self.db.prepare_cached(
            "SELECT at, crc, iif(length(data) <= ?3, data, NULL) FROM step
             WHERE at >= ?1 AND at < ?2 ORDER BY at",
        )?;
        let largest = i64::try_from(LARGEST).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![at(place, first), at(place, STEPS), largest])?;
        let (mut read, mut last) = (0, None);
        while let Some(step) = rows.next()? {
            let number = number_at(place, int(step, 0));
            let data = step.get_ref(2)?.as_blob().unwrap_or_default();
            if read > 0 && read + data.len() > READ_AT_ONCE {
                found.next = last;
                break;
            }
            // Also one of no bytes is worth something: they are read by pages that end.
            read += data.len().max(1);
            last = Some(number);
            match row.step_crc(number, data) == int(step, 1) {
                true => found.steps.push(KeptStep { number, data: data.to_vec().into() }),
                false => bad.push(number),
            }
        }
        Ok((found, bad))
    }

    /// Deletes steps that are not what was stored: they are done again.
    pub(in crate::queue) fn forget_steps(&mut self, seq: i64, bad: &[u64]) -> Result<(), Fault> {
        let Some(progress) = self.row_at(seq)?.and_then(|row| row.progress) else { return Ok(()) };
        let place = place(seq, progress.generation);
        let mut gone = 0;
        for number in bad {
            gone += self
                .db
                .prepare_cached("DELETE FROM step WHERE at = ?1")?
                .execute(params![at(place, *number)])?;
        }
        tracing::error!(seq, steps = ?bad, "steps of a job are corrupt, and are done again");
        self.memory.totals.corrupt_steps += gone as u64;
        self.db
            .prepare_cached("UPDATE more SET steps = max(steps - ?2, 0) WHERE job = ?1")?
            .execute(params![seq, i64::try_from(gone).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// Nobody goes on from the job's steps: they are deleted by and by.
    pub(super) fn let_steps_go(&mut self, seq: i64) -> Result<(), Fault> {
        let generation: Option<i64> = self
            .db
            .prepare_cached("SELECT generation FROM more WHERE job = ?1 AND steps > 0")?
            .query_row(params![seq], |row| Ok(int(row, 0)))
            .optional()?;
        let Some(generation) = generation else { return Ok(()) };
        let next = generation.wrapping_add(1).rem_euclid(GENERATIONS);
        if self.memory.passed.contains(&place(seq, next)) {
            self.delete_all(place(seq, next))?;
        }
        self.memory.passed.insert(place(seq, generation));
        self.db
            .prepare_cached("UPDATE more SET steps = 0, generation = ?2 WHERE job = ?1")?
            .execute(params![seq, next])?;
        Ok(())
    }

    /// Deletes some of the steps that were let go.
    pub(super) fn delete_passed(&mut self) -> Result<(), Fault> {
        let Some(place) = self.memory.passed.first().copied() else { return Ok(()) };
        if self.delete_some(place)? < DELETED_AT_ONCE {
            self.memory.passed.remove(&place);
        }
        Ok(())
    }

    fn delete_all(&mut self, place: i64) -> Result<(), Fault> {
        while self.delete_some(place)? > 0 {}
        self.memory.passed.remove(&place);
        Ok(())
    }

    fn delete_some(&self, place: i64) -> Result<usize, Fault> {
        let most = i64::try_from(DELETED_AT_ONCE).unwrap_or(i64::MAX);
        let gone = self
            .db
            .prepare_cached(
                "DELETE FROM step WHERE at IN
                 (SELECT at FROM step WHERE at >= ?1 AND at < ?2 ORDER BY at LIMIT ?3)",
            )?
            .execute(params![at(place, 0), at(place, STEPS), most])?;
        Ok(gone)
    }

    /// Where there are steps that no job goes on from.
    pub(super) fn load_passed(&self) -> Result<BTreeSet<i64>, Fault> {
        let mut statement = self.db.prepare(
            "SELECT more.job, generation FROM more JOIN job ON job.seq = more.job
             WHERE steps IS NOT NULL",
        )?;
        let current = statement.query_map([], |row| Ok(place(int(row, 0), int(row, 1))))?;
        let current: BTreeSet<i64> = current.collect::<Result<_, _>>()?;
        let mut passed = BTreeSet::new();
        let mut next = self.db.prepare("SELECT min(at) FROM step WHERE at >= ?1")?;
        let mut from = i64::MIN;
        while let Some(at) = next.query_row(params![from], |row| Ok(maybe_int(row, 0)))? {
            let place = at.div_euclid(STEPS.cast_signed());
            if !current.contains(&place) {
                passed.insert(place);
            }
            let Some(after) = place.checked_add(1) else { break };
            match after.checked_mul(STEPS.cast_signed()) {
                Some(after) => from = after,
                None => break,
            }
        }
        Ok(passed)
    }

    pub(super) fn write_progress(&self, seq: i64, it: Progress) -> Result<(), Fault> {
        self.db
            .prepare_cached(
                "UPDATE more SET steps = ?2, step_calls = ?3, settled = ?4, forgiven = ?5
                 WHERE job = ?1",
            )?
            .execute(params![
                seq,
                i64::try_from(it.steps).unwrap_or(i64::MAX),
                it.calls,
                it.settled,
                it.forgiven
            ])?;
        Ok(())
    }
}

/// Where the steps stand that a job has begun.
fn place(seq: i64, generation: i64) -> i64 {
    seq.saturating_mul(GENERATIONS).saturating_add(generation.rem_euclid(GENERATIONS))
}

/// Whose steps stand in a place.
pub(super) fn job_at(place: i64) -> i64 {
    place.div_euclid(GENERATIONS)
}

fn at(place: i64, number: u64) -> i64 {
    place.saturating_mul(STEPS.cast_signed()).saturating_add(number.cast_signed())
}

fn number_at(place: i64, at: i64) -> u64 {
    let first = place.saturating_mul(STEPS.cast_signed());
    u64::try_from(at.saturating_sub(first)).unwrap_or_default()
}
