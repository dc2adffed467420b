//! What can be done with jobs, each within a transaction of its caller's.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use crate::queue::job::{
    Answer, Ended, Enqueued, FileName, Job, JobFile, JobKey, Lane, Lease, State, Stored,
    Submission, Trouble, Which,
};
use crate::queue::line::{Age, Waiting};
use crate::queue::store::blob::Part;
use crate::queue::store::files;
use crate::queue::store::open::{MOST_CRASHES, unix_seconds};
use crate::queue::store::row::{Kept, Progress, Row, select_jobs, state_number};
use crate::queue::store::{Fault, PAGE, Store, priority_number};

/// Pages that an answer may take beside its own.
const PAGES_BESIDE: u64 = 8;

/// How long a job waits whose file cannot be looked at, in milliseconds.
const LOOKED_AT_AGAIN: Age = 60_000;

/// What became of a job that its client wants no more.
#[derive(Debug, Clone)]
pub enum Removed {
    /// It had not ended, and will not be done.
    Cancelled(Box<Job>),
    /// It had ended, and is gone.
    Gone,
}

/// Which jobs are listed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Only this client's; `None`: everybody's.
    pub owner: Option<Arc<str>>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that were accepted after this one.
    pub after: i64,
    /// Most of them.
    pub limit: usize,
}

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

    /// Takes the job for a run, and counts the start before anything is done.
    pub(in crate::queue) fn claim(&mut self, seq: i64) -> Result<Option<Lease>, Fault> {
        let Some(row) = self.row_at(seq)? else { return Ok(None) };
        if row.state != State::Queued || self.memory.acknowledged.contains(&seq) {
            return Ok(None);
        }
        if row.deadline(self.limits.result_ttl_ms()) <= self.now() {
            self.expire(&row)?;
            return Ok(None);
        }
        let before = row.calls_that_count();
        let left = self.limits.max_attempts.saturating_sub(before);
        if left == 0 {
            // The service stopped in its last run, or a reload allows fewer.
            self.give_up(&row, &used_up(before))?;
            return Ok(None);
        }
        let payload = self.read_blob(seq, Part::Payload, self.limits.quota)?;
        let Some(payload) = payload.filter(|it| row.payload_crc(it) == row.crc) else {
            self.corrupt(&row)?;
            return Ok(None);
        };
        match self.find_file(&row) {
            files::Found::Whole(file) => self.lease(row, payload, file, left).map(Some),
            files::Found::Lost => self.corrupt(&row).map(|()| None),
            files::Found::Unknown(why) => self.postpone(&row, &why).map(|()| None),
        }
    }

    /// Nobody knows whether what the job needs is lost: it waits until that can be looked at.
    fn postpone(&mut self, row: &Row, why: &str) -> Result<(), Fault> {
        tracing::warn!(job = %row.key.id, seq = row.seq, why, "a job's file cannot be looked at");
        let due = self.due_after(LOOKED_AT_AGAIN)?;
        self.db
            .prepare_cached("UPDATE job SET due = ?2, code = ?3, trouble = ?4 WHERE seq = ?1")?
            .execute(params![row.seq, signed(due), "document_unreachable", why])?;
        self.line().add(&row.lane, Waiting { due, ..row.waiting() });
        self.changed.push(row.key.clone());
        Ok(())
    }

    fn lease(
        &mut self,
        row: Row,
        payload: Vec<u8>,
        file: Option<JobFile>,
        left: u32,
    ) -> Result<Lease, Fault> {
        let (seq, stepwise) = (row.seq, row.progress.is_some());
        let (calls, charged) = allowance(&row, left);
        self.db
            .prepare_cached("UPDATE job SET state = 1, calls = ?2, crashes = ?3 WHERE seq = ?1")?
            .execute(params![
                seq,
                row.calls.saturating_add(charged),
                row.crashes.saturating_add(1)
            ])?;
        self.memory.counts.remove(State::Queued);
        self.memory.counts.add(State::Running);
        self.changed.push(row.key.clone());
        self.leased.insert(seq, charged);
        Ok(Lease {
            before: row.calls_that_count(),
            draft: row.draft.and_then(|draft| draft.stored.target),
            key: row.key,
            seq,
            path: row.path,
            lane: row.lane,
            payload: payload.into(),
            file,
            stepwise,
            calls,
            is_last: calls >= left,
        })
    }

    /// A run ended, having made so many of the calls that it was given.
    pub(in crate::queue) fn finish(
        &mut self,
        seq: i64,
        (given, made): (u32, u32),
        ended: &Ended,
    ) -> Result<(), Fault> {
        self.leased.remove(&seq);
        let Some(mut row) = self.row_at(seq)? else { return Ok(()) };
        if row.state != State::Running {
            return Ok(());
        }
        // Of a job in steps, none is counted before it is made.
        let charged = if row.progress.is_some() { 0 } else { given };
        row.calls = row.calls.saturating_sub(charged).saturating_add(made);
        row.crashes = row.crashes.saturating_sub(1);
        match ended {
            Ended::Failed(_, trouble) if row.draft.is_some() => self.give_up(&row, trouble),
            Ended::Succeeded(answer) | Ended::Failed(answer, _) | Ended::Draft(answer, _)
                if self.is_too_large(answer)? =>
            {
                self.give_up(&row, &too_large(answer))
            }
            Ended::Succeeded(answer) => self.succeed(&row, answer),
            Ended::Failed(answer, trouble) => self.fail(&row, answer, trouble),
            Ended::Draft(answer, lane) => self.keep_draft(&row, answer, lane),
            Ended::Again { trouble, wait } => {
                let wait = wait.map(millis).unwrap_or_default();
                self.put_back(&row, trouble, wait)
            }
        }
    }

    /// There is an answer: what it was made of is needed no more.
    fn release(&mut self, row: &Row) -> Result<(), Fault> {
        self.delete_blob(row.seq, Part::Payload)?;
        self.let_steps_go(row.seq)?;
        self.release_file(row.seq)
    }

    fn succeed(&mut self, row: &Row, answer: &Answer) -> Result<(), Fault> {
        self.release(row)?;
        self.memory.totals.succeeded += 1;
        self.end(row, State::Succeeded, Some(answer), None)
    }

    fn fail(&mut self, row: &Row, answer: &Answer, trouble: &Trouble) -> Result<(), Fault> {
        self.memory.totals.failed += 1;
        self.end(row, State::Failed, Some(answer), Some(trouble))
    }

    /// There will be no other answer: the draft is the result, where there is one.
    fn give_up(&mut self, row: &Row, trouble: &Trouble) -> Result<(), Fault> {
        if row.draft.is_none() {
            self.memory.totals.failed += 1;
            return self.end(row, State::Failed, None, Some(trouble));
        }
        self.release(row)?;
        self.memory.totals.succeeded += 1;
        self.end(row, State::Succeeded, None, Some(trouble))
    }

    /// Whether there is no room for an answer, and none is kept for one of its length: to wait for
    /// room would be to wait for ever.
    fn is_too_large(&self, answer: &Answer) -> Result<bool, Fault> {
        let length = answer.parcel.len() as u64;
        // Every page of it has a few bytes of its own; and its row may need others.
        let wanted = (length.div_ceil(PAGE - 8) + PAGES_BESIDE) * PAGE;
        let fits = self.used_bytes()?.saturating_add(wanted) <= self.limits.quota;
        Ok(length > self.limits.largest_result() && !fits)
    }

    fn keep_draft(&mut self, row: &Row, answer: &Answer, lane: &Lane) -> Result<(), Fault> {
        let stored = stored(answer);
        let crc = row.answer_crc(&stored, &answer.parcel);
        self.write_blob(row.seq, Part::Draft, &answer.parcel)?;
        self.begin_steps_anew(row)?;
        self.db
            .prepare_cached(
                "UPDATE job SET state = 0, lane = ?2, due = 0, calls = ?3, crashes = ?4,
                 code = NULL, trouble = NULL,
                 draft_target = ?5, draft_status = ?6, draft_bytes = ?7, draft_crc = ?8
                 WHERE seq = ?1",
            )?
            .execute(params![
                row.seq,
                &*lane.0,
                row.calls,
                row.crashes,
                stored.target,
                stored.status,
                signed(stored.bytes),
                crc,
            ])?;
        self.waits_again(row, lane, 0);
        Ok(())
    }

    /// Who betters a draft makes steps of its own. The draft is progress, as a step is.
    fn begin_steps_anew(&mut self, row: &Row) -> Result<(), Fault> {
        let Some(progress) = row.progress else { return Ok(()) };
        self.let_steps_go(row.seq)?;
        let (settled, forgiven) = (row.calls, row.crashes);
        self.write_progress(row.seq, Progress { steps: 0, settled, forgiven, ..progress })
    }

    fn put_back(&mut self, row: &Row, trouble: &Trouble, wait: Age) -> Result<(), Fault> {
        let due = self.due_after(wait)?;
        self.db
            .prepare_cached(
                "UPDATE job SET state = 0, due = ?2, calls = ?3, crashes = ?4, code = ?5,
                 trouble = ?6 WHERE seq = ?1",
            )?
            .execute(params![
                row.seq,
                signed(due),
                row.calls,
                row.crashes,
                trouble.code,
                trouble.message
            ])?;
        self.waits_again(row, &row.lane, due);
        Ok(())
    }

    /// With the wait goes the time that it is counted from: a start that knew only of an earlier one
    /// would wait that much longer.
    fn due_after(&mut self, wait: Age) -> Result<Age, Fault> {
        if wait == 0 {
            return Ok(0);
        }
        self.store_age()?;
        Ok(self.now().saturating_add(wait))
    }

    fn waits_again(&mut self, row: &Row, lane: &Lane, due: Age) {
        self.memory.counts.remove(State::Running);
        self.memory.counts.add(State::Queued);
        self.line().add(lane, Waiting { due, ..row.waiting() });
        self.memory.deadlines.insert((row.deadline(0), row.seq));
        self.changed.push(row.key.clone());
    }

    /// The job has ended, for good unless somebody asks for it to be tried again.
    fn end(
        &mut self,
        row: &Row,
        state: State,
        answer: Option<&Answer>,
        trouble: Option<&Trouble>,
    ) -> Result<(), Fault> {
        let now = self.now();
        let kept = match answer {
            Some(answer) => {
                self.write_blob(row.seq, Part::Result, &answer.parcel)?;
                let stored = stored(answer);
                let crc = row.answer_crc(&stored, &answer.parcel);
                Some(Kept { stored, crc })
            }
            None => row.result.clone(),
        };
        let trouble = match state {
            State::Succeeded => trouble,
            _ => trouble.or(row.trouble.as_ref()),
        };
        let (stored, crc) = kept.map(|it| (it.stored, it.crc)).unzip();
        self.db
            .prepare_cached(
                "UPDATE job SET state = ?2, calls = ?3, crashes = ?4, code = ?5, trouble = ?6,
                 ended = ?7, ended_age = ?8, target = ?9, status = ?10, bytes = ?11,
                 result_crc = ?12 WHERE seq = ?1",
            )?
            .execute(params![
                row.seq,
                state_number(state),
                row.calls,
                row.crashes,
                trouble.map(|it| it.code.as_str()),
                trouble.map(|it| it.message.as_str()),
                unix_seconds(),
                signed(now),
                stored.as_ref().and_then(|it| it.target.as_deref()),
                stored.as_ref().map(|it| it.status),
                stored.as_ref().map(|it| signed(it.bytes)),
                crc,
            ])?;
        self.moved(row, state, now.saturating_add(self.limits.result_ttl_ms()));
        Ok(())
    }

    /// The job's time is over.
    pub(super) fn expire(&mut self, row: &Row) -> Result<(), Fault> {
        if row.draft.is_some() {
            let none = Trouble {
                code: "not_refined".to_owned(),
                message: "no better target could be reached in the job's time".to_owned(),
            };
            return self.give_up(row, &none);
        }
        self.memory.totals.expired += 1;
        self.end(row, State::Expired, None, None)
    }

    /// What is stored is not what was stored.
    fn corrupt(&mut self, row: &Row) -> Result<(), Fault> {
        let trouble = Trouble {
            code: "corrupt".to_owned(),
            message:
                "what is stored of the job is not what was stored: the disk altered or lost it"
                    .to_owned(),
        };
        tracing::error!(job = %row.key.id, seq = row.seq, "a job is corrupt, and neither run nor served");
        self.memory.totals.corrupt += 1;
        self.let_steps_go(row.seq)?;
        self.end(row, State::Corrupt, None, Some(&trouble))
    }

    /// Marks a job whose answer turned out to be corrupt.
    pub(in crate::queue) fn mark_corrupt(&mut self, seq: i64) -> Result<(), Fault> {
        match self.row_at(seq)? {
            Some(row) if row.state != State::Corrupt => self.corrupt(&row),
            _ => Ok(()),
        }
    }

    /// The client wants the job no more.
    pub(in crate::queue) fn remove(&mut self, key: &JobKey) -> Result<Option<Removed>, Fault> {
        let Some(row) = self.visible(key)? else { return Ok(None) };
        if !row.state.is_final() {
            return Ok(self.end_in_vain(&row)?.map(|job| Removed::Cancelled(Box::new(job))));
        }
        self.memory.counts.remove(row.state);
        let deadline = row.deadline(self.limits.result_ttl_ms());
        self.memory.deadlines.remove(&(deadline, row.seq));
        self.acknowledge(row.seq)?;
        self.changed.push(row.key);
        Ok(Some(Removed::Gone))
    }

    /// Cancels a job that has not ended, and leaves one as it is that has.
    pub(in crate::queue) fn cancel(&mut self, key: &JobKey) -> Result<Option<Job>, Fault> {
        match self.visible(key)? {
            Some(row) if !row.state.is_final() => self.end_in_vain(&row),
            ended => Ok(ended.map(|row| self.seen(row))),
        }
    }

    fn end_in_vain(&mut self, row: &Row) -> Result<Option<Job>, Fault> {
        self.line().remove(&row.lane, row.waiting());
        // What was begun in vain is not gone on with, also where somebody wants it once more.
        self.let_steps_go(row.seq)?;
        self.end(row, State::Cancelled, None, None)?;
        Ok(self.row_at(row.seq)?.map(|row| self.seen(row)))
    }

    /// A job that ended without an answer goes back to the queue, with its calls and its time anew.
    pub(in crate::queue) fn retry(&mut self, key: &JobKey) -> Result<Option<Retried>, Fault> {
        let Some(row) = self.visible(key)? else { return Ok(None) };
        if !matches!(row.state, State::Failed | State::Expired | State::Cancelled)
            || self.leased.contains_key(&row.seq)
        {
            return Ok(Some(Retried::Not(row.state)));
        }
        let now = self.now();
        self.delete_blob(row.seq, Part::Result)?;
        self.db
            .prepare_cached(
                "UPDATE job SET state = 0, calls = 0, crashes = 0, born = ?2, due = ?2,
                 code = NULL, trouble = NULL, ended = NULL, ended_age = NULL, target = NULL,
                 status = NULL, bytes = NULL, result_crc = NULL WHERE seq = ?1",
            )?
            .execute(params![row.seq, signed(now)])?;
        if let Some(Progress { steps, .. }) = row.progress {
            self.write_progress(row.seq, Progress { steps, ..Progress::default() })?;
        }
        self.moved(&row, State::Queued, now.saturating_add(row.ttl));
        self.line().add(&row.lane, Waiting { due: now, ..row.waiting() });
        let again = self.row_at(row.seq)?.map(|row| self.seen(row));
        Ok(again.map(|job| Retried::Queued(Box::new(job))))
    }

    /// A job.
    pub(in crate::queue) fn job(&mut self, key: &JobKey) -> Result<Option<Job>, Fault> {
        Ok(self.visible(key)?.map(|row| self.seen(row)))
    }

    /// Jobs in the order of their acceptance.
    pub(in crate::queue) fn list(&mut self, which: &Listing) -> Result<Vec<Job>, Fault> {
        let mut statement = self.db.prepare_cached(select_jobs!(
            "WHERE seq > ?1 AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR state = ?3) ORDER BY seq"
        ))?;
        let state = which.state.map(state_number);
        let mut rows = statement.query(params![which.after, which.owner.as_deref(), state])?;
        let mut found = Vec::new();
        while found.len() < which.limit
            && let Some(row) = rows.next()?
        {
            let row = Row::read(row);
            if !self.memory.acknowledged.contains(&row.seq) {
                found.push(row);
            }
        }
        drop(rows);
        drop(statement);
        Ok(found.into_iter().map(|row| self.seen(row)).collect())
    }

    /// A stored answer, if it is there and is what was stored.
    pub(in crate::queue) fn answer(
        &mut self,
        key: &JobKey,
        which: Which,
    ) -> Result<Option<Found>, Fault> {
        let Some(row) = self.visible(key)? else { return Ok(None) };
        let (part, kept) = match (which, &row.result, &row.draft) {
            (Which::Best, Some(kept), _) => (Part::Result, kept),
            (Which::Best | Which::Draft, _, Some(kept)) => (Part::Draft, kept),
            _ => return Ok(None),
        };
        let stored = kept.stored.clone();
        let parcel = self.read_blob(row.seq, part, self.limits.quota)?;
        let whole = parcel.filter(|it| row.answer_crc(&stored, it) == kept.crc);
        Ok(Some(match whole {
            Some(parcel) => Found::Answer { stored, parcel, is_draft: part == Part::Draft },
            None => Found::Corrupt(row.seq),
        }))
    }

    /// What a job is about, if it is there and is what was stored.
    pub(in crate::queue) fn payload(&mut self, key: &JobKey) -> Result<Option<Vec<u8>>, Fault> {
        let Some(row) = self.visible(key)? else { return Ok(None) };
        let payload = self.read_blob(row.seq, Part::Payload, self.limits.quota)?;
        Ok(payload.filter(|it| row.payload_crc(it) == row.crc))
    }

    fn visible(&self, key: &JobKey) -> Result<Option<Row>, Fault> {
        let row = self.row_of(key)?;
        Ok(row.filter(|row| !self.memory.acknowledged.contains(&row.seq)))
    }

    fn row_of(&self, key: &JobKey) -> Result<Option<Row>, Fault> {
        let mut statement = self.db.prepare_cached(select_jobs!("WHERE owner = ?1 AND id = ?2"))?;
        let read = |row: &rusqlite::Row<'_>| Ok(Row::read(row));
        let found = statement.query_row(params![&*key.owner, key.id.as_str()], read).optional()?;
        // An index that was altered can lead to another's row.
        Ok(found.filter(|row| row.key == *key))
    }

    pub(super) fn row_at(&self, seq: i64) -> Result<Option<Row>, Fault> {
        let mut statement = self.db.prepare_cached(select_jobs!("WHERE seq = ?1"))?;
        Ok(statement.query_row(params![seq], |row| Ok(Row::read(row))).optional()?)
    }

    pub(super) fn delete(&mut self, seq: i64) -> Result<(), Fault> {
        self.release_file(seq)?;
        self.let_steps_go(seq)?;
        self.db.prepare_cached("DELETE FROM more WHERE job = ?1")?.execute(params![seq])?;
        self.db.prepare_cached("DELETE FROM job WHERE seq = ?1")?.execute(params![seq])?;
        self.delete_blobs(seq)
    }

    fn seen(&self, mut row: Row) -> Job {
        // A start counts before it is known how it ends; until then only those behind it are told.
        if let Some(given) = self.leased.get(&row.seq) {
            row.calls = row.calls.saturating_sub(*given);
            row.crashes = row.crashes.saturating_sub(1);
        }
        let waits = row.state == State::Queued;
        let position = waits.then(|| self.line().position(row.waiting()));
        row.into_job(self.now(), self.limits.result_ttl_ms(), position)
    }
}

