//! What clients want of jobs that are there: to be rid of them, or to have them tried again.

use rusqlite::params;

use crate::queue::job::{Job, State};
use crate::queue::line::Waiting;
use crate::queue::names::JobKey;
use crate::queue::store::blob::Part;
use crate::queue::store::row::{Progress, Row, signed};
use crate::queue::store::{Fault, Store};

/// What became of a job that its client wants no more.
#[derive(Debug, Clone)]
pub enum Removed {
    /// It had not ended, and will not be done.
    Cancelled(Box<Job>),
    /// It had ended, and is gone.
    Gone,
}

/// What became of a job that somebody wants to be tried again.
#[derive(Debug, Clone)]
pub enum Retried {
    /// It waits for its turn.
    Queued(Box<Job>),
    /// It is in a state from which there is nothing to try again.
    Not(State),
}

impl Store {
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
}
