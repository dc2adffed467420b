//! A job ends, each time within a transaction of its caller's.

use rusqlite::params;

use crate::queue::job::{Answer, State, Trouble};
use crate::queue::store::blob::Part;
use crate::queue::store::open::unix_seconds;
use crate::queue::store::row::{Kept, Row, signed, state_number, stored};
use crate::queue::store::{Fault, Store};

impl Store {
    /// The job has ended, for good unless somebody asks for it to be tried again.
    pub(super) fn end(
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

    /// There is an answer: what it was made of is needed no more.
    pub(super) fn release(&mut self, row: &Row) -> Result<(), Fault> {
        self.delete_blob(row.seq, Part::Payload)?;
        self.let_steps_go(row.seq)?;
        self.release_file(row.seq)
    }

    /// There will be no other answer: the draft is the result, where there is one.
    pub(super) fn give_up(&mut self, row: &Row, trouble: &Trouble) -> Result<(), Fault> {
        if row.draft.is_none() {
            self.memory.totals.failed += 1;
            return self.end(row, State::Failed, None, Some(trouble));
        }
        self.release(row)?;
        self.memory.totals.succeeded += 1;
        self.end(row, State::Succeeded, None, Some(trouble))
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
    pub(super) fn corrupt(&mut self, row: &Row) -> Result<(), Fault> {
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

    /// Nothing is left of the job.
    pub(super) fn delete(&mut self, seq: i64) -> Result<(), Fault> {
        self.release_file(seq)?;
        self.let_steps_go(seq)?;
        self.db.prepare_cached("DELETE FROM more WHERE job = ?1")?.execute(params![seq])?;
        self.db.prepare_cached("DELETE FROM job WHERE seq = ?1")?.execute(params![seq])?;
        self.delete_blobs(seq)
    }
}