/// What became of a job that somebody wants to be tried again.
#[derive(Debug, Clone)]
pub enum Retried {
    /// It waits for its turn.
    Queued(Box<Job>),
    /// It is in a state from which there is nothing to try again.
    Not(State),
}

/// An answer that was looked for.
#[derive(Debug, Clone)]
pub enum Found {
    /// It is what was stored.
    Answer {
        /// What is known of it.
        stored: Stored,
        /// All of it.
        parcel: Vec<u8>,
        /// Whether a better one may come, or was looked for in vain.
        is_draft: bool,
    },
    /// It is not what was stored, at this place in the order of acceptance.
    Corrupt(i64),
}

/// The calls of a run, and those of them that count before they are made.
fn allowance(row: &Row, left: u32) -> (u32, u32) {
    if row.progress.is_some() {
        return (left, 0);
    }
    // Where the process ends in a run, nobody knows how many calls it had made: as many as it was
    // given count, and some are kept for the starts that may follow.
    let spare = MOST_CRASHES.saturating_sub(row.crashes.saturating_add(1));
    let calls = left.saturating_sub(spare).max(1);
    (calls, calls)
}

fn used_up(calls: u32) -> Trouble {
    Trouble {
        code: "attempts_used_up".to_owned(),
        message: format!("it had {calls} calls, and may have no more (max_attempts in [queue])"),
    }
}

fn too_large(answer: &Answer) -> Trouble {
    Trouble {
        code: "result_too_large".to_owned(),
        message: format!(
            "the answer has {} bytes, and the queue's database no room for it; delete finished jobs, or raise quota in [queue]",
            answer.parcel.len()
        ),
    }
}

fn stored(answer: &Answer) -> Stored {
    Stored {
        status: answer.status,
        target: answer.target.clone(),
        bytes: answer.parcel.len() as u64,
    }
}

fn millis(time: std::time::Duration) -> Age {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
