//! What is kept of jobs, as it is shown.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use crate::queue::job::{Job, State, Stored, Which};
use crate::queue::names::JobKey;
use crate::queue::store::blob::Part;
use crate::queue::store::row::{Row, select_jobs, state_number};
use crate::queue::store::{Fault, Store};

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

impl Store {
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

    pub(super) fn visible(&self, key: &JobKey) -> Result<Option<Row>, Fault> {
        let row = self.row_of(key)?;
        Ok(row.filter(|row| !self.memory.acknowledged.contains(&row.seq)))
    }

    pub(super) fn row_of(&self, key: &JobKey) -> Result<Option<Row>, Fault> {
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

    pub(super) fn seen(&self, mut row: Row) -> Job {
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
