//! Jobs are taken, each within a transaction of its caller's.

use rusqlite::params;

use crate::queue::job::{Enqueued, State, Submission};
use crate::queue::names::FileName;
use crate::queue::store::blob::Part;
use crate::queue::store::open::unix_seconds;
use crate::queue::store::row::{Progress, Row, signed};
use crate::queue::store::time::millis;
use crate::queue::store::{Fault, PAGE, Store, priority_number};

impl Store {
    /// Takes a job, if it is none that is there already and there is room.
    pub(in crate::queue) fn enqueue(&mut self, it: &Submission) -> Result<Enqueued, Fault> {
        if let Some(known) = self.row_of(&it.key)? {
            if !self.memory.acknowledged.contains(&known.seq) {
                if known.fingerprint != it.fingerprint {
                    return Ok(Enqueued::Conflict);
                }
                self.memory.totals.replayed += 1;
                return Ok(Enqueued::Replayed(Box::new(self.seen(known))));
            }
            self.delete(known.seq)?;
            self.memory.acknowledged.remove(&known.seq);
        }
        if let Some(why) = self.lack_of_room(it.payload.len())? {
            self.memory.totals.refused += 1;
            return Ok(Enqueued::Full(why));
        }
        let row = self.insert(it)?;
        self.memory.totals.accepted += 1;
        self.memory.counts.add(State::Queued);
        let deadline = row.deadline(self.limits.result_ttl_ms());
        self.memory.deadlines.insert((deadline, row.seq));
        self.line().add(&row.lane, row.waiting());
        Ok(Enqueued::Accepted(Box::new(self.seen(row))))
    }

    fn insert(&mut self, it: &Submission) -> Result<Row, Fault> {
        let now = self.now();
        self.memory.last = self.memory.last.saturating_add(1);
        let mut row = Row {
            seq: self.memory.last,
            key: it.key.clone(),
            state: State::Queued,
            priority: it.priority,
            path: it.path.clone(),
            lane: it.lane.clone(),
            fingerprint: it.fingerprint,
            crc: 0,
            accepted: u64::try_from(unix_seconds()).unwrap_or_default(),
            born: now,
            ttl: millis(it.ttl),
            due: now.saturating_add(millis(it.not_before)),
            calls: 0,
            crashes: 0,
            trouble: None,
            ended: None,
            ended_age: 0,
            result: None,
            draft: None,
            size: it.payload.len() as u64,
            progress: it.stepwise.then(Progress::default),
            file: it.file.clone(),
            file_bytes: it.file_bytes,
        };
        row.crc = row.payload_crc(&it.payload);
        self.db
            .prepare_cached(
                "INSERT INTO job(seq, owner, id, state, priority, path, lane, fingerprint, crc,
                                 accepted, born, ttl, due, size)
                 VALUES(?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                row.seq,
                &*row.key.owner,
                row.key.id.as_str(),
                priority_number(row.priority),
                row.path,
                &*row.lane.0,
                row.fingerprint.0.as_slice(),
                row.crc,
                signed(row.accepted),
                signed(row.born),
                signed(row.ttl),
                signed(row.due),
                signed(row.size),
            ])?;
        self.write_blob(row.seq, Part::Payload, &it.payload)?;
        self.insert_more(&row)?;
        Ok(row)
    }

    /// What most jobs have nothing of.
    fn insert_more(&mut self, row: &Row) -> Result<(), Fault> {
        if row.progress.is_none() && row.file.is_none() {
            return Ok(());
        }
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO more(job, steps, file, file_bytes) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                row.seq,
                row.progress.map(|it| signed(it.steps)),
                row.file.as_ref().map(FileName::as_str),
                signed(row.file_bytes),
            ])?;
        if let Some(name) = row.file.clone() {
            self.memory.files.add(row.seq, name, row.file_bytes);
        }
        Ok(())
    }

    /// What is full, if a body of so many bytes does not fit.
    pub(super) fn lack_of_room(&self, length: usize) -> Result<Option<String>, Fault> {
        let (limits, held) = (&self.limits, self.memory.counts.all());
        if held >= limits.max_jobs {
            return Ok(Some(format!(
                "the queue holds {held} jobs and may hold {}; delete finished ones, or raise max_jobs in [queue]",
                limits.max_jobs
            )));
        }
        // What a row takes beside the body: its own place, the index's, and the rest of a page.
        let wanted = (length as u64).div_ceil(PAGE) * PAGE + PAGE;
        if !self.ballast.is_there() || self.is_disk_short(wanted)? {
            return Ok(Some("the disk is full; make room on it".to_owned()));
        }
        let used = self.used_bytes()?;
        let room = limits.quota.saturating_sub(limits.room_for_results());
        if used.saturating_add(wanted) <= room {
            return Ok(None);
        }
        Ok(Some(format!(
            "the queue's database has {used} of {} bytes in use, and the rest is kept for results; delete finished jobs, or raise quota in [queue]",
            limits.quota
        )))
    }
}
