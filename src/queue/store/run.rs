//! A job is run: from its start to how that ended.

use rusqlite::params;

use crate::queue::job::{Answer, Ended, JobFile, Lane, Lease, State, Trouble};
use crate::queue::line::{Age, Waiting};
use crate::queue::store::blob::Part;
use crate::queue::store::open::MOST_CRASHES;
use crate::queue::store::row::{Progress, Row, signed, stored};
use crate::queue::store::time::millis;
use crate::queue::store::{Fault, PAGE, Store, files};

/// Pages that an answer may take beside its own.
const PAGES_BESIDE: u64 = 8;

/// How long a job waits whose file cannot be looked at, in milliseconds.
const LOOKED_AT_AGAIN: Age = 60_000;

impl Store {
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

    fn succeed(&mut self, row: &Row, answer: &Answer) -> Result<(), Fault> {
        self.release(row)?;
        self.memory.totals.succeeded += 1;
        self.end(row, State::Succeeded, Some(answer), None)
    }

    fn fail(&mut self, row: &Row, answer: &Answer, trouble: &Trouble) -> Result<(), Fault> {
        self.memory.totals.failed += 1;
        self.end(row, State::Failed, Some(answer), Some(trouble))
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
